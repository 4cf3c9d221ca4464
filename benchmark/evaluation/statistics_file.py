"""Mean and covariance of features in an .npz file, as pytorch-fid writes and reads them, and FID by them.

`mu` [D] and `sigma` [D, D]. Nothing in such a file says what made it: which network, which resizing, how many
images. A FID by it is therefore never comparable with a paper. Files written here say it in a third array,
``ganbench``, which others pass over; it is compared when they are read.
"""

from __future__ import annotations

import json
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from benchmark import data
from benchmark.data.framing import frame
from benchmark.errors import UserError, shown
from benchmark.evaluation import digits_lenet, extractors, fidelity, frechet, inception, scoring
from benchmark.evaluation.evaluator import Evaluator
from benchmark.evaluation.fidelity import NonFiniteScore
from benchmark.evaluation.fit import CHANNELS
from benchmark.records import bounded
from benchmark.training.quantise import NonFiniteImages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torch import Tensor

    from benchmark.evaluation.fidelity import Matrix, Vector
    from benchmark.evaluation.protocol import Protocol
    from benchmark.evaluation.source import Source
    from benchmark.training.quantise import Generated

_MOST_BYTES = 1 << 30
"""11 000 features and their covariance; Inception has 2 048."""
_FEATURES = {net.NAME: net.FEATURE_DIM for net in (digits_lenet, inception)}
_SAME = ("extractor", "weights_digest", "image_size")


def protocols(
    chosen: tuple[Protocol, ...], files: list[str], note: Callable[[str], None]
) -> tuple[Protocol, ...]:
    """The protocols as they are by statistics: FID alone, and not comparable if they come from files.

    Raises:
        UserError: one has no FID.

    """
    for protocol in chosen:
        where = f"protocol '{protocol.name}'"
        if "fid" not in protocol.metrics:
            raise UserError("has no FID, and statistics serve for nothing else", where=where)
        if len(protocol.metrics) > 1:
            note(f"{protocol.name}: by statistics there is FID alone")
    if not files:
        return tuple(replace(protocol, metrics=("fid",)) for protocol in chosen)
    what = f"Not comparable with any paper: by statistics in {' and '.join(files)}. "
    return tuple(
        replace(p, metrics=("fid",), comparable_with_papers=False, note=what + p.note) for p in chosen
    )


def read(file: Path, protocol: Protocol, *, as_reference: bool) -> frechet.Normal:
    """Statistics out of a file.

    Args:
        file: says what made it, or not.
        protocol: what it is to be scored by.
        as_reference: whether it stands for the real images. `write` knows those too by the number that the
            protocol generates, so a file of either number will do.

    Raises:
        UserError: it is damaged, has none, or they are not of the protocol's features or number of images.

    """
    where = str(file)
    try:
        with zipfile.ZipFile(file) as zipped:
            if sum(info.file_size for info in zipped.infolist()) > _MOST_BYTES:
                raise UserError("is too large for statistics", where=where)
        with np.load(file, allow_pickle=False) as arrays:
            mean, covariance = np.asarray(arrays["mu"]), np.asarray(arrays["sigma"])
            about = bounded.parse(str(arrays["ganbench"]).encode()) if "ganbench" in arrays else {}
    except UserError:
        raise
    except Exception as error:  # NumPy raises nearly anything on damaged files
        raise UserError(f"has no statistics mu and sigma ({error})", where=where) from error
    d = len(mean) if mean.ndim == 1 else 0
    expected = _FEATURES[protocol.extractor]
    if d and d != expected and covariance.shape == (d, d):
        raise UserError(
            f"is of {d} features, '{protocol.extractor}' of {protocol.name} has {expected}", where=where
        )
    real = all(np.issubdtype(a.dtype, np.floating) and np.isfinite(a).all() for a in (mean, covariance))
    square = bool(d) and covariance.shape == (d, d)
    if not square or not real or not _is_covariance(covariance.astype(np.float64)):
        what = f"mu {mean.dtype} {list(mean.shape)} and sigma {covariance.dtype} {list(covariance.shape)}"
        raise UserError(f"{what} are no mean and covariance", where=where)
    mean = mean.astype(np.float32 if mean.dtype == np.float32 else np.float64)
    ours = protocol.as_dict()
    if not isinstance(about, dict) or any(about.get(key, ours.get(key)) != ours.get(key) for key in _SAME):
        raise UserError(f"was made by another network or size than those of {protocol.name}", where=where)
    taken = {protocol.n_generated, *([protocol.n_reference] if as_reference else [])}
    if (n := about.get("n")) not in (None, *taken):
        what = f"is of {shown(n)} images, {protocol.name} takes {' or '.join(map(str, sorted(taken)))} here"
        raise UserError(what, where=where)
    return frechet.Normal(0, cast("Vector", mean), cast("Matrix", covariance.astype(np.float64)), root=None)


