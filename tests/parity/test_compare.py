"""A formula against autodiff and central differences: what passes, is refused and is said."""

import re

import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.parity import check


def test_float64_stays_within():
    check(jnp.sin, lambda x: (np.sin(x), lambda g: g * np.cos(x)), np.array([0.3]))
    assert jnp.ones(1).dtype == "float32"


def double(x):
    return 2 * x


def double_by_hand(x):
    return 2 * x, lambda d_value: 2 * d_value


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((None, double_by_hand, 1.0), TypeError, "check: fn must be callable; got None"),
        ((double, None, 1.0), TypeError, "check: by_hand must be callable; got None"),
        ((double, double_by_hand, 3), TypeError, "check: at must be a floating array .* got 3"),
        ((double, double_by_hand, "a"), TypeError, "check: at must be a floating array"),
        ((double, double_by_hand, np.ones(2) + 1j), TypeError, r"floating.* got complex128\[2\]"),
        ((double, double_by_hand, {}), ValueError, "check: at must hold at least one element"),
        (
            (double, double_by_hand, np.zeros((0, 2))),
            ValueError,
            r"check: at must hold at least one element; got float64\[0,2\]",
        ),
        (
            (lambda x: x > 0, double_by_hand, np.ones(2)),
            TypeError,
            r"check: the value of fn must be a floating array .* got bool\[2\]",
        ),
        (
            (double, double, np.ones(2)),
            TypeError,
            r"check: by_hand must return \(value, backward\); got float64\[2\]",
        ),
        (
            (double, lambda x: (2 * x, np.full(2, 2.0)), np.ones(2)),
            ValueError,
            r"by_hand must return \(value, backward\), as the value is not a scalar",
        ),
    ],
)
def test_what_check_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        check(*arguments)


def test_kinks_must_be_entries_of_at():
    message = "check: kinks must name entries of the dict at; got 'corner'"
    with pytest.raises(ValueError, match=message):
        check(double, double_by_hand, np.ones(2), kinks=["corner"])


KINKED = np.array([1.0, 0.0, -1.0])
"""Points of max(0, x), the second of them at its kink."""


def ramp(at):
    return jnp.where(at["x"] > 0, at["x"], 0.0).sum()


def ramp_by_hand(*slopes):
    """The ramp with these derivatives at the three points."""

    def by_hand(at):
        return np.maximum(at["x"], 0).sum(), {"x": np.array(slopes, at["x"].dtype)}

    return by_hand


@pytest.mark.parametrize("convention", [0.0, 0.5, 1.0])
def test_at_a_kink_differences_take_any_derivative_between_the_sides(convention):
    report = check(ramp, ramp_by_hand(1, convention, 0), {"x": KINKED}, kinks=["x"])
    assert report.worst["differences"].relative <= 1e-7
    assert report.ok == (convention == 0), "autodiff has a convention of its own"


@pytest.mark.parametrize(
    ("slopes", "where"),
    [((1, 1.1, 0), 1), ((1, -0.1, 0), 1), ((1.001, 0, 0), 0), ((1, 0, 0.001), 2)],
)
def test_beside_a_kink_differences_take_none_but_the_derivative(slopes, where):
    error = check(ramp, ramp_by_hand(*slopes), {"x": KINKED}, kinks=["x"]).worst["differences"]
    assert error.relative > 1e-5
    assert error.where == (where,)


def test_a_kink_that_is_not_announced_is_an_error():
    assert check(ramp, ramp_by_hand(1, 0, 0), {"x": KINKED}).worst["differences"].relative > 0.1


def test_each_element_is_measured_against_its_own_size():
    """A formula of 0 wherever the sigmoid is below 1e-13 is right for the largest elements."""
    x = np.array([-100.0, -31.0, 0.0, 1.0])

    def sigmoid(x):
        return jnp.exp(-jnp.logaddexp(0, -x))

    def exact(x):
        value = np.exp(-np.logaddexp(0, -x))
        return value, lambda d_value: d_value * value * np.exp(-np.logaddexp(0, x))

    def cut(x):
        value, backward = exact(x)
        return value, lambda d_value: np.where(value < 1e-13, 0, backward(d_value)).astype(x.dtype)

    assert check(sigmoid, exact, x).ok
    wrong = check(sigmoid, cut, x)
    assert not wrong.ok
    assert wrong.worst["float64"].relative > 1e-3
    assert wrong.worst["float64"].by_hand == 0
    assert wrong.worst["differences"].relative > 1e-3


def test_where_terms_cancel_an_element_is_measured_against_the_terms():
    """Of a mean that is subtracted rounding leaves 1e-13 where the result is exactly 0."""
    x = np.full(3, 1e3 / 3)

    def centred(x):
        return x - jnp.sum(x) / 3

    def by_hand(x):
        return x - np.mean(x) + 1e-13, lambda d_value: d_value - np.mean(d_value)

    assert check(centred, by_hand, x).worst["float64"].relative <= 1e-12
    by_hand_off = lambda x: (x - np.mean(x) + 1e-10, lambda d: d - np.mean(d))  # noqa: E731
    assert check(centred, by_hand_off, x).worst["float64"].relative > 1e-12


def test_a_report_says_what_is_wrong_and_where():
    at = {"w": np.array([1.0, 2.0]), "b": np.array([3.0])}

    def squares(at):
        return (at["w"] ** 2).sum() + at["b"].sum()

    def by_hand(at):
        value = (at["w"] ** 2).sum() + at["b"].sum()
        return value, {"w": at["w"] * np.array([2, 2.1]).astype(at["w"].dtype)}

    text = str(check(squares, by_hand, at))
    assert text.startswith("squares: WRONG\n")
    assert "float64 (tolerance 1e-12 relative)" in text
    assert re.search(r"gradient/w +2\.0e-01 absolute +5\.0e-02 relative +at \(1,\): 4\.2", text)
    assert re.search(r"gradient/b +inf absolute .*: nothing, reference float64\[1\]", text)
