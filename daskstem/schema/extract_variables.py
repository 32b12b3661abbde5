"""The variables of extracted particles: one pattern for each tilt."""

from typing import Final

from daskstem.schema.dims import FRAME, PARTICLE, Q
from daskstem.schema.variables import Variable

particle_pattern: Final = Variable(
    "particle_pattern", (PARTICLE, FRAME, *Q), "f", "counts", "extract",
    "mean pattern of the particle less that of its surroundings; NaN where it is missing",
)  # fmt: skip
particle_number: Final = Variable(
    "particle_number", (PARTICLE,), "i", "1", "extract", "its track, or its number in the masks"
)
particle_n_positions: Final = Variable(
    "particle_n_positions", (PARTICLE, FRAME), "i", "1", "extract",
    "positions averaged; 0 where it is missing",
)  # fmt: skip
particle_n_background: Final = Variable(
    "particle_n_background", (PARTICLE, FRAME), "i", "1", "extract",
    "positions of its surroundings; 0 where nothing is subtracted",
)  # fmt: skip

EXTRACTED: Final = (
    particle_pattern, particle_number, particle_n_positions, particle_n_background,
)  # fmt: skip
