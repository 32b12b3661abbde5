"""The tracking benchmark, small: identities are kept and promises hold."""

from tests.benchmarks.running import printed_by


def test_simulated_particles_keep_their_identity():
    # grains of a few positions: the clusters decide how high IDF1 can be
    printed = printed_by(
        "tracking", "--shape", 6, 24, 24, 32, 32, "--seeds", 1, "--drift-steps", 1, 1,
        "--least-idf1", 0.9,
    )  # fmt: skip
    _, idf1, allowed, *_ = printed.splitlines()[1].split()
    # about thirty detections: one may bear another number
    assert float(idf1) >= float(allowed) - 0.04
