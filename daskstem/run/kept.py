"""What a step of several passes has found so far, kept for a run that is stopped."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import zarr

from daskstem.io.store import is_finished
from daskstem.io.writing import store_folder, write_failure
from daskstem.steps.passes import Found, Iteration, Progress

_SUFFIX: Final = ".passes.npz"


@dataclass(frozen=True, eq=False)
class KeptPasses:
    """A file beside the step's group: its state, and how far the pass at hand is.

    Attributes
    ----------
    root
        The store.
    path
        The file.
    key
        Of the product: what another key has left is of no use.
    """

    root: zarr.Group
    path: Path
    key: str

    @classmethod
    def of_group(cls, root: zarr.Group, group: str, key: str) -> "KeptPasses":
        """Return what is, or will be, kept for a group."""
        folder = store_folder(root) or Path()
        return cls(root, folder / f".{group}{_SUFFIX}", key)

    def restore(self, iteration: Iteration) -> None:
        """Let a step go on where it was stopped, if it was."""
        found = self._read()
        if found:
            iteration.restore(_within(found, "state"))

    def progress(self, name: str) -> Progress:
        """Return how far the pass of this name is."""
        found = self._read()
        if not found or str(found["pass"]) != name:
            return Progress()
        return Progress(int(found["frame"]), Found(_within(found, "total")))

    def write(
        self, iteration: Iteration, name: str = "", progress: Progress | None = None
    ) -> None:
        """Keep the step's state and the pass at hand; at once, or not at all.

        Raises
        ------
        InputError
            If the disk is full or cannot be written.
        """
        progress = progress or Progress()
        about = {"key": self.key, "pass": name, "frame": progress.frame}
        arrays = {key: np.asarray(value) for key, value in about.items()}
        arrays |= {f"state/{key}": value for key, value in iteration.state().items()}
        arrays |= {f"total/{key}": value for key, value in progress.total.numbers.items()}
        # a leftover of this ending is cleared away by the next run
        fresh = self.path.with_name(f"{self.path.name}.partial")
        try:
            with fresh.open("wb") as file:
                np.savez(file, allow_pickle=False, **arrays)
            fresh.replace(self.path)
        except OSError as error:
            raise write_failure(self.root, error) from error

    def forget(self) -> None:
        """Delete what is kept."""
        self.path.unlink(missing_ok=True)

    def _read(self) -> dict[str, np.ndarray]:
        try:
            with np.load(self.path, allow_pickle=False) as file:
                found = dict(file)
        except (FileNotFoundError, zipfile.BadZipFile, ValueError):
            return {}
        return found if str(found.get("key")) == self.key else {}


def forget_finished(root: zarr.Group) -> None:
    """Delete what is kept of steps that are done, where a run was killed before it would have."""
    for path in (store_folder(root) or Path()).glob(f".*{_SUFFIX}"):
        group = path.name.removeprefix(".").removesuffix(_SUFFIX)
        if is_finished(root, group):
            path.unlink(missing_ok=True)


def _within(found: Mapping[str, np.ndarray], part: str) -> dict[str, np.ndarray]:
    return {
        key.removeprefix(f"{part}/"): values
        for key, values in found.items()
        if key.startswith(f"{part}/")
    }
