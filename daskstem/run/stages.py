"""A recipe as stages: what is computed together, from what, and whether it is there."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import xarray as xr
import zarr

from daskstem.io.store import (
    RAW,
    OpenedStore,
    group_attributes,
    group_names,
    is_finished,
    remove_group,
)
from daskstem.io.writing import clear_partial
from daskstem.run.recipe import Recipe, StepCall
from daskstem.schema import variables
from daskstem.schema.dims import FRAME
from daskstem.schema.errors import InputError, MissingVariableError
from daskstem.schema.merging import updated
from daskstem.schema.parameters import defaults_of, files_of
from daskstem.schema.provenance import digest, file_digest, provenance
from daskstem.steps.registry import FUSIONS
from daskstem.steps.replay import as_seen, longest_recipe
from daskstem.steps.step import Fusion


@dataclass(frozen=True)
class Stage:
    """One pass over the series: a step, or several that share the reading.

    Attributes
    ----------
    calls
        The steps, with their parameters.
    before
        All the steps of the recipe before them.
    provenance
        For each call, what is written beside its product.
    """

    calls: tuple[StepCall, ...]
    before: tuple[StepCall, ...]
    provenance: tuple[dict[str, Any], ...]

    @property
    def name(self) -> str:
        """Names of the steps."""
        return _named(self.calls)

    @property
    def kind(self) -> str:
        """Kind of the steps: stored, view, table or series."""
        return self.calls[0].step.kind

    @property
    def reads_patterns(self) -> bool:
        """Whether patterns are read, rather than maps."""
        return any(call.reads_patterns for call in self.calls)

    def made_from(self, ds: xr.Dataset) -> xr.Dataset:
        """Apply the steps, lazily; what a step refuses is told with the step's name."""
        made = xr.Dataset()
        left = self.calls
        while left:
            n, found = _applied(left, ds)
            ds, made, left = updated(ds, found), updated(made, found), left[n:]
        return made

    def is_done(self, root: zarr.Group) -> bool:
        """Whether every product is in the store, finished, made exactly so."""
        return all(self._products_done(root))

    def is_partly_done(self, root: zarr.Group) -> bool:
        """Whether some products are in the store and others are not."""
        done = self._products_done(root)
        return any(done) and not all(done)

    def _products_done(self, root: zarr.Group) -> list[bool]:
        return [
            is_finished(root, call.step.group) and same_history(root, call.step.group, made["key"])
            for call, made in zip(self.calls, self.provenance, strict=True)
        ]


def stages(recipe: Recipe, root: zarr.Group) -> list[Stage]:
    """Cut a recipe into stages for one store.

    Steps that can share a pass do, unless one of them is already there. Views are stages
    too; they cost nothing.
    """
    described = histories(recipe, str(root[RAW].attrs["key"]))
    found: list[Stage] = []
    start = 0
    while start < len(recipe.calls):
        stop = start + _fusible(recipe.calls[start:])
        while True:
            stage = Stage(
                recipe.calls[start:stop], recipe.calls[:start], tuple(described[start:stop])
            )
            alone = stop == start + 1
            if alone or not stage.is_partly_done(root):
                break
            stop -= 1
        found.append(stage)
        start = stop
    return found


def histories(recipe: Recipe, raw_key: str) -> list[dict[str, Any]]:
    """Describe the making of every step's product: from what, with which parameters.

    A product's key depends on the steps whose variables it uses and on no others, so that
    another radius for a virtual image does not undo the clusters.
    """
    keys = {variables.patterns.name: raw_key}
    stored: dict[str, dict[str, str]] = {variables.patterns.name: {}}
    described = []
    for number, call in enumerate(recipe.calls):
        used = [spec.name for spec in call.step.used(call.parameters) if spec.name in keys]
        files = files_of(call.step.function, call.parameters)
        contents = {name: file_digest(path) for name, path in files.items()}
        source = digest({name: keys[name] for name in used} | contents)
        made_from = {group: key for name in used for group, key in stored[name].items()}
        history = provenance(
            step=call.step.name,
            parameters=call.parameters,
            source=source,
            defaults=defaults_of(call.step.function),
        )
        before = [
            {"step": c.step.name, "parameters": c.parameters} for c in recipe.calls[: number + 1]
        ]
        described.append({**history, "made_from": made_from, "recipe": before})
        if call.step.kind == "series":
            # its label and patterns are not those that other steps mean
            continue
        own = {} if call.step.kind == "view" else {call.step.group: history["key"]}
        for spec in call.step.makes:
            keys[spec.name] = history["key"]
            stored[spec.name] = {**made_from, **own}
    return described


def raw_patterns(raw: zarr.Group | zarr.Array) -> zarr.Array:
    """Return the patterns in a store's group ``raw``."""
    array = raw[variables.patterns.name] if isinstance(raw, zarr.Group) else raw
    if not isinstance(array, zarr.Array):
        raise TypeError(f"{variables.patterns.name} is not an array")
    return array


