"""The page in a real browser: what is clicked, dragged, slid and typed shows what is stored."""

import shutil

import numpy as np
import pytest

import daskstem
from tests.explorer import series
from tests.explorer.browser import Explored, browser, chromium, served

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    chromium()
    return series.measured(tmp_path_factory.mktemp("measured"))


@pytest.fixture(scope="module")
def store(measured, tmp_path_factory):
    folder = tmp_path_factory.mktemp("explored")
    return series.with_all_steps(shutil.copytree(measured, folder / measured.name))


@pytest.fixture(scope="module")
def tree(store):
    return daskstem.open_series(store).load()


@pytest.fixture(scope="module")
def started():
    with browser() as one:
        yield one


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    return tmp_path_factory.mktemp("exports")


@pytest.fixture(scope="module")
def address(store, exports):
    with served(store, "--export-folder", exports) as where:
        yield where


@pytest.fixture(scope="module")
def opened(started, address):
    explored = Explored.opened(started, address).settled()
    yield explored
    explored.page.close()


@pytest.fixture
def page(opened):
    # opening a page takes longer than most tests
    yield opened.reset()
    assert not opened.complaints


def raw(tree, frame, row, column):
    return tree["raw/patterns"].values[frame, row, column].astype(float)


def linear(page):
    """Show patterns from their smallest to their largest value, for comparison."""
    page.choose("tone", "linear")
    page.choose("clip_low", 0)
    return page.choose("clip_high", 100)


def ring(center, inner, outer):
    y, x = np.ogrid[: series.SHAPE[3], : series.SHAPE[4]]
    radius = np.hypot(y - center[0], x - center[1])
    return (radius >= inner) & (radius <= outer)


def test_the_first_pictures_are_the_dark_field_and_a_pattern(page, tree):
    series.assert_shows(page.image("scan"), tree["virtual/dark_field"].values[0])
    assert page.fact("frame") == "1 of 2, time 0 s"
    assert page.image("pattern").max() == 255


@pytest.mark.parametrize("place", [(4, 3), (19, 30), (27, 0)])
def test_the_pattern_under_the_mouse_is_the_one_that_is_stored(page, tree, place):
    linear(page).hover("scan", *place)
    assert (page.screen("y"), page.screen("x")) == place
    series.assert_shows(page.image("pattern"), raw(tree, 0, *place), (0, 100))
    assert f"row {place[0]}, column {place[1]}" in page.fact("place")


def test_arrow_keys_move_the_cursor_and_hold_it(page, tree):
    linear(page).hover("scan", 10, 10)
    page.press("ArrowDown", "ArrowRight", "ArrowRight", "Shift+ArrowDown")
    assert (page.screen("y"), page.screen("x")) == (21, 12)
    series.assert_shows(page.image("pattern"), raw(tree, 0, 21, 12), (0, 100))
    page.hover("scan", 2, 2)
    assert page.screen("y") == 21
    page.press("Escape").hover("scan", 2, 3)
    assert (page.screen("y"), page.screen("x")) == (2, 3)


def test_the_filtered_pattern_is_the_weighted_mean_of_its_neighbors(page, tree):
    row, column = 12, 11
    linear(page).choose("pattern", "filtered")
    page.hover("scan", row, column)
    weights = tree["prefilter/weights"].values[0, row, column].astype(float)
    dy, dx = (tree[f"prefilter/offset_{axis}"].values for axis in "yx")
    patterns = tree["raw/patterns"].values[0, row + dy, column + dx].astype(float)
    series.assert_shows(page.image("pattern"), np.tensordot(weights, patterns, 1), (0, 100))


def test_a_logarithmic_scale_brightens_what_is_faint(page):
    linear(page).hover("scan", 12, 12)
    dark = page.image("pattern").astype(float)
    page.choose("tone", "log")
    bright = page.image("pattern").astype(float)
    assert bright.mean() > dark.mean() + 10
    # the order of the values stays
    order = np.argsort(dark.ravel(), kind="stable")
    assert (np.diff(bright.ravel()[order])[np.diff(dark.ravel()[order]) > 0] >= 0).all()
    page.choose("tone", "power").choose("exponent", 0.3)
    assert page.image("pattern").mean() > dark.mean() + 10


