"""What a user may say about a file that the file does not say itself."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from daskstem.schema.errors import InputError


@dataclass(frozen=True)
class Options:
    """How to open a file; every field may be left open.

    ``scan_shape`` is (scan_y, scan_x); ``dataset`` an array's name inside a container;
    ``shape``, ``dtype`` and ``offset_bytes`` describe raw binary; ``reader`` overrules the
    choice made by suffix and content.
    """

    scan_shape: tuple[int, int] | None = None
    dataset: str | None = None
    shape: tuple[int, ...] | None = None
    dtype: str | None = None
    offset_bytes: int = 0
    reader: str | None = None

    def __post_init__(self) -> None:
        if self.scan_shape is not None:
            object.__setattr__(self, "scan_shape", _sizes(self.scan_shape, "scan_shape"))
            if len(self.scan_shape) != 2:
                raise InputError(
                    f"scan_shape = {self.scan_shape} has {len(self.scan_shape)} numbers, "
                    f"expected 2: rows and columns of the scan"
                )
        if self.shape is not None:
            object.__setattr__(self, "shape", _sizes(self.shape, "shape"))
        if self.offset_bytes < 0:
            raise InputError(f"offset_bytes = {self.offset_bytes} must not be negative")

    def refuse_dataset(self, path: Path) -> None:
        """Raise InputError if a dataset was named for a file that holds only one."""
        if self.dataset is not None:
            raise InputError(f"{path} holds one array only; leave out dataset = {self.dataset!r}")

    def as_dict(self) -> dict[str, Any]:
        """Return the options, JSON-like."""
        return asdict(self)


def _sizes(sizes: Any, name: str) -> tuple[int, ...]:
    checked = tuple(int(size) for size in sizes)
    if any(size < 1 for size in checked):
        raise InputError(f"{name} = {checked} must hold whole numbers above zero")
    return checked
