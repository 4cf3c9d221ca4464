"""Reader of the Toronto Face Database's MATLAB file, as Pylearn2's ``tfd.py`` documents it.

``images`` uint8 [N,48,48]; ``folds`` [N,5]: 0 unlabelled, 1 train, 2 valid, 3 test; ``labs_ex`` 1..7 or -1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmark.data.sources import Content, Request, slices
from benchmark.data.sources.small import load_mat
from benchmark.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UNLABELLED, TRAIN, VALID, TEST = 0, 1, 2, 3
_CHUNK = 4096


def read(request: Request) -> Content:
    """Read unlabelled images to train on, the test part of fold 0 held out with classes 0..6: [N,1,48,48]."""
    faces = _Faces(request.files["TFD_48x48.mat"])
    return Content(faces.part(0, UNLABELLED), faces.part(0, TEST), notes={"fold": 0})


def read_fold(request: Request) -> Content:
    """Read the validation part of the fold that the name ends in; its test part is held out: [N,1,48,48]."""
    faces, fold = _Faces(request.files["TFD_48x48.mat"]), int(request.name.rsplit("-", 1)[1])
    return Content(faces.part(fold, VALID), faces.part(fold, TEST), notes={"fold": fold})


class _Faces:
    """The file's arrays, once their layout is the expected one."""

    def __init__(self, path: Path) -> None:
        found = load_mat(path, ("images", "folds", "labs_ex"))
        self._path, self._images, self._folds = path, found["images"], found["folds"]
        self._labels = found["labs_ex"].reshape(-1).astype(np.int64)
        n, folds = len(self._images), self._folds
        if (
            self._images.dtype != np.uint8
            or self._images.shape != (n, 48, 48)
            or folds.shape != (n, 5)
            or len(self._labels) != n
        ):
            what = f"images {self._images.dtype} {list(self._images.shape)}, folds {list(folds.shape)}"
            raise UserError(
                f"not TFD's layout: {what}, {len(self._labels)} labels",
                where=str(path),
                do="Get TFD_48x48.mat, not 96x96",
            )
        if not np.isin(folds, (UNLABELLED, TRAIN, VALID, TEST)).all():
            raise UserError("folds has values other than 0, 1, 2, 3", where=str(path))

    def part(self, fold: int, kind: int) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """Chunks of the images that are of this kind in a fold, with classes 0..6 where there are some."""
        rows = np.flatnonzero(self._folds[:, fold] == kind)
        labels = self._labels[rows] - 1
        if kind == UNLABELLED:
            return ((self._images[rows[part]][:, None], None) for part in slices(len(rows), _CHUNK))
        if not ((labels >= 0) & (labels < 7)).all():
            named = {TRAIN: "training", VALID: "validation", TEST: "test"}[kind]
            raise UserError(f"a {named} image has no expression from 1 to 7", where=str(self._path))
        return ((self._images[rows[part]][:, None], labels[part]) for part in slices(len(rows), _CHUNK))
