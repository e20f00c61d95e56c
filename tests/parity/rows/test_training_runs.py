"""Whole runs against PyTorch's from the same weights: same losses, same weights at the end.

The fixture is made by PyTorch in tests/fixtures/make_torch_training.py, which says what is in it.
"""

import functools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnets as jn
from jaxnets.parity import backprop

FIXTURE = dict(np.load(Path(__file__).parents[2] / "fixtures" / "torch_training.npz"))
STEPS = 1000

NETWORKS = {
    # name: widths, activation, output activation, loss, learning rates
    "xor_2_2_1": ([2, 1], jn.sigmoid, jn.sigmoid, jn.losses.bce, {"sgd": 1.0, "adam": 0.05}),
    "xor_2_10_10_10_1": (
        [10, 10, 10, 1],
        jn.sigmoid,
        jn.sigmoid,
        jn.losses.bce,
        {"sgd": 0.3, "adam": 0.01},
    ),
    "relu_regression": (
        [16, 2],
        jn.relu,
        jn.identity,
        jn.losses.mse,
        {"sgd": 0.05, "adam": 0.01},
    ),
}

# optax.adam's eps stands outside the root, as PyTorch's does; its eps_root, inside, is 0.
RULES = {"sgd": optax.sgd, "adam": optax.adam}


def stored(prefix):
    """The arrays under a prefix of the fixture, by the rest of their path."""
    return {
        path.removeprefix(prefix): array
        for path, array in FIXTURE.items()
        if path.startswith(prefix)
    }


def starting_params(name):
    params = {}
    for path, array in stored(f"{name}/start/").items():
        layer, entry = path.split("/")
        params.setdefault(layer, {})[entry] = jnp.asarray(array)
    return params


def train(name, rule, gradient, *, learning_rate_factor=1.0):
    """The run by `jaxnets.fit`."""
    widths, activation, output, loss, learning_rates = NETWORKS[name]
    by_hand = functools.partial(
        backprop.value_and_grad,
        activations=[activation] * (len(widths) - 1) + [output],
        loss=loss,
    )
    net = jn.mlp(widths, activation, output_activation=output)
    own = (lambda params, batch, *, key: by_hand(params, *batch)) if gradient == "by hand" else None
    return jn.fit(
        net,
        jn.objective(jn.Supervised(net, loss), value_and_grad=own),
        RULES[rule](learning_rate_factor * learning_rates[rule]),
        (jnp.asarray(FIXTURE[f"{name}/x"]), jnp.asarray(FIXTURE[f"{name}/y"])),
        key=jax.random.key(0),
        steps=STEPS,
        params=starting_params(name),
    )


def largest_error(name, rule, result):
    """Of the losses relative to each, and of the final leaves relative to their largest element."""
    losses = FIXTURE[f"{name}/{rule}/losses"]
    errors = [np.abs(result.history["loss"] / losses - 1).max()]
    for path, expected in stored(f"{name}/{rule}/final/").items():
        layer, entry = path.split("/")
        found = result.params[layer][entry]
        assert found.dtype == np.float64
        errors.append(np.abs(found - expected).max() / np.abs(expected).max())
    return max(errors)


def test_the_fixture_says_which_pytorch_made_it():
    assert str(FIXTURE["torch_version"]).startswith("2.13.0")


@pytest.mark.parametrize("gradient", ["by hand", pytest.param("autodiff", marks=pytest.mark.slow)])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_run_is_pytorchs(name, rule, gradient, x64):
    assert largest_error(name, rule, train(name, rule, gradient)) <= 1e-10


def test_a_run_with_another_learning_rate_is_not(x64):
    wrong = train("xor_2_2_1", "adam", "by hand", learning_rate_factor=1 + 1e-6)
    assert largest_error("xor_2_2_1", "adam", wrong) > 1e-10
