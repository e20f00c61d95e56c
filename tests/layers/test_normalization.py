"""`layer_norm` and `rms_norm`: what they promise of mean and variance, and misuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.layers import layer_norm, rms_norm

KEY = jax.random.key(0)
X = jnp.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [0.7, 0.8, 0.9], [0.2, 0.4, 0.8]])
FLOATING = ("float16", "bfloat16", "float32")
KINDS = {layer_norm(): "layer_norm", rms_norm(): "rms_norm"}
FORMULAS = {
    "layer_norm": lambda x: (
        (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    ),
    "rms_norm": lambda x: x / np.sqrt((x**2).mean(-1, keepdims=True) + 2.0**-23),
}


class TestNormalisation:
    @pytest.mark.parametrize("layer", [layer_norm(), rms_norm()], ids=["layer_norm", "rms_norm"])
    def test_float16_does_not_overflow(self, layer):
        x = jnp.array([[6e4, -6e4, 3e4, 1e4]], jnp.float16)
        y = layer.apply(layer.init(None, x), x)
        expected = layer.apply(layer.init(None, x.astype("float32")), x.astype("float32"))
        assert y.dtype == jnp.float16
        np.testing.assert_allclose(y, expected, rtol=2**-10)

    @pytest.mark.parametrize("dtype", FLOATING)
    def test_layer_norm_has_mean_0_and_variance_1(self, dtype):
        x = (jax.random.normal(KEY, (8, 64)) * 3 + 5).astype(dtype)
        y = jax.jit(layer_norm().apply)(layer_norm().init(None, x), x).astype("float32")
        np.testing.assert_allclose(y.mean(axis=-1), 0, atol=0.01)
        np.testing.assert_allclose(y.var(axis=-1), 1, atol=0.01)

    @pytest.mark.parametrize("dtype", FLOATING)
    def test_rms_norm_has_mean_square_1(self, dtype):
        x = (jax.random.normal(KEY, (8, 64)) * 3 + 5).astype(dtype)
        y = jax.jit(rms_norm().apply)(rms_norm().init(None, x), x).astype("float32")
        np.testing.assert_allclose(jnp.square(y).mean(axis=-1), 1, atol=0.01)

    @pytest.mark.usefixtures("x64")
    def test_default_eps_of_rms_norm_is_that_of_the_dtype(self):
        # At x = sqrt(eps) the mean square is eps, and y is 1/sqrt(2).
        for dtype in (np.float32, np.float64):
            x = jnp.full((1, 4), np.sqrt(np.finfo(dtype).eps), dtype)
            y = rms_norm().apply(rms_norm().init(None, x), x)
            np.testing.assert_allclose(y, np.sqrt(0.5), rtol=1e-6)

    def test_equal_features_have_finite_gradients(self):
        x = jnp.full((2, 4), 7.0)
        params = layer_norm().init(None, x)
        assert jnp.isfinite(jax.grad(lambda x: (layer_norm().apply(params, x) ** 2).sum())(x)).all()

    @pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
    @pytest.mark.parametrize("size", [1.0, 3e19, 3e38])
    @pytest.mark.parametrize("layer", KINDS, ids=KINDS.get)
    def test_squares_that_overflow_change_nothing(self, layer, size, dtype):
        """The formula in float64, of the very same numbers."""
        x = (jax.random.uniform(KEY, (4, 64), minval=-1) * size).astype(dtype)
        y = jax.jit(layer.apply)(layer.init(None, x), x).astype("float32")
        expected = FORMULAS[KINDS[layer]](np.asarray(x, np.float64))
        np.testing.assert_allclose(y, expected, atol=1e-6 if dtype == "float32" else 0.02)

    @pytest.mark.parametrize("layer", KINDS, ids=KINDS.get)
    def test_the_gradient_of_large_numbers_is_that_of_small_ones_over_their_size(self, layer):
        x = jax.random.uniform(KEY, (4, 64), minval=1, maxval=3)
        params, size = layer_norm().init(None, x), 2.0**70
        slope = jax.grad(lambda x: (layer.apply(params, x) @ jnp.cos(jnp.arange(64.0))).sum())
        # So large that eps says nothing; beyond 2^64 the squares overflow.
        np.testing.assert_allclose(slope(x * size) * size, slope(x * 2**20) * 2**20, rtol=1e-5)

    @pytest.mark.parametrize("layer", KINDS, ids=KINDS.get)
    def test_equal_features_of_any_size_have_finite_gradients(self, layer):
        x = jnp.full((2, 4), 3e38)
        params = layer_norm().init(None, x)
        assert jnp.isfinite(jax.grad(lambda x: (layer.apply(params, x) ** 2).sum())(x)).all()

    def test_a_large_mean_costs_no_digits(self):
        """The formula in float64, of the very same numbers."""
        x = 1e6 + jax.random.normal(KEY, (8, 1000))
        y = layer_norm().apply(layer_norm().init(None, x), x)
        np.testing.assert_allclose(y, FORMULAS["layer_norm"](np.asarray(x, np.float64)), atol=2e-6)


MISUSE = [
    pytest.param(
        lambda: layer_norm(eps=0),
        ValueError,
        "layer_norm: eps must be a positive finite number; got 0. Pass eps=1e-05, for example.",
        lambda: layer_norm(eps=1e-5),
        id="eps 0",
    ),
    pytest.param(
        lambda: layer_norm(eps="small"),
        TypeError,
        "layer_norm: eps must be a positive finite number; got 'small'. Pass eps=1e-05, for "
        "example.",
        lambda: layer_norm(eps=1e-5),
        id="eps a text",
    ),
    pytest.param(
        lambda: rms_norm(eps=-1),
        ValueError,
        "rms_norm: eps must be a positive finite number; got -1. Pass eps=1e-06, for example.",
        lambda: rms_norm(eps=1e-6),
        id="negative eps",
    ),
    pytest.param(
        lambda: rms_norm().apply({"scale": jnp.ones(5)}, X),
        ValueError,
        "rms_norm: x must have 5 features on its last axis, as the parameters do; got "
        "float32[4,3]. Pass such an x, or make the parameters with model.init(key, x) for "
        "this one.",
        lambda: rms_norm().apply(rms_norm().init(KEY, X), X),
        id="normalise another width",
    ),
]


@pytest.mark.parametrize(("misuse", "error", "message", "advice"), MISUSE)
def test_misuse_is_refused_with_a_remedy_that_works(misuse, error, message, advice, assert_refused):
    assert_refused(misuse, error, message, advice)
