import io
import subprocess
import sys

import numpy as np
import xarray as xr
from rich.console import Console

from daskstem.schema.calibration import Axis
from daskstem.schema.content import ArrayContent, GroupContent, StoreContent
from daskstem.schema.dims import FRAME, Q_X, SCAN_X, SERIES
from daskstem.view.info import describe


def printed(groups: dict[str, GroupContent]) -> str:
    file = io.StringIO()
    Console(width=120, file=file).print(describe(StoreContent(groups)))
    return file.getvalue()


def coordinate(variable: xr.Variable) -> ArrayContent:
    dims = tuple(str(dim) for dim in variable.dims)
    return ArrayContent(dims, variable.shape, variable.dtype, variable.attrs, variable.values)


def series() -> dict[str, GroupContent]:
    arrays = {
        "patterns": ArrayContent(SERIES, (3, 4, 5, 6, 7), np.dtype("u2")),
        SCAN_X: coordinate(Axis(2.5, units="nm").coordinate(SCAN_X, 5)),
        Q_X: coordinate(Axis(0.1, -0.3, "1/angstrom").coordinate(Q_X, 7)),
        "tilt": coordinate(xr.Variable(FRAME, [-5.0, 0.0, 5.0], {"units": "deg"})),
    }
    attrs = {"step": "convert", "finished": True, "beam_energy_kev": 300}
    return {"raw": GroupContent(attrs, arrays)}


def test_says_shape_calibration_and_series() -> None:
    text = printed(series())
    assert "3 x 4 x 5 x 6 x 7  uint16  5.04 kB" in text
    lines = {line.split()[0]: line.split() for line in text.splitlines() if line.strip()}
    assert lines["scan_x"] == ["scan_x", "5", "0", "10", "2.5", "nm"]
    assert lines["q_x"] == ["q_x", "7", "-0.3", "0.3", "0.1", "Å⁻¹"]
    assert lines["tilt"] == ["tilt", "3", "-5", "5", "5", "°"]
    assert lines["scan_y"] == ["scan_y", "4", "not", "calibrated"]
    assert "300" in lines["beam_energy_kev"]


def test_says_how_far_each_group_is() -> None:
    groups = series()
    attrs = {"step": "grow", "parameters": {"threshold": 0.9}, "time": "2026-01-02T03:04:05"}
    groups["segments"] = GroupContent({**attrs, "finished": False, "finished_frames": [0, 2]})
    groups["background"] = GroupContent({**attrs, "step": "background", "finished": True})
    text = printed(groups)
    line = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert "2 of 3 frames" in line["segments"]
    assert "threshold = 0.9" in line["segments"]
    assert "finished" in line["background"]
    assert text.index("background") < text.index("segments")


def test_markup_in_the_data_is_printed_as_it_is() -> None:
    groups = series()
    groups["x"] = GroupContent({"parameters": {"name": "[bold]no[/bold]"}})
    assert "[bold]no[/bold]" in printed(groups)


def test_an_empty_store_is_described() -> None:
    assert "group" in printed({})


def test_a_store_is_looked_at_without_the_slow_libraries() -> None:
    code = (
        "import sys, daskstem.view.info, daskstem.run.inspect, daskstem.cli.tables;"
        "sys.exit(bool({'matplotlib', 'xarray', 'dask', 'numba', 'scipy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
