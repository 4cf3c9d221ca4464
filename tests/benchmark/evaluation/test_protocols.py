"""Protocols are plain data that identify a score."""

import json
from dataclasses import fields, replace

import pytest

from benchmark.errors import UserError
from benchmark.evaluation import protocols


def test_as_dict_has_every_field_and_survives_json():
    for name in protocols.names():
        protocol = protocols.get(name)
        document = protocol.as_dict()
        assert set(document) == {field.name for field in fields(protocol)}
        assert json.loads(json.dumps(document)) == document
        assert document["name"] == name


def test_any_change_shows_in_the_identity():
    protocol = protocols.get("digits-2k")
    assert replace(protocol, weights_digest="0" * 64).as_dict() != protocol.as_dict()
    assert replace(protocol, isc_splits=10).as_dict() != protocol.as_dict()


def test_lenet_scores_are_never_called_comparable():
    for name in protocols.names():
        protocol = protocols.get(name)
        assert not (protocol.extractor == "digits-lenet" and protocol.comparable_with_papers)
        assert protocol.comparable_with_papers or "Not comparable" in protocol.note


def test_unknown_protocol_gets_a_suggestion():
    with pytest.raises(UserError, match="Did you mean 'digits-2k'"):
        protocols.get("digits-2")
