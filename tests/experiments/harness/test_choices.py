"""One table of initialisers and one of optimizers, which every flag and report reads."""

import inspect

import jax
import numpy as np
import optax
import pytest

from jaxnets import initializers
from jaxnets.experiments.harness.choices import INITIALIZERS, OPTIMIZERS
from jaxnets.experiments.initialization import __main__ as initialization

DRAWN = (jax.random.key(0), (50, 50), np.float32)


def test_a_name_means_the_same_in_every_experiment():
    for name in ("xavier", "he", "lecun", "orthogonal", "constant"):
        ours, theirs = INITIALIZERS[name](), initialization.INITIALIZERS[name]
        np.testing.assert_array_equal(ours(*DRAWN), theirs(*DRAWN))


@pytest.mark.parametrize("name", ["xavier_uniform", "xavier"])
def test_xavier_without_more_is_the_normal_one(name):
    expected = {"xavier": initializers.xavier_normal, "xavier_uniform": initializers.xavier_uniform}
    np.testing.assert_array_equal(INITIALIZERS[name]()(*DRAWN), expected[name]()(*DRAWN))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_takes_a_learning_rate_by_name(name):
    assert isinstance(OPTIMIZERS[name](learning_rate=0.1), optax.GradientTransformation)
    assert next(iter(inspect.signature(OPTIMIZERS[name]).parameters)) == "learning_rate"
