"""What the scan can be colored by, and which step makes what is missing."""

from dataclasses import dataclass
from typing import Final, Literal

from daskstem.schema import track_variables, variables
from daskstem.schema.variables import Variable
from daskstem.steps.registry import STEPS

Kind = Literal["number", "flag", "cluster", "class", "track"]

DRAWN: Final = "drawn"
CUT: Final = "cut"
LABEL: Final = "label"
CLASS: Final = "class"
TRACK: Final = "track"
FLAT: Final = "flat"
SATURATED: Final = "saturated"
OUTSIDE: Final = "outside"


@dataclass(frozen=True)
class Choice:
    """One thing to color the scan by.

    Attributes
    ----------
    key
        Its name on the page.
    title
        What the page calls it.
    spec
        The variable that it needs; None for what is computed from the patterns alone.
    kind
        How it is colored.
    """

    key: str
    title: str
    spec: Variable | None
    kind: Kind

    @property
    def step(self) -> str:
        """Step that makes what it needs; empty if nothing is needed."""
        return "" if self.spec is None else self.spec.made_by

    @property
    def group(self) -> str:
        """Group of the store in which that is."""
        return STEPS[self.step].group if self.step in STEPS else self.step


IMAGES: Final = (
    Choice("bright_field", "virtual bright field", variables.bright_field, "number"),
    Choice("dark_field", "virtual dark field", variables.dark_field, "number"),
    Choice(DRAWN, "drawn detector", None, "number"),
    Choice("mean_similarity", "mean similarity", variables.mean_similarity, "number"),
)
REGIONS: Final = (
    Choice("mask", "specimen mask", variables.mask, "flag"),
    Choice(LABEL, "clusters, stored", variables.label, "cluster"),
    Choice(CUT, "clusters at threshold", variables.rank, "cluster"),
    Choice(CLASS, "K-means class", variables.class_label, "class"),
    Choice(TRACK, "track", track_variables.track, "track"),
)
QUALITY: Final = (
    Choice(FLAT, "flat patterns", variables.similarity, "flag"),
    Choice(SATURATED, "saturated pixels", None, "number"),
    Choice(OUTSIDE, "outside the mask", variables.mask, "flag"),
)
CHOICES: Final = {choice.key: choice for choice in (*IMAGES, *REGIONS, *QUALITY)}
OUTLINES: Final = (LABEL, CUT, CLASS, TRACK, "mask")
"""What outlines may be drawn of, over any map."""
