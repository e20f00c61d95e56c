"""The activations experiment: curves against hand-derived slopes, gradients, dead units."""

import json

import jax
import numpy as np
import pytest

import jaxnets as jn
from jaxnets import activations as library
from jaxnets.experiments.activations import __main__ as activations
from jaxnets.experiments.activations.dead_units import count_dead_units
from jaxnets.experiments.activations.gradient_flow import gradient_norms
from jaxnets.experiments.harness.choices import OPTIMIZERS
from jaxnets.parity.formulas import ACTIVATIONS

SHORT = activations.Config(steps=100, log_every=50)
HAND = {"prelu": {"alpha": np.float32(0.25)}}


@pytest.fixture(scope="module")
def result():
    return activations.run(SHORT)


@pytest.fixture(scope="module")
def curves():
    return activations.curves()


@pytest.mark.slow
def test_every_activation_is_drawn_the_courses_first(curves):
    assert set(curves) == set(library.__all__)
    assert tuple(curves)[:4] == ("sigmoid", "tanh", "relu", "softmax")


@pytest.mark.parametrize(
    "name", [name for name in library.__all__ if name not in ("softmax", "log_softmax")]
)
def test_curves_have_the_slopes_derived_by_hand(curves, name):
    x, y, slope = curves[name]
    assert (x[0], x[-1]) == (-5, 5)
    value, derivative = ACTIVATIONS[name](x.astype(float), **HAND.get(name, {}))
    np.testing.assert_allclose(y, value, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(slope, derivative, rtol=1e-5, atol=1e-6)


def test_softmax_is_drawn_for_two_other_inputs_of_0(curves):
    x, y, slope = curves["softmax"]
    expected = np.exp(x) / (np.exp(x) + 2)
    np.testing.assert_allclose(y, expected, rtol=1e-5)
    np.testing.assert_allclose(slope, expected * (1 - expected), rtol=1e-4)


@pytest.mark.slow
def test_gradient_norms_are_those_of_a_network_built_of_layers():
    depth, key = 3, jax.random.key(5)
    init = jn.initializers.he_normal()
    norms = gradient_norms(jn.tanh, init, key, depth)
    zeros = jax.nn.initializers.zeros
    keys = jax.random.split(key, 4)
    x = jax.random.normal(keys[0], (64, 32))
    y = jax.random.bernoulli(keys[1], shape=(64, 1)).astype(x.dtype)
    layers = [jn.dense(32, w_init=init, b_init=zeros) for _ in range(depth)]
    hidden = [
        layer.init(one, x)
        for layer, one in zip(layers, jax.random.split(keys[2], depth), strict=True)
    ]
    output = jn.dense(1, w_init=init).init(keys[3], x)
    for d in range(1, depth + 1):
        net = jn.sequential(
            *[part for layer in layers[:d] for part in (layer, jn.tanh)], jn.dense(1)
        )
        params = {str(2 * i): hidden[i] for i in range(d)} | {str(2 * d): output}
        gradient = jax.grad(lambda p, n=net: jn.losses.bce_with_logits(n.apply(p, x), y))(params)
        expected = [np.linalg.norm(gradient[str(2 * i)]["w"]) for i in range(d)]
        np.testing.assert_allclose(norms[d - 1, :d], expected, rtol=1e-4)
        assert np.isnan(norms[d - 1, d:]).all()


@pytest.mark.slow
def test_gradients_vanish_and_explode(result):
    grown = result.gradient_growth
    assert max(grown["torch"].values()) < 1e-6
    assert min(grown["normal"]["tanh"], grown["normal"]["relu"]) > 1e6
    assert 0.01 < grown["he"]["relu"] < 100


def test_units_with_large_negative_biases_count_as_dead():
    # One enormous step of plain gradient descent throws units far to one side.
    counted = count_dead_units(
        jn.relu, OPTIMIZERS["sgd"], [1e-6, 1e3], seed=0, seeds=2, records=2, every=1
    )
    assert counted.share[0, 0] == counted.share[1, 0]  # the same start
    assert counted.share[1, 1] > counted.share[0, 1] + 0.1


@pytest.mark.slow
def test_a_network_that_diverged_is_not_counted_as_alive():
    counted = count_dead_units(
        jn.leaky_relu, OPTIMIZERS["sgd"], [1e30], seed=0, seeds=2, records=3, every=5
    )
    assert np.isnan(counted.share[0, -1])


@pytest.mark.slow
def test_the_report_is_whole(result):
    report = result.as_json()
    assert set(report) >= {"experiment", "config", "criterion", "success", "metrics", "seconds"}
    assert report["history"]["step"] == [0, 50, 100]
    assert {len(column) for column in report["history"].values()} == {3}
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert "prelu" in activations.EXPERIMENT.text(result)


@pytest.mark.slow
def test_a_rate_too_low_to_kill_misses_the_criterion():
    assert activations.main(["--steps", "1", "--log-every", "1", "--lr", "1e-6"]) == 1


@pytest.mark.slow
def test_the_picture_has_a_panel_for_every_activation_and_measurement(result):
    pytest.importorskip("matplotlib")
    titles = [ax.get_title() for ax in activations.EXPERIMENT.draw(result).axes if ax.get_visible()]
    assert titles[: len(library.__all__)] == list(activations.CURVES)
    assert len(titles) == len(library.__all__) + 9
