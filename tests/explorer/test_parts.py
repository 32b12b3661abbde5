"""The parts of the page that need no browser, beside plain NumPy."""

import numpy as np
import pytest
from bokeh.document import Document
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from daskstem.explorer.cutting import Clusters, borders, cut_clusters, size_histogram
from daskstem.explorer.exporting import export_name, write_clusters
from daskstem.explorer.painting import edges, packed, painted
from daskstem.explorer.quality import largest_count
from daskstem.explorer.session import Session
from daskstem.explorer.tones import shades
from daskstem.explorer.wording import screen_recipe
from daskstem.kernels.hierarchy import similarity_tree
from daskstem.kernels.similarity import NEIGHBORS, flat_positions
from daskstem.run.recipe import read_recipe
from daskstem.schema.errors import InputError
from tests import scenes

labels = arrays.arrays(np.int32, st.tuples(st.integers(1, 9), st.integers(1, 9)),
                       elements=st.integers(-1, 4))  # fmt: skip


def clusters_of(label):
    numbers, sizes = np.unique(label[label >= 0], return_counts=True)
    return Clusters(label, {"label": numbers, "n_positions": sizes})


@given(labels)
def test_edges_are_as_long_as_labels_differ(label):
    x, y = edges(label)
    ends = np.stack([x, y], axis=1).reshape(-1, 3, 2)
    assert np.isnan(ends[:, 2]).all()
    framed = np.pad(label, 1, constant_values=-1)
    expected = sum(np.count_nonzero(np.diff(framed, axis=axis)) for axis in (0, 1))
    assert np.abs(ends[:, 1] - ends[:, 0]).sum() == expected


def test_edges_go_around_a_single_position():
    x, y = edges(np.array([[-1, -1], [-1, 3]]))
    ends = np.stack([x, y], axis=1).reshape(-1, 3, 2)[:, :2]
    assert {(0.5, 0.5), (1.5, 0.5), (0.5, 1.5), (1.5, 1.5)} == {
        tuple(end) for line in ends.tolist() for end in line
    }


@given(labels)
def test_painted_neighbors_differ_and_a_number_has_one_color(label):
    colors = painted(label)
    for number in np.unique(label):
        assert len(np.unique(colors[label == number])) == 1
    down = label[1:] != label[:-1]
    assert (colors[1:][down] != colors[:-1][down]).all()


def test_packed_colors_are_read_from_the_lowest_byte_on():
    one = packed(np.array([[[1, 2, 3]]], np.uint8))
    assert one.view(np.uint8).ravel().tolist() == [1, 2, 3, 255]


@pytest.mark.parametrize("tone", ["linear", "log", "power"])
@given(arrays.arrays(np.float32, (6, 7), elements=st.floats(0, 1e6, width=32)))
@settings(max_examples=30)
def test_shades_keep_the_order_of_values(tone, values):
    found = shades(values, tone)
    order = np.argsort(values.ravel(), kind="stable")
    assert (np.diff(found.image.ravel()[order].astype(int)) >= 0).all()
    assert found.image.min() >= 1
    assert found.low < found.high


def test_linear_shades_lie_between_two_percentiles():
    values = np.arange(1001.0).reshape(7, 143)
    found = shades(values, clip=(10, 90))
    assert (found.low, found.high) == (100, 900)
    inside = (values > 100) & (values < 900)
    np.testing.assert_allclose(found.image[inside], 1 + 254 * (values[inside] - 100) / 800, atol=1)


def test_missing_values_have_a_shade_of_their_own():
    values = np.array([[0.0, np.nan], [1.0, 2.0]])
    image = shades(values).image
    assert image[0, 1] == 0
    assert (image[~np.isnan(values)] > 0).all()
    assert not shades(np.full((2, 2), np.nan)).image.any()


def test_a_rare_value_is_seen_where_all_others_are_the_same():
    values = np.zeros((50, 50))
    values[3, 4] = 7
    assert np.argwhere(shades(values).image == 255).tolist() == [[3, 4]]


def test_a_cut_has_the_table_of_its_label():
    similarity = scenes.smooth_similarity((12, 14), 3)
    mean = np.nanmean(similarity, axis=-1)
    tree = similarity_tree(similarity, mean, np.ones((12, 14), bool), NEIGHBORS)
    found = cut_clusters(tree, mean, 0.2, 3)
    numbers, sizes = np.unique(found.label[found.label >= 0], return_counts=True)
    np.testing.assert_array_equal(found.numbers, numbers)
    np.testing.assert_array_equal(found.sizes, sizes)
    assert found.row(int(numbers[-1])) == len(numbers) - 1
    assert found.row(999) is None


@settings(deadline=None)
@given(st.integers(0, 20))
def test_borders_are_the_pairs_between_two_clusters(seed):
    similarity = scenes.smooth_similarity((8, 9), seed)
    label = np.random.default_rng(seed).integers(-1, 4, (8, 9)).astype(np.int32)
    number = int(label.max())
    pairs = {}
    for y in range(8):
        for x in range(9):
            for k in range(4, 8):
                ny, nx = y + NEIGHBORS[k][0], x + NEIGHBORS[k][1]
                if not (0 <= ny < 8 and 0 <= nx < 9) or min(label[y, x], label[ny, nx]) < 0:
                    continue
                two = {int(label[y, x]), int(label[ny, nx])}
                if len(two) == 2 and number in two:
                    pairs.setdefault((two - {number}).pop(), []).append(similarity[y, x, k])
    found = borders(clusters_of(label), similarity, number)
    assert {border.number: border.n_pairs for border in found} == {
        other: len(values) for other, values in pairs.items()
    }
    for border in found:
        # sums in another order
        assert border.similarity == pytest.approx(np.mean(pairs[border.number]), abs=1e-6)
    assert [b.similarity for b in found] == sorted((b.similarity for b in found), reverse=True)


