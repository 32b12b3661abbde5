import io
import subprocess
import sys

import dask.array as da
import numpy as np
import xarray as xr
from rich.console import Console

from daskstem.schema import variables
from daskstem.schema.calibration import Axis
from daskstem.schema.dims import FRAME, Q_X, SCAN_X
from daskstem.view.info import describe


def printed(tree: xr.DataTree) -> str:
    file = io.StringIO()
    Console(width=120, file=file).print(describe(tree))
    return file.getvalue()


def refuse(_block: np.ndarray) -> np.ndarray:
    raise RuntimeError("patterns were read")


def series() -> dict[str, xr.Dataset]:
    patterns = da.zeros((3, 4, 5, 6, 7), dtype=np.uint16).map_blocks(refuse, dtype=np.uint16)
    coords = {
        SCAN_X: Axis(2.5, units="nm").coordinate(SCAN_X, 5),
        Q_X: Axis(0.1, -0.3, "1/angstrom").coordinate(Q_X, 7),
        "tilt": (FRAME, [-5.0, 0.0, 5.0], {"units": "deg"}),
    }
    raw = xr.Dataset({"patterns": variables.patterns.wrap(patterns)}, coords=coords)
    return {"raw": raw.assign_attrs(step="convert", finished=True, beam_energy_kev=300)}


def test_says_shape_calibration_and_series_without_reading_patterns() -> None:
    text = printed(xr.DataTree.from_dict(series()))
    assert "3 x 4 x 5 x 6 x 7  uint16  5.04 kB" in text
    lines = {line.split()[0]: line.split() for line in text.splitlines() if line.strip()}
    assert lines["scan_x"] == ["scan_x", "5", "0", "10", "2.5", "nm"]
    assert lines["q_x"] == ["q_x", "7", "-0.3", "0.3", "0.1", "Å⁻¹"]
    assert lines["tilt"] == ["tilt", "3", "-5", "5", "5", "deg"]
    assert lines["scan_y"] == ["scan_y", "4", "not", "calibrated"]
    assert "300" in lines["beam_energy_kev"]


def test_says_how_far_each_group_is() -> None:
    groups = series()
    attrs = {"step": "grow", "parameters": {"threshold": 0.9}, "time": "2026-01-02T03:04:05"}
    groups["segments"] = xr.Dataset(attrs={**attrs, "finished": False, "finished_frames": [0, 2]})
    groups["background"] = xr.Dataset(attrs={**attrs, "step": "background", "finished": True})
    tree = xr.DataTree.from_dict(groups)
    tree.attrs["unfinished"] = ["clusters"]
    text = printed(tree)
    line = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert "2 of 3 frames" in line["segments"]
    assert "threshold = 0.9" in line["segments"]
    assert "finished" in line["background"]
    assert "not finished" in line["clusters"]
    assert text.index("background") < text.index("segments")


def test_markup_in_the_data_is_printed_as_it_is() -> None:
    groups = series()
    groups["x"] = xr.Dataset(attrs={"parameters": {"name": "[bold]no[/bold]"}})
    assert "[bold]no[/bold]" in printed(xr.DataTree.from_dict(groups))


def test_an_empty_tree_is_described() -> None:
    assert "group" in printed(xr.DataTree())


def test_importing_it_does_not_import_matplotlib() -> None:
    code = "import sys, daskstem.view.info; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
