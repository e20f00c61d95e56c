"""Backpropagation by hand through random networks, against autodiff in float64.

The hand side gets NumPy arrays: it neither traces nor compiles anything, so autodiff, which shares
no code with it, is the only thing that is compiled.
"""

import functools
import itertools
from typing import NamedTuple

import jax
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import jaxnets as jn
from jaxnets import activations, losses
from jaxnets.parity import backprop

TOLERANCE = 1e-10
"""Of every leaf's largest error, relative to that leaf's largest element."""


def activation_of(name):
    function = getattr(activations, name)
    return functools.partial(function, alpha=0.25) if name == "prelu" else function


def stays_within(low, high):
    """The activations whose values stay there."""
    values = {
        name: activation_of(name)(np.linspace(-10.0, 10.0, 5)) for name in activations.__all__
    }
    return [name for name, y in values.items() if bool((y >= low).all() and (y <= high).all())]


OUTPUTS = {
    "bce": stays_within(0, 1),
    "nll": ["log_sigmoid", "log_softmax"],
    "kl_divergence": ["log_sigmoid", "log_softmax"],
}
"""The activations whose values a loss takes, where it does not take all."""

CLASS_LOSSES = ["cross_entropy", "kl_divergence", "nll"]
"""They need two classes at least."""


class Network(NamedTuple):
    """Shapes and functions; the seed draws weights, biases and data."""

    widths: tuple[int, ...]
    activations: tuple[str, ...]
    loss: str
    batch: int
    seed: int


@st.composite
def networks(draw):
    depth = draw(st.integers(1, 6))
    widths = draw(st.lists(st.integers(1, 64), min_size=depth + 1, max_size=depth + 1))
    loss = draw(st.sampled_from(losses.__all__))
    hidden = draw(
        st.lists(st.sampled_from(activations.__all__), min_size=depth - 1, max_size=depth - 1)
    )
    output = draw(st.sampled_from(OUTPUTS.get(loss, activations.__all__)))
    if loss in CLASS_LOSSES:
        widths[-1] = max(widths[-1], 2)
    batch, seed = draw(st.integers(1, 32)), draw(st.integers(0, 2**32 - 1))
    return Network(tuple(widths), (*hidden, output), loss, batch, seed)


def params_of(network, rng):
    """Weights that keep the size of what passes through them, and biases that are not 0.

    With both, no unit stands at a kink: its input is a sum of continuous random numbers, which is
    never exactly 0, 3 or 6, even behind a unit that is off and gives exactly 0. There autodiff's
    convention would count and not the derivative; the conventions have cases of their own in the
    parity table.
    """
    params = {}
    for i, (fan_in, features) in enumerate(itertools.pairwise(network.widths)):
        w = rng.standard_normal((fan_in, features)) / np.sqrt(fan_in)
        params[str(2 * i)] = {"w": w, "b": rng.standard_normal(features)}
    return params


def targets_of(network, rng):
    """Targets that the loss takes; real ones are drawn, so no error is exactly at a kink."""
    shape = network.batch, network.widths[-1]
    if network.loss in ("bce", "bce_with_logits", "focal"):
        return rng.integers(0, 2, shape).astype(float)
    if network.loss == "hinge":
        return rng.choice([-1.0, 1.0], shape)
    if network.loss in ("cross_entropy", "nll"):
        return rng.integers(0, shape[1], network.batch)
    if network.loss == "kl_divergence":
        return rng.dirichlet(np.ones(shape[1]), network.batch)
    return rng.standard_normal(shape)


def autodiff(network, units, params, x, y):
    """The loss and its gradient by JAX; compiled quickly, as the program runs but once."""
    layers = zip(map(jn.dense, network.widths[1:]), units, strict=True)
    model = jn.sequential(*itertools.chain.from_iterable(layers))
    loss = getattr(losses, network.loss)

    def loss_of(params, x, y):
        return loss(model.apply(params, x), y)

    options = {"xla_backend_optimization_level": 0} if jax.default_backend() == "cpu" else None
    return jax.jit(jax.value_and_grad(loss_of), compiler_options=options)(params, x, y)


def relative_error(found, expected):
    """The largest error of a leaf relative to its largest element; 0 where all are equal."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype == np.float64
    if np.array_equal(found, expected):
        return 0.0
    return np.abs(found - expected).max() / np.abs(expected).max()


def largest_error(network):
    rng = np.random.default_rng(network.seed)
    params = params_of(network, rng)
    x = rng.standard_normal((network.batch, network.widths[0]))
    y = targets_of(network, rng)
    units = [activation_of(name) for name in network.activations]
    with jax.enable_x64(True):
        by_hand = backprop.value_and_grad(params, x, y, activations=units, loss=network.loss)
        by_autodiff = autodiff(network, units, params, x, y)
        errors = jax.tree.map(relative_error, by_hand, tuple(by_autodiff))
    # Unlike max, NumPy's gives NaN if any error is NaN, and so fails.
    return np.max(jax.tree.leaves(errors))


@pytest.mark.parametrize("name", activations.__all__)
def test_every_activation_hidden_and_at_the_output(name):
    network = Network((5, 7, 4), (name, name), "mse", 6, seed=0)
    assert largest_error(network) <= TOLERANCE


@pytest.mark.parametrize("name", losses.__all__)
def test_every_loss(name):
    output = "sigmoid" if name == "bce" else "log_softmax"
    network = Network((5, 7, 4), ("tanh", output), name, 6, seed=0)
    assert largest_error(network) <= TOLERANCE


@settings(max_examples=15)
@given(networks())
@example(Network((1, 1), ("identity",), "mse", 1, seed=0))
@example(Network((64,) * 7, ("gelu",) * 6, "huber", 32, seed=0))
def test_random_networks(network):
    assert largest_error(network) <= TOLERANCE


@pytest.mark.slow
@settings(max_examples=300)
@given(networks())
def test_many_random_networks(network):
    assert largest_error(network) <= TOLERANCE
