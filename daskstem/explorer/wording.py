"""What the page says, and the recipe for what is on the screen."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from daskstem.steps.registry import STEPS
from daskstem.view.wording import recipe_text

_NEW: Final = ("virtual", "grow")
"""Steps that the page adds where the recipe had none."""


def range_text(low: float, high: float, units: str) -> str:
    """Say from where to where a scale goes.

    Examples
    --------
    >>> range_text(8018.4, 57013.0, "counts"), range_text(0.61234, 1.0, "")
    ('8,018 … 57,013 counts', '0.6123 … 1')
    """
    ends = (f"{end:,.0f}" if abs(end) >= 1000 else f"{end:.4g}" for end in (low, high))
    return f"{' … '.join(ends)} {units}".strip()


def screen_recipe(
    before: Sequence[Mapping[str, Any]],
    *,
    threshold: float | None,
    min_size: int,
    detector: tuple[float, float, float, float] | None,
) -> str:
    """Return the recipe (TOML) that would make what is on the screen.

    Parameters
    ----------
    before
        Steps, with their parameters, that the store's products were made by.
    threshold, min_size
        Of the clusters that are shown; None if there is no tree to cut.
    detector
        Row and column of the centre, inner and outer radius, of the drawn detector, if an
        image of it is shown. A disk becomes the bright field, an annulus the dark field.
    """
    tables = {
        str(entry["step"]): dict(entry["parameters"]) for entry in before if entry["step"] in STEPS
    }
    if detector is not None:
        tables["virtual"] = {**tables.get("virtual", {}), **_virtual(detector)}
    if threshold is not None:
        linkage = tables.get("hierarchy", {}).get("linkage")
        chosen = {"threshold": round(threshold, 4), "min_size": min_size}
        same = {} if linkage is None else {"linkage": linkage}
        tables["grow"] = {**tables.get("grow", {}), **chosen, **same}
        tables["grow"].pop("convention", None)
    return recipe_text({name: tables[name] for name in _placed(list(tables))})


def _placed(names: list[str]) -> list[str]:
    """Move what is new before the first step that comes later in the registry."""
    order = list(STEPS)
    placed: list[str] = []
    for name in names:
        later = (i for i, n in enumerate(placed) if order.index(n) > order.index(name))
        placed.insert(next(later, len(placed)) if name in _NEW else len(placed), name)
    return placed


def _virtual(detector: tuple[float, float, float, float]) -> dict[str, Any]:
    center_y, center_x, inner, outer = (round(value, 2) for value in detector)
    center = {"center": [center_y, center_x]}
    if inner > 0:
        return {**center, "dark_inner_px": inner, "dark_outer_px": outer}
    return {**center, "bright_radius_px": outer}
