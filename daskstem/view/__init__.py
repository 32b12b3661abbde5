"""Pictures of what a store holds, the report page, and what the command line prints.

The functions here take Datasets or DataArrays, as ``daskstem.open_series`` gives them, and
return matplotlib Axes, with units and scale bars; ``ax`` says where to draw::

    from daskstem import view

    tree = daskstem.open_series("scan.zarr")
    view.label_map(tree["segments/label"].isel(frame=0))

Each is imported when it is first used: matplotlib takes a second.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from daskstem.view.classes import class_map, class_montage, inertia_curve, silhouette_curve
    from daskstem.view.curves import size_histogram, threshold_curve
    from daskstem.view.drawing import linear_norm, log_norm
    from daskstem.view.events import event_table, lineage
    from daskstem.view.montages import montage
    from daskstem.view.orientation import angle_map, direction_map
    from daskstem.view.pictures import label_map, outlines, pattern, scan_map
    from daskstem.view.tracks import (
        drift_curve,
        growth_curves,
        track_colors,
        track_labels,
        track_map,
    )

_HOMES: Final = {
    "classes": ("class_map", "class_montage", "inertia_curve", "silhouette_curve"),
    "curves": ("size_histogram", "threshold_curve"),
    "drawing": ("linear_norm", "log_norm"),
    "events": ("event_table", "lineage"),
    "montages": ("montage",),
    "orientation": ("angle_map", "direction_map"),
    "pictures": ("label_map", "outlines", "pattern", "scan_map"),
    "tracks": ("drift_curve", "growth_curves", "track_colors", "track_labels", "track_map"),
}

__all__ = [
    "angle_map",
    "class_map",
    "class_montage",
    "direction_map",
    "drift_curve",
    "event_table",
    "growth_curves",
    "inertia_curve",
    "label_map",
    "lineage",
    "linear_norm",
    "log_norm",
    "montage",
    "outlines",
    "pattern",
    "scan_map",
    "silhouette_curve",
    "size_histogram",
    "threshold_curve",
    "track_colors",
    "track_labels",
    "track_map",
]


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"daskstem.view.{module}"), name)
    raise AttributeError(f"module 'daskstem.view' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
