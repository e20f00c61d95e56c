"""`flatten`: shapes and misuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.layers import flatten


class TestFlatten:
    @pytest.mark.parametrize(
        ("shape", "flat"),
        [((4,), (4, 1)), ((4, 3), (4, 3)), ((4, 3, 2, 5), (4, 30)), ((0, 3, 2), (0, 6))],
    )
    def test_keeps_the_first_axis(self, shape, flat):
        assert flatten().apply({}, jnp.zeros(shape)).shape == flat

    def test_is_row_major_and_takes_integers(self):
        x = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
        y = flatten().apply({}, x)
        assert y.dtype == np.uint8
        np.testing.assert_array_equal(y, np.arange(24).reshape(2, 12))

    def test_ravel_flattens_one_example_under_vmap(self):
        x = jnp.zeros((4, 3, 2))
        assert jax.vmap(lambda x: flatten().apply({}, x))(x).shape == (4, 3, 2)
        assert jax.vmap(jnp.ravel)(x).shape == (4, 6)


MISUSE = [
    pytest.param(
        lambda: flatten().apply({}, jnp.array(1.0)),
        ValueError,
        "flatten: x must have a last axis of at least one feature; got float32[]. Pass one "
        "of shape [..., features].",
        lambda: flatten().apply({}, jnp.array([1.0])),
        id="flatten a scalar",
    ),
]


@pytest.mark.parametrize(("misuse", "error", "message", "advice"), MISUSE)
def test_misuse_is_refused_with_a_remedy_that_works(misuse, error, message, advice, assert_refused):
    assert_refused(misuse, error, message, advice)