def frame_bytes(patterns: zarr.Array) -> int:
    """Return the bytes of one frame of patterns."""
    return int(patterns.nbytes // patterns.shape[0])


def remove_replaced(root: zarr.Group, stage: Stage, say: Callable[[str], None]) -> None:
    """Remove the stage's products with another history, and all that was made from them."""
    for call, history in zip(stage.calls, stage.provenance, strict=True):
        group = call.step.group
        if group in root and not same_history(root, group, history["key"]):
            remove_group(root, group)
            say(f"{call.step.name}: made before with other parameters; made again")
            remove_stale(root, say)


def remove_stale(root: zarr.Group, say: Callable[[str], None]) -> None:
    """Remove products made from products that have been replaced, and so on."""
    while stale := _stale(root):
        for name in stale:
            remove_group(root, name)
        say(f"{', '.join(stale)}: removed, made from what is now replaced")


def _stale(root: zarr.Group) -> list[str]:
    described = _described(root)
    keys = {name: attrs.get("key") for name, attrs in described.items()}
    return [
        name
        for name, attrs in described.items()
        if any(keys.get(used) != key for used, key in dict(attrs.get("made_from", {})).items())
    ]


def furthest_recipe(root: zarr.Group) -> list[dict[str, Any]]:
    """Return the steps, with their parameters, that the furthest product was made by."""
    return longest_recipe(_described(root).values())


def _described(root: zarr.Group) -> dict[str, dict[str, Any]]:
    return {name: group_attributes(root, name) for name in group_names(root)}


def frame_dataset(opened: OpenedStore, before: tuple[StepCall, ...], frame: int) -> xr.Dataset:
    """Return one frame as the next step sees it: patterns and all products so far, lazy."""
    return _frames(opened, before, slice(frame, frame + 1))


def series_dataset(opened: OpenedStore, stage: Stage) -> xr.Dataset:
    """Return all frames as a step of the whole series sees them, lazy.

    Of the products it holds what the step needs, those along ``cluster`` without their
    coordinates: they are named like maps.
    """
    needed = {spec.name for call in stage.calls for spec in call.step.needs}
    ds = _frames(opened, stage.before, None)
    ds = ds.drop_vars([name for name in ds.data_vars if name not in needed])
    for call in stage.before:
        if call.step.kind in ("table", "linked"):
            table = opened.dataset(call.step.group)
            made = [spec.name for spec in call.step.makes if spec.name in needed]
            ds = ds.assign({name: table[name].variable for name in made})
    return ds.drop_attrs(deep=False)


def _frames(opened: OpenedStore, before: tuple[StepCall, ...], window: slice | None) -> xr.Dataset:
    steps = [{"step": call.step.name, "parameters": call.parameters} for call in before]
    seen = partial(opened.dataset, frames=window)
    return as_seen(seen(RAW), steps, seen).drop_attrs(deep=False)


def frame_coordinates(opened: OpenedStore) -> dict[str, xr.Variable]:
    """Return what counts the frames of a series."""
    coordinates = opened.dataset(RAW).coords
    return {str(key): c.variable for key, c in coordinates.items() if c.dims == (FRAME,)}


def same_history(root: zarr.Group, group: str, key: str) -> bool:
    """Whether the group was made by the same steps with the same parameters."""
    return group_attributes(root, group).get("key") == key


def kept_group(root: zarr.Group, name: str, key: str) -> zarr.Group | None:
    """Open a group to go on with, cleared of half-written files; None if it is to be made."""
    found: Any = root[name] if same_history(root, name, key) else None
    if found is not None:
        clear_partial(found)
    return found


def _applied(calls: tuple[StepCall, ...], ds: xr.Dataset) -> tuple[int, xr.Dataset]:
    """Apply the first steps that share a function; return how many, and what they make."""
    shared = _shared(calls)
    n = len(shared.names)
    try:
        return n, shared.function(ds, *(call.parameters for call in calls[:n]))
    except MissingVariableError:
        raise
    except InputError as error:
        raise InputError(f"{_named(calls[:n])}: {error}") from error


def _named(calls: tuple[StepCall, ...]) -> str:
    return " + ".join(call.step.name for call in calls)


def _fusible(calls: tuple[StepCall, ...]) -> int:
    """How many steps, from the first on, share a pass: maps are made where patterns were read."""
    n = len(_shared(calls).names)
    if calls[0].step.kind == "stored":
        while n < len(calls) and calls[n].step.kind == "stored" and not calls[n].reads_patterns:
            n += 1
    return n


def _shared(calls: tuple[StepCall, ...]) -> Fusion:
    """Return the function that most steps share, from the first on; its own if no other."""
    first, names = calls[0].step, tuple(call.step.name for call in calls)
    alone = Fusion(names[:1], lambda ds, parameters: first.function(ds, **parameters))
    fitting = (fusion for fusion in FUSIONS if names[: len(fusion.names)] == fusion.names)
    return max(fitting, key=lambda fusion: len(fusion.names), default=alone)
