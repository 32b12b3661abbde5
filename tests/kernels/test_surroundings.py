"""Weights of positions on and around particles, against plain loops."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from daskstem.kernels.surroundings import position_weights

MAPS = hnp.arrays(
    np.int64, st.tuples(st.integers(1, 9), st.integers(1, 9)),
    elements=st.sampled_from([-2, -1, -1, -1, 0, 1, 2]),
)  # fmt: skip


def literal(number, group, border, ring):
    """Positions on and around one particle, by their distances from all others."""
    points = list(np.ndindex(number.shape))

    def nearest(point, wanted):
        distances = [np.hypot(*np.subtract(point, p)) for p in points if wanted(number[p])]
        return min(distances, default=np.inf)

    own = [p for p in points if number[p] == group]
    inner = [p for p in own if nearest(p, lambda n: n not in (-1, group)) >= border]
    around = []
    if ring is not None and own:
        around = [
            p for p in points
            if nearest(p, lambda n: n == group) <= ring[1]
            and nearest(p, lambda n: n != -1) >= ring[0]
        ]  # fmt: skip
    return inner or own, around


@settings(max_examples=60, deadline=None)
@given(
    number=MAPS,
    border=st.sampled_from([0.0, 1.2, 2.0]),
    ring=st.sampled_from([None, (1.2, 3.0), (0.5, 2.0)]),
)
def test_equals_distances_taken_one_by_one(number, border, ring):
    found = position_weights(number, n_groups=3, border=border, ring=ring)
    for group in range(3):
        mine = found.group == group
        own, around = literal(number, group, border, ring)
        for sign, expected in ((1, own), (-1, around)):
            chosen = mine & (np.sign(found.weight) == sign)
            at = [tuple(divmod(int(p), number.shape[1])) for p in found.position[chosen]]
            assert sorted(at) == sorted(expected)
            if expected:
                np.testing.assert_allclose(found.weight[chosen].sum(), sign, rtol=1e-12)
        assert found.counts[group].tolist() == [len(own), len(around)]
