import numpy as np
import pytest
import xarray as xr

from daskstem.schema import variables
from daskstem.schema.dims import N_CLASSES, SCAN
from daskstem.view.classes import (
    class_map,
    class_montage,
    class_notes,
    class_words,
    inertia_curve,
    silhouette_curve,
)
from daskstem.view.figures import convergence_figure
from daskstem.view.palette import BACKGROUND, class_colors


def classes(k=3, tried=(2, 3, 4), **changed):
    """Return what the step makes, without the map."""
    rng = np.random.default_rng(0)
    inertia = np.full((len(tried), 5), np.nan)
    inertia[:, :4] = [[9, 5, 4, 3]]
    inertia[0, 4] = 2
    made = {
        "pattern": variables.class_pattern.wrap(rng.random((k, 8, 9), dtype=np.float32)),
        "n_positions": variables.class_n_positions.wrap(np.arange(k, 0, -1) * 1000),
        "inertia": variables.inertia.wrap(inertia),
        "silhouette": variables.silhouette.wrap(np.linspace(0.1, 0.2, len(tried))),
        "n_reseeded": variables.n_reseeded.wrap(np.zeros(len(tried), int)),
        "n_constant": variables.n_constant.wrap(np.zeros(2, int)),
        "n_unusable": variables.n_unusable.wrap(np.zeros(2, int)),
    }
    made |= {name: made[name].copy(data=np.asarray(values)) for name, values in changed.items()}
    return xr.Dataset(made, coords={N_CLASSES: list(tried)})


def test_a_class_has_one_color_wherever_it_lies():
    label = np.array([[0, 1, -1], [2, 0, 1]])
    painted = class_colors(label)
    assert painted[0, 2].tolist() == list(BACKGROUND)
    np.testing.assert_array_equal(painted[0, 0], painted[1, 1])
    # in a frame without the first classes too
    np.testing.assert_array_equal(class_colors(np.array([2]))[0], painted[1, 0])
    assert len(np.unique(class_colors(np.arange(30)), axis=0)) == 30


def test_the_map_shows_the_colors_of_the_classes():
    label = xr.DataArray(np.array([[0, 1], [-1, 2]]), dims=SCAN)
    (image,) = class_map(label, title="classes").get_images()
    np.testing.assert_array_equal(image.get_array(), class_colors(label.values))


@pytest.mark.parametrize("k", [2, 6, 7, 30])
def test_the_montage_frames_patterns_in_the_colors_of_the_map(k):
    ax = class_montage(classes(k, tried=(k,)))
    assert len(ax.child_axes) == min(k, 12)
    colors = class_colors(np.arange(k)) / 255
    for number, axes in enumerate(ax.child_axes):
        assert axes.get_title() == f"class {number}: {1000 * (k - number):,} positions"
        np.testing.assert_allclose(axes.spines["left"].get_edgecolor()[:3], colors[number])


def test_the_curves_are_the_inertias_and_the_silhouettes():
    inertias = inertia_curve(classes()).get_lines()
    assert [len(line.get_xdata()) for line in inertias] == [5, 4, 4]
    np.testing.assert_allclose(inertias[1].get_ydata(), [1, 5 / 9, 4 / 9, 3 / 9])
    (silhouettes,) = silhouette_curve(classes()).get_lines()
    np.testing.assert_array_equal(silhouettes.get_xdata(), [2, 3, 4])
    np.testing.assert_allclose(silhouettes.get_ydata(), [0.1, 0.15, 0.2])
    assert len(convergence_figure(classes()).axes) == 2
    assert len(convergence_figure(classes(tried=(3,))).axes) == 1


def test_words_say_how_many_classes_and_which_k():
    words = class_words(classes())
    assert words.startswith("3 classes of 6,000 positions, after 4 iterations.")
    assert "Of k = 2, 3, 4 this one has the highest silhouette." in words
    assert "Of k" not in class_words(classes(tried=(3,)))


def test_notes_say_what_is_odd_and_nothing_else():
    (calm,) = class_notes(classes(), {"max_iter": 100})
    assert calm.startswith("No class is empty")
    assert class_notes(xr.Dataset(), None) == []
    odd = classes(n_positions=[60, 40, 0], n_reseeded=[0, 2, 0], n_constant=[3, 4],
                  n_unusable=[0, 1])  # fmt: skip
    notes = " ".join(class_notes(odd, '{"max_iter": 4}'))
    assert "1 class without any pattern" in notes
    assert "ran empty 2 times" in notes
    assert "7 patterns in the classes (7 %)" in notes
    assert "1 pattern left out" in notes
    assert "still moving after 4 iterations" in notes
