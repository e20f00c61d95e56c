"""The initialization experiment, run short: theory of variances, and units that stay equal."""

import json
import math
from dataclasses import replace

import jax
import numpy as np
import optax
import pytest

import jaxnets as jn
from jaxnets.experiments.initialization import __main__ as initialization
from jaxnets.experiments.initialization.layer_spread import layer_spread

ARGUMENTS = ["--seeds", "20", "--steps", "2000", "--lr", "0.3,1", "--optimizer", "momentum"]


@pytest.fixture(scope="module")
def result():
    return initialization.run(
        initialization.Config(seeds=20, steps=2000, lr=(0.3, 1.0), optimizer="momentum")
    )


@pytest.mark.slow
def test_the_report_is_whole(result):
    report = result
    keys = {"experiment", "config", "criterion", "success", "metrics", "history", "seconds"}
    assert keys <= report.as_json().keys()
    assert json.loads(json.dumps(report.as_json()))["metrics"] == report.metrics
    assert {len(column) for column in report.history.values()} == {20}
    assert report.networks == 7 * 20 * 2


@pytest.mark.slow
def test_constant_units_stay_identical_and_solve_nothing(result):
    report = result
    assert report.difference_of_units["constant"] == 0.0
    assert report.share_solved["momentum"]["constant"] == [0.0, 0.0]
    assert all(
        value > 1 for init, value in report.difference_of_units.items() if init != "constant"
    )


@pytest.mark.slow
def test_the_best_setting_is_the_one_with_the_largest_share(result):
    report = result
    for init, found in report.best.items():
        assert found["share"] == max(report.share_solved["momentum"][init])


@pytest.mark.slow
def test_a_member_is_what_fit_makes_of_the_same_start():
    config = initialization.Config(seed=5, seeds=2, lr=(0.1,), steps=300, log_every=300)
    outcome = initialization.train(config, "adam")
    initializer, position = initialization.INITIALIZERS["xavier"], 3
    model, key = initialization.two_unit_net(initializer), jax.random.key(6)
    x, y = jn.data.xor()
    fitted = jn.fit(
        model,
        jn.losses.bce,
        optax.adam(0.1),
        (x, y),
        key=key,
        params=model.init(key, x),
        steps=300,
        record_every=300,
    )
    for ours, theirs in zip(
        jax.tree.leaves(outcome.params), jax.tree.leaves(fitted.params), strict=True
    ):
        np.testing.assert_allclose(ours[2 * position + 1], theirs, rtol=1e-3, atol=1e-5)
    right = (np.asarray(model.apply(fitted.params, x)) > 0.5) == (np.asarray(y) > 0.5)
    assert outcome.solved[position, 1, 0] == right.all()


# For linear layers of n units var(h') = n var(w) var(h), forward and backward alike.
GAINS = {
    "random": math.sqrt(256),
    "fan_in": math.sqrt(1 / 3),
    "xavier": 1.0,
    "lecun": 1.0,
    "he": math.sqrt(2),
    "orthogonal": 1.0,
}


@pytest.mark.parametrize("init", GAINS)
def test_the_spread_of_linear_layers_is_that_of_the_theory(init):
    inits = {init: initialization.INITIALIZERS[init]}
    spread = layer_spread(lambda h: h, inits, jax.random.key(0), 5)[init]
    expected = GAINS[init] ** np.arange(1, 6)
    np.testing.assert_allclose(spread.activations, expected, rtol=0.15)
    # The gradient has been through one layer fewer, from the other end.
    np.testing.assert_allclose(spread.gradients, (expected / GAINS[init])[::-1], rtol=0.15)


@pytest.mark.slow
def test_hes_weights_keep_the_second_moment_of_relu_layers(result):
    spread = result.spread["relu"]
    # E[h^2] stays 1; of h = max(z, 0) with z normal the share (pi - 1) / pi of it is variance.
    theory = math.sqrt((math.pi - 1) / math.pi)
    np.testing.assert_allclose(spread["he"]["activations"], theory, rtol=0.35)
    assert spread["random"]["activations"][-1] > 1e9


@pytest.mark.slow
def test_the_command_prints_tables_and_exits_by_its_criterion(capsys):
    code = initialization.main(ARGUMENTS)
    printed = capsys.readouterr().out
    assert code == (0 if "criterion met" in printed else 1)
    assert "that solve XOR, momentum" in printed


@pytest.mark.slow
def test_a_rate_too_large_gives_numbers_that_json_can_hold(capsys):
    arguments = ["--seeds", "3", "--steps", "20", "--lr", "1e30", "--optimizer", "sgd", "--json"]
    assert initialization.main(arguments) == 1
    assert "NaN" not in (printed := capsys.readouterr().out)
    assert "Infinity" not in printed


def test_a_list_of_rates_is_checked(capsys):
    with pytest.raises(SystemExit, match="2"):
        initialization.main(["--lr", "0.1,x"])
    assert "--lr must be a positive finite number; got x" in capsys.readouterr().err


@pytest.mark.slow
def test_the_picture_is_drawn(result):
    figure = initialization.EXPERIMENT.draw(result)
    shown = [ax.get_title() for ax in figure.axes if ax.get_visible()]
    assert shown[:2] == ["relu: activations", "relu: gradients"]
    assert shown[-1] == "Median loss at the best setting"


@pytest.mark.slow
def test_small_shares_and_lines_on_each_other_can_be_read(result):
    shares = {"momentum": {"random": [0.005, 0.0]}}
    figure = initialization.EXPERIMENT.draw(replace(result, share_solved=shares))
    shares = next(ax for ax in figure.axes if ax.get_title() == "XOR solved (%), momentum")
    assert [text.get_text() for text in shares.texts] == ["0.5", "0"]
    dashes = [str(line._dash_pattern) for line in figure.axes[0].get_lines()]
    widths = [line.get_linewidth() for line in figure.axes[0].get_lines()]
    styles = [(dashes[i], widths[i]) for i in (3, 5, 6)]
    assert len(set(styles)) == 3
