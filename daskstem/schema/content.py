"""What a store holds, as far as its metadata say: looked at without the array libraries."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any, Final

import numpy as np

PATTERNS: Final = "patterns"


@dataclass(frozen=True)
class ArrayContent:
    """An array's metadata, and its values if it is a coordinate."""

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: np.dtype
    attrs: Mapping[str, Any] = field(default_factory=dict)
    values: np.ndarray | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of the values, uncompressed."""
        return prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True)
class GroupContent:
    """A group's attributes and arrays."""

    attrs: Mapping[str, Any]
    arrays: Mapping[str, ArrayContent] = field(default_factory=dict)


@dataclass(frozen=True)
class StoreContent:
    """A store's groups by name."""

    groups: Mapping[str, GroupContent]
