"""The ladder of linear regression: rungs against one another, PyTorch and closed forms.

torch_linear_regression.json was made with PyTorch 2.13 by make_torch_linear_regression.py.
"""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from jaxnets.experiments.linear_regression import __main__ as linear_regression
from jaxnets.experiments.linear_regression import ladder
from jaxnets.experiments.linear_regression.__main__ import Config, draw_numbers, main, run
from jaxnets.experiments.linear_regression.ladder import closed_form, least_squares
from jaxnets.plots import save_figure

FIXTURE = Path(__file__).parents[2] / "fixtures" / "torch_linear_regression.json"
NAMES = {
    "sgd": [
        "numpy_by_hand",
        "jax_by_hand",
        "jax_grad",
        "sequential_dense",
        "optax_sgd",
        "own_model",
    ],
    "adam": ["numpy_adam", "optax_adam"],
}


@pytest.fixture(scope="module")
def defaults():
    return run(Config(repeats=1))


def test_all_rungs_of_a_rule_agree_to_1e6(defaults):
    report = defaults
    assert list(report.metrics["rungs"]) == NAMES["sgd"] + NAMES["adam"]
    for names in NAMES.values():
        by_hand = np.array(report.history[names[0]])
        for name in names:
            weights = np.asarray(defaults.params[name])
            assert np.abs(weights - np.asarray(defaults.params[names[0]])).max() <= 1e-6
            assert np.abs(report.history[name] / by_hand - 1).max() <= 1e-6
    assert report.success


def test_the_two_rules_differ(defaults):
    """Negative control: Adam's weights are not those of gradient descent."""
    difference = np.asarray(defaults.params["numpy_adam"]) - np.asarray(
        defaults.params["numpy_by_hand"]
    )
    assert np.abs(difference).max() > 0.1


@pytest.mark.parametrize("seed", [0, 1, 777])
@pytest.mark.parametrize("rule", ["sgd", "adam"])
def test_float64_is_pytorchs(seed, rule, x64):
    theirs = json.loads(FIXTURE.read_text())["runs"][str(seed)][rule]
    config = Config(seed=seed, precision="float64")
    rung = ladder.RUNGS[rule][NAMES[rule][1]][1]
    ours = ladder.climb(rung(*draw_numbers(config), config.lr, config.steps), 1, config.steps)
    np.testing.assert_allclose(ours.weights, theirs["weights"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(ours.losses[::500], theirs["losses"], rtol=1e-12)


def test_gradient_descent_is_where_its_closed_form_says(x64):
    report = run(Config(precision="float64", optimizer="sgd", repeats=1))
    assert report.metrics["distance_from_closed_form"] < 1e-12
    assert list(report.metrics["rungs"]) == NAMES["sgd"]


def test_closed_form_starts_at_the_start_and_ends_at_the_limit():
    x, y, w = draw_numbers(Config())
    limit, _ = least_squares(x, y)
    np.testing.assert_allclose(closed_form(x, limit, w, 1e-6, 0), np.asarray(w), atol=1e-12)
    np.testing.assert_allclose(closed_form(x, limit, w, 1e-3, 5000), limit, atol=1e-12)


def test_least_squares_solves_the_normal_equations():
    x, y, _ = draw_numbers(Config())
    limit, _ = least_squares(x, y)
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    np.testing.assert_allclose(x.T @ (x @ limit - y), 0, atol=1e-12)


def test_a_larger_learning_rate_reaches_the_limit(x64):
    report = run(Config(lr=1e-3, optimizer="sgd", precision="float64", repeats=1))
    rows = report.metrics["rungs"]
    assert max(row["distance_from_least_squares"] for row in rows.values()) < 1e-12


def test_a_wrong_gradient_misses_the_criterion(monkeypatch):
    """Negative control: one rung whose gradient is 5% off."""

    def wrong(x, y, w, lr, steps):
        return ladder.jax_by_hand(x, y, w, 1.05 * lr, steps)

    rungs = {"sgd": {**ladder.RUNGS["sgd"], "jax_by_hand": ("wrong", wrong)}}
    monkeypatch.setattr(linear_regression, "RUNGS", rungs)
    assert not run(Config(optimizer="sgd", steps=100, repeats=1)).success


def test_command_line_prints_one_json_object_and_draws(tmp_path, capsys):
    picture = tmp_path / "linear_regression.png"
    arguments = ["--steps", "200", "--repeats", "1", "--json", "--plot", str(picture)]
    assert main([*arguments, "--out", str(tmp_path / "run")]) == 0
    report = json.loads(capsys.readouterr().out)
    expected = {"experiment", "config", "criterion", "success", "metrics", "history", "seconds"}
    assert expected <= report.keys()
    assert {len(column) for column in report["history"].values()} == {2}
    assert picture.stat().st_size > 1000
    assert (tmp_path / "run" / "history.csv").is_file()


def test_command_line_shows_every_rung_and_the_limit(capsys):
    assert main(["--steps", "100", "--repeats", "1"]) == 0
    shown = capsys.readouterr().out
    for rungs in ladder.RUNGS.values():
        for title, _ in rungs.values():
            assert title in shown
    assert "least squares, in closed form: 70.11286" in shown
    distance = r"After 100 steps gradient descent is \d\.\de-\d\d from where its closed form says\."
    assert re.search(rf"^{distance}$", shown, re.MULTILINE)


RULES = {"adam": ("1e20", NAMES["adam"]), "sgd": ("1", NAMES["sgd"])}


@pytest.mark.parametrize("rule", RULES)
def test_a_run_that_diverges_keeps_every_rung_up_to_there(rule, tmp_path, capsys):
    rate, names = RULES[rule]
    arguments = ["--steps", "40", "--repeats", "1", "--log-every", "1", "--lr", rate]
    arguments += ["--optimizer", rule, "--out", str(tmp_path)]
    assert main([*arguments, "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    ends = {row["diverged_at"] for row in report["metrics"]["rungs"].values()}
    # From one step to the next a loss grows by about (1e20)^2 with Adam, 1e4 with plain descent.
    assert ends == {report["diverged_at"]} == ({1} if rule == "adam" else {10})
    assert list(report["history"]) == ["step", *names]
    assert {len(column) for column in report["history"].values()} == {report["diverged_at"]}
    assert len((tmp_path / "history.csv").read_text().splitlines()) == 1 + report["diverged_at"]


def test_one_rule_that_diverges_leaves_the_other_whole():
    history = run(Config(lr=1.0, steps=40, repeats=1, log_every=10)).history
    assert history["step"] == [0, 10, 20, 30]
    assert history["numpy_by_hand"][1:] == [None] * 3
    assert None not in history["numpy_adam"]


def test_divergence_is_said_rung_by_rung_and_drawn(tmp_path):
    result = run(Config(lr=1e20, steps=30, optimizer="adam", repeats=1))
    shown = linear_regression.EXPERIMENT.text(result)
    assert "fit, optax.adam           at step 1\nLower --lr." in shown
    assert "nan" not in shown
    figure = linear_regression.EXPERIMENT.draw(result)
    by_hand = figure.axes[0].get_lines()[0]
    assert (by_hand.get_xdata().size, by_hand.get_marker()) == (1, "o")
    assert save_figure(figure, tmp_path / "diverged.png").is_file()
