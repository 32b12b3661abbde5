"""Names of the dimensions, slow to fast; no other file spells them."""

from typing import Final

FRAME: Final = "frame"
SCAN_Y: Final = "scan_y"
SCAN_X: Final = "scan_x"
Q_Y: Final = "q_y"
Q_X: Final = "q_x"
CLUSTER: Final = "cluster"
NEIGHBOR: Final = "neighbor"
OFFSET: Final = "offset"
TRACK: Final = "track"
EVENT: Final = "event"
MERGE: Final = "merge"
LEVEL: Final = "level"
THRESHOLD: Final = "threshold"
SIZE: Final = "size"
CENTROID: Final = "centroid"
N_CLASSES: Final = "n_classes"
ITERATION: Final = "iteration"
PARTICLE: Final = "particle"

SCAN: Final = (SCAN_Y, SCAN_X)
Q: Final = (Q_Y, Q_X)
MAP: Final = (FRAME, *SCAN)
PATTERN: Final = (FRAME, *Q)
SERIES: Final = (FRAME, *SCAN, *Q)

FRAME_COORDS: Final = {
    "time": "s",
    "tilt": "deg",
    "temperature": "K",
    "dose": "e/angstrom^2",
    "depth": "nm",
}
"""What the frames of a series may be counted in, and the unit of each."""
