"""The error of one leaf: what counts as equal, and against what the rest is measured."""

import numpy as np
import pytest

from jaxnets.parity.leaves import leaf_error


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
@pytest.mark.parametrize("side", ["by hand", "reference", "both"])
def test_only_equal_leaves_pass_where_numbers_are_not_finite(bad, side):
    good, spoiled = np.array([1.0, 2.0]), np.array([1.0, bad])
    found = good if side == "reference" else spoiled
    expected = good if side == "by hand" else spoiled
    error = leaf_error("w", found, expected).relative
    equal = side == "both" and not np.isnan(bad)
    assert error == 0 if equal else error > 0.1


def test_an_infinite_element_does_not_hide_the_others():
    found, expected = np.array([np.inf, 1.0]), np.array([np.inf, 2.0])
    assert leaf_error("w", found, expected).relative == 0.5


def test_a_scale_of_its_own_measures_each_element():
    found, expected = np.array([1.0, 2e-9]), np.array([1.0, 1e-9])
    assert leaf_error("w", found, expected).relative == pytest.approx(1e-9)
    error = leaf_error("w", found, expected, scale=np.abs(expected))
    assert (error.relative, error.where) == (pytest.approx(1), (1,))


def test_what_is_allowed_is_no_error():
    found, expected = np.array([1.5, 3.0]), np.array([1.0, 1.0])
    error = leaf_error("w", found, expected, scale=1, allowed=np.array([0.5, 1.0]))
    assert (error.relative, error.where, error.absolute) == (1, (1,), 2)
    assert leaf_error("w", found, expected, scale=1, allowed=np.inf).relative == 0
