"""What the report shows of extracted particles."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import daskstem
from daskstem.run.report_content import gather
from daskstem.run.track_content import MOST_PARTICLES, MOST_TILTS, particles
from daskstem.schema.dims import FRAME, PARTICLE, Q
from daskstem.view.particles_page import particle_words, particles_section
from daskstem.view.report import page

FRAMES = 20


def extracted(count=3, seed=0):
    """Return what ``extract`` would make, and tracks, of which the particles are some."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 40, (count, FRAMES)).astype(np.int32)
    sizes[0, 5:9] = 0
    patterns = rng.random((count, FRAMES, 8, 9), dtype=np.float32)
    numbers = np.arange(count, dtype=np.int32) * 2
    ds = xr.Dataset(
        {
            "particle_pattern": ((PARTICLE, FRAME, *Q), patterns),
            "particle_number": (PARTICLE, numbers),
            "particle_n_positions": ((PARTICLE, FRAME), sizes),
            "particle_n_background": ((PARTICLE, FRAME), sizes * 3),
        },
        coords={"tilt": (FRAME, np.linspace(-9.5, 9.5, FRAMES), {"units": "deg"})},
        attrs={"parameters": {"masks": None}},
    )
    places = rng.random((2 * count, FRAMES))
    curves = {
        name: (("track", FRAME), places + n) for n, name in enumerate(("centroid_y", "centroid_x"))
    }
    return ds, xr.Dataset(curves)


def test_patterns_are_shown_of_the_frames_where_a_particle_is():
    ds, tracks = extracted()
    made = particles(ds, tracks)
    assert made["particle_pattern"].shape == (3, MOST_TILTS, 8, 9)
    # the one that is missing for four frames comes last
    assert made["order"].values.tolist()[-1] == 0
    for row, particle in enumerate(made["order"].values):
        frames = made["shown_frame"].values[row]
        assert (ds["particle_n_positions"].values[particle, frames] > 0).all()
        assert (frames[0], frames[-1]) == (0, FRAMES - 1)
        np.testing.assert_array_equal(
            made["particle_pattern"].values[row], ds["particle_pattern"].values[particle, frames]
        )


def test_places_are_those_of_the_tracks_and_unknown_for_masks_from_elsewhere():
    ds, tracks = extracted()
    made = particles(ds, tracks)
    expected = tracks["centroid_y"].values[[0, 2, 4]]
    missing = ds["particle_n_positions"].values == 0
    np.testing.assert_array_equal(made["centroid_y"], np.where(missing, np.nan, expected))
    masked = particles(ds.assign_attrs(parameters={"masks": "labels.tif"}), tracks)
    assert "centroid_y" not in masked


def test_of_many_particles_few_patterns_are_read():
    ds, tracks = extracted(30)
    made = particles(ds, tracks)
    assert made["particle_pattern"].shape[:2] == (MOST_PARTICLES, MOST_TILTS)
    assert made["particle_n_positions"].shape == (30, FRAMES)


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tilt")
    store = daskstem.simulate(
        folder / "tilt.zarr", shape=(5, 20, 20, 32, 32), tilt_deg=(-2.0, 2.0), seed=1
    )
    label = daskstem.open_series(store)["truth/label"].values
    np.save(folder / "masks.npy", label + 1)
    recipe = folder / "tilt.toml"
    recipe.write_text(f'[summary]\n[extract]\nmasks = "{folder / "masks.npy"}"\nborder = 0.0\n')
    daskstem.run_recipe(recipe, store, quiet=True)
    return gather(daskstem.open_series(store), store="tilt.zarr")


def test_the_page_tells_the_coverage_of_the_tilt_axis(content):
    count = content.particles.sizes[PARTICLE]
    words = particle_words(content)
    assert words.startswith(f"{count} particle")
    assert "The tilts go from -2° to 2° in steps of 1°: 2.22 % of the 180°" in words
    section = "".join(particles_section(content))
    assert section.count("<img") == 2
    assert section.count("<tr>") == count + 1
    text = page(content)
    assert text.index("Extracted particles</h2>") > text.index("What each step did")


def test_a_store_without_particles_has_no_section(content):
    assert list(particles_section(replace(content, particles=xr.Dataset()))) == []
