"""Chosen clusters as files of their own: patterns, table, recipe."""

import csv
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from daskstem.schema.errors import InputError

PATTERNS: Final = "patterns.npz"
TABLE: Final = "clusters.csv"
RECIPE: Final = "recipe.toml"


def write_clusters(
    folder: Path,
    patterns: np.ndarray,
    table: Mapping[str, np.ndarray],
    *,
    axes: Mapping[str, np.ndarray],
    label: np.ndarray,
    recipe: str,
) -> Path:
    """Write clusters into a new folder, complete or not at all.

    Parameters
    ----------
    folder
        Must not exist; the folder it lies in must.
    patterns : (K, q_y, q_x) float
        Mean patterns.
    table
        Columns of length K.
    axes
        Coordinates of the detector, by their names.
    label : (scan_y, scan_x) int32
        The map of clusters, for the ``label`` in the table.
    recipe
        TOML that makes these clusters.

    Returns
    -------
    The folder: ``patterns.npz`` with ``pattern``, ``label_map`` and the coordinates,
    ``clusters.csv`` and ``recipe.toml``.

    Raises
    ------
    InputError
        If the folder exists or cannot be written.
    """
    if folder.exists():
        raise InputError(
            f"{folder} exists: these clusters are exported already; move it away first"
        )
    building = None
    try:
        building = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        arrays: dict[str, Any] = {"pattern": patterns.astype(np.float32), "label_map": label}
        np.savez_compressed(building / PATTERNS, **arrays | dict(axes))
        with (building / TABLE).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(table)
            writer.writerows(zip(*(values.tolist() for values in table.values()), strict=True))
        (building / RECIPE).write_text(recipe + "\n", encoding="utf-8")
        # mkdtemp makes folders that only their owner can enter
        building.chmod(0o755)
        building.rename(folder)
    except OSError as error:
        where = error.filename or folder
        raise InputError(f"cannot write {where}: {error.strerror or error}") from error
    finally:
        if building is not None:
            shutil.rmtree(building, ignore_errors=True)
    return folder


def export_name(store: str, frame: int, numbers: np.ndarray, key: str) -> str:
    """Return a name for a folder: the same clusters have the same one.

    Examples
    --------
    >>> export_name("scan", 0, np.array([7]), "4f2a")
    'scan_frame0_cluster7_4f2a'
    >>> export_name("scan", 2, np.array([7, 9]), "4f2a")
    'scan_frame2_2clusters_4f2a'
    """
    which = f"cluster{numbers[0]}" if len(numbers) == 1 else f"{len(numbers)}clusters"
    return f"{store}_frame{frame}_{which}_{key}"
