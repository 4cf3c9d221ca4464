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

UNLABELLED, TRAIN, VALID, TEST = 0, 1, 2, 3
_FOLD = 0
_CHUNK = 4096


def read(request: Request) -> Content:
    """Read unlabelled images to train on, the test part of fold 0 held out with classes 0..6: [N,1,48,48]."""
    path = request.files["TFD_48x48.mat"]
    found = load_mat(path, ("images", "folds", "labs_ex"))
    images, folds, labels = found["images"], found["folds"], found["labs_ex"].reshape(-1).astype(np.int64)
    n = len(images)
    if images.dtype != np.uint8 or images.shape != (n, 48, 48) or folds.shape != (n, 5) or len(labels) != n:
        what = f"images {images.dtype} {list(images.shape)}, folds {list(folds.shape)}, {len(labels)} labels"
        raise UserError(f"not TFD's layout: {what}", where=str(path), do="Get TFD_48x48.mat, not 96x96")
    if not np.isin(folds, (UNLABELLED, TRAIN, VALID, TEST)).all():
        raise UserError("folds has values other than 0, 1, 2, 3", where=str(path))
    fold = folds[:, _FOLD]
    test = np.flatnonzero(fold == TEST)
    if not ((labels[test] >= 1) & (labels[test] <= 7)).all():
        raise UserError("a test image has no expression from 1 to 7", where=str(path))

    def split(rows: np.ndarray, *, labelled: bool) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        for part in slices(len(rows), _CHUNK):
            yield images[rows[part]][:, None], labels[rows[part]] - 1 if labelled else None

    return Content(
        split(np.flatnonzero(fold == UNLABELLED), labelled=False),
        split(test, labelled=True),
        notes={"fold": _FOLD},
    )
