"""The variables of tracks: clusters followed through the frames of a series."""

from typing import Final

from daskstem.schema.dims import CLUSTER, EVENT, FRAME, TRACK, Q
from daskstem.schema.variables import Variable

track: Final = Variable(
    "track", (CLUSTER,), "i", "1", "tracks",
    "number of the cluster's track; the same in all frames",
)  # fmt: skip
link_score: Final = Variable(
    "link_score", (CLUSTER,), "f", "1", "tracks",
    "score of the link to the track's last cluster; NaN where the track begins",
)  # fmt: skip
drift: Final = tuple(
    Variable(f"drift_{along}{unit}", (FRAME,), "f", units, "tracks",
             f"drift since the first frame along the scan's {word}{note}")
    for units, unit, note in (("position", "", ""), ("nm", "_nm", "; NaN if not calibrated"))
    for along, word in (("y", "rows"), ("x", "columns"))
)  # fmt: skip

_CURVE: Final = (TRACK, FRAME)
track_n_positions: Final = Variable(
    "n_positions", _CURVE, "i", "1", "tracks", "number of probe positions; 0 where it is missing"
)
area: Final = Variable(
    "area", _CURVE, "f", "nm^2", "tracks", "area; NaN where it is missing or not calibrated"
)
intensity: Final = Variable(
    "intensity", _CURVE, "f", "counts", "tracks", "sum over the mean pattern"
)
track_centroid_y: Final = Variable(
    "centroid_y", _CURVE, "f", "position", "tracks", "mean row of its positions"
)
track_centroid_x: Final = Variable(
    "centroid_x", _CURVE, "f", "position", "tracks", "mean column of its positions"
)
rotation: Final = Variable(
    "rotation", _CURVE, "f", "deg", "tracks",
    "turn of the pattern against its first, from q_x towards q_y",
)  # fmt: skip
track_pattern: Final = Variable(
    "track_pattern", (*_CURVE, *Q), "f", "counts", "tracks",
    "mean pattern of the track in every frame; NaN where it is missing",
)  # fmt: skip

event_kind: Final = Variable(
    "event_kind", (EVENT,), "i", "1", "tracks", "what befell a track; see flag_meanings"
)
event_frame: Final = Variable(
    "event_frame", (EVENT,), "i", "1", "tracks", "first frame in which it is seen"
)
event_track: Final = Variable("event_track", (EVENT,), "i", "1", "tracks", "the track")
other_track: Final = Variable(
    "other_track", (EVENT,), "i", "1", "tracks",
    "the track it came from, went into, or in whose place it stands; -1 for none",
)  # fmt: skip
event_cluster: Final = Variable(
    "event_cluster", (EVENT,), "i", "1", "tracks",
    "the cluster that shows it, a row of the table of clusters; -1 for none",
)  # fmt: skip

EVENTS: Final = (event_kind, event_frame, event_track, other_track, event_cluster)
CURVES: Final = (
    track_n_positions, area, intensity, track_centroid_y, track_centroid_x, rotation,
)  # fmt: skip
