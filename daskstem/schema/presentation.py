"""How an opened group reads when it is printed: what comes first, what an axis is."""

from typing import TYPE_CHECKING, Final

from daskstem.schema import extract_variables, track_variables, variables
from daskstem.schema.dims import FRAME_COORDS, SERIES
from daskstem.schema.variables import GRAIN, Variable

if TYPE_CHECKING:
    import xarray as xr

_AXES: Final = dict(
    zip(
        SERIES,
        (
            "number of the frame",
            "probe position along the scan's slow axis",
            "probe position along the scan's fast axis",
            "place on the detector, along its rows",
            "place on the detector, along its columns",
        ),
        strict=True,
    )
)
_IN_ORDER: Final = [
    spec.name
    for module in (variables, track_variables, extract_variables)
    for value in vars(module).values()
    for spec in (value if isinstance(value, tuple) else (value,))
    if isinstance(spec, Variable)
]
_PLACE: Final = {name: place for place, name in reversed(list(enumerate(_IN_ORDER)))}


def for_readers(ds: "xr.Dataset") -> "xr.Dataset":
    """Return the dataset with its axes first and its variables in the order of the schema.

    Axes that do not say what they are get a ``long_name``; the values are the same.

    Examples
    --------
    >>> import xarray as xr
    >>> ds = xr.Dataset({"residual": ("cluster", [0.1]), "n_positions": ("cluster", [4])},
    ...                 {"q_x": [0.0], "frame": [0]})
    >>> opened = for_readers(ds)
    >>> list(opened.variables), opened["frame"].attrs
    (['frame', 'q_x', 'n_positions', 'residual'], {'long_name': 'number of the frame'})
    """
    names = sorted(map(str, ds.variables), key=_order)
    ordered = ds[names].assign_attrs(ds.attrs)
    known = {
        **_AXES,
        **{name: f"{name} of the frame" for name in FRAME_COORDS},
        "source_file": "file that the frame came from",
        GRAIN: "number of the grain",
    }
    for name in set(ordered.coords) & set(known):
        # a table of clusters has a ``frame`` too, which says itself what it is
        ordered[name].attrs.setdefault("long_name", known[str(name)])
    return ordered


def _order(name: str) -> tuple[int, int, str]:
    first = [*SERIES, *FRAME_COORDS]
    if name in first:
        return 0, first.index(name), name
    return 1, _PLACE.get(name, len(_IN_ORDER)), name
