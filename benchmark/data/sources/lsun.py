"""Reader of LSUN's bedroom databases (LMDB: key to compressed picture). Needs the package ``lmdb``."""

from __future__ import annotations

import importlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from benchmark.data import pixels
from benchmark.data.sources import Content, Request
from benchmark.data.sources.pictures import Unusable, chunks
from benchmark.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy as np
    from PIL import Image

SIZE = 64


def read(request: Request) -> Content:
    """Read both databases in the order of their keys: uint8 [N,3,64,64], no labels."""
    try:
        lmdb = importlib.import_module("lmdb")
    except ImportError as error:
        raise UserError("reading LSUN's databases needs lmdb", do="pip install lmdb") from error
    unusable = Unusable()
    notes: dict[str, object] = {}

    def prepare(image: Image.Image) -> Image.Image:
        return pixels.shorter_side_then_middle(image.convert("RGB"), SIZE)

    def opened(name: str) -> Any:
        path = request.files[name]
        try:
            return lmdb.open(
                str(path), readonly=True, lock=False, readahead=True, meminit=False, max_readers=1
            )
        except lmdb.Error as error:
            raise UserError(f"cannot open the database ({error})", where=str(path)) from error

    def entries(name: str) -> int:
        with opened(name) as database, _damage(lmdb.Error, request.files[name]):
            return int(database.stat()["entries"])

    def split(name: str) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        n = entries(name)
        with (
            _damage(lmdb.Error, request.files[name]),
            opened(name) as database,
            database.begin(write=False) as transaction,
        ):
            pairs = ((key.decode("latin-1"), _value(value), None) for key, value in transaction.cursor())
            yield from chunks(pairs, prepare, unusable)
        if not request.skip_broken:
            unusable.stop(
                str(request.files[name]), n, f"Unpack the database again, or {request.to_leave_out}"
            )
        notes["left out"] = unusable.counts()

    total = entries("bedroom_train_lmdb") + entries("bedroom_val_lmdb")
    return Content(split("bedroom_train_lmdb"), split("bedroom_val_lmdb"), total=total, notes=notes)


@contextmanager
def _damage(kind: type[Exception], path: Path) -> Iterator[None]:
    try:
        yield
    except kind as error:
        do = "Unpack the database again"
        raise UserError(f"damaged database ({error})", where=str(path), do=do) from error


def _value(value: bytes) -> Callable[[], bytes]:
    return lambda: bytes(value)
