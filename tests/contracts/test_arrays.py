"""Conversion of arguments, and scales that round nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.contracts.arrays import (
    absolute,
    as_array,
    leading_axes,
    power_of_two,
    trailing_axes,
)
from jaxnets.errors import ArgumentTypeError


def test_arrays_stay_what_they_are():
    """A label of 64 bits would be cut to 32 by the conversion, unseen."""
    for array in (np.array([2**40]), jnp.ones(2), jax.ShapeDtypeStruct((2,), jnp.float32)):
        assert as_array("x", array) is array


def test_numbers_lists_and_complete_masked_arrays_are_converted():
    assert as_array("x", 0.5).dtype == jnp.float32
    assert as_array("x", [1, 2]).tolist() == [1, 2]
    assert as_array("x", np.ma.masked_values(np.float32([1.0, 2.0]), 9)).tolist() == [1, 2]


@pytest.mark.parametrize("value", [None, np.float32, 10**100, np.array(["a"]), {"x": 1}], ids=str)
def test_anything_else_is_refused_with_its_name(value):
    message = r"^x must be an array of numbers; got .*\. Convert it with jnp.asarray\(x, dtype="
    with pytest.raises(ArgumentTypeError, match=message):
        as_array("x", value)


def test_axes_are_lined_up_at_either_end():
    assert leading_axes(np.ones((2, 3)), 4).shape == (2, 3, 1, 1)
    assert trailing_axes(np.ones((2, 3)), 4).shape == (1, 1, 2, 3)


def test_the_absolute_value_has_no_slope_at_0():
    assert jax.vmap(jax.grad(absolute))(jnp.array([-2.0, 0.0, 3.0])).tolist() == [-1, 0, 1]


@pytest.mark.parametrize("way", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_a_power_of_two_divides_exactly(way):
    x = jnp.array([3e38, 1e30, 1.5, 1.0, 3e-38])
    scaled = way(lambda x: x / power_of_two(x))(x)
    np.testing.assert_array_equal(scaled, np.frexp(np.asarray(x))[0] * [4, 2, 2, 2, 2])
    assert power_of_two(jnp.array([0.0, jnp.inf, jnp.nan])).tolist() == [1, 1, 1]
