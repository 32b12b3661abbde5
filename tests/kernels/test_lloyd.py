import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score

from daskstem.kernels.lloyd import Classes, assign_rows, move, silhouette, start

RNG = np.random.default_rng(1)
CENTERS = RNG.normal(0, 6, (5, 30))
LABEL = RNG.integers(0, 5, 300)
ROWS = (CENTERS[LABEL] + RNG.normal(0, 1, (300, 30))).astype(np.float32)
ONES = np.ones(len(ROWS))


def iterated(rows, centroids, *, weights=None, tolerance=0.0, most=50):
    classes = Classes.starting(centroids)
    weights = np.ones(len(rows)) if weights is None else weights
    while not classes.settled and len(classes.inertia) < most:
        found = assign_rows(rows, weights, [classes.centroids])
        inertia = float(weights @ found.distance[:, 0])
        move(classes, found.sums, found.counts, inertia, sample=rows, tolerance=tolerance)
    return classes


@pytest.mark.parametrize("weighted", [False, True])
def test_iterations_are_those_of_scikit_learn(weighted):
    weights = RNG.integers(1, 9, len(ROWS)).astype(float) if weighted else ONES
    begin = ROWS[:5].astype(float)
    ours = iterated(ROWS, begin, weights=weights)
    theirs = KMeans(5, init=begin, n_init=1, tol=0.0).fit(
        ROWS.astype(float), sample_weight=weights
    )
    label = assign_rows(ROWS, None, [ours.centroids]).label[:, 0]
    np.testing.assert_array_equal(label, theirs.labels_)
    # float64 sums of the same numbers
    np.testing.assert_allclose(ours.centroids, theirs.cluster_centers_, rtol=1e-9, atol=1e-9)
    # squared distances from float32 products
    assert ours.inertia[-1] == pytest.approx(theirs.inertia_, rel=1e-5)


def test_iterations_end_by_the_tolerance_of_scikit_learn():
    rows = RNG.normal(0, 1, (2000, 8)).astype(np.float32)
    begin = rows[:6].astype(float)
    theirs = KMeans(6, init=begin, n_init=1, tol=1e-3).fit(rows.astype(float))
    assert len(iterated(rows, begin, tolerance=1e-3).inertia) == theirs.n_iter_


def test_a_class_that_is_empty_begins_anew_with_the_farthest_pattern():
    begin = np.stack([ROWS[0], ROWS[1], np.full(30, 1e3)]).astype(float)
    found = assign_rows(ROWS, None, [begin])
    farthest = found.distance[:, 0].argmax()
    classes = Classes.starting(begin)
    inertia = float(found.distance.sum())
    move(classes, found.sums, found.counts, inertia, sample=ROWS, tolerance=0.0)
    np.testing.assert_array_equal(classes.centroids[2], ROWS[farthest])
    assert classes.n_reseeded == 1
    assert not classes.settled
    assert classes.counts.sum() == len(ROWS)
    # its former class has given it away
    theirs = KMeans(3, init=begin, n_init=1, max_iter=1).fit(ROWS.astype(float))
    settled, expected = iterated(ROWS, begin), iterated(ROWS, theirs.cluster_centers_)
    np.testing.assert_allclose(settled.centroids, expected.centroids, rtol=1e-9, atol=1e-9)


def test_fewer_kinds_of_pattern_than_classes_leave_classes_empty():
    rows = np.repeat(ROWS[:2], 6, axis=0)
    classes = iterated(rows, start(rows, np.ones(12), 4, n_init=2, seed=0, tolerance=0.0,
                                   max_iter=9))  # fmt: skip
    assert classes.settled
    assert sorted(classes.counts.tolist()) == [0, 0, 6, 6]


def test_the_start_finds_groups_that_lie_apart():
    begin = start(ROWS, ONES, 5, n_init=3, seed=4, tolerance=1e-4, max_iter=20)
    label = assign_rows(ROWS, None, [begin]).label[:, 0]
    pairs = {(int(a), int(b)) for a, b in zip(label, LABEL, strict=True)}
    assert len(pairs) == 5


def test_the_same_seed_starts_alike_and_another_does_not():
    rows = RNG.normal(0, 1, (400, 10)).astype(np.float32)
    begin = [
        start(rows, np.ones(400), 7, n_init=1, seed=seed, tolerance=0.0, max_iter=3)
        for seed in (3, 3, 4)
    ]
    np.testing.assert_array_equal(begin[0], begin[1])
    assert (begin[0] != begin[2]).any()


def test_more_starts_are_not_worse():
    rows = RNG.normal(0, 1, (400, 6)).astype(np.float32)

    def inertia(n_init):
        begin = start(rows, np.ones(400), 8, n_init=n_init, seed=0, tolerance=0.0, max_iter=40)
        return assign_rows(rows, None, [begin]).distance.sum()

    assert inertia(8) <= inertia(1)


def test_silhouette_is_that_of_scikit_learn():
    label = LABEL.copy()
    label[:3] = [5, 6, 6]
    expected = silhouette_score(ROWS.astype(float), label)
    assert silhouette(ROWS, label) == pytest.approx(expected, abs=1e-5)
    left_out = np.where(np.arange(300) % 7 == 0, -1, LABEL)
    expected = silhouette_score(ROWS[left_out >= 0].astype(float), LABEL[left_out >= 0])
    assert silhouette(ROWS, left_out) == pytest.approx(expected, abs=1e-5)


def test_one_class_has_no_silhouette():
    assert np.isnan(silhouette(ROWS, np.zeros(300, np.int32)))
