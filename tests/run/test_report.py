import stat
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import xarray as xr
import zarr

import daskstem
from daskstem.run.report import write_report
from daskstem.run.report_content import chosen_frames, gather
from daskstem.schema import variables
from daskstem.schema.calibration import Axis
from daskstem.schema.dims import CLUSTER, FRAME, SCAN, SCAN_X, SCAN_Y, Q
from daskstem.schema.errors import InputError
from daskstem.view.content import CLASS_LABEL, SEED_PATTERN
from daskstem.view.report import page

FRAMES, ROWS, COLUMNS, SIDE = 3, 8, 10, 6
LABEL = np.full((FRAMES, ROWS, COLUMNS), -1, np.int32)
LABEL[0, :4, :4], LABEL[0, 5:7, 5:9] = 0, 1
LABEL[1, 2:5, 2:8] = 0
SEEDS = ((0, 1, 2), (0, 6, 7), (1, 3, 4))


def raw_patterns() -> np.ndarray:
    shape = (FRAMES, ROWS, COLUMNS, SIDE, SIDE)
    return np.random.default_rng(0).integers(0, 900, shape).astype(np.uint16)


def groups(patterns: np.ndarray | da.Array) -> dict[str, xr.Dataset]:
    """Build a series of three frames and three clusters; the last frame has none."""
    steps = {SCAN_Y: 2.0, SCAN_X: 3.0}
    sizes = {SCAN_Y: ROWS, SCAN_X: COLUMNS}
    coords = {d: Axis(steps[d], units="nm").coordinate(d, sizes[d]) for d in SCAN}
    similarity = np.full((FRAMES, ROWS, COLUMNS, 8), 0.9, np.float32)
    similarity[:, 0, :, :3] = np.nan
    similarity[2, 0, 0] = [np.nan] * 5 + [0, 0, 0]
    similarity[2, 4, 4] = [0.5, -0.5] * 4
    table = np.array(SEEDS).T
    means = np.arange(3 * SIDE * SIDE, dtype=np.float32).reshape(3, SIDE, SIDE)
    made = {"finished": True, "time": "2026-01-01T00:00:00"}
    found = {
        "raw": xr.Dataset({"patterns": variables.patterns.wrap(patterns)}, coords=coords),
        "similarity": xr.Dataset(
            {
                "similarity": variables.similarity.wrap(similarity),
                "mean_similarity": variables.mean_similarity.wrap(np.nanmean(similarity, -1)),
            }
        ),
        "background": xr.Dataset(
            {"background_threshold": variables.background_threshold.wrap(np.full(FRAMES, 0.5))}
        ),
        "hierarchy": xr.Dataset(
            {
                "cluster_count": variables.cluster_count.wrap(np.tile([3, 2, 0], (FRAMES, 1))),
                "cover": variables.cover.wrap(np.tile([1.0, 0.5, 0.0], (FRAMES, 1))),
                "suggested_threshold": variables.suggested_threshold.wrap(
                    np.array([0.7, 0.8, np.nan])
                ),
            },
            coords={"threshold": [0.5, 0.9, 1.0]},
        ),
        "segments": xr.Dataset(
            {
                "label": variables.label.wrap(LABEL),
                "used_threshold": variables.used_threshold.wrap(np.full(FRAMES, 0.94)),
            }
        ),
        "clusters": xr.Dataset(
            {"pattern": variables.pattern.wrap(means)},
            coords={
                "frame": variables.cluster_frame.wrap(table[0]),
                "label": variables.cluster_label.wrap(np.array([0, 1, 0])),
                "n_positions": variables.n_positions.wrap(np.array([16, 8, 18])),
                "seed_y": variables.seed_y.wrap(table[1]),
                "seed_x": variables.seed_x.wrap(table[2]),
            },
        ),
        "truth": xr.Dataset({"label": variables.truth_label.wrap(LABEL)}),
    }
    return {name: ds.assign_attrs(made, step=name) for name, ds in found.items()}


