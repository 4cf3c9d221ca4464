"""What the curves can be drawn against. G-iterations are the budget; the others are derived from a run."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Axis:
    """A horizontal axis: the key of curve points in records, and its name."""

    key: str
    title: str

    def unit(self, largest: float) -> tuple[float, str]:
        """What values up to `largest` are divided by, and the axis label: seconds, minutes or hours."""
        if self.key != "wall_s":
            return 1.0, self.title
        for seconds, name in ((3600.0, "h"), (60.0, "min")):
            if largest >= 2 * seconds:
                return seconds, f"{self.title}, {name}"
        return 1.0, f"{self.title}, s"


AXES = (
    Axis("gen_iters", "G-iterations"),
    Axis("critic_updates", "critic updates"),
    Axis("images_seen", "images seen"),
    Axis("wall_s", "wall time"),
)
"""The first is the one that is shown where there is no choice."""
