"""Files in the order in which people count them."""

import re
from collections.abc import Iterable
from pathlib import Path


def natural_order(paths: Iterable[str | Path]) -> list[Path]:
    """Sort paths as people count: ``frame_2`` before ``frame_10``.

    Examples
    --------
    >>> [path.name for path in natural_order(["frame_10.npy", "frame_2.npy"])]
    ['frame_2.npy', 'frame_10.npy']
    """
    return sorted(map(Path, paths), key=natural_key)


def natural_key(path: str | Path) -> list[tuple[bool, int, str]]:
    """Return what sorts names as people count."""
    pieces = re.findall(r"\d+|\D+", str(path))
    return [(p.isdigit(), int(p), p) if p.isdigit() else (False, 0, p) for p in pieces]