def written(folder: Path, found: dict[str, xr.Dataset]) -> Path:
    store = folder / "my series.zarr"
    zarr.open_group(str(store), mode="w", attributes={"daskstem_schema": 1})
    for name, ds in found.items():
        ds.to_zarr(store, group=name, mode="a", zarr_format=3, consolidated=False)
    return store


def test_counts_what_is_in_the_maps() -> None:
    content = gather(xr.DataTree.from_dict(groups(raw_patterns())), store="s")
    per_frame = content.per_frame
    assert per_frame["n_clusters"].values.tolist() == [2, 1, 0]
    assert per_frame["n_assigned"].values.tolist() == [24, 18, 0]
    assert per_frame["n_at_border"].values.tolist() == [1, 0, 0]
    assert per_frame["adjusted_rand"].values.tolist() == [1, 1, 1]
    assert content.total("n_assigned") == 42
    assert content.raw_bytes == FRAMES * ROWS * COLUMNS * SIDE * SIDE * 2
    assert content.cluster_bytes == 3 * SIDE * SIDE * 4
    assert content.n_positions.tolist() == [16, 8, 18]


def test_classes_are_read_without_their_maps_and_shown_frame_by_frame() -> None:
    patterns = raw_patterns()
    made = daskstem.kmeans(groups(patterns)["raw"], k=2, q_inner_px=0.0)
    found = {**groups(patterns), "kmeans": made.assign_attrs(step="kmeans", parameters={})}
    content = gather(xr.DataTree.from_dict(found), store="s")
    assert variables.class_label.name not in content.classes
    np.testing.assert_array_equal(content.classes["pattern"], made["pattern"])
    shown = [frame.maps[CLASS_LABEL].values for frame in content.frames]
    np.testing.assert_array_equal(np.stack(shown), made["label"])
    words = page(content)
    assert "K-means found 2 classes" in words
    # in the step and in the page of each frame
    assert words.count("K-means classes.</b>") == FRAMES + 1


def test_flat_are_the_positions_whose_available_similarities_are_all_zero() -> None:
    # (0, 0) has only zeros; (4, 4) has a mean of zero from values that are not.
    content = gather(xr.DataTree.from_dict(groups(raw_patterns())), store="s")
    assert content.per_frame["n_flat"].values.tolist() == [0, 0, 1]


def test_the_largest_clusters_come_first_with_their_seeds_raw_patterns() -> None:
    patterns = raw_patterns()
    found = groups(patterns)
    found["clusters"]["n_positions"][:] = [8, 16, 18]
    first, second, third = gather(xr.DataTree.from_dict(found), store="s").frames
    assert first.shown["label"].values.tolist() == [1, 0]
    expected = [patterns[SEEDS[1]], patterns[SEEDS[0]]]
    np.testing.assert_array_equal(first.shown[SEED_PATTERN].values, expected)
    np.testing.assert_array_equal(
        first.shown["pattern"].values, found["clusters"]["pattern"].values[[1, 0]]
    )
    assert second.clusters.sizes[CLUSTER] == 1
    assert not third.shown.sizes


def test_maps_take_the_calibration_of_the_raw_patterns() -> None:
    content = gather(xr.DataTree.from_dict(groups(raw_patterns())), store="s")
    maps = content.frames[0].maps
    assert maps[SCAN_X].attrs["units"] == "nm"
    assert float(maps[SCAN_X][1]) == 3.0
    assert all(content.raw.sizes[dim] == SIDE for dim in Q)


def test_reads_no_more_patterns_than_the_seeds() -> None:
    patterns = raw_patterns()
    read = []

    def counted(block: np.ndarray, block_info: dict) -> np.ndarray:
        read.append(tuple(block_info[0]["chunk-location"][:3]))
        return block

    lazy = da.from_array(patterns, chunks=(1, 1, 1, SIDE, SIDE))
    lazy = lazy.map_blocks(counted, dtype=patterns.dtype, meta=np.empty((0,) * 5, np.uint16))
    gather(xr.DataTree.from_dict(groups(lazy)), store="s")
    assert sorted(set(read)) == sorted(SEEDS)


