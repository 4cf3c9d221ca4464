"""Images laid out on a sheet and written to a file."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

from benchmark.records import atomic

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from benchmark.pictures.latent import Term

_GAP, _APART = 2, 10
_GREY, _DARK = 128, 32
_LEGIBLE = 48
"""Pixels that a cell with a number must at least be wide."""
_CAPTION = 14
_SLIDE = 1200
"""Pixels that a picture for a slide is at least wide."""


def sheet(images: Tensor, columns: int, *, last_apart: bool = False) -> Image.Image:
    """Images uint8 [n, C, H, W] row by row, laid out like the grids of a run; `last_apart` moves a column."""
    canvas = _Canvas(images, -(-len(images) // columns), columns, wider=_APART if last_apart else 0)
    for i, image in enumerate(images):
        column = i % columns
        canvas.put(image, i // columns, column, _APART if last_apart and column == columns - 1 else 0)
    return canvas.picture


def numbered_sheet(images: Tensor, columns: int) -> Image.Image:
    """`sheet` with the number of each image below it; small images are enlarged by a whole factor."""
    scale = -(-_LEGIBLE // images.shape[3])
    canvas = _Canvas(images, -(-len(images) // columns), columns, scale=scale, below=_CAPTION)
    for i, image in enumerate(images):
        canvas.put(image, i // columns, i % columns)
        canvas.caption(str(i), i // columns, i % columns)
    return canvas.picture


def walk_sheet(images: Tensor, steps: int) -> Image.Image:
    """Figure 4 of DCGAN 2015: a line of `steps` images from a latent to the next per row, wide as a slide.

    At the left the numbers of both latents, above the share t of the second. Images, uint8
    [rows·steps, C, H, W], are enlarged by a whole factor.
    """
    scale = -(-_SLIDE // (steps * (images.shape[3] + _GAP)))
    text = _text_size(images, scale)
    rows = len(images) // steps
    canvas = _Canvas(
        images, rows, steps, scale=scale, gap=_GAP * scale, left=4 * text, top=2 * text, ground=_DARK
    )
    for i, image in enumerate(images):
        canvas.put(image, i // steps, i % steps)
    for column in range(steps):
        canvas.write(f"t = {column / (steps - 1):.2f}", 0, column, text, up=3 * text // 2)
    for row in range(rows):
        canvas.write(
            f"{row} to {row + 1}", row, 0, text, shift=-7 * text // 2, down=scale * images.shape[2] // 2
        )
    return canvas.picture


def arithmetic_sheet(
    expression: list[Term], exemplars: Tensor, means: Tensor, results: Tensor
) -> Image.Image:
    """Figure 7 of DCGAN 2015: per term a column of exemplars above their mean; at the right 3 × 3 results.

    Wide as a slide: images are enlarged by a whole factor. Exemplars have their numbers in the grid.

    Args:
        expression: the terms, t of them.
        exemplars: uint8 [Σ numbers of a term, C, H, W], in the order of the terms.
        means: uint8 [t, C, H, W].
        results: uint8 [9, C, H, W].

    """
    deepest, n = max(3, 1 + max(len(term.numbers) for term in expression)), len(expression)
    scale = -(-_SLIDE // ((n + 3) * (results.shape[3] + _GAP) + (n + 1) * _CAPTION))
    text = _text_size(results, scale)
    wide = scale * _CAPTION
    canvas = _Canvas(
        results,
        deepest,
        n + 3,
        wider=(n + 1) * wide,
        scale=scale,
        gap=_GAP * scale,
        below=3 * text // 2,
        top=2 * text,
        ground=_DARK,
    )
    rest = iter(exemplars)
    for i, (term, mean) in enumerate(zip(expression, means, strict=True)):
        shift = (i + 1) * wide
        for j, number in enumerate(term.numbers):
            row = deepest - 1 - len(term.numbers) + j
            canvas.put(next(rest), row, i, shift)
            canvas.caption(str(number), row, i, shift, text)
        canvas.put(mean, deepest - 1, i, shift)
        canvas.caption("mean", deepest - 1, i, shift, text)
        if i or term.sign < 0:
            sign = "-" if term.sign < 0 else "+"  # the font has no minus sign
            canvas.write(
                sign, deepest - 1, i, 2 * text, shift=i * wide + wide // 4, down=scale * results.shape[2] // 2
            )
    shift = (n + 1) * wide
    for i, image in enumerate(results):
        canvas.put(image, deepest - 3 + i // 3, n + i % 3, shift)
    canvas.caption("result", deepest - 2, n + 1, shift, text)
    canvas.write("the result and eight around it, ±0.25", deepest - 3, n, text, shift=shift, up=3 * text // 2)
    canvas.write(
        "=", deepest - 1, n, 2 * text, shift=n * wide + wide // 4, down=scale * results.shape[2] // 2
    )
    return canvas.picture


def _text_size(images: Tensor, scale: int) -> int:
    """Pixels that letters beside enlarged images are high: some of them fit below one image."""
    return scale * images.shape[3] // 5


class _Canvas:
    """Places for enlarged images of one size, `gap` apart; `shift` moves a place to the right."""

    def __init__(
        self,
        images: Tensor,
        rows: int,
        columns: int,
        *,
        wider: int = 0,
        scale: int = 1,
        gap: int = _GAP,
        below: int = 0,
        left: int = 0,
        top: int = 0,
        ground: int = _GREY,
    ) -> None:
        _, channels, height, width = images.shape
        self._scale, self._high, self._wide = scale, height * scale, width * scale
        self._side = (self._high + below + gap, self._wide + gap)
        self._below, self._left, self._top = below, left, top
        size = (left + columns * self._side[1] - gap + wider, top + rows * self._side[0] - gap)
        self._white, self._black = (255,) * channels, (0,) * channels
        self.picture = Image.new("L" if channels == 1 else "RGB", size, (ground,) * channels)

    def put(self, image: Tensor, row: int, column: int, shift: int = 0) -> None:
        """Paste an image [C, H, W]; the room for a caption below it becomes black."""
        pixels = image.permute(1, 2, 0).contiguous().numpy()
        one = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
        x, y = self._place(row, column, shift)
        if self._below:
            box = (x, y + self._high, x + self._wide, y + self._high + self._below)
            self.picture.paste(self._black, box)
        self.picture.paste(one.resize((self._wide, self._high), Image.Resampling.NEAREST), (x, y))

    def caption(self, text: str, row: int, column: int, shift: int = 0, size: int = 12) -> None:
        """Write below an image."""
        x, y = self._place(row, column, shift)
        self._draw(text, x + 2, y + self._high, size)

    def write(
        self, text: str, row: int, column: int, size: int, *, shift: int = 0, up: int = 0, down: int = 0
    ) -> None:
        """Write above an image's place, or beside it with the letters' middle at `down`."""
        x, y = self._place(row, column, shift)
        self._draw(text, x, y - up if up else y + down - size * 2 // 3, size)

    def _draw(self, text: str, x: int, y: int, size: int) -> None:
        ImageDraw.Draw(self.picture).text((x, y), text, font=ImageFont.load_default(size), fill=self._white)

    def _place(self, row: int, column: int, shift: int) -> tuple[int, int]:
        return self._left + column * self._side[1] + shift, self._top + row * self._side[0]


def save(picture: Image.Image, path: Path) -> None:
    """Write a PNG, whole or not at all; replaces a file of that name."""
    content = io.BytesIO()
    picture.save(content, format="PNG")
    atomic.write_bytes(path, content.getvalue())
