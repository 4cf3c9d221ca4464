"""Weights of the feature extractors: where they lie, what they must hash to. Imports no torch.

Every weights file has a training record beside it (same name, ``.json``) with its SHA-256. A score is only as
good as the extractor behind it, so bytes that differ from the record are refused, never used.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from benchmark.errors import UserError


def path(extractor: str) -> Path:
    """Locate the committed weights file of an extractor."""
    return Path(__file__).with_name(f"{extractor}.safetensors")


def record(weights: Path) -> dict[str, Any]:
    """Read the training record beside a weights file; `UserError` when it is missing or names no digest."""
    file = weights.with_suffix(".json")
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return {**content, "weights_sha256": str(content["weights_sha256"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = f"no usable training record ({error!r})"
        raise UserError(what, where=str(file), do="Reinstall ganbench") from error


def read_verified(weights: Path) -> bytes:
    """Content of a weights file, after its SHA-256 matched the record beside it; `UserError` otherwise."""
    expected = record(weights)["weights_sha256"]
    try:
        content = weights.read_bytes()
    except OSError as error:
        raise UserError("cannot read the weights", where=str(weights), do="Reinstall ganbench") from error
    actual = hashlib.sha256(content).hexdigest()
    if actual != expected:
        raise UserError(
            f"the weights have SHA-256 {actual[:12]}…, their training record says {expected[:12]}…",
            where=str(weights),
            do="Restore the file: scores from other weights cannot be compared",
        )
    return content
