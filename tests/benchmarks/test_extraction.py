"""The extraction benchmark, small: overlapping crystals are told better than by an aperture."""

from tests.benchmarks.running import printed_by


def test_reflections_of_overlapping_crystals_are_told():
    # the benchmark itself wants 0.95 for the mean of crystals that overlap in part of the series
    printed = printed_by("extraction", "--shape", 9, 40, 40, 64, 64, "--seeds", 1)
    words = next(line for line in printed.splitlines() if line.startswith("overlapping in part"))
    extracted, *_, aperture = (float(part.split("(")[0].split()[-1]) for part in words.split(";"))
    assert extracted > aperture
