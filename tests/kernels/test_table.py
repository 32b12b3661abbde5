import numpy as np
import pytest

from daskstem.kernels.table import cluster_table


def literal_table(label, mean):
    rows = []
    for number in sorted(set(label[label >= 0].tolist())):
        own = [(y, x) for y, x in np.ndindex(label.shape) if label[y, x] == number]
        values = [mean[p] for p in own]
        y, x = [p[0] for p in own], [p[1] for p in own]
        seed = own[values.index(max(values))]
        rows.append({
            "label": number, "n_positions": len(own),
            "centroid_y": sum(y) / len(y), "centroid_x": sum(x) / len(x),
            "y_min": min(y), "y_max": max(y), "x_min": min(x), "x_max": max(x),
            "seed_y": seed[0], "seed_x": seed[1],
            "mean_similarity": np.mean(values, dtype=float), "min_similarity": min(values),
        })  # fmt: skip
    return rows


@pytest.mark.parametrize("seed", range(4))
def test_equals_a_loop_over_the_clusters(seed):
    rng = np.random.default_rng(seed)
    label = rng.integers(-1, 6, (9, 7)).astype(np.int32)
    # few values, so that seeds tie
    mean = (rng.integers(0, 4, (9, 7)) / 4).astype(np.float32)
    table = cluster_table(label, mean)
    expected = literal_table(label, mean)
    for name, column in table.items():
        np.testing.assert_allclose(column, [row[name] for row in expected], rtol=1e-6)


def test_numbers_that_no_position_bears_are_left_out():
    label = np.array([[0, 0, -1], [4, 4, 4]], np.int32)
    table = cluster_table(label, np.ones((2, 3), np.float32))
    assert table["label"].tolist() == [0, 4]
    assert table["n_positions"].tolist() == [2, 3]
    assert table["y_min"].tolist() == [0, 1]


def test_a_frame_without_clusters_has_an_empty_table():
    table = cluster_table(np.full((4, 4), -1, np.int32), np.ones((4, 4), np.float32))
    assert {len(column) for column in table.values()} == {0}
    assert table["label"].dtype == np.int32
    assert table["centroid_y"].dtype == np.float64


def test_bounds_and_seeds_are_whole_numbers():
    table = cluster_table(np.zeros((2, 2), np.int32), np.ones((2, 2), np.float32))
    whole = ("label", "n_positions", "y_min", "y_max", "x_min", "x_max", "seed_y", "seed_x")
    assert {table[name].dtype for name in whole} == {np.dtype(np.int32)}


def test_positions_of_unknown_similarity_are_neither_seeds_nor_lowest():
    mean = np.array([[np.nan, 0.5, np.nan, 0.25, 0.5], [np.nan] * 5], np.float32)
    table = cluster_table(np.array([[0] * 5, [1] * 5], np.int32), mean)
    assert table["seed_x"].tolist() == [1, 0]
    np.testing.assert_array_equal(table["min_similarity"], np.float32([0.25, np.nan]))
