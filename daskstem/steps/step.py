"""What makes a function a step: checked parameters, one frame or many, a name, a group."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, Literal, ParamSpec

import xarray as xr

from daskstem.schema.dims import CLUSTER, FRAME
from daskstem.schema.parameters import checked_parameters
from daskstem.schema.variables import Variable
from daskstem.steps.passes import Iteration

P = ParamSpec("P")
StepFunction = Callable[Concatenate[xr.Dataset, P], xr.Dataset]
Parameters = Mapping[str, Any]


def _none(*_: object) -> int:
    return 0


@dataclass(frozen=True)
class Step:
    """An entry of the registry.

    Attributes
    ----------
    function
        ``function(ds, *, parameters...) -> Dataset`` of only what it made.
    group
        Where the store keeps its products.
    needs
        Variables it uses, where they are there.
    makes
        Variables it returns.
    kind
        ``stored``: products are written to the store. ``view``: the product is a lazy view
        of the patterns that replaces them for the steps that follow. ``table``: products
        along ``cluster``, whose length the labels decide. ``linked``: products of the whole
        series, made from its maps and the table of clusters. ``series``: products of the
        whole series, made in several readings of it.
    reads_patterns
        Whether its tasks read patterns, rather than maps.
    halo
        Positions around a block that a task reads too, from the parameters and the Dataset.
    float_rows
        Rows of float32 patterns that a task holds at once, from the parameters; infinity for
        all of its rows.
    working_bytes
        What else a task holds, from the parameters and the Dataset.
    uses
        Of what it needs, what it uses with certain parameters; all of it by default.
    begin
        For ``series``: ``begin(of_frame, n_frames, **parameters)`` returns the ``Iteration``.
    """

    function: Callable[..., xr.Dataset]
    group: str
    needs: tuple[Variable, ...]
    makes: tuple[Variable, ...]
    kind: Literal["stored", "view", "table", "linked", "series"] = "stored"
    reads_patterns: bool = True
    halo: Callable[[Parameters, xr.Dataset], int] = _none
    float_rows: Callable[[Parameters], float] = _none
    working_bytes: Callable[[Parameters, xr.Dataset], int] = _none
    uses: Callable[[Parameters], tuple[Variable, ...]] | None = None
    begin: Callable[..., Iteration] | None = None

    @property
    def name(self) -> str:
        """Name of the step, of its recipe table and of its function."""
        return self.function.__name__

    def used(self, parameters: Parameters) -> tuple[Variable, ...]:
        """Return the variables that it uses with these parameters, where they are there."""
        return self.needs if self.uses is None else self.uses(parameters)

    @property
    def about(self) -> str:
        """First line of the function's docstring."""
        return (self.function.__doc__ or "").strip().splitlines()[0]


@dataclass(frozen=True)
class Fusion:
    """Consecutive steps done in one pass.

    ``function(ds, *parameters)`` takes the parameters of each step, in order, and returns
    the variables of all, equal to what the steps make one by one.
    """

    names: tuple[str, ...]
    function: Callable[..., xr.Dataset]


def step(function: StepFunction[P]) -> StepFunction[P]:
    """Let a function of a series take a single frame too, and check its parameters.

    A Dataset without the frame dimension gets one for the call and loses it after, so
    that every step is written once, for series.
    """

    @wraps(function)
    def checked(ds: xr.Dataset, *args: P.args, **kwargs: P.kwargs) -> xr.Dataset:
        values: Any = checked_parameters(function, kwargs)
        if FRAME in ds.dims:
            return function(ds, *args, **values)
        made = function(_series_of_one(ds), *args, **values)
        return made.isel({FRAME: 0}, drop=True) if FRAME in made.dims else made

    return checked


def _series_of_one(ds: xr.Dataset) -> xr.Dataset:
    clusters = {name: array for name, array in ds.data_vars.items() if CLUSTER in array.dims}
    return ds.drop_vars(clusters).expand_dims(FRAME).assign(clusters)
