"""Scores of images by protocols, with what may go wrong said in a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark import data
from benchmark.errors import UserError
from benchmark.evaluation.evaluator import Evaluator
from benchmark.evaluation.fidelity import NonFiniteScore
from benchmark.training.quantise import NonFiniteImages

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmark.evaluation.generation import Source
    from benchmark.evaluation.protocol import Protocol


def scores_of_images(
    chosen: Iterable[Protocol], source: Source, dataset: str, device: str, where: str
) -> dict[str, dict[str, float]]:
    """Value by protocol and metric.

    Args:
        chosen: protocols of images, `resolved`.
        source: the images.
        dataset: what they are compared with.
        device: where the feature extractor runs.
        where: what messages call the source.

    Raises:
        UserError: the images, the data and the protocols do not fit, or there is nothing finite to score.

    """
    evaluator = Evaluator(chosen, dataset, device, _frame(source, dataset))
    try:
        return evaluator.scores_of(source.batches(evaluator.n_generated))
    except (NonFiniteImages, NonFiniteScore) as error:
        raise UserError(f"nothing to score: {error}", where=where) from error
    except ValueError as error:
        raise UserError(str(error), where=where) from error


def _frame(source: Source, dataset: str) -> int | None:
    """The size to frame real images to, where the generator's are larger than the data set's."""
    height_and_width = data.info(dataset).shape[1:]
    size = source.image_size
    return size if size is not None and size > max(height_and_width) else None
