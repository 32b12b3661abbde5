"""What a store holds, unfinished groups included."""

from dataclasses import replace
from pathlib import Path

from daskstem.io.content import group_content
from daskstem.io.store import group_names, open_root
from daskstem.schema.content import GroupContent, StoreContent


def inspected(store: str | Path) -> StoreContent:
    """Look at the metadata of every group of a store, whether it is finished or not.

    Of a step's parameters only those remain that were chosen, rather than left to be its
    defaults.

    Raises
    ------
    InputError
        If there is no store, or its schema is newer than this version.
    """
    root = open_root(store)
    return StoreContent(
        {name: _with_chosen_only(group_content(root, name)) for name in group_names(root)}
    )


def _with_chosen_only(group: GroupContent) -> GroupContent:
    parameters = dict(group.attrs.get("parameters", {}))
    chosen = group.attrs.get("chosen", list(parameters))
    return replace(
        group, attrs={**group.attrs, "parameters": {name: parameters[name] for name in chosen}}
    )
