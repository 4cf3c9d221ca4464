"""Images laid out on a sheet and written to a file."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor, nn

from benchmark.records import atomic

if TYPE_CHECKING:
    from pathlib import Path

    from benchmark.pictures.latent import Term

_GAP, _APART = 2, 10
_GREY = 128
_LEGIBLE = 48
"""Pixels that a cell with a number must at least be wide."""
_CAPTION = 14


def sheet(images: Tensor, columns: int, *, last_apart: bool = False) -> Image.Image:
    """Images uint8 [n, C, H, W] row by row, laid out like the grids of a run; `last_apart` moves a column."""
    canvas = _Canvas(images, -(-len(images) // columns), columns, _APART if last_apart else 0)
    for i, image in enumerate(images):
        column = i % columns
        canvas.put(image, i // columns, column, _APART if last_apart and column == columns - 1 else 0)
    return canvas.picture


def numbered_sheet(images: Tensor, columns: int) -> Image.Image:
    """`sheet` with the number of each image below it; small images are enlarged by a whole factor."""
    factor = -(-_LEGIBLE // images.shape[3])
    large = images.repeat_interleave(factor, 2).repeat_interleave(factor, 3)
    canvas = _Canvas(
        nn.functional.pad(large, (0, 0, 0, _CAPTION), value=0), -(-len(images) // columns), columns
    )
    for i, image in enumerate(large):
        canvas.put(image, i // columns, i % columns)
        canvas.write(str(i), i // columns, i % columns, below=large.shape[2])
    return canvas.picture


def arithmetic_sheet(
    expression: list[Term], exemplars: Tensor, means: Tensor, results: Tensor
) -> Image.Image:
    """Figure 7 of DCGAN 2015: per term a column of exemplars above their mean; at the right 3 × 3 results.

    Args:
        expression: the terms, t of them.
        exemplars: uint8 [Σ numbers of a term, C, H, W], in the order of the terms.
        means: uint8 [t, C, H, W].
        results: uint8 [9, C, H, W].

    """
    deepest = max(3, 1 + max(len(term.numbers) for term in expression))
    canvas = _Canvas(results, deepest, len(expression) + 3, len(expression) * _CAPTION + _CAPTION)
    rest = iter(exemplars)
    for i, (term, mean) in enumerate(zip(expression, means, strict=True)):
        for j in range(len(term.numbers)):
            canvas.put(next(rest), deepest - 1 - len(term.numbers) + j, i, (i + 1) * _CAPTION)
        canvas.put(mean, deepest - 1, i, (i + 1) * _CAPTION)
        if i or term.sign < 0:
            canvas.write("-" if term.sign < 0 else "+", deepest - 1, i, i * _CAPTION)
    for i, image in enumerate(results):
        canvas.put(image, deepest - 3 + i // 3, len(expression) + i % 3, (len(expression) + 1) * _CAPTION)
    canvas.write("=", deepest - 1, len(expression), len(expression) * _CAPTION)
    return canvas.picture


class _Canvas:
    """Grey with places for images of one size, `_GAP` apart; `shift` moves a place to the right."""

    def __init__(self, images: Tensor, rows: int, columns: int, wider: int = 0) -> None:
        _, channels, height, width = images.shape
        self._side = (height + _GAP, width + _GAP)
        size = (columns * self._side[1] - _GAP + wider, rows * self._side[0] - _GAP)
        self._white = (255,) * channels
        self.picture = Image.new("L" if channels == 1 else "RGB", size, (_GREY,) * channels)

    def put(self, image: Tensor, row: int, column: int, shift: int = 0) -> None:
        pixels = image.permute(1, 2, 0).contiguous().numpy()
        one = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
        self.picture.paste(one, self._place(row, column, shift))

    def write(self, text: str, row: int, column: int, shift: int = 0, below: int = 0) -> None:
        x, y = self._place(row, column, shift)
        ImageDraw.Draw(self.picture).text(
            (x + 2, y + below), text, font=ImageFont.load_default(12), fill=self._white
        )

    def _place(self, row: int, column: int, shift: int) -> tuple[int, int]:
        return column * self._side[1] + shift, row * self._side[0]


def save(picture: Image.Image, path: Path) -> None:
    """Write a PNG, whole or not at all; replaces a file of that name."""
    content = io.BytesIO()
    picture.save(content, format="PNG")
    atomic.write_bytes(path, content.getvalue())
