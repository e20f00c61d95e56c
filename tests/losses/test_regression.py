"""Losses of real-valued targets where squares overflow or vanish, and where an error is infinite.

The right values are those of the formula in exact arithmetic, which fit float32.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import losses

LARGEST = float(np.finfo(np.float32).max)
each_way = pytest.mark.parametrize("way", [lambda f: f, jax.jit], ids=["eager", "jit"])


def total(loss, **options):
    return lambda errors: loss(errors, jnp.zeros_like(errors), reduction="sum", **options)


@each_way
@pytest.mark.parametrize("loss", [losses.huber, losses.smooth_l1])
def test_gradient_far_out_is_one_or_minus_one(loss, way):
    """The square of the parabola, which is not taken there, would overflow into it."""
    errors = jnp.array([2e38, -3e38, LARGEST, jnp.inf, -jnp.inf])
    assert way(jax.grad(total(loss)))(errors).tolist() == [1, -1, 1, 1, -1]


@each_way
def test_smooth_l1_of_large_errors_does_not_overflow(way):
    wide = jnp.array([1e30, 3e30, -1e38])
    np.testing.assert_allclose(
        way(lambda e: losses.smooth_l1(e, jnp.zeros(3), beta=2e30, reduction="none"))(wide),
        [1e30 / 4, 2e30, 1e38],
        rtol=1e-6,
    )


def test_huber_of_a_parabola_as_wide_as_the_type_allows():
    """At 2e19 the square, 4e38, is beyond float32, and half of it is not."""
    wide = total(losses.huber, delta=1e30)
    value, slope = jax.value_and_grad(wide)(jnp.array([2e19]))
    np.testing.assert_allclose(value, 2e38, rtol=1e-6)
    np.testing.assert_allclose(slope, [2e19], rtol=1e-6)
    assert jax.grad(total(losses.huber, delta=1e300))(jnp.array([2.0])).tolist() == [2]


@pytest.mark.parametrize(
    ("loss", "option"), [(losses.huber, "delta"), (losses.smooth_l1, "beta")], ids=["huber", "l1"]
)
def test_derivative_by_a_traced_width(loss, option):
    """Huber's is |e| - delta beyond delta; that of smooth_l1 -e^2/(2 beta^2), and -1/2 beyond."""
    errors = jnp.array([0.25, -0.5, 3.0])

    def call(width):
        return loss(errors, jnp.zeros(3), reduction="none", **{option: width})

    slopes = {"delta": [0, 0, 2.5], "beta": [-0.125, -0.5, -0.5]}[option]
    np.testing.assert_allclose(jax.jacobian(call)(0.5), slopes, rtol=1e-6)
    np.testing.assert_allclose(jax.jit(call)(0.5), call(0.5), rtol=1e-6)


def test_a_traced_beta_of_zero_is_mae():
    errors = jnp.array([-2.0, 0.0, 3.0])

    def call(errors, beta):
        return losses.smooth_l1(errors, jnp.zeros(3), beta=beta, reduction="sum")

    value, slopes = jax.jit(jax.value_and_grad(call))(errors, 0.0)
    assert value == 5
    assert slopes.tolist() == [-1, 0, 1]


@each_way
@pytest.mark.parametrize("scale", [1e-37, 1e-30, 1e-20, 1.0, 1e20, 3e37])
def test_rmse_of_errors_whose_squares_are_beyond_the_type(scale, way):
    """Errors 3 and 4: the root of the mean square is sqrt(12.5), the slopes e / (2 sqrt(12.5))."""
    errors = jnp.array([3 * scale, 4 * scale], jnp.float32)
    value, slopes = way(jax.value_and_grad(lambda e: losses.rmse(e, jnp.zeros(2))))(errors)
    np.testing.assert_allclose(value, scale * 12.5**0.5, rtol=1e-6)
    np.testing.assert_allclose(slopes, np.array([1.5, 2]) / 12.5**0.5, rtol=1e-6)
    each = losses.rmse(jnp.array([1e-30, -1e30]), jnp.zeros(2), reduction="none")
    np.testing.assert_allclose(each, [1e-30, 1e30], rtol=1e-6)


@pytest.mark.parametrize("weight", [4e-38, 1e-20, 1e20, 3e38])
def test_the_scale_of_weights_does_not_matter(weight):
    """The mean of 1 and 4 with weights 3 and 1 is 1.75, also where the weights sum to infinity."""
    weights = jnp.array([weight, weight / 3], jnp.float32)
    mean = losses.mse(jnp.array([1.0, 2.0]), jnp.zeros(2), weights=weights)
    np.testing.assert_allclose(mean, 1.75, rtol=1e-6)
