"""Pictures of a training: the heat map of the gradient's norms, layer × step, and its caption."""

import numpy as np
import pytest

pytest.importorskip("matplotlib")
from byhand.report.figures import MOST_COLUMNS, curves_figure, dead_figure, norms_figure
from byhand.report.training import norms_caption
from byhand.train.norms import GradientNorms


def recorded(rows, unit="step", first=1):
    norms = GradientNorms()
    norms.begin([f"W{k + 1}" for k in range(np.shape(rows)[1])], unit, first)
    norms.add(rows)
    return norms


def drawn(norms):
    """The axes, the image on them, and the label of the colours."""
    figure = norms_figure(norms)
    axes, bar = figure.axes
    figure.draw_without_rendering()
    return axes, axes.images[0], bar.get_ylabel()


@pytest.mark.parametrize("steps", [1, 2, 13, MOST_COLUMNS])
def test_a_column_for_each_step(steps):
    rows = np.random.default_rng(steps).exponential(size=(steps, 3))
    axes, image, label = drawn(recorded(rows))
    np.testing.assert_allclose(image.get_array(), np.log10(rows).T)
    assert axes.get_xlabel() == "step" and axes.get_ylabel() == "layer" and label == "log10 ‖∂L/∂W‖"
    assert [t.get_text() for t in axes.get_yticklabels()] == ["W1", "W2", "W3"]
    assert axes.get_xlim() == (0.5, steps + 0.5) and list(image.get_extent()) == [0.5, steps + 0.5, 2.5, -0.5]
    shown = [t for t in axes.get_xticks() if 0.5 <= t <= steps + 0.5]
    assert shown and all(t == round(t) for t in shown)


@pytest.mark.parametrize("steps, width", [(501, 2), (100_003, 256)])
def test_of_many_steps_some_share_a_column_and_none_is_left_out(steps, width):
    rows = np.full((steps, 2), 1e-3)
    rows[[0, 337, steps - 1], 0] = 7.0, 70.0, 700.0  # single steps that the picture must show
    axes, image, _ = drawn(recorded(rows))
    columns = image.get_array().shape[1]
    assert columns == -(-steps // width) <= MOST_COLUMNS
    assert axes.get_xlabel() == f"step (a column is the greatest norm of {width} steps)"
    places = {0, 337 // width, columns - 1}
    assert {int(k) for k in np.flatnonzero(image.get_array()[0] > 0)} == places
    assert axes.get_xlim() == (0.5, steps + 0.5)  # the last column may stand for fewer
    assert image.get_extent()[1] == columns * width + 0.5


def test_a_picture_has_a_pixel_for_each_column():
    figure = norms_figure(recorded(np.ones((3, 2))))
    figure.draw_without_rendering()
    assert figure.axes[0].get_window_extent().width * 120 / figure.dpi > MOST_COLUMNS  # the PNG has 120 dots an inch


def test_a_resumed_run_and_iterations_say_so():
    norms = recorded(np.ones((7, 2)), first=301)
    axes, _, _ = drawn(norms)
    assert axes.get_xlim() == (300.5, 307.5)
    assert "begins with step 301, where training was resumed" in norms_caption(norms)
    iterations = recorded(np.ones((7, 2)), unit="iteration")
    assert drawn(iterations)[0].get_xlabel() == "iteration"
    assert "each iteration's start" in norms_caption(iterations) and "resumed" not in norms_caption(iterations)


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_what_has_no_logarithm_is_grey(value):
    rows = np.ones((5, 2))
    rows[3, 1] = value
    norms = recorded(rows)
    image = drawn(norms)[1]
    assert image.get_array().mask.tolist() == [[False] * 5, [False, False, False, True, False]]
    assert norms_caption(norms).endswith("Grey: zero, or not finite.")
    assert "Grey" not in norms_caption(recorded(np.ones((5, 2))))
    assert drawn(recorded(np.zeros((5, 2))))[1].get_array().mask.all()


def test_epochs_that_were_measured_after_a_resumption_are_numbered_as_they_are():
    axes = dead_figure(np.zeros((3, 2)), np.zeros((3, 2)), ["W1", "W2"], first=5).axes[0]
    assert axes.images[0].get_extent()[:2] == [4.5, 7.5]
    lines = curves_figure([("measured", [1.0, 2.0]), ("whole", [1.0, 2.0, 3.0])], "score").axes[0].lines
    assert [list(line.get_xdata()) for line in lines] == [[2, 3], [1, 2, 3]]
    lines = curves_figure([("measured", [1.0, 2.0])], "score", last=7).axes[0].lines
    assert [list(line.get_xdata()) for line in lines] == [[6, 7]]


def test_cells_that_the_other_picture_counts_are_grey_on_any_page():
    figure = dead_figure(np.array([[np.nan, 0.5]]), np.array([[0.25, np.nan]]), ["W1", "W2"])
    for axes in figure.axes[:2]:
        assert axes.images[0].get_cmap().get_bad().tolist() == pytest.approx([0.6, 0.6, 0.6, 1.0])  # not transparent
        assert [t.get_text() for t in axes.get_legend().get_texts()] == ["counted in the other"]
