"""Partial results joined in a tree of tasks."""

from collections.abc import Callable, Sequence
from typing import Any, Final

FAN_IN: Final = 8
"""Partial results joined by one task: few levels, and few partials waiting for each other."""


def join_tree(
    join: Callable[[Sequence[Any]], Any], keys: Sequence[Any], *, name: str, place: tuple[int, ...]
) -> tuple[dict[Any, Any], list[Any]]:
    """Return the tasks that join partial results until at most ``FAN_IN`` are left.

    Parameters
    ----------
    join
        Makes one partial result of several.
    keys
        Keys of the tasks that make the partial results.
    name, place
        Begin the keys of the tasks that join: (name, *place, level, number).

    Returns
    -------
    The tasks, and the keys of what is left to be joined by the task that finishes.
    """
    graph: dict[Any, Any] = {}
    left = list(keys)
    level = 0
    while len(left) > FAN_IN:
        groups = [left[n : n + FAN_IN] for n in range(0, len(left), FAN_IN)]
        left = [(name, *place, level, n) for n in range(len(groups))]
        graph |= {key: (join, group) for key, group in zip(left, groups, strict=True)}
        level += 1
    return graph, left
