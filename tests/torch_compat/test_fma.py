"""Fused multiplication and addition against Python's fractions, which are rounded correctly."""

from fractions import Fraction

import numpy as np
import pytest

from jaxnets.torch_compat.fma import fused_multiply_add


def exact_sum(x, scale, offset):
    """x scale + offset as a fraction, rounded by Python, which rounds fractions correctly."""
    return float(Fraction(float(x)) * Fraction(float(scale)) + Fraction(float(offset)))


@pytest.mark.parametrize(
    ("scale", "offset"), [(1.3, -0.65), (2 / 3, 1e-9), (1e-20, -1.0), (-3.0, 1 / 3), (1e30, 7.7)]
)
def test_fused_multiply_add_rounds_once(scale, offset):
    x = np.random.default_rng(0).uniform(-1, 1, 2000)
    expected = [exact_sum(value, scale, offset) for value in x]
    fused = fused_multiply_add(x, scale, offset)
    np.testing.assert_array_equal(fused, expected)


def test_fused_multiply_add_of_float32_is_not_rounded_to_float64_first():
    # The square of 1 + 2**-12 is 1 + 2**-11 + 2**-24, midway between two float32 numbers; the
    # offset decides, but it is too small to move a float64 sum.
    x = np.array([1 + 2.0**-12], np.float32)
    above = fused_multiply_add(x, x[0], np.float32(2.0**-80))[0]
    below = fused_multiply_add(x, x[0], np.float32(-(2.0**-80)))[0]
    assert (below, above) == (1 + 2.0**-11, 1 + 2.0**-11 + 2.0**-23)
