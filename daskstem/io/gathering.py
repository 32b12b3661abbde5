"""Metadata of all groups and arrays, gathered at the root for those who open a store."""

import json
from pathlib import Path
from typing import Any, Final

import zarr

from daskstem.io.metadata import faults_named
from daskstem.io.writing import store_folder, writing

_GATHERED: Final = "consolidated_metadata"


def ensure_gathered(root: zarr.Group) -> None:
    """Gather the metadata at the root, unless they are and nothing has changed since.

    As ``zarr.consolidate_metadata`` leaves them, in a quarter of its time: xarray opens a
    group from them at once, and warns where they are missing.

    Raises
    ------
    InputError
        If metadata are damaged, or the root cannot be written.
    """
    folder = store_folder(root)
    if folder is None or _GATHERED in (content := _content(folder)):
        return
    places = [*sorted(folder.glob("[!.]*/zarr.json")), *sorted(folder.glob("[!.]*/*/zarr.json"))]
    found = {}
    for name in (path.parent.relative_to(folder).as_posix() for path in places):
        with faults_named(root, name):
            described = _content(folder / name)
            own = {_GATHERED: _gathered({})} if described["node_type"] == "group" else {}
            found[name] = {**described, **own}
    with writing(root):
        _write_content(folder, {**content, _GATHERED: _gathered(found)})


def scatter_metadata(node: zarr.Group) -> None:
    """Drop the metadata gathered at the root, which a change of the tree makes untrue."""
    folder = store_folder(node)
    if folder is None:
        return
    content = _content(folder)
    if content.pop(_GATHERED, None) is not None:
        _write_content(folder, content)


def _gathered(metadata: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "inline", "must_understand": False, "metadata": metadata}


def _content(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "zarr.json").read_text(encoding="utf-8")))


def _write_content(folder: Path, content: dict[str, Any]) -> None:
    fresh = folder / "zarr.json.partial"
    fresh.write_text(json.dumps(content), encoding="utf-8")
    fresh.replace(folder / "zarr.json")
