"""Simulated series with known truth, and comparison with it."""

from daskstem.testing.compare import adjusted_rand_index, partition_equal
from daskstem.testing.identity import IdentityScores, identity_scores
from daskstem.testing.series import SimulatedSeries
from daskstem.testing.simulation import simulated_series
from daskstem.testing.truth import truth_of

__all__ = [
    "IdentityScores",
    "SimulatedSeries",
    "adjusted_rand_index",
    "identity_scores",
    "partition_equal",
    "simulated_series",
    "truth_of",
]
