"""`parametric_relu`: its slopes, and misuse."""

import jax
import jax.numpy as jnp
import pytest

from jaxnets import initializers
from jaxnets.layers import parametric_relu

KEY = jax.random.key(0)
X = jnp.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [0.7, 0.8, 0.9], [0.2, 0.4, 0.8]])


class TestParametricRelu:
    def test_starts_at_pytorchs_slope(self):
        assert float(parametric_relu().init(None, jnp.ones((1, 3)))["alpha"]) == 0.25

    def test_per_feature_has_one_alpha_a_feature(self):
        params = parametric_relu(per_feature=True).init(None, jnp.ones((2, 4, 3)))
        assert params["alpha"].tolist() == [0.25] * 3

    def test_alpha_can_be_drawn_otherwise(self):
        layer = parametric_relu(alpha_init=initializers.constant(0.5))
        x = jnp.array([-2.0, 2.0])
        assert layer.apply(layer.init(None, x), x).tolist() == [-1.0, 2.0]


MISUSE = [
    pytest.param(
        lambda: parametric_relu(alpha_init=0.25),
        TypeError,
        "parametric_relu: alpha_init must be callable; got 0.25. Pass "
        "alpha_init=jn.initializers.normal(0.1), for example.",
        lambda: parametric_relu(alpha_init=initializers.normal(0.1)).init(KEY, X),
        id="slope a number",
    ),
    pytest.param(
        lambda: parametric_relu(per_feature=True).apply({"alpha": jnp.ones(2)}, X),
        ValueError,
        "parametric_relu: x must have 2 features on its last axis, as the parameters do; got "
        "float32[4,3]. Pass such an x, or make the parameters with model.init(key, x) for "
        "this one.",
        lambda: parametric_relu(per_feature=True).apply({"alpha": jnp.ones(3)}, X),
        id="slopes of another width",
    ),
]


@pytest.mark.parametrize(("misuse", "error", "message", "advice"), MISUSE)
def test_misuse_is_refused_with_a_remedy_that_works(misuse, error, message, advice, assert_refused):
    assert_refused(misuse, error, message, advice)
