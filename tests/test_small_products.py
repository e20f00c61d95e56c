"""Small products as sums, against NumPy's products in float64."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxnets.small_products import MOST_TERMS, small_products


def drawn(*shape, dtype=np.float32):
    return jnp.asarray(np.random.default_rng(sum(shape)).standard_normal(shape), dtype)


def kept(function, *args):
    """True if a product is one in the compiled program too."""
    return "multiply" not in jax.jit(function).lower(*args).as_text()


def product(left, right):
    return functools.partial(lax.dot_general, dimension_numbers=(((left,), (right,)), ((), ())))


@pytest.mark.parametrize(
    ("a", "b", "left", "right"),
    [
        ((4, 3), (3, 2), 1, 0),
        ((4, 3), (4, 2), 0, 0),
        ((4, 3), (2, 3), 1, 1),
        ((3,), (3,), 0, 0),
        ((3,), (3, 2), 0, 0),
        ((2, 4, 3), (3, 5), 2, 0),
        ((2, 3, 4), (5, 3, 2), 1, 1),
        ((4, 1), (1, 2), 1, 0),
        ((0, 3), (3, 2), 1, 0),
    ],
)
def test_a_product_over_any_axes_is_numpys(a, b, left, right):
    a, b = drawn(*a), drawn(*b)
    found = jax.jit(small_products(product(left, right)))(a, b)
    expected = np.tensordot(np.float64(a), np.float64(b), axes=(left, right))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_a_product_whose_precision_is_stated_stays_as_it_is():
    with jax.default_matmul_precision("highest"):
        assert kept(small_products(jnp.matmul), drawn(4, 3), drawn(3, 2))


def test_what_is_fused_with_a_sum_is_no_call_of_a_library():
    lowered = jax.jit(small_products(lambda x, w: jnp.tanh(x @ w))).lower(drawn(4, 3), drawn(3, 2))
    assert " dot(" not in lowered.compile().as_text()


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (drawn(1, MOST_TERMS + 1), drawn(MOST_TERMS + 1, 1)),
        (drawn(MOST_TERMS // 8 + 1, 4), drawn(4, 2)),
        (drawn(4, 3, dtype=jnp.bfloat16), drawn(3, 2, dtype=jnp.bfloat16)),
        (jnp.ones((4, 3), int), jnp.ones((3, 2), int)),
        (drawn(5, 4, 3), drawn(5, 3, 2)),
        (drawn(4, 0), drawn(0, 2)),
    ],
    ids=["long", "large", "narrow", "integers", "batched", "empty"],
)
def test_other_products_stay_as_they_are(a, b):
    assert kept(small_products(jnp.matmul), a, b)
    assert not kept(small_products(jnp.matmul), drawn(4, 3), drawn(3, 2))


def test_products_inside_of_jitted_functions_are_found():
    @jax.jit
    def inner(x, w):
        return x @ w

    assert kept(lambda x, w: inner(x, w) + 1, drawn(4, 3), drawn(3, 2))
    assert not kept(small_products(lambda x, w: inner(x, w) + 1), drawn(4, 3), drawn(3, 2))


def test_results_keep_their_structure_and_what_is_no_product_its_bits():
    def function(tree, key):
        return {"sum": tree["a"] + tree["b"], "drawn": jax.random.normal(key, (3,))}, None

    args = {"a": drawn(3), "b": drawn(3)}, jax.random.key(0)
    found, expected = small_products(function)(*args), function(*args)
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_function_keeps_its_name():
    assert small_products(jnp.matmul).__name__ == "matmul"