def test_a_detector_dragged_on_the_pattern_gives_its_virtual_image(page, tree):
    page.choose("inner", 0).choose("outer", 3)
    # a drag that begins outside the disk draws a new one
    page.drag("pattern", (10, 8), (10, 13))
    center = page.screen("center_y"), page.screen("center_x")
    assert np.allclose(center, (10, 8), atol=0.3)
    assert page.screen("outer") == pytest.approx(5, abs=0.3)
    assert page.screen("shown") == "drawn"
    detector = ring(center, 0, page.screen("outer"))
    expected = tree["raw/patterns"].values[0][:, :, detector].sum(axis=-1, dtype=float)
    series.assert_shows(page.image("scan"), expected)


def test_an_annulus_is_moved_by_its_inside_and_sized_by_its_edges(page, tree):
    page.choose("inner", 4).choose("outer", 9)
    before = page.screen("center_y"), page.screen("center_x")
    page.drag("pattern", (before[0] + 1, before[1]), (before[0] + 4, before[1] - 2))
    center = page.screen("center_y"), page.screen("center_x")
    assert np.allclose(np.subtract(center, before), (3, -2), atol=0.3)
    page.drag("pattern", (center[0], center[1] + 9), (center[0], center[1] + 12))
    page.drag("pattern", (center[0], center[1] - 4), (center[0], center[1] - 6))
    inner, outer = page.screen("inner"), page.screen("outer")
    assert np.allclose((inner, outer), (6, 12), atol=0.4)
    detector = ring(center, inner, outer)
    expected = tree["raw/patterns"].values[0][:, :, detector].sum(axis=-1, dtype=float)
    series.assert_shows(page.image("scan"), expected)
    drawn = page.source("detector")
    np.testing.assert_allclose(drawn["width"], [2 * inner, 2 * outer])


@pytest.mark.parametrize("threshold", [0.2, 0.28, 0.8])
def test_the_threshold_slider_cuts_the_tree(page, tree, threshold):
    page.page.locator("[data-state=threshold]").fill(str(threshold))
    page.settled()
    frame = tree["hierarchy"].to_dataset().isel(frame=0)
    label = daskstem.cut(frame, threshold=threshold, min_size=4)["label"].values
    assert page.screen("shown") == "cut"
    assert series.same_partition(page.image("scan", "colors"), label)
    sizes = np.unique(label[label >= 0], return_counts=True)[1]
    assert page.fact("clusters").startswith(f"{len(sizes)} cluster")
    bars = page.source("size_bars")
    assert bars["top"].sum() == len(sizes)
    for left, top in zip(bars["left"], bars["top"], strict=True):
        assert top == np.count_nonzero((sizes >= 2**left) & (sizes < 2 ** (left + 1)))


def test_a_detector_moved_while_its_image_grows_ends_at_the_last_place(page, tree):
    page.page.evaluate(
        """() => {
            const {ask} = window.daskstemPage;
            const place = {center_x: 12, inner: 0, outer: 4, shown: "drawn"};
            for (let i = 0; i < 30; i++)
                setTimeout(() => ask("detector", {...place, center_y: 10 + i / 4}), 5 * i);
        }"""
    )
    page.page.wait_for_timeout(200)
    page.settled()
    assert page.screen("center_y") == 17.25
    expected = tree["raw/patterns"].values[0][:, :, ring((17.25, 12), 0, 4)].sum(axis=-1)
    series.assert_shows(page.image("scan"), expected.astype(float))


def test_outlines_change_over_a_drawn_image_without_measuring_again(page):
    page.choose("shown", "drawn")
    before = page.image("scan")
    page.choose("outlined", "cut").choose("threshold", 0.28)
    few = page.source("outline")["x"].size
    page.choose("threshold", 0.8)
    assert page.screen("shown") == "drawn"
    assert page.source("outline")["x"].size > few
    np.testing.assert_array_equal(page.image("scan"), before)


def test_keys_move_the_threshold(page):
    page.choose("threshold", 0.7).press(".", ".", "<")
    assert page.screen("threshold") == pytest.approx(0.692)


