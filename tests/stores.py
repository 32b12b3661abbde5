"""Small stores, what is in their files, and commands run on them."""

import json
from pathlib import Path

import numpy as np
import zarr

import daskstem
from tests import scenes

WHEN_AND_WHERE = ("time", "host")


def scan_file(folder, shape=(3, 20, 18, 16, 18)):
    """Write a 5D series of a few domains as .npy and return its path."""
    frames = [
        scenes.counts(shape[1:3], shape[3:], dose=4.0, seed=seed) for seed in range(shape[0])
    ]
    path = Path(folder) / "series.npy"
    np.save(path, np.stack(frames))
    return path


def converted(folder, shape=(3, 20, 18, 16, 18), name="series.zarr"):
    """Convert such a series and return the store."""
    return daskstem.convert(scan_file(folder, shape), Path(folder) / name, quiet=True, workers=1)


def recipe(folder, *, name="small.toml", **tables):
    """Write a recipe that suits these series; tables replace or add to its own."""
    steps = {
        "summary": {},
        "virtual": {},
        "prefilter": {"sigma_px": 1.0, "edge_px": 1, "radius_px": 2, "corr_range": [0.3, 0.9]},
        "similarity": {"q_inner_px": 1.5},
        "background": {"method": "none"},
        "grow": {"threshold": 0.5, "min_size": 2},
        "average": {},
    }
    path = Path(folder) / name
    path.write_text(toml({**steps, **tables}))
    return path


def toml(steps):
    """Return TOML tables of plain values; a table that is None is left out."""
    lines = []
    for step, parameters in steps.items():
        if parameters is None:
            continue
        lines.append(f"[{step}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in parameters.items()]
    return "\n".join(lines)


def files(store, group=""):
    """Return the content of every file of a store; of metadata what does not tell the time."""
    return {
        str(path.relative_to(store)): _content(path)
        for path in sorted((Path(store) / group).rglob("*"))
        if path.is_file()
    }


def arrays(store):
    """Return every array of a store, decoded."""
    root = zarr.open_group(store, mode="r", use_consolidated=False)
    return {key: array[...] for key, array in root.members(max_depth=None)
            if isinstance(array, zarr.Array)}  # fmt: skip


def stamps(store, groups=None):
    """Return inode and modification time of the chunks of every finished frame."""
    found = {}
    for document in Path(store).glob("*/zarr.json"):
        group = document.parent
        if group.name.startswith(".") or (groups is not None and group.name not in groups):
            continue
        done = json.loads(document.read_text())["attributes"].get("finished_frames", [])
        for array in group.iterdir():
            for frame in done if array.is_dir() else ():
                for path in (array / "c" / str(frame)).rglob("*"):
                    if path.is_file() and path.suffix != ".partial":
                        found[str(path)] = (path.stat().st_ino, path.stat().st_mtime_ns)
    return found


def assert_same_store(found, expected):
    """Compare two stores file by file and array by array."""
    one, other = files(found), files(expected)
    assert sorted(one) == sorted(other)
    differing = [name for name in one if one[name] != other[name]]
    assert not differing
    decoded = arrays(expected)
    for name, values in arrays(found).items():
        np.testing.assert_array_equal(values, decoded[name])


def _content(path):
    if path.name != "zarr.json":
        return path.read_bytes()
    return _timeless(json.loads(path.read_text()))


def _timeless(content):
    if isinstance(content, dict):
        return {k: _timeless(v) for k, v in content.items() if k not in WHEN_AND_WHERE}
    return [_timeless(v) for v in content] if isinstance(content, list) else content
