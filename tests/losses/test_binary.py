"""Losses of two outcomes where rounding or overflow reaches derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import losses


@pytest.mark.parametrize("gamma", [0.01, 0.5, 1.5])
@pytest.mark.parametrize("target", [0.0, 1.0])
def test_second_derivative_of_focal_of_easy_examples(gamma, target):
    """Far out focal is e^(-(1 + gamma) |x|), whose second derivative is (1 + gamma)^2 of it."""
    sizes = jnp.array([20.0, 25, 30, 40, 43, 44])
    x = sizes if target else -sizes

    def value(x):
        return losses.focal(x, jnp.array(target), gamma=gamma, alpha=None)

    actual = jax.vmap(jax.grad(jax.grad(value)))(x)
    expected = (1 + gamma) ** 2 * np.exp(-(1 + gamma) * np.asarray(sizes, np.float64))
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-36)
    far = jax.vmap(jax.grad(jax.grad(value)))(
        jnp.array([87.0, 88, 89, 100, 1e4]) * (2 * target - 1)
    )
    assert jnp.isfinite(far).all()


def test_options_of_focal_may_be_traced():
    x, y = jnp.array([0.3, -2.0]), jnp.array([1.0, 0.0])
    traced = jax.jit(lambda gamma, alpha: losses.focal(x, y, gamma=gamma, alpha=alpha))(1.5, 0.3)
    np.testing.assert_allclose(traced, losses.focal(x, y, gamma=1.5, alpha=0.3), rtol=1e-6)


@pytest.mark.parametrize(("p", "y"), [(1e-4, 1.0), (1 - 2.0**-14, 0.0), (0.3, 1.0), (0.7, 0.0)])
def test_slope_of_bce_of_a_hard_target_is_rounded_once(p, y):
    """(p - y) / (p (1 - p)) is -1/p or 1/(1 - p); its usual form is rounded three times."""
    p = np.float32(p)
    exact = -1 / np.float64(p) if y else 1 / (1 - np.float64(p))
    assert jax.grad(losses.bce)(jnp.asarray(p), jnp.asarray(y)) == np.float32(exact)
