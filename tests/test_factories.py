"""Factories: what they made is known by its call, and they are known themselves."""

import functools

import jax
import jax.numpy as jnp
import pytest

import jaxnets as jn
from jaxnets.factories import how_to_call
from jaxnets.written import form_of


class Unhashable:
    """A layer of a user's without a hash."""

    __hash__ = None


def test_a_model_of_ones_own_reads_as_its_functions():
    inner = jn.dense(2)
    model = jn.Model(inner.init, abs)
    assert repr(model) == "Model(init=dense(2).init, apply=<built-in function abs>)"


def test_the_form_is_found_behind_jit():
    assert form_of(jax.jit(jn.dense(2).apply)) == form_of(jn.dense(2).apply)
    assert form_of(abs) is form_of(3) is None


def test_what_wraps_a_function_of_ours_is_another_function():
    inner = jn.sequential(jn.dense(2))

    @functools.wraps(inner.apply)
    def first_output(params, x, *, key=None):
        return inner.apply(params, x)[:, :1]

    model = jn.Model(inner.init, first_output)
    assert form_of(first_output) is None
    assert jn.summary(model, jnp.ones((4, 3))).total.output.shape == (4, 1)


@pytest.mark.parametrize(
    ("factory", "call"),
    [
        (jn.layer_norm, "jn.layer_norm()"),
        (jn.dropout, "jn.dropout(rate)"),
        (jn.embedding, "jn.embedding(vocabulary, features)"),
        (jn.sequential, "jn.sequential(*layers)"),
        (jn.with_precision, "jn.with_precision(model)"),
        (jn.initializers.he_normal, "jn.initializers.he_normal()"),
        (jn.initializers.zeros, None),
        (jn.relu, None),
        (Unhashable(), None),
    ],
)
def test_how_to_call_a_factory(factory, call):
    assert how_to_call(factory) == call
