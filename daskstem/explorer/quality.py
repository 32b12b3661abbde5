"""What is wrong with the data: flat and saturated patterns, positions left out, bad pixels."""

import numpy as np

from daskstem.explorer.choices import CHOICES, FLAT, OUTSIDE
from daskstem.explorer.series import Series
from daskstem.schema import variables
from daskstem.view.wording import counted, percent


def largest_count(dtype: np.dtype) -> float | None:
    """Return the count at which a detector of this dtype saturates; None for floats.

    Examples
    --------
    >>> largest_count(np.dtype("uint16"))
    65535.0
    """
    return float(np.iinfo(dtype).max) if np.dtype(dtype).kind in "iu" else None


def quality_rows(series: Series, frame: int, saturation: float | None) -> list[list[str]]:
    """Return names and values of what is to be known of a frame's data."""
    n_positions = int(np.prod(series.scan))
    rows = []
    for key in (FLAT, OUTSIDE):
        choice = CHOICES[key]
        step = series.missing(choice)
        if step:
            rows.append([choice.title, f"not known; run {step!r} first"])
            continue
        number = int(np.count_nonzero(series.scan_map(choice, frame)))
        share = percent(number, n_positions)
        rows.append([choice.title, f"{counted(number, 'position')}, {share}"])
    rows.append(["saturated pixels", _saturated(series, frame, saturation)])
    bad = series.detector_map(variables.bad_pixel, frame)
    found = (
        "not known; run 'bad_pixels' first" if bad is None else counted(int(bad.sum()), "pixel")
    )
    rows.append(["hot and dead pixels", found])
    largest = series.detector_map(variables.max_pattern, frame)
    if largest is not None:
        rows.append(["largest value", f"{float(np.nanmax(largest)):,.6g} counts"])
    return rows


def _saturated(series: Series, frame: int, saturation: float | None) -> str:
    if saturation is None:
        return f"give a count: {series.patterns.dtype} has no largest one"
    largest = series.detector_map(variables.max_pattern, frame)
    if largest is None:
        return f"not counted; run {variables.max_pattern.made_by!r} first"
    number = int(np.count_nonzero(largest >= saturation))
    return f"{counted(number, 'detector pixel')} of this frame reach {saturation:,.6g} counts"