def test_curves_and_thresholds_of_every_frame_are_gathered() -> None:
    content = gather(xr.DataTree.from_dict(groups(raw_patterns())), store="s")
    np.testing.assert_array_equal(content.per_frame["used_threshold"], [0.94] * FRAMES)
    np.testing.assert_array_equal(content.per_frame["suggested_threshold"], [0.7, 0.8, np.nan])
    for frame in content.frames:
        np.testing.assert_array_equal(frame.curves["cluster_count"], [3, 2, 0])
        np.testing.assert_array_equal(frame.curves["threshold"], [0.5, 0.9, 1.0])


@pytest.mark.parametrize(
    "missing", ["similarity", "background", "hierarchy", "segments", "clusters", "truth"]
)
def test_a_missing_group_is_no_error(missing: str) -> None:
    found = groups(raw_patterns())
    del found[missing]
    content = gather(xr.DataTree.from_dict(found), store="s")
    assert missing not in content.groups
    assert len(content.frames) == FRAMES


def test_patterns_alone_are_enough() -> None:
    found = {"raw": groups(raw_patterns())["raw"]}
    content = gather(xr.DataTree.from_dict(found), store="s")
    assert content.per_frame.sizes[FRAME] == FRAMES
    assert content.reduction is None


def test_a_tree_without_patterns_is_refused_with_the_remedy() -> None:
    found = groups(raw_patterns())
    del found["raw"]
    with pytest.raises(InputError, match="convert a source into it first"):
        gather(xr.DataTree.from_dict(found), store="s")


def test_clusters_without_a_seed_are_refused_naming_the_step() -> None:
    found = groups(raw_patterns())
    found["clusters"] = found["clusters"].drop_vars("seed_y")
    with pytest.raises(InputError, match="run 'average' first"):
        gather(xr.DataTree.from_dict(found), store="s")


def test_the_page_is_written_beside_the_store(tmp_path: Path) -> None:
    store = written(tmp_path, groups(raw_patterns()))
    before = sorted(path for path in store.rglob("*"))
    target = write_report(store)
    assert target == tmp_path / "my series_report.html"
    text = target.read_text(encoding="utf-8")
    assert "my series.zarr" in text
    assert "3 clusters cover 17.5 % of the positions" in text
    assert text.rstrip().endswith("</html>")
    assert stat.S_IMODE(target.stat().st_mode) == 0o644
    assert sorted(path for path in store.rglob("*")) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [store.name, target.name]


def test_a_failed_report_leaves_the_former_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = written(tmp_path, {"raw": groups(raw_patterns())["raw"]})
    target = write_report(store, tmp_path / "page.html")
    former = target.read_bytes()

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_report(store, target)
    assert target.read_bytes() == former
    assert sorted(path.name for path in tmp_path.iterdir()) == [store.name, "page.html"]


def test_a_place_that_cannot_be_written_is_refused_before_anything_is_read(
    tmp_path: Path,
) -> None:
    with pytest.raises(InputError, match="no folder"):
        write_report(tmp_path / "absent.zarr", tmp_path / "no" / "page.html")
    with pytest.raises(InputError, match="is a folder"):
        write_report(tmp_path / "absent.zarr", tmp_path)
    with pytest.raises(InputError, match="say where to write"):
        write_report("s3://bucket/absent.zarr")


def test_chosen_frames_are_even_and_hold_both_ends() -> None:
    assert chosen_frames(12) == list(range(12))
    for count in (13, 100, 1000):
        chosen = chosen_frames(count)
        assert (chosen[0], chosen[-1]) == (0, count - 1)
        assert np.ptp(np.diff(chosen)) <= 1
