"""The benchmarks of thresholds and of dose, small: one seed and one dose or two."""

from tests.benchmarks.running import printed_by


def test_the_suggested_threshold_is_near_the_best_one():
    printed = printed_by("thresholds", "--doses", 0.3, "--seeds", 1, "--side", 48)
    assert len(printed.splitlines()) == 2


def test_one_setting_serves_a_low_and_a_high_dose():
    printed = printed_by("dose", "--doses", 0.05, 2, "--seeds", 1, "--side", 64)
    assert "inside" in printed
    assert "corrected  mean" in printed
