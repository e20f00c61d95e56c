"""The boundary of public functions: what is compiled, what is named, what is read."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.checks import check_positive
from jaxnets.contracts.calls import check_values, checked, in_type
from jaxnets.errors import ArgumentTypeError, ArgumentValueError, fail

TRACED = []


def refuse_negative(predictions, targets, options):
    if (np.asarray(targets) < 0).any():
        fail("targets", f"be at least 0 for scale {options['scale']}", "less", "Drop them.")


@checked({"scale": check_positive}, check=refuse_negative)
def scaled(predictions, targets, *, scale=1.0, weights=None):
    TRACED.append(scale)
    return (predictions - targets) * scale


ONES = jnp.ones(3)


def test_a_plain_option_is_compiled_in_and_a_traced_one_is_not():
    TRACED.clear()
    for scale in (2.0, 2.0, 3.0):
        scaled(ONES, ONES, scale=scale)
    assert TRACED == [2.0, 3.0]
    jax.jit(lambda scale: scaled(ONES, ONES, scale=scale))(2.0)
    assert isinstance(TRACED[-1], jax.core.Tracer)


def test_errors_bear_the_name_of_the_function():
    with pytest.raises(ArgumentValueError, match=r"^scaled: scale must be a positive"):
        scaled(ONES, ONES, scale=0)
    with pytest.raises(ArgumentTypeError, match=r"^scaled: weights must be an array of numbers"):
        scaled(ONES, ONES, weights=len)
    with pytest.raises(TypeError, match=r"^scaled\(\) got an unexpected keyword argument 'scales'"):
        scaled(ONES, ONES, scales=len)


@pytest.mark.parametrize("call", [scaled, scaled.check_values], ids=["call", "check_values"])
def test_what_was_not_given_is_named_with_a_remedy(call):
    message = "^scaled: targets must be given; got nothing. Call it with predictions and targets"
    with pytest.raises(ArgumentTypeError, match=message):
        call(ONES)


def test_a_type_error_of_the_function_itself_is_let_through():
    @checked({})
    def broken(predictions, targets):
        raise TypeError("of its own")

    with pytest.raises(TypeError, match=r"^of its own"):
        broken(ONES, ONES)


def test_data_are_read_by_check_values_alone_unless_asked_for():
    message = r"^scaled: targets must be at least 0 for scale 1.0"
    assert scaled(ONES, -ONES).tolist() == [2, 2, 2]
    with pytest.raises(ArgumentValueError, match=message):
        check_values(scaled, ONES, -ONES)
    with pytest.raises(ArgumentValueError, match=message):
        checked({"scale": check_positive}, check=refuse_negative, reads=True)(scaled.__wrapped__)(
            ONES, -ONES
        )


@pytest.mark.parametrize(("value", "fitted"), [(0.5, 0.5), (1e300, 3.4028234663852886e38)])
def test_an_option_beyond_the_type_is_its_largest_number(value, fitted):
    assert in_type(value, jnp.float32) == fitted
    assert in_type(-value, jnp.float32) == -fitted
    assert in_type(None, jnp.float32) is None
    assert in_type(True, jnp.float32) is True
