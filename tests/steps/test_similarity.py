import numpy as np
import pytest

import daskstem
from daskstem.schema.errors import InputError
from daskstem.schema.parameters import checked_parameters
from daskstem.steps.similarity import prefilter_similarity
from tests import literal, scenes

PREFILTER = {"sigma_px": 1.0, "edge_px": 2, "radius_px": 2, "corr_range": (0.3, 0.9)}
OFFSETS = literal.footprint(2)
RINGS = [(0.0, None), (2.0, 6.0)]


def weighted(patterns, **parameters):
    ds = scenes.dataset(patterns)
    return ds.assign(daskstem.prefilter(ds, **PREFILTER, **parameters).compute())


@pytest.mark.parametrize(("inner", "outer"), RINGS)
@pytest.mark.parametrize("blur", [0.0, 1.0])
def test_similarity_of_filtered_patterns_is_literal(inner, outer, blur):
    patterns = scenes.counts((7, 9), seed=3)
    ds = weighted(patterns)
    filtered = literal.filtered(patterns, ds["weights"].values, OFFSETS)
    ring = literal.annulus(patterns.shape[2:], inner, outer)
    made = daskstem.similarity(ds, noise="none", q_inner_px=inner, q_outer_px=outer, blur_px=blur)
    expected = literal.cosines(filtered, ring, blur)
    np.testing.assert_allclose(made["similarity"], expected, atol=1e-6)
    mean = literal.mean_of_available(expected)
    np.testing.assert_allclose(made["mean_similarity"], mean, atol=1e-6)


@pytest.mark.parametrize("scan", [(6, 7), (1, 7), (7, 1), (1, 1), (2, 2)])
def test_similarity_of_raw_patterns_is_literal(scan):
    patterns = scenes.counts(scan)
    made = daskstem.similarity(scenes.dataset(patterns), noise="none", q_inner_px=0.0)
    np.testing.assert_allclose(made["similarity"], literal.cosines(patterns), atol=1e-6)


@pytest.mark.parametrize(("inner", "outer"), RINGS)
@pytest.mark.parametrize("gain", [1.0, 1.3])
def test_similarity_without_noise_is_literal(inner, outer, gain):
    patterns = scenes.counts((6, 7), seed=3)
    ds = weighted(patterns)
    made = daskstem.similarity(ds, noise="poisson", gain=gain, q_inner_px=inner, q_outer_px=outer)
    ring = literal.annulus(patterns.shape[2:], inner, outer)
    expected = literal.noiseless_cosines(patterns, ds["weights"].values, OFFSETS, ring, gain)
    np.testing.assert_allclose(made["similarity"], expected, atol=1e-5)


def test_blurred_similarity_is_freed_of_noise_too():
    # one crystal: without noise all neighbors are equal; the noise left in a blurred pattern
    # is taken from the blur's energy alone, which forgets the annulus' borders: 0.05 here
    patterns = scenes.counts((12, 12), (32, 32), n_domains=1, dose=0.5, seed=4)
    ds = scenes.dataset(patterns)
    given = {"blur_px": 1.0, "q_inner_px": 3.0}
    free = daskstem.similarity(ds, noise="poisson", **given)["mean_similarity"].values.mean()
    noisy = daskstem.similarity(ds, noise="none", **given)["mean_similarity"].values.mean()
    assert free == pytest.approx(1, abs=0.05)
    assert noisy < 0.9


def test_filtering_alone_does_not_make_film_similar():
    # patterns without anything in common but their noise, which a footprint shares
    patterns = np.random.default_rng(0).poisson(1.0, (10, 10, 24, 24)).astype(np.uint16)
    ds = scenes.dataset(patterns)
    offsets = literal.footprint(2)
    weights = np.zeros((10, 10, len(offsets)), np.float32)
    for p in np.ndindex(10, 10):
        for k, (dy, dx) in enumerate(offsets):
            weights[p][k] = 0 <= p[0] + dy < 10 and 0 <= p[1] + dx < 10
    ds = ds.assign(weights=((*scenes.MAPS, "offset"), weights / weights.sum(-1, keepdims=True)))
    ds = ds.assign_coords(
        offset_y=("offset", [o[0] for o in offsets]), offset_x=("offset", [o[1] for o in offsets])
    )
    free = daskstem.similarity(ds, noise="poisson", q_inner_px=0.0)["mean_similarity"]
    noisy = daskstem.similarity(ds, noise="none", q_inner_px=0.0)["mean_similarity"]
    assert noisy.values.mean() > 0.5
    # what is left are differences of equals, over a signal of at least 2 % of the energy
    assert abs(free.values.mean()) < 0.3


def test_flat_and_empty_patterns_are_similar_to_nothing():
    patterns = scenes.counts((3, 4))
    patterns[1, 1] = 3
    patterns[1, 2] = 0
    for noise in ("none", "poisson"):
        found = daskstem.similarity(scenes.dataset(patterns), noise=noise, q_inner_px=0.0)
        assert (found["similarity"].values[1, 1:3] == 0).all()


def test_a_scan_of_one_position_has_no_neighbor():
    made = daskstem.similarity(scenes.dataset(scenes.counts((1, 1))))
    assert np.isnan(made["similarity"].values).all()
    assert made["mean_similarity"].values.item() == 0


@pytest.mark.parametrize("noise", ["none", "poisson"])
@pytest.mark.parametrize("convention", ["daskstem", "published"])
def test_the_fused_pass_gives_what_the_two_steps_give(noise, convention):
    ds = scenes.dataset(scenes.counts((9, 11))).expand_dims("frame").chunk(scan_y=5, scan_x=5)
    first = checked_parameters(
        daskstem.prefilter, {**PREFILTER, "noise": noise, "convention": convention}
    )
    second = checked_parameters(daskstem.similarity, {"noise": noise, "blur_px": 0.5})
    fused = prefilter_similarity(ds, first, second)
    weights = daskstem.prefilter(ds, **first)
    apart = weights.merge(daskstem.similarity(ds.assign(weights), **second))
    assert set(fused.variables) == set(apart.variables)
    for name in apart.variables:
        np.testing.assert_array_equal(fused[name].values, apart[name].values)


def test_the_fused_pass_refuses_what_the_steps_refuse():
    ds = scenes.dataset(scenes.counts((5, 6))).expand_dims("frame")
    first = checked_parameters(daskstem.prefilter, {"radius_px": 9})
    with pytest.raises(InputError, match="radius_px = 9"):
        prefilter_similarity(ds, first, checked_parameters(daskstem.similarity, {}))


def test_an_empty_annulus_is_refused_in_words():
    with pytest.raises(InputError, match="select no pixel of a detector of 16 x 18"):
        daskstem.similarity(scenes.dataset(scenes.counts((3, 4))), q_inner_px=40.0)


def test_missing_patterns_name_the_step():
    with pytest.raises(InputError, match="run 'convert' first"):
        daskstem.similarity(scenes.dataset(scenes.counts((3, 4))).drop_vars("patterns"))
