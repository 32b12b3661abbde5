"""The report's part about extracted particles: where they are, their patterns, their tilts."""

from collections.abc import Iterator

import numpy as np

from daskstem.schema import extract_variables as names
from daskstem.schema.dims import FRAME, PARTICLE
from daskstem.view import html
from daskstem.view.content import ORDER, ReportContent
from daskstem.view.figures import png
from daskstem.view.step_figures import coverage_figure, paths_figure, tilts_figure
from daskstem.view.wording import counted, percent


def particles_section(content: ReportContent) -> Iterator[str]:
    """Yield what ``extract`` made; nothing if it was not run."""
    particles = content.particles
    if not particles:
        return
    yield html.heading(2, "Extracted particles")
    if not particles.sizes[PARTICLE]:
        yield html.paragraph("No particle is in enough of the frames; see extract.least_share.")
        return
    yield html.paragraph(particle_words(content))
    sizes = particles[names.particle_n_positions.name].transpose(PARTICLE, FRAME).values
    few = " The first 40." if len(sizes) > 40 else ""
    yield html.picture(
        png(coverage_figure(particles), dpi=110),
        title="Coverage",
        caption=f"A row for each particle: where it was found, and how many positions its "
        f"pattern averages. White: missing.{few}",
        wide=True,
    )
    paths = paths_figure(content)
    if paths is not None:
        yield html.gallery(
            [
                html.picture(
                    png(paths, dpi=110),
                    title="Positions",
                    caption="The way of each particle through the series, its number at the end; "
                    "below, one frame.",
                )
            ]
        )
    shown = particles.sizes[ORDER]
    most = "" if shown == len(sizes) else f" The {shown} that are there longest."
    yield html.picture(
        png(tilts_figure(particles), dpi=96),
        title="Patterns",
        caption=f"A row for each particle, its surroundings subtracted; logarithmic, each on its "
        f"own scale. Evenly chosen from the frames where it is.{most}",
        wide=True,
    )
    yield html.table(*_table(content), kind="numbers")


def particle_words(content: ReportContent) -> str:
    """Say how many particles there are, and which part of the tilt axis is covered."""
    particles = content.particles
    sizes = particles[names.particle_n_positions.name].transpose(PARTICLE, FRAME).values
    count, frames = sizes.shape
    words = f"{counted(count, 'particle')} in {frames} frames; "
    words += f"{(sizes > 0).all(axis=1).sum()} of them in every frame."
    tilt = particles.coords.get("tilt")
    if tilt is not None and frames > 1:
        low, high = float(tilt.min()), float(tilt.max())
        steps = np.diff(np.sort(tilt.values))
        even = "" if np.allclose(steps, steps[0], atol=1e-3) else f" to {steps.max():.3g}°"
        words += (
            f" The tilts go from {low:.4g}° to {high:.4g}° in steps of {steps.min():.3g}°{even}: "
            f"{percent(high - low, 180)} of the 180° that would leave no missing wedge."
        )
    return words


def _table(content: ReportContent) -> tuple[list[str], list[list[str]]]:
    particles = content.particles
    tilt = particles.coords.get("tilt")
    header = ["Particle", "Frames", "Longest gap", "Positions averaged", "Background positions"]
    if tilt is not None:
        header.insert(2, "Tilts")
    rows = []
    for number, sizes, around in zip(
        particles[names.particle_number.name].values,
        particles[names.particle_n_positions.name].transpose(PARTICLE, FRAME).values,
        particles[names.particle_n_background.name].transpose(PARTICLE, FRAME).values,
        strict=True,
    ):
        there = np.flatnonzero(sizes)
        gap = int(np.diff(there).max(initial=1)) - 1
        row = [
            str(number),
            f"{there.size} of {sizes.size}",
            str(gap),
            _spread(sizes[there]),
            _spread(around[there]),
        ]
        if tilt is not None:
            ends = tilt.values[there]
            row.insert(2, f"{ends.min():.4g}° to {ends.max():.4g}°" if there.size else "")
        rows.append(row)
    return header, rows


def _spread(values: np.ndarray) -> str:
    if not values.size:
        return ""
    low, high = int(values.min()), int(values.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
