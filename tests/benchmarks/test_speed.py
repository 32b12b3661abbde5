"""The benchmark of speed, small: every part of it runs and prints its ratios."""

import json

import pytest

from tests.benchmarks.peers import VARIABLE, folder_of_peers, python_of
from tests.benchmarks.running import printed_by
from tests.benchmarks.speed import LARGE_PARTS, PARTS

NEED_PEERS = ("cold", "warm")


def measured(part, folder, *more):
    rows = folder / "rows.json"
    printed_by("speed", "--sizes", "small", "--only", part, "--repeats", 1, "--work", folder,
               "--json", rows, *more)  # fmt: skip
    return json.loads(rows.read_text())


@pytest.mark.slow
@pytest.mark.parametrize("part", sorted({*PARTS, *LARGE_PARTS} - set(NEED_PEERS)))
def test_part_prints_ratios(part, tmp_path):
    rows = measured(part, tmp_path, "--memory-limit", "2GiB")
    assert rows
    assert all(row["ratio"] > 0 and row["takes"] > 0 for row in rows)


@pytest.mark.slow
@pytest.mark.parametrize("part", NEED_PEERS)
def test_images_are_compared_with_those_of_other_programs(part, tmp_path):
    folder = folder_of_peers(None)
    names = [name for name in ("libertem", "hyperspy") if python_of(name, folder)]
    if not names:
        pytest.skip(f"no environment of a peer; peers.py makes them, {VARIABLE} names the folder")
    rows = measured(part, tmp_path)
    assert len(rows) == 2 * len(names)


def test_without_peers_their_part_is_left_out_and_says_so(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert python_of("libertem", folder_of_peers(None)) is None
    assert python_of("libertem", folder_of_peers(tmp_path)) is None
    (tmp_path / "libertem").mkdir()
    # an installation that was broken off is none
    assert python_of("libertem", tmp_path) is None
