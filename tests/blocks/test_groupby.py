from functools import partial

import dask
import dask.array as da
import numpy as np
import pytest

from daskstem.blocks.groupby import GroupSums, group_means, join_sums
from daskstem.blocks.tree import FAN_IN


def part(groups, seed):
    rng = np.random.default_rng(seed)
    groups = np.array(groups, np.int64)
    sums = [tuple(ways) for ways in rng.random((len(groups), 2, 2, 3))]
    return GroupSums(groups, sums, rng.random(len(groups)))


def test_joining_adds_group_by_group():
    a, b, c = part([0, 2, 5], 0), part([2, 3], 1), part([5], 2)
    joined = join_sums([a, b, c])
    assert joined.groups.tolist() == [0, 2, 3, 5]
    np.testing.assert_allclose(joined.sums[1], np.add(a.sums[1], b.sums[0]))
    np.testing.assert_allclose(joined.sums[3], np.add(a.sums[2], c.sums[0]))
    np.testing.assert_array_equal(joined.sums[2], b.sums[1])
    assert joined.squares[3] == a.squares[2] + c.squares[0]


def test_parts_without_groups_add_nothing():
    a, empty = part([1, 4], 0), part([], 1)
    joined = join_sums([empty, a, empty])
    assert joined.groups.tolist() == [1, 4]
    np.testing.assert_array_equal(joined.sums, a.sums)


def test_joining_leaves_its_parts_as_they_were():
    a, b = part([0, 1], 0), part([1], 1)
    before = np.array(a.sums)
    join_sums([a, b, b])
    np.testing.assert_array_equal(a.sums, before)


def as_they_are(joined):
    sums = np.array([ways[0] for ways in joined.sums], np.float32)
    return sums, joined.squares.astype(np.float32)


# as many as fit in one task, one more, and enough for three levels
@pytest.mark.parametrize("n_tasks", [1, FAN_IN, FAN_IN + 1, FAN_IN**2 + 3])
def test_a_tree_of_any_height_sums_every_task_once(n_tasks):
    tasks = [(partial(part, [n % 3, 3 + n % 2]), n) for n in range(n_tasks)]
    sums, squares = group_means(
        tasks, (), as_they_are, n_groups=len({n % 3 for n in range(n_tasks)}) + min(n_tasks, 2),
        pattern_shape=(2, 3), name="sums",
    )  # fmt: skip
    expected = join_sums([part([n % 3, 3 + n % 2], n) for n in range(n_tasks)])
    found, found_squares = dask.compute(sums, squares)
    np.testing.assert_allclose(found, [ways[0] for ways in expected.sums], rtol=1e-6)
    np.testing.assert_allclose(found_squares, expected.squares, rtol=1e-6)
    assert sums.dtype == squares.dtype == np.float32


def test_no_task_joins_more_than_a_few():
    tasks = [(partial(part, [0]), n) for n in range(FAN_IN**2)]
    sums, _ = group_means(tasks, (), as_they_are, n_groups=1, pattern_shape=(2, 3), name="sums")
    joined = [task[1] for key, task in dict(sums.dask).items() if "join" in key[0]]
    assert len(joined) > FAN_IN
    assert max(map(len, joined)) <= FAN_IN


def test_tasks_may_refer_to_lazy_arrays():
    label = da.from_array(np.array([[0, 1], [1, 1]]), chunks=(1, 2))

    def count(block):
        groups, n = np.unique(block, return_counts=True)
        return GroupSums(groups, [(np.full((2, 3), float(m)),) for m in n], n * 1.0)

    tasks = [(count, (label.name, i, 0)) for i in range(2)]
    sums, n = group_means(
        tasks, [label], as_they_are, n_groups=2, pattern_shape=(2, 3), name="count"
    )
    assert n.compute().tolist() == [1, 3]
    assert sums.compute()[:, 0, 0].tolist() == [1, 3]