def test_sizes_fall_into_powers_of_two():
    found = size_histogram(np.array([1, 2, 3, 4, 7, 8, 64]), 100)
    assert found.tolist() == [1, 2, 2, 1, 0, 0, 1]
    assert size_histogram(np.empty(0, int), 100).sum() == 0


def test_flat_positions_resemble_no_neighbor():
    similarity = np.full((3, 3, 8), 0.5, np.float32)
    similarity[1, 1] = 0
    similarity[0, 0] = [np.nan] * 4 + [0] * 4
    similarity[2, 2] = np.nan
    assert np.argwhere(flat_positions(similarity)).tolist() == [[0, 0], [1, 1]]


def test_only_counts_have_a_largest_one():
    assert largest_count(np.dtype(np.uint8)) == 255
    assert largest_count(np.dtype(np.float32)) is None


BEFORE = [
    {"step": "crop", "parameters": {"scan_y": [0, 10]}},
    {"step": "summary", "parameters": {}},
    {"step": "prefilter", "parameters": {"radius_px": 3, "edge_px": None}},
    {"step": "similarity", "parameters": {}},
    {"step": "background", "parameters": {}},
    {"step": "hierarchy", "parameters": {"linkage": "mean"}},
]


def test_a_recipe_for_the_screen_can_be_read_and_has_its_steps_in_order(tmp_path):
    path = tmp_path / "screen.toml"
    path.write_text(screen_recipe(BEFORE, threshold=0.71, min_size=5, detector=(8.5, 9, 0, 4)))
    calls = {call.step.name: call.parameters for call in read_recipe(path).calls}
    assert list(calls) == [
        "crop", "summary", "virtual", "prefilter", "similarity", "background", "hierarchy", "grow",
    ]  # fmt: skip
    grow = {name: calls["grow"][name] for name in ("threshold", "min_size", "linkage")}
    assert grow == {"threshold": 0.71, "min_size": 5, "linkage": "mean"}
    assert calls["virtual"]["bright_radius_px"] == 4
    assert calls["virtual"]["center"] == (8.5, 9.0)
    assert calls["prefilter"]["radius_px"] == 3


def test_an_annulus_becomes_the_dark_field_and_old_values_stay(tmp_path):
    before = [*BEFORE[:2], {"step": "virtual", "parameters": {"bright_radius_px": 2.0}}]
    path = tmp_path / "screen.toml"
    path.write_text(screen_recipe(before, threshold=None, min_size=1, detector=(8, 9, 3, 7)))
    calls = {call.step.name: call.parameters for call in read_recipe(path).calls}
    assert "grow" not in calls
    virtual = calls["virtual"]
    assert (virtual["bright_radius_px"], virtual["dark_inner_px"], virtual["dark_outer_px"]) == (
        2, 3, 7,
    )  # fmt: skip


def exported(folder):
    return write_clusters(
        folder, np.ones((2, 3, 4)), {"label": np.array([4, 7]), "n_positions": np.array([10, 2])},
        axes={"q_y": np.arange(3.0)}, label=np.zeros((5, 5), np.int32), recipe="[grow]",
    )  # fmt: skip


def test_exported_clusters_are_files_that_everybody_reads(tmp_path):
    folder = exported(tmp_path / "some")
    assert sorted(p.name for p in folder.iterdir()) == [
        "clusters.csv", "patterns.npz", "recipe.toml",
    ]  # fmt: skip
    assert (folder / "clusters.csv").read_text().split() == ["label,n_positions", "4,10", "7,2"]
    with np.load(folder / "patterns.npz", allow_pickle=False) as files:
        assert files["pattern"].shape == (2, 3, 4)
        assert files["q_y"].tolist() == [0, 1, 2]
    assert [p.name for p in tmp_path.iterdir()] == ["some"]


def test_an_export_never_replaces_anything(tmp_path):
    folder = exported(tmp_path / "some")
    before = (folder / "patterns.npz").stat().st_mtime_ns
    with pytest.raises(InputError, match="exists"):
        exported(folder)
    assert (folder / "patterns.npz").stat().st_mtime_ns == before


def test_an_export_into_nowhere_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(InputError, match="cannot write"):
        exported(tmp_path / "absent" / "some")
    assert not list(tmp_path.iterdir())


def test_the_name_of_an_export_says_what_it_holds():
    assert export_name("scan", 0, np.array([7]), "ab") == "scan_frame0_cluster7_ab"
    assert export_name("scan", 2, np.arange(5), "ab") == "scan_frame2_5clusters_ab"


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)])
def test_a_page_is_changed_in_the_order_asked_for(order):
    document, called = Document(), []
    session = Session(series=None, patterns=None, screen=None, document=document)
    for number in range(5):
        session.deliver(lambda number=number: called.append(number))
    # Bokeh calls what waits for the page to be opened in no order: it is kept in a set
    for callback in document.session_callbacks[order]:
        callback.callback()
    assert called == list(range(5))
    assert not document.session_callbacks
