"""Which of a container's arrays is the diffraction series."""

from collections.abc import Mapping
from pathlib import Path

from daskstem.io.readers.options import Options
from daskstem.schema.errors import InputError


def only_candidate(
    shapes: Mapping[str, tuple[int, ...]], path: Path, options: Options, kind: str
) -> str:
    """Return the one array that may be a diffraction series, or list what there is.

    Raises
    ------
    InputError
        If none or several may be meant.
    """
    least = 4 if options.scan_shape is None else 3
    candidates = [name for name, shape in shapes.items() if least <= len(shape) <= 5]
    # A lone 4D dataset beats the 3D ones that only the scan shape brought in.
    full = [name for name in candidates if len(shapes[name]) >= 4]
    candidates = full if len(full) == 1 else candidates
    if len(candidates) == 1:
        return candidates[0]
    listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items()) or "none"
    stacks = any(len(shape) == 3 for shape in shapes.values()) and options.scan_shape is None
    raise InputError(
        f"{path} has {len(candidates)} {kind} that may be a diffraction series; name one with "
        f"dataset{', give scan_shape if it is a stack of patterns' if stacks else ''}: "
        f"it has {listed}"
    )
