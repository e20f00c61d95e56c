"""The course's two-layer program against PyTorch's own losses.

The reference is jaxnets/experiments/published/torch_two_layer.json, which
tests/fixtures/make_torch_two_layer.py made with PyTorch 2.13.
"""

import json

import numpy as np
import pytest

from jaxnets.experiments.published import two_layer_table
from jaxnets.experiments.two_layer import __main__ as two_layer
from jaxnets.experiments.two_layer.__main__ import Config, draw_numbers, main, run
from jaxnets.plots import save_figure

SEEDS = (0, 1, 777)


@pytest.fixture(scope="module", params=SEEDS)
def float32_run(request):
    """A run of 500 steps in float32, with the differences from PyTorch at every tenth."""
    config = Config(seed=request.param, log_every=10)
    result = run(config)
    return request.param, result, np.array(result.pytorch["relative_difference"])


def test_float32_losses_are_pytorchs_down_to_its_resolution(float32_run):
    _, result, difference = float32_run
    loss = np.array(result.history["loss"])
    determined = loss > two_layer.FALL * loss[0]
    assert determined.sum() >= 18
    assert difference[determined].max() <= 1e-3
    assert result.success


def test_float32_losses_are_as_near_to_pytorchs_as_rounding_lets_them_be(float32_run):
    seed, _, difference = float32_run
    theirs, nudged = (
        np.array(two_layer_table(seed, name)["loss"]) for name in ("float32", "nudged")
    )
    own = np.abs(nudged - theirs) / theirs
    assert difference.max() <= 3 * own.max()


@pytest.mark.parametrize("seed", SEEDS)
def test_float64_losses_are_pytorchs_to_1e9_at_every_printed_step(seed, x64):
    report = run(Config(seed=seed, precision="float64"))
    assert report.history["step"] == list(range(0, 500, 50))
    assert max(report.pytorch["relative_difference"]) <= 1e-9
    assert report.success


def test_numbers_are_drawn_in_the_order_of_the_program():
    """The first loss depends on all four, and another seed gives another."""
    x, y, params = draw_numbers(Config(seed=1))
    assert (x.shape, y.shape) == ((64, 1000), (64, 10))
    w1, w2 = (np.asarray(params[name]["w"], np.float64) for name in "02")
    error = np.maximum(np.asarray(x, np.float64) @ w1, 0) @ w2 - np.asarray(y)
    assert (error**2).sum() == pytest.approx(two_layer_table(1, "float32")["loss"][0], rel=1e-6)
    assert two_layer_table(0, "float32")["loss"][0] != two_layer_table(1, "float32")["loss"][0]


def test_other_weights_are_not_compared():
    config = Config(init="normal", steps=3, log_every=1)
    report = run(config)
    assert report.pytorch is None
    assert "PyTorch's to" not in report.criterion
    assert two_layer_table(5, "float32") is None


def test_a_wrong_learning_rate_is_caught():
    """Negative control: 5% off, and the numbers are not PyTorch's."""
    losses = run(Config(lr=1.05e-6, steps=51, log_every=10)).history["loss"]
    theirs = two_layer_table(777, "float32")["loss"][:6]
    assert max(abs(a - b) / b for a, b in zip(losses, theirs, strict=True)) > 1e-2


def test_command_line_prints_one_json_object_and_draws(tmp_path, capsys):
    picture = tmp_path / "two_layer.png"
    assert main(["--json", "--out", str(tmp_path / "run"), "--plot", str(picture)]) == 0
    report = json.loads(capsys.readouterr().out)
    expected = {"experiment", "config", "criterion", "success", "metrics", "history", "seconds"}
    assert expected <= report.keys()
    assert report["experiment"] == "two_layer"
    assert picture.stat().st_size > 1000
    assert (tmp_path / "run" / "params.safetensors").is_file()


def test_command_line_shows_pytorchs_losses_beside_ours(capsys):
    assert main(["--precision", "float64", "--log-every", "100"]) == 0
    shown = capsys.readouterr().out
    assert "every recorded loss is PyTorch's to 1e-09" in shown
    assert f"{two_layer_table(777, 'float64')['loss'][0]:.15g}" in shown


def test_a_short_run_misses_the_criterion(capsys):
    assert main(["--steps", "2"]) == 1
    assert "criterion MISSED" in capsys.readouterr().out


def test_divergence_is_reported_and_drawn(tmp_path):
    result = run(Config(lr=1.0))
    assert not result.success
    assert result.diverged_at is not None
    assert "Lower --lr" in two_layer.EXPERIMENT.text(result)
    assert save_figure(two_layer.EXPERIMENT.draw(result), tmp_path / "diverged.png").is_file()
