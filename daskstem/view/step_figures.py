"""Pictures of what a step did, before and after."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import xarray as xr
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from daskstem.schema import extract_variables as extracted
from daskstem.schema import track_variables, variables
from daskstem.schema.dims import FRAME, FRAME_COORDS, PARTICLE, Q
from daskstem.view.content import ORDER, SHOWN, SHOWN_FRAME, ReportContent
from daskstem.view.curves import LINE, MARKED
from daskstem.view.drawing import plain
from daskstem.view.figures import map_axes
from daskstem.view.montages import montage, montage_size
from daskstem.view.pictures import scan_map
from daskstem.view.scale import scan_grid
from daskstem.view.tracks import frame_axis
from daskstem.view.wording import in_frame_units

_SIDE: Final = "side"
_BELOW: Final = (variables.dark_field.name, variables.mean_similarity.name)


def side_by_side(
    patterns: Sequence[xr.DataArray],
    titles: Sequence[str],
    *,
    norm: LogNorm | None = None,
    width_in: float = 7.2,
) -> Figure:
    """Draw patterns beside each other."""
    stack = xr.concat([one.drop_vars(_others(one)) for one in patterns], _SIDE)
    columns = len(patterns)
    width, height = montage_size(stack, columns=columns)
    figure = Figure(figsize=(width_in, width_in * height / width))
    ax = figure.add_axes((0.004, 0.004, 0.992, 0.992))
    montage(stack, columns=columns, titles=titles, norm=norm, ax=ax)
    return figure


def averaged_figure(n_averaged: xr.DataArray) -> Figure:
    """Draw how many patterns the filtered pattern of every position averages."""
    figure, ax = map_axes(scan_grid(n_averaged))
    scan_map(n_averaged, ax=ax, percentiles=(0, 100))
    return figure


def pairs_figure(pairs: xr.Dataset, *, used: float) -> Figure:
    """Draw the similarities of neighbors inside clusters and of all others."""
    figure = Figure(figsize=(3.9, 3.0), layout="constrained")
    ax = figure.add_subplot()
    edge = pairs["edge"].values
    for name, color, words in (
        ("between", "0.55", "all others"),
        ("inside", LINE, "in one cluster"),
    ):
        ax.stairs(pairs[name].values, edge, fill=True, color=color, alpha=0.75, label=words)
    if np.isfinite(used):
        ax.axvline(used, color=MARKED, linewidth=1.1, label=f"threshold {used:z.3f}")
    counted = pairs["inside"].values + pairs["between"].values
    known = edge[:-1][counted > 0.002 * max(counted.max(), 1)]
    ax.set_xlim(min(known.min(initial=0.9), used - 0.05 if np.isfinite(used) else 0.9), 1.0)
    ax.set(xlabel="similarity of two neighbors", ylabel="pairs")
    ax.legend(fontsize=7, frameon=False, loc="upper left")
    ax.set_yscale("log")
    plain(ax)
    return figure


def coverage_figure(particles: xr.Dataset) -> Figure:
    """Draw at which tilts, or in which frames, each particle was extracted, and how large."""
    sizes = particles[extracted.particle_n_positions.name].transpose(PARTICLE, FRAME).values
    numbers = particles[extracted.particle_number.name].values
    along, words = frame_axis(particles)
    count = len(numbers)
    figure = Figure(figsize=(11.2, 1.3 + 0.16 * min(count, 40)), layout="constrained")
    ax = figure.add_subplot()
    steps = np.diff(along)
    half = (np.abs(steps).min() if steps.size else 1.0) / 2
    edges = np.concatenate([along - half, along[-1:] + half])
    shown = np.where(sizes > 0, sizes, np.nan)[:40]
    image = ax.pcolormesh(edges, np.arange(len(shown) + 1), shown, cmap="cividis")
    ax.set_facecolor("white")
    ax.invert_yaxis()
    every = max(1, -(-len(shown) // 20))
    ax.set_yticks(np.arange(0, len(shown), every) + 0.5, [str(n) for n in numbers[:40:every]])
    ax.set(xlabel=words, ylabel="particle")
    figure.colorbar(image, ax=ax, label="positions", pad=0.01)
    plain(ax, grid=False)
    return figure


def paths_figure(content: ReportContent) -> Figure | None:
    """Draw where each particle is through the frames; None where that is not known."""
    particles, frame = content.particles, content.shown_frame
    name_y, name_x = (
        spec.name for spec in (track_variables.track_centroid_y, track_variables.track_centroid_x)
    )
    if name_y not in particles or frame is None:
        return None
    figure = Figure(figsize=(3.9, 3.4), layout="constrained")
    ax = figure.add_subplot()
    below = next((frame.maps[n] for n in _BELOW if n in frame.maps), None)
    if below is not None:
        scan_map(below, ax=ax, cmap="gray")
    grid = scan_grid(frame.maps)
    y = particles[name_y].transpose(PARTICLE, FRAME).values * grid.step_y
    x = particles[name_x].transpose(PARTICLE, FRAME).values * grid.step_x
    for number, rows, columns in zip(
        particles[extracted.particle_number.name].values, y, x, strict=True
    ):
        known = np.isfinite(rows)
        (line,) = ax.plot(columns[known], rows[known], linewidth=1.2)
        if known.any():
            ax.annotate(
                str(number), (columns[known][-1], rows[known][-1]), color="white", fontsize=7,
                bbox={"boxstyle": "round,pad=0.15", "fc": line.get_color(), "lw": 0},
            )  # fmt: skip
    return figure


def tilts_figure(particles: xr.Dataset) -> Figure:
    """Draw a row of patterns for each of the particles shown."""
    patterns = particles[extracted.particle_pattern.name].transpose(ORDER, SHOWN, *Q)
    rows, columns = patterns.sizes[ORDER], patterns.sizes[SHOWN]
    numbers = particles[extracted.particle_number.name].values[particles[ORDER].values]
    frames = particles[SHOWN_FRAME].transpose(ORDER, SHOWN).values
    titles = [
        f"{number}: {_frame_words(particles, int(frame))}" if frame >= 0 else ""
        for number, along in zip(numbers, frames, strict=True)
        for frame in along
    ]
    q = {dim: particles.coords[dim] for dim in Q if dim in particles.coords}
    values = patterns.values.reshape(rows * columns, *patterns.shape[2:])
    flat = xr.DataArray(values, dims=("place", *Q), coords=q)
    figure = Figure(figsize=montage_size(flat, columns=columns, most=rows * columns))
    ax = figure.add_axes((0.004, 0.004, 0.992, 0.992))
    montage(flat, columns=columns, most=rows * columns, titles=titles, ax=ax)
    for one, frame in zip(ax.child_axes, frames.ravel(), strict=True):
        one.set_visible(bool(frame >= 0))
    return figure


def _frame_words(ds: xr.Dataset, frame: int) -> str:
    one = ds.coords.to_dataset().isel({FRAME: frame})
    known = [name for name in FRAME_COORDS if name in one.coords]
    return in_frame_units(one, known[0]) if known else f"frame {frame}"


def _others(one: xr.DataArray) -> list[str]:
    return [str(name) for name in one.coords if name not in Q]