def _is_covariance(matrix: Matrix) -> bool:
    """Symmetric, and no variance in any direction below zero, up to rounding."""
    size = float(np.abs(matrix).max())
    if not np.isfinite(size * len(matrix)) or np.abs(matrix - matrix.T).max() > 1e-6 * size:
        return False
    return float(np.linalg.eigvalsh(matrix)[0]) >= -1e-6 * size


def write(file: Path, normal: frechet.Normal, protocol: Protocol, images: dict[str, Any]) -> None:
    """Write statistics of the features of some images."""
    about = {**{key: protocol.as_dict().get(key) for key in _SAME}, "n": normal.n, "images": images}
    try:
        with file.open("xb") as opened:
            np.savez(opened, mu=normal.mean, sigma=normal.covariance, ganbench=json.dumps(about))
    except OSError as error:
        raise UserError(f"cannot be written ({error.strerror})", where=str(file)) from error


def fid(
    protocol: Protocol,
    images: Source | Path,
    real: str | Path,
    device: str,
    note: Callable[[str], None],
    save: Path | None = None,
) -> float:
    """FID between images, or statistics of some, and a data set, or statistics of one.

    Args:
        protocol: one of `protocols`.
        images: the generated side.
        real: name of the data set, or a file.
        device: where the feature extractor runs.
        note: gets lines for a person.
        save: where to write the statistics of the images to.

    Raises:
        UserError: something does not fit, or there is nothing finite to score.

    """
    where = str(images) if isinstance(images, Path) else images.where
    try:
        if isinstance(images, Path):
            ours = read(images, protocol, as_reference=False)
            theirs = (
                Evaluator([protocol], real, device).normal(protocol)
                if isinstance(real, str)
                else read(real, protocol, as_reference=True)
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # an overflow is the error that follows
                return fidelity.frechet_between(
                    (ours.mean, ours.covariance), (theirs.mean, theirs.covariance)
                )
        name, channels = str(real), CHANNELS[protocol.extractor][-1]
        if isinstance(real, str):
            channels = data.info(real).shape[0]
        batches, shape = scoring.checked((protocol,), images, channels, name, note)
        if isinstance(real, str):
            framed_to = scoring.frame_of((protocol,), images, shape, data.info(real), note)
            theirs = Evaluator([protocol], real, device, framed_to).normal(protocol)
        else:
            scoring.check_size(protocol, shape, where)
            theirs = read(real, protocol, as_reference=True)
        features = _features(protocol, batches, device)
        if save:
            write(save, frechet.fit(features), protocol, images.described)
        return frechet.distance(features, theirs)
    except (NonFiniteImages, NonFiniteScore, ValueError, AssertionError) as error:  # torch-fidelity asserts
        raise UserError(
            f"nothing to score: {str(error) or 'the distance cannot be computed'}", where=where
        ) from error


def _features(protocol: Protocol, batches: Iterable[Generated], device: str) -> Tensor:
    """Features of the images that a protocol takes, float32 [N, D] on the CPU."""
    extractor, on = extractors.get(protocol.extractor), torch.device(device)
    net = extractor.load(protocol.weights_digest or "").to(on)
    feature_pass = extractors.Pass(net, on, extractor.batch_size, protocol.n_generated, 0)
    for batch in batches:
        size = protocol.image_size
        feature_pass.add(frame(batch.images, size) if size else batch.images.contiguous())
    return feature_pass.rows()[0]