def test_a_clicked_cluster_shows_its_row_its_pattern_and_its_neighbors(page, tree):
    label = tree["segments/label"].values[0]
    row, column = 14, 13
    number = label[row, column]
    assert number >= 0
    linear(page).choose("shown", "label").choose("pattern", "cluster")
    page.click("scan", row, column)
    assert page.screen("selected") == [number]
    table = tree["clusters"].to_dataset()
    here = np.flatnonzero((table["frame"].values == 0) & (table["label"].values == number))[0]
    fields = dict(page.screen("cluster"))
    assert fields["size"].startswith(f"{int(table['n_positions'][here])} positions")
    assert fields["track"].startswith(f"{int(tree['tracks'].variables['track'][here])}, ")
    series.assert_shows(page.image("pattern"), table["pattern"].values[here], (0, 100))
    beside = set()
    padded = np.pad(label, 1, constant_values=-1)
    for dy in range(3):
        for dx in range(3):
            there = padded[dy : dy + label.shape[0], dx : dx + label.shape[1]]
            beside |= set(there[label == number].tolist())
    assert {int(line[0]) for line in page.screen("neighbors")} == beside - {-1, number}
    assert page.page.locator(".slick-row .selected").count() > 0


def test_clusters_are_added_with_shift_and_let_go_with_escape(page, tree):
    label = tree["segments/label"].values[0]
    (y, x), (y2, x2) = ((10, 4), (20, 28))
    assert label[y, x] != label[y2, x2]
    page.choose("shown", "label").click("scan", y, x)
    # sooner it would be a double click
    page.page.wait_for_timeout(400)
    page.click("scan", y2, x2, modifiers=["Shift"])
    assert page.screen("selected") == [label[y, x], label[y2, x2]]
    page.press("Escape")
    assert page.screen("selected") == []


def test_the_mean_of_a_cut_cluster_is_that_of_its_positions(page, tree):
    linear(page).choose("threshold", 0.28).choose("pattern", "cluster")
    page.hover("scan", 14, 13)
    frame = tree["hierarchy"].to_dataset().isel(frame=0)
    label = daskstem.cut(frame, threshold=0.28, min_size=4)["label"].values
    members = label == label[14, 13]
    assert label[14, 13] >= 0
    expected = tree["raw/patterns"].values[0][members].mean(axis=0)
    series.assert_shows(page.image("pattern"), expected, (0, 100))


def test_a_region_drawn_on_the_scan_gives_its_mean_pattern(page, tree):
    linear(page).drag("scan", (5.6, 4.6), (9.4, 12.4))
    page.until(lambda: "mean of the region" in page.fact("pattern_title"))
    page.settled()
    expected = tree["raw/patterns"].values[0, 6:10, 5:13].mean(axis=(0, 1))
    assert "32 positions" in page.fact("pattern_title")
    series.assert_shows(page.image("pattern"), expected, (0, 100))


def test_the_lasso_takes_what_lies_within_it(page, tree):
    use = """([kind, on]) => {
        const {toolbar} = window.daskstemPage.sources.plots.scan;
        for (const tool of toolbar.tools) if (tool.type === kind) tool.active = on;
    }"""
    page.page.evaluate(use, ["LassoSelectTool", True])
    linear(page)
    corners = [(4.6, 6.6), (4.6, 12.4), (12.4, 12.4)]
    page.page.mouse.move(*page.place("scan", *corners[0]))
    page.page.mouse.down()
    for corner in corners[1:]:
        page.page.mouse.move(*page.place("scan", *corner), steps=4)
    page.page.mouse.up()
    page.page.evaluate(use, ["LassoSelectTool", False])
    page.page.evaluate(use, ["BoxSelectTool", True])
    page.until(lambda: "mean of the region" in page.fact("pattern_title"))
    page.settled()
    y, x = np.mgrid[: series.SHAPE[1], : series.SHAPE[2]]
    # a triangle: below its upper side, left of its right side, above its slope
    inside = (y > 4.6) & (x < 12.4) & ((y - 4.6) * 5.8 < (x - 6.6) * 7.8)
    assert f"{inside.sum()} positions" in page.fact("pattern_title")
    expected = tree["raw/patterns"].values[0][inside].mean(axis=0)
    series.assert_shows(page.image("pattern"), expected, (0, 100))


