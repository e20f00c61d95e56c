"""The losses experiment: printed examples, bits, gradients, and what it takes to miss them."""

import json

import numpy as np
import pytest

from jaxnets import losses
from jaxnets.experiments.losses import __main__ as experiment
from jaxnets.experiments.losses.__main__ import Config, main, run

PRINTED = {"mse": "18.6667", "bce": "0.5554", "nll": "1.4689", "cross_entropy": "1.4689"}
"""What the course prints; checked with PyTorch 2.13."""


@pytest.fixture(scope="module")
def report():
    return run(Config())


@pytest.mark.parametrize(("name", "printed"), PRINTED.items())
def test_the_courses_numbers_are_printed(report, name, printed):
    rows = {row["loss"]: row for row in report.examples}
    assert rows[name]["value"] == printed


def test_cross_entropy_is_nll_of_log_softmax_in_every_bit(report):
    bits = report.metrics["bits"]
    assert bits["different"] == 0
    assert bits["compared"] == 3 * (64 + 257 + 2 * 2)


def test_gradients_of_the_regression_examples(report):
    """By hand on paper: n = 3, x - y = -2, -4, -6, and the rmse is sqrt(56/3)."""
    rows = {row["loss"]: row["gradient_by_autodiff"] for row in report.examples}
    error = np.array([-2.0, -4.0, -6.0])
    np.testing.assert_allclose(rows["mse"], 2 * error / 3, rtol=1e-6)
    np.testing.assert_allclose(rows["mae"], [-1 / 3] * 3, rtol=1e-6)
    np.testing.assert_allclose(rows["rmse"], error / (3 * np.sqrt(56 / 3)), rtol=1e-6)


def test_a_class_out_of_range_is_an_error_that_says_where(report):
    error = report.error
    assert "got 2 at index (1,)" in error["message"]
    assert error["nan_under_jit"]
    scores = experiment.course_scores("float32")[:, :2]
    with pytest.raises(ValueError, match=r"class labels in \[0, 2\)"):
        losses.cross_entropy.check_values(scores, np.array([0, 2, 1]))
    # The advice of the message, more classes, works.
    assert error["mended"] == pytest.approx(1.0146, abs=1e-4)


@pytest.mark.slow
def test_float64_meets_its_own_tolerance(x64):
    report = run(Config(precision="float64"))
    assert report.success
    assert report.metrics["largest_gradient_difference"] <= 1e-14


def test_a_formula_wrong_by_five_percent_misses_the_criterion(monkeypatch):
    right = experiment.BY_HAND["mse"]

    def wrong(x, y):
        loss, gradient = right(x, y)
        return loss, 1.05 * gradient

    monkeypatch.setitem(experiment.BY_HAND, "mse", wrong)
    assert not run(Config()).success


def test_a_wrong_value_misses_the_criterion(monkeypatch):
    monkeypatch.setattr(losses, "mse", losses.huber)
    assert not run(Config()).success


@pytest.mark.slow
def test_command_line_prints_one_json_object_and_draws(tmp_path, capsys):
    picture = tmp_path / "losses.png"
    assert main(["--json", "--out", str(tmp_path / "run"), "--plot", str(picture)]) == 0
    report = json.loads(capsys.readouterr().out)
    expected = {"experiment", "config", "criterion", "success", "metrics", "history", "seconds"}
    assert expected <= report.keys()
    assert picture.stat().st_size > 1000
    assert (tmp_path / "run" / "metrics.json").is_file()


def test_command_line_shows_the_error_and_the_gradients(capsys):
    assert main([]) == 0
    shown = capsys.readouterr().out
    assert "got 2 at index (1,)" in shown
    assert "by hand    -1.333333  -2.666667  -4.000000" in shown
