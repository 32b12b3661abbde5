import numpy as np
import pytest

import daskstem
from daskstem.schema.errors import InputError
from tests import literal, scenes

GIVEN = {"sigma_px": 1.0, "edge_px": 2, "radius_px": 2, "corr_range": (0.3, 0.9)}
LITERAL = {"sigma": 1.0, "edge": 2, "radius": 2, "corr_range": (0.3, 0.9)}
OFFSETS = literal.footprint(2)


def weights_of(patterns, **parameters):
    return daskstem.prefilter(scenes.dataset(patterns), **parameters)["weights"].values


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("gain", [0.0, 1.0, 1.7])
def test_weights_are_literal(seed, gain):
    patterns = scenes.counts((7, 9), dose=1.0, seed=seed)
    noise = {"noise": "poisson", "gain": gain} if gain else {"noise": "none"}
    found = weights_of(patterns, **GIVEN, **noise)
    expected = literal.weights(patterns, **LITERAL, gain=gain)
    # the slope of the ramp is 1.7: correlations are good to about 1e-7
    np.testing.assert_allclose(found, expected, atol=1e-6)
    # the comparison means something: many weights lie on the ramp, neither zero nor one
    before = expected / expected[..., 10:11]
    assert ((before > 0.05) & (before < 0.95)).mean() > 0.05


def test_the_paper_s_parameters_are_literal():
    patterns = scenes.counts((6, 10), (32, 30), dose=30.0)
    given = {"sigma_px": 3.0, "edge_px": 4, "radius_px": 4, "corr_range": (0.85, 0.95)}
    found = weights_of(patterns, **given, noise="none", center=(14.0, 16.5), self_weight=1.5)
    expected = literal.weights(
        patterns, sigma=3.0, edge=4, radius=4, corr_range=(0.85, 0.95), center=(14.0, 16.5),
        self_weight=1.5,
    )  # fmt: skip
    assert found.shape == (6, 10, 69)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("scan", [(7, 9), (1, 9), (9, 1), (3, 3)])
def test_the_published_convention_gives_the_published_filtered_patterns(seed, scan):
    patterns = scenes.counts(scan, n_domains=2, seed=seed)
    # one flat and one empty pattern, which correlate with nothing
    patterns[-1, -1] = 4
    patterns[0, -1] = 0
    weights = weights_of(patterns, **GIVEN, convention="published", self_weight=2.0, noise="none")
    found = literal.filtered(patterns, weights, OFFSETS)
    expected = literal.filtered_as_published(patterns, **LITERAL)
    np.testing.assert_allclose(found, expected, atol=1e-6 * patterns.max())


def test_weights_of_a_position_sum_to_one():
    weights = weights_of(scenes.counts((6, 7)), **GIVEN)
    np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-6)
    assert (weights >= 0).all()


def test_a_radius_of_zero_leaves_the_pattern_alone():
    weights = weights_of(scenes.counts((4, 5)), radius_px=0)
    np.testing.assert_array_equal(weights, np.ones((4, 5, 1)))


def test_signal_is_the_energy_of_the_compared_pattern():
    patterns = scenes.counts((5, 6))
    found = daskstem.prefilter(scenes.dataset(patterns), **GIVEN, noise="none")["signal"].values
    weight = literal.radial_weight((16, 18), 2)
    for p in np.ndindex(5, 6):
        expected = (literal.compared(patterns[p], 1.0, weight) ** 2).sum()
        assert found[p] == pytest.approx(expected, rel=1e-5)


def test_correlation_means_the_same_at_every_dose():
    # one crystal over all of the scan: with noise taken out its patterns correlate fully
    # from the first electrons on, without that only at a high dose
    shares = {}
    for noise in ("poisson", "none"):
        for dose in (0.5, 50.0):
            patterns = scenes.counts((12, 12), (32, 32), n_domains=1, dose=dose, seed=4)
            weights = weights_of(patterns, noise=noise, corr_range=(0.5, 0.9), radius_px=2)
            inner = weights[2:-2, 2:-2]
            shares[noise, dose] = (inner / inner.max(axis=-1, keepdims=True)).mean()
    assert shares["poisson", 50.0] > 0.99
    assert shares["poisson", 0.5] > 0.9
    assert shares["none", 50.0] > 0.99
    assert shares["none", 0.5] < 0.7


def test_offsets_stand_beside_the_weights():
    made = daskstem.prefilter(scenes.dataset(scenes.counts((5, 6))), radius_px=2)
    pairs = zip(made["offset_y"].values, made["offset_x"].values, strict=True)
    assert [(int(y), int(x)) for y, x in pairs] == OFFSETS


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"radius_px": 9}, "radius_px = 9 .*choose a radius below 6"),
        ({"edge_px": 8}, "edge_px = 8 leaves nothing"),
        ({"corr_range": (-0.1, 0.9)}, "corr_range"),
        ({"corr_range": (0.9, 0.9)}, "corr_range"),
        ({"self_weight": 0.0}, "self_weight"),
        ({"radius": 3}, "no parameter 'radius'"),
    ],
)
def test_what_cannot_be_is_refused_in_words(given, words):
    with pytest.raises(InputError, match=words):
        daskstem.prefilter(scenes.dataset(scenes.counts((5, 6))), **given)


def test_poisson_noise_is_refused_for_what_is_no_count():
    patterns = scenes.counts((5, 6)).astype(np.float32)
    with pytest.raises(InputError, match="needs patterns that are counts, these are float32"):
        daskstem.prefilter(scenes.dataset(patterns), radius_px=2, noise="poisson")


def test_missing_patterns_name_the_step():
    with pytest.raises(InputError, match="run 'convert' first"):
        daskstem.prefilter(scenes.dataset(scenes.counts((5, 6))).drop_vars("patterns"))