def test_frames_change_by_keys_with_their_time_and_play(page, tree):
    page.press("]")
    assert page.fact("frame") == "2 of 2, time 13 s"
    series.assert_shows(page.image("scan"), tree["virtual/dark_field"].values[1])
    page.press("[")
    assert page.screen("frame") == 0
    page.press("Space")
    page.until(lambda: page.screen("frame") == 1)
    page.until(lambda: page.screen("frame") == 0)
    page.press("Space")


def test_a_chosen_cluster_is_followed_by_its_track(page, tree):
    label = tree["segments/label"].values
    page.choose("shown", "track").click("scan", 14, 13).press("]")
    table = tree["clusters"].to_dataset()
    track = tree["tracks"].variables["track"].values
    of = {(int(f), int(n)): int(t) for f, n, t in zip(table["frame"].values,
          table["label"].values, track, strict=True)}  # fmt: skip
    wanted = of[0, label[0, 14, 13]]
    assert [of[1, number] for number in page.screen("selected")] == [wanted]


def test_maps_of_regions_show_what_is_stored(page, tree):
    for key, values in (
        ("label", tree["segments/label"].values[0]),
        ("class", tree["kmeans/label"].values[0]),
    ):
        page.choose("shown", key)
        colors = page.image("scan", "colors")
        for number in np.unique(values):
            assert len(np.unique(colors[values == number])) == 1
        assert len(np.unique(colors)) > 1
    page.choose("shown", "mask")
    image = page.image("scan")
    np.testing.assert_array_equal(image > 128, tree["background/mask"].values[0])


def test_outlines_lie_where_labels_change(page, tree):
    page.choose("outlined", "label")
    label = tree["segments/label"].values[0]
    lines = page.source("outline")
    ends = np.stack([lines["x"], lines["y"]], axis=1).reshape(-1, 3, 2)[:, :2]
    length = np.abs(ends[:, 1] - ends[:, 0]).sum()
    framed = np.pad(label, 1, constant_values=-1)
    steps = [np.count_nonzero(np.diff(framed, axis=axis)) for axis in (0, 1)]
    assert length == sum(steps)


def test_quality_names_what_is_wrong(page, tree):
    page.press("3")
    rows = dict(page.screen("quality"))
    assert rows["flat patterns"].startswith("1 position")
    outside = series.OUTSIDE_ROWS * series.SHAPE[2]
    assert rows["outside the mask"].startswith(f"{outside} positions")
    assert rows["saturated pixels"].startswith("1 detector pixel")
    bad = np.argwhere(tree["bad_pixels/bad_pixel"].values[0])
    assert list(series.HOT) in bad.tolist()
    assert rows["hot and dead pixels"].startswith(f"{len(bad)} pixel")
    crossed = page.source("bad")
    assert sorted(zip(crossed["y"], crossed["x"], strict=True)) == sorted(map(tuple, bad))
    page.page.locator("[data-show=flat]").click()
    assert np.argwhere(page.settled().image("scan") == 255).tolist() == [list(series.FLAT)]
    page.page.locator("[data-show=saturated]").click()
    assert np.argwhere(page.settled().image("scan") == 255).tolist() == [list(series.SATURATED)]


def test_the_recipe_for_the_screen_makes_what_is_on_it(page, tree, tmp_path):
    page.choose("threshold", 0.28).press("4")
    recipe = tmp_path / "screen.toml"
    recipe.write_text(page.fact("recipe"))
    page.page.locator("[data-action=copy]").click()
    page.until(lambda: page.page.locator("[data-note=copied]").text_content() == "copied")
    from daskstem.run.recipe import read_recipe

    calls = {call.step.name: call.parameters for call in read_recipe(recipe).calls}
    frame = tree["similarity"].to_dataset().assign(mask=tree["background/mask"])
    grown = daskstem.grow(frame, **calls["grow"])["label"].values[0]
    assert series.same_partition(page.image("scan", "colors"), grown)


