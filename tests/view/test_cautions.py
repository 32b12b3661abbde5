from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from daskstem.schema.dims import FRAME
from daskstem.view.cautions import CHAINED, cautions
from daskstem.view.content import AT_BORDER, BELOW_THRESHOLD, HOMOGENEITY, AtLimit
from tests.view.test_report import report_content


def calm(frames=1, **numbers):
    """Return content without anything to warn of, but for what is given by frame."""
    content = report_content(frames)
    table = content.table.assign({AT_BORDER: content.table[AT_BORDER] * 0})
    per_frame = content.per_frame.assign(n_flat=(FRAME, np.zeros(frames)))
    given = {name: (FRAME, np.asarray(values, float)) for name, values in numbers.items()}
    return replace(content, table=table, per_frame=per_frame.assign(given))


def found(content):
    return [one.found for one in cautions(content)]


def only(content):
    (one,) = cautions(content)
    return one


def test_where_nothing_is_odd_nothing_is_warned_of():
    assert cautions(calm()) == []


@pytest.mark.parametrize(
    ("top", "pixels", "warned"),
    [
        (65535, 1, True),  # all that uint16 holds
        (4095, 3, True),  # twelve bits
        (1000, 40, True),  # a plateau
        (1000, 1, False),  # one bright pixel
        (12, 300, False),  # few counts are shared by many pixels
        (63, 1, False),  # could be chance
    ],
)
def test_saturation_is_the_end_of_a_range_or_a_plateau(top, pixels, warned):
    words = found(calm(largest_count=[top], n_saturated=[pixels]))
    assert bool(words) == warned
    if warned:
        assert f"reach {top:,}" in words[0]
        assert f"{pixels} detector pixel" in words[0]


def test_floating_numbers_do_not_saturate():
    content = calm(largest_count=[65535], n_saturated=[9])
    assert found(replace(content, dtype=np.dtype(np.float32))) == []


def test_chained_clusters_are_named_worst_first():
    content = calm()
    share = np.array([0.0, CHAINED + 0.02, CHAINED - 0.01, CHAINED + 0.2])
    table = content.table.assign({BELOW_THRESHOLD: ("cluster", share)})
    one = only(replace(content, table=table))
    assert "2 clusters (#3, #1) have many neighbors below" in one.found
    assert "up to 30 % of pairs" in one.found
    assert "grow.threshold" in one.change
    assert "grow.linkage=mean" in one.change


def test_the_advice_leaves_out_what_was_chosen_already():
    content = calm()
    table = content.table.assign({BELOW_THRESHOLD: ("cluster", np.full(4, 0.5))})
    grown = replace(content.steps[3], parameters={"threshold": 0.9, "linkage": "mean"})
    steps = (*content.steps[:3], grown, content.steps[4])
    assert only(replace(content, table=table, steps=steps)).change == "Raise grow.threshold."


def test_one_cluster_everywhere_is_warned_of():
    content = calm()
    frame = content.frames[0]
    one = frame.clusters.isel(cluster=[0]).assign(n_positions=("cluster", [560]))
    words = only(replace(content, frames=(replace(frame, clusters=one),)))
    assert words.found == "One cluster holds 97.2 % of the scan's positions."
    assert "kmeans" in words.change


def test_of_tiny_clusters_no_chain_is_said():
    content = calm()
    table = content.table.assign({BELOW_THRESHOLD: ("cluster", np.full(4, 0.5))})
    assert found(replace(content, table=table, n_positions=np.full(4, 6))) == []


def test_low_homogeneity_is_nearer_to_the_threshold_than_to_one():
    content = calm(frames=2)
    values = np.full(8, 0.96)
    values[5] = 0.94
    table = content.table.assign({HOMOGENEITY: ("cluster", values)})
    one = only(replace(content, table=table))
    # the threshold is 0.9: the middle is 0.95
    assert "below 0.950" in one.found
    assert "1 cluster (frame 1 #1)" in one.found


def test_a_steep_curve_at_the_threshold_is_warned_of():
    content = calm(used_threshold=[0.9])
    curves = xr.Dataset(
        {"cluster_count": ("threshold", [10, 10, 30, 80]), "cover": ("threshold", [1.0] * 4)},
        {"threshold": [0.5, 0.88, 0.9, 0.92]},
    )
    steep = replace(content, frames=(replace(content.frames[0], curves=curves),))
    assert "changes 30 clusters of frame 0 into 10 to 80" in only(steep).found
    flat = curves.assign(cluster_count=("threshold", [30, 30, 30, 31]))
    assert found(replace(content, frames=(replace(content.frames[0], curves=flat),))) == []
    # curves of another linkage say nothing of these clusters
    other = replace(steep.steps[2], parameters={"linkage": "mean"})
    steps = (*steep.steps[:2], other, *steep.steps[3:])
    assert found(replace(steep, steps=steps)) == []


def test_a_specimen_that_is_in_no_cluster_is_warned_of():
    one = only(calm(n_masked=[576], n_assigned=[288]))
    assert one.found == "50 % of the specimen is in no cluster."
    assert "grow.min_size" in one.change
    assert found(calm(n_masked=[576], n_assigned=[500])) == []


def test_small_clusters_flat_positions_and_empty_frames_are_counted():
    content = calm(frames=3, n_clusters=[4, 0, 0], n_flat=[0, 3, 0])
    sizes = np.array([1, 4, *np.full(10, 5)])
    words = found(replace(content, n_positions=sizes))
    assert "3 flat positions (0.174 %)" in words[0]
    assert words[1] == "2 clusters of fewer than 5 positions."
    assert words[2] == "No cluster in 2 frames: 1, 2."


def test_clusters_at_the_border_are_counted():
    assert found(report_content())[-1] == "4 clusters of 4 (100 %) touch the scan's border."


def test_a_parameter_at_its_limit_says_its_range_and_its_default():
    one = only(replace(calm(), at_limits=(AtLimit("grow", "min_size", 1, 8, ">= 1"),)))
    assert one.found == "grow.min_size = 1 is at the end of its range."
    assert ">= 1" in one.why
    assert "its default is 8" in one.change
