"""Activations with options far from 1, of inputs far from 0, and in one program with others.

The right values are those of the formula, taken in float64 or as its limit.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import activations as act

each_way = pytest.mark.parametrize("way", [lambda f: f, jax.jit], ids=["eager", "jit"])


def values_and_slopes(function):
    return jax.vmap(jax.value_and_grad(function))


@each_way
@pytest.mark.parametrize("beta", [1e-30, 1e-300, 1e30, 1e38, 1e300])
def test_softplus_of_extreme_sharpness(beta, way):
    """Flat it is log(2) / beta with slope 1/2; sharp it is relu, with slope 1/2 at 0."""
    function = values_and_slopes(lambda x: act.softplus(x, beta=beta))
    value, slope = way(function)(np.float32([-2.0, 0.0, 2.0]))
    flat = beta < 1
    with np.errstate(over="ignore"):
        level = np.float32(math.log(2) / beta)
    np.testing.assert_allclose(value, [level] * 3 if flat else [0, level, 2], rtol=1e-6, atol=1e-38)
    np.testing.assert_allclose(slope, [0.5] * 3 if flat else [0, 0.5, 1], rtol=1e-6)


@each_way
@pytest.mark.parametrize("alpha", [1e-30, 1e-40, 1e-300, 1e30, 1e38, 1e300])
def test_celu_of_extreme_depth(alpha, way):
    """Shallow it is relu, with slope 1 at 0; deep it is x."""
    x = np.float32([-2.0, -1e-30, 0.0, 2.0])
    value, slope = way(values_and_slopes(lambda x: act.celu(x, alpha=alpha)))(x)
    if alpha > 1:
        np.testing.assert_allclose(value, x, rtol=1e-6)
        assert slope.tolist() == [1, 1, 1, 1]
    else:
        np.testing.assert_allclose(value, np.maximum(x, 0), atol=2e-30)
        assert slope[jnp.array([0, 2, 3])].tolist() == [0, 1, 1]


def test_celu_as_deep_as_its_input():
    """1e38 (e^-1 - 1); by a factor of 1e-38, which is 0 on most processors, it would be 0."""
    expected = 1e38 * math.expm1(-1)
    np.testing.assert_allclose(act.celu(-1e38, alpha=1e38), expected, rtol=1e-6)


@pytest.mark.parametrize("function", [act.elu, act.celu], ids=["elu", "celu"])
def test_depths_beyond_the_type_leave_the_right_side_alone(function):
    value, slope = jax.value_and_grad(lambda x: function(x, alpha=1e300))(2.0)
    assert (value, slope) == (2, 1)


def test_second_derivative_of_softsign():
    """-2 sign(x) / (1 + |x|)^3; at 0, where it jumps, the mean of both sides."""
    second = jax.vmap(jax.grad(jax.grad(act.softsign)))(jnp.array([0.0, 1.0, -1.0, 3.0]))
    assert second.tolist() == [0, -0.25, 0.25, -2 / 64]


@pytest.mark.parametrize("scale", [1e3, 1e12, 1e30, 1e38])
def test_softmax_of_scaled_logits_in_one_program(scale):
    """XLA makes the product again inside of the exponentials, with another rounding."""
    logits = jnp.array([[1.0, -0.5, 0.3]]) * jnp.float32(scale)
    p = jax.jit(lambda z: act.softmax(z / jnp.float32(0.7)))(logits)
    assert p.tolist() == [[1, 0, 0]]
    log_p = jax.jit(lambda z: act.log_softmax(z / jnp.float32(0.7)))(logits)
    expected = np.array([[0, -1.5, -0.7]]) / 0.7 * scale
    np.testing.assert_allclose(log_p, expected, rtol=1e-6)


@pytest.mark.parametrize("x", [1.0, 10.0, 20.0, 60.0])
def test_log_softmax_of_a_nearly_certain_class_keeps_its_digits(x):
    """-log(1 + 2 e^-x), and 1 - p = 2 / (e^x + 2) by its own logit."""
    logits = jnp.array([x, 0.0, 0.0])
    value, slopes = jax.value_and_grad(lambda z: act.log_softmax(z)[0])(logits)
    other = 1 / (math.exp(x) + 2)
    np.testing.assert_allclose(value, -math.log1p(2 * math.exp(-x)), rtol=1e-6)
    np.testing.assert_allclose(slopes, [2 * other, -other, -other], rtol=1e-6)
    forward = jax.jvp(act.log_softmax, (logits,), (jnp.array([1.0, 0.0, 0.0]),))[1]
    np.testing.assert_allclose(forward[0], 2 * other, rtol=1e-6)
