"""`dropout`: what stays, what is drawn, and misuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.layers import dropout

KEY = jax.random.key(0)
X = jnp.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [0.7, 0.8, 0.9], [0.2, 0.4, 0.8]])
INTEGERS = jnp.array([[1, 2, 3]])


class TestDropout:
    x = jnp.ones((200, 100))

    def test_drops_at_the_rate_and_scales_up_the_rest(self):
        y = dropout(0.2).apply({}, self.x, key=KEY)
        assert sorted(np.unique(y).tolist()) == [0.0, 1.25]
        # 20,000 draws: five standard deviations are 0.014.
        assert abs(float((y == 0).mean()) - 0.2) < 0.014

    def test_without_a_key_it_is_the_identity(self):
        np.testing.assert_array_equal(dropout(0.9).apply({}, self.x), self.x)

    def test_rate_0_is_the_identity(self):
        np.testing.assert_array_equal(dropout(0.0).apply({}, self.x, key=KEY), self.x)

    def test_a_rate_near_1_stays_finite(self):
        assert jnp.isfinite(dropout(1 - 1e-9).apply({}, self.x, key=KEY)).all()

    def test_the_key_decides(self):
        layer = dropout(0.5)
        first, again = (layer.apply({}, self.x, key=KEY) for _ in range(2))
        other = layer.apply({}, self.x, key=jax.random.key(1))
        np.testing.assert_array_equal(first, again)
        assert not jnp.array_equal(first, other)

    def test_the_gradient_is_the_mask(self):
        layer = dropout(0.5)
        gradient = jax.grad(lambda x: layer.apply({}, x, key=KEY).sum())(self.x)
        np.testing.assert_array_equal(gradient, layer.apply({}, self.x, key=KEY))

    def test_a_dropped_infinity_gives_no_nan(self):
        gradient = jax.grad(lambda x: dropout(0.5).apply({}, x, key=KEY).sum())
        assert jnp.isfinite(gradient(jnp.full_like(self.x, jnp.inf))).all()

    def test_a_traced_rate_drops_as_a_number_does(self):
        traced = jax.jit(lambda rate: dropout(rate).apply({}, self.x, key=KEY))(0.2)
        np.testing.assert_array_equal(traced == 0, dropout(0.2).apply({}, self.x, key=KEY) == 0)
        np.testing.assert_allclose(traced.max(), 1.25, rtol=1e-6)

    def test_each_of_many_traced_rates_has_its_own_share(self):
        rates = jnp.array([0.0, 0.5, 0.9])
        y = jax.vmap(lambda rate: dropout(rate).apply({}, self.x, key=KEY))(rates)
        np.testing.assert_allclose((y == 0).mean(axis=(1, 2)), rates, atol=0.02)
        np.testing.assert_array_equal(y[0], self.x)

    def test_a_traced_rate_keeps_the_dtype_and_is_named(self):
        x = self.x.astype("bfloat16")
        y = jax.eval_shape(lambda rate: dropout(rate).apply({}, x, key=KEY), 0.5)
        assert y.dtype == jnp.bfloat16
        with pytest.raises(TypeError, match=r"^dropout\(float32\[\]\): key must be one PRNG key"):
            jax.eval_shape(lambda rate: dropout(rate).apply({}, x, key=3), 0.5)

    def test_takes_old_style_keys(self):
        assert (dropout(0.5).apply({}, self.x, key=jax.random.PRNGKey(0)) == 0).any()


MISUSE = [
    pytest.param(
        lambda: dropout(1.5),
        ValueError,
        "dropout: rate must be a number in [0, 1); got 1.5. Pass rate=0.5, for example.",
        lambda: dropout(0.5),
        id="rate above 1",
    ),
    pytest.param(
        lambda: dropout(1),
        ValueError,
        "dropout: rate must be a number in [0, 1); got 1. Pass rate=0.5, for example.",
        lambda: dropout(0.5),
        id="rate 1",
    ),
    pytest.param(
        lambda: dropout(-0.1),
        ValueError,
        "dropout: rate must be a number in [0, 1); got -0.1. Pass rate=0.5, for example.",
        lambda: dropout(0.5),
        id="negative rate",
    ),
    pytest.param(
        lambda: dropout("half"),
        TypeError,
        "dropout: rate must be a number in [0, 1); got 'half'. Pass rate=0.5, for example.",
        lambda: dropout(0.5),
        id="rate a text",
    ),
    pytest.param(
        lambda: dropout(0.5).apply({}, X, key=3),
        TypeError,
        "dropout(0.5): key must be one PRNG key; got 3. Pass key=jax.random.key(0).",
        lambda: dropout(0.5).apply({}, X, key=jax.random.key(0)),
        id="dropout with a seed for a key",
    ),
    pytest.param(
        lambda: dropout(0.5).apply({}, INTEGERS),
        TypeError,
        "dropout(0.5): x must be floating; got int32[1,3]. Convert it with x.astype(jnp.float32).",
        lambda: dropout(0.5).apply({}, INTEGERS.astype(jnp.float32)),
        id="dropout of integers",
    ),
]


@pytest.mark.parametrize(("misuse", "error", "message", "advice"), MISUSE)
def test_misuse_is_refused_with_a_remedy_that_works(misuse, error, message, advice, assert_refused):
    assert_refused(misuse, error, message, advice)