def test_an_answer_comes_after_all_that_it_changes(page):
    page.page.evaluate(
        """() => {
            const {screen} = window.daskstemPage;
            const keep = () => { window.answered = {...screen.facts}; };
            screen.properties.answered.change.connect(keep);
        }"""
    )
    page.choose("threshold", 0.28)
    page.page.wait_for_timeout(500)
    then = page.page.evaluate("window.answered")
    assert "threshold = 0.28" in then["recipe"]
    now = page.screen("facts")
    scan = ("recipe", "detector", "frame", "scan_palette", "scan_range", "clusters", "share")
    assert {name: then.get(name) for name in scan} == {name: now.get(name) for name in scan}


def test_chosen_clusters_are_exported_once(page, tree, exports):
    page.choose("shown", "label").click("scan", 14, 13)
    (number,) = page.screen("selected")
    page.page.locator("[data-action=export]").click()
    page.until(lambda: page.fact("exported").startswith("written: "))
    folder = exports / page.fact("exported").removeprefix("written: ").rpartition("/")[2]
    with np.load(folder / "patterns.npz") as files:
        table = tree["clusters"].to_dataset()
        here = (table["frame"].values == 0) & (table["label"].values == number)
        np.testing.assert_allclose(files["pattern"], table["pattern"].values[here])
        np.testing.assert_array_equal(files["label_map"], tree["segments/label"].values[0])
    assert f"{number}" in (folder / "clusters.csv").read_text().splitlines()[1].split(",")
    page.page.locator("[data-action=export]").click()
    page.until(lambda: "exported already" in page.fact("message"))
    assert [path.name for path in exports.iterdir()].count(folder.name) == 1


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1920, 1080)])
def test_everything_fits_on_the_screen(started, address, width, height):
    page = Explored.opened(started, address, {"width": width, "height": height}).settled()
    boxes = page.page.evaluate(
        """() => [...document.querySelectorAll("main > *")].map(element => {
            const {x, y, width, height} = element.getBoundingClientRect();
            return [x, y, x + width, y + height];
        }).filter(([x, y, right, bottom]) => right > x && bottom > y)"""
    )
    boxes = np.array(boxes)
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2] <= width).all()
    assert (boxes[:, 3] <= height).all()
    for i, one in enumerate(boxes):
        for other in boxes[i + 1 :]:
            overlap = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
            assert not (overlap > 1).all()
    # both pictures are a good part of the page, and their pixels square
    for name, (rows, columns) in (("scan", series.SHAPE[1:3]), ("pattern", series.SHAPE[3:])):
        (left, top), (right, bottom) = page.place(name, 0, 0), page.place(name, rows, columns)
        assert (right - left) / columns == pytest.approx((bottom - top) / rows, rel=0.01)
        assert bottom - top > 0.45 * height
    page.page.close()


def test_what_is_not_made_yet_is_gray_and_names_its_step(started, measured):
    with served(measured) as where:
        page = Explored.opened(started, where).settled()
        options = {
            option["value"]: option
            for option in page.page.evaluate(
                """() => [...document.querySelectorAll("option")].map(
                    ({value, disabled, textContent}) => ({value, disabled, textContent}))"""
            )
        }
        for key, step in {
            "dark_field": "virtual", "mean_similarity": "similarity", "label": "grow",
            "cut": "hierarchy", "class": "kmeans", "track": "tracks", "filtered": "prefilter",
            "mean": "summary", "flat": "similarity",
        }.items():  # fmt: skip
            assert options[key]["disabled"]
            assert f"run {step} first" in options[key]["textContent"]
        assert not options["drawn"]["disabled"]
        assert not options["raw"]["disabled"]
        assert "daskstem run default STORE" in page.page.locator(".sliders").text_content()
        # patterns alone are enough for a picture
        assert len(np.unique(page.image("scan"))) > 5
        assert not page.complaints


def test_a_page_says_when_its_explorer_has_ended(started, measured):
    with served(measured) as where:
        page = Explored.opened(started, where).settled()
    message = page.page.locator("[data-fact=message]")
    page.until(lambda: "has ended" in message.text_content())
    page.page.close()


def test_damage_is_named_on_the_page(started, measured, tmp_path):
    store = shutil.copytree(measured, tmp_path / "damaged.zarr")
    for path in (store / "raw" / "patterns" / "c").rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:-7])
    with served(store) as where:
        page = Explored.opened(started, where, ready=False)
        page.until(lambda: "is damaged" in page.fact("message"))
        page.page.close()
