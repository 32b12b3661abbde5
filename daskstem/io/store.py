"""The Zarr v3 store of a series: group ``raw`` and one sibling group per step."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import zarr
from zarr.core.buffer import Buffer
from zarr.storage import MemoryStore

from daskstem.io.gathering import ensure_gathered as ensure_gathered
from daskstem.io.gathering import scatter_metadata
from daskstem.io.layout import ArraySpec, coordinate_files
from daskstem.io.metadata import group_attributes as group_attributes
from daskstem.io.metadata import group_names as group_names
from daskstem.io.opened import FINISHED
from daskstem.io.opened import OpenedStore as OpenedStore
from daskstem.io.opened import open_group as open_group
from daskstem.io.root import create_root as create_root
from daskstem.io.root import existing_root as existing_root
from daskstem.io.root import open_root as open_root
from daskstem.io.stored import RAW as RAW
from daskstem.io.writing import BUILDING, REMOVED, store_folder, writing
from daskstem.schema.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

FINISHED_FRAMES: Final = "finished_frames"


def open_series(store: str | Path) -> "xr.DataTree":
    """Open a series: a tree of lazy arrays, one group per finished step.

    Parameters
    ----------
    store
        Path or URL of a store made by ``convert`` or ``simulate``.

    Returns
    -------
    DataTree
        ``raw`` (patterns and their coordinates) and every product. Nothing but metadata
        and coordinates is read. ``attrs["unfinished"]`` names the groups that a stopped
        run has left half-made; they are not opened.

    Raises
    ------
    InputError
        If there is no store, its schema is newer than this version, or the conversion of
        the patterns was never finished.

    Examples
    --------
    >>> import daskstem, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = daskstem.simulate(f"{folder}/s.zarr", shape=(1, 16, 16, 32, 32))
    ...     daskstem.open_series(store)["raw"].dataset.sizes["scan_y"]
    16
    """
    # half a second to import, with all that comes along; `info` does without
    import xarray as xr

    root = open_root(store)
    names = [RAW, *(name for name in group_names(root) if name != RAW)]
    unfinished = [name for name in names if not is_finished(root, name)]
    if RAW in unfinished:
        raise InputError(unfinished_raw(root))
    groups = {name: _for_readers(root, name) for name in names if name not in unfinished}
    # a step knows the steps before it: as many as come before its group
    made = sorted(
        groups, key=lambda name: (name != RAW, len(groups[name].attrs.get("recipe", ())))
    )
    tree = xr.DataTree.from_dict({name: groups[name] for name in made})
    tree.attrs = {**dict(root.attrs), "unfinished": unfinished}
    return tree


def _for_readers(root: zarr.Group, name: str) -> "xr.Dataset":
    from daskstem.schema.presentation import for_readers

    ds = for_readers(open_group(root, name))
    # what is opened is finished; a long series would fill the screen with its frames' numbers
    ds.attrs.pop(FINISHED_FRAMES, None)
    return ds


def begin_group(
    root: zarr.Group,
    name: str,
    arrays: Mapping[str, ArraySpec],
    coordinates: "Mapping[str, xr.Variable]",
    attrs: Mapping[str, Any],
    *,
    coordinate_names: Sequence[str] = (),
) -> zarr.Group:
    """Create a group of empty arrays, to be filled frame by frame.

    The group says that it is not finished until ``finish_group``. It is built beside its
    place and moved there, so a group that exists has all of its metadata. Arrays that are
    coordinates and filled like the others are named in ``coordinate_names``.
    """
    folder = _folder(root)
    if folder is None:
        raise InputError(f"{root.store_path} is not on a file system; derived groups need one")
    building = f".{name}{BUILDING}"
    with writing(root):
        scatter_metadata(root)
        remove_group(root, name)
        remove_group(root, building)
        begun = {**attrs, FINISHED: False, FINISHED_FRAMES: []}
        for key, content in _new_files(arrays, coordinates, begun, coordinate_names).items():
            path = folder / building / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.to_bytes())
        (folder / building).rename(folder / name)
    opened = root[name]
    if not isinstance(opened, zarr.Group):
        raise TypeError(f"{name} is not a group")
    return opened


def _new_files(
    arrays: Mapping[str, ArraySpec],
    coordinates: "Mapping[str, xr.Variable]",
    attrs: Mapping[str, Any],
    coordinate_names: Sequence[str],
) -> Mapping[str, Buffer]:
    """Return the files of a group of empty arrays and its coordinates, by their names."""
    # Zarr takes four times as long to create an array in a folder as in memory
    files: dict[str, Buffer] = {}
    group = zarr.create_group(MemoryStore(files), attributes=dict(attrs))
    auxiliary = [*coordinate_names, *(key for key, v in coordinates.items() if v.dims != (key,))]
    for key, spec in arrays.items():
        spec.create(group, key, coordinates=[] if key in coordinate_names else auxiliary)
    for key, variable in coordinates.items():
        files |= {f"{key}/{part}": file for part, file in coordinate_files(variable).items()}
    return files


def finish_frames(group: zarr.Group, frames: Sequence[int]) -> None:
    """Record, in one atomic write, that these frames are complete."""
    done = sorted({*finished_frames(group), *frames})
    with writing(group):
        group.update_attributes({FINISHED_FRAMES: done})


def finish_group(group: zarr.Group) -> None:
    """Record that the whole group is complete; ``ensure_gathered`` is to follow."""
    with writing(group):
        scatter_metadata(group)
        group.update_attributes({FINISHED: True})


def finished_frames(group: zarr.Group) -> list[int]:
    """Return the frames that are complete."""
    frames: Any = group.attrs.get(FINISHED_FRAMES, [])
    return [int(frame) for frame in frames]


def is_finished(root: zarr.Group, name: str) -> bool:
    """Whether the group exists and is complete."""
    return bool(group_attributes(root, name).get(FINISHED, False))


def remove_group(root: zarr.Group, name: str) -> None:
    """Remove a group if it is there; it disappears at once, then its files are deleted."""
    folder = _folder(root)
    # a folder that has lost its zarr.json is no group for Zarr, and in the way all the same
    if folder is None or not (folder / name).exists():
        return
    scatter_metadata(root)
    grave = folder / f".{name}{REMOVED}"
    shutil.rmtree(grave, ignore_errors=True)
    (folder / name).rename(grave)
    shutil.rmtree(grave)


def unfinished_raw(root: zarr.Group) -> str:
    """Say how far the conversion got and how to continue it."""
    if RAW not in root:
        return f"{root.store_path} holds no patterns; convert a source into it first"
    group = root[RAW]
    total = group["patterns"].shape[0] if isinstance(group, zarr.Group) else 0  # type: ignore[union-attr]
    done = len(finished_frames(group)) if isinstance(group, zarr.Group) else 0
    return (
        f"{root.store_path} is half-written ({done} of {total} frames are complete); "
        f"run the same convert or simulate command again to finish it"
    )


def _folder(root: zarr.Group) -> Path | None:
    place = store_folder(root)
    return None if place is None else place / root.store_path.path
