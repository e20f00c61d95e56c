"""Permutations without a sort, against what holds of uniformly random ones."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.training.shuffle import permutation


def many(length, count, seed=0):
    """So many permutations, ``[count, length]``."""
    keys = jax.random.split(jax.random.key(seed), count)
    return np.asarray(jax.jit(jax.vmap(lambda key: permutation(key, length)))(keys))


def deviation(counts):
    """Pearson's chi-square of counts that should be equal, in its standard deviations."""
    counts = np.asarray(counts, float)
    mean, freedom = counts.mean(), counts.size - 1
    return (((counts - mean) ** 2 / mean).sum() - freedom) / math.sqrt(2 * freedom)


@pytest.mark.parametrize("length", [0, 1, 2, 3, 16, 17, 1000, 4096, 60_000])
def test_every_number_comes_once(length):
    found = permutation(jax.random.key(length), length)
    assert found.dtype == jnp.int32
    np.testing.assert_array_equal(np.sort(found), np.arange(length))


@pytest.mark.parametrize("length", [2, 3, 4, 5])
def test_all_orders_of_a_few_are_equally_likely(length):
    orders = math.factorial(length)
    code = many(length, 2000 * orders) @ length ** np.arange(length)
    _, counts = np.unique(code, return_counts=True)
    assert len(counts) == orders
    assert abs(deviation(counts)) < 4


@pytest.mark.parametrize("length", [10, 64, 100])
def test_every_number_comes_to_every_place(length):
    drawn = many(length, 20_000)
    places = np.stack([np.bincount(column, minlength=length) for column in drawn.T])
    # A row and a column are determined by the others.
    freedom = (length - 1) ** 2
    mean = len(drawn) / length
    chi_square = ((places - mean) ** 2 / mean).sum()
    assert abs(chi_square - freedom) / math.sqrt(2 * freedom) < 4


def test_neighbours_say_nothing_of_each_other():
    drawn = many(100, 20_000)
    steps = np.bincount((drawn[:, 1] - drawn[:, 0]) % 100, minlength=100)[1:]
    assert abs(deviation(steps)) < 4


def test_a_permutation_has_one_fixed_point_on_average():
    fixed = (many(1000, 2000) == np.arange(1000)).sum(axis=1)
    # Poisson with mean 1: five standard errors.
    assert abs(fixed.mean() - 1) < 5 / math.sqrt(len(fixed))
    assert abs(fixed.var() - 1) < 5 * math.sqrt(3 / len(fixed))


def test_batches_are_random_samples():
    order = np.asarray(permutation(jax.random.key(0), 60_000), float)
    means = order.reshape(600, 100).mean(axis=1)
    # Of 100 out of n without replacement: (n + 1)(n - 100) / 1200.
    variance = (60_001 * 59_900) / 1200
    assert abs(means.var() / variance - 1) < 5 * math.sqrt(2 / 600)


def test_equal_keys_give_equal_orders_and_others_others():
    one, again, other = (permutation(jax.random.key(seed), 100) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert (one != other).sum() > 90


def test_an_order_under_vmap_is_the_one_alone():
    np.testing.assert_array_equal(
        many(50, 3)[1], permutation(jax.random.split(jax.random.key(0), 3)[1], 50)
    )


@pytest.mark.usefixtures("x64")
def test_an_order_is_the_same_in_double_precision():
    wide = permutation(jax.random.key(3), 100)
    with jax.enable_x64(False):
        narrow = permutation(jax.random.key(3), 100)
    assert wide.dtype == narrow.dtype == jnp.int32
    np.testing.assert_array_equal(wide, narrow)
