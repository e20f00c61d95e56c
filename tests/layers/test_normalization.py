"""`layer_norm` and `rms_norm`: what they promise of mean and variance, and misuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.layers import layer_norm, rms_norm

KEY = jax.random.key(0)
X = jnp.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [0.7, 0.8, 0.9], [0.2, 0.4, 0.8]])
FLOATING = ("float16", "bfloat16", "float32")


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
