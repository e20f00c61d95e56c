"""Data that hold less than they seem."""

import jax
import numpy as np
import optax
import pytest

import jaxnets as jn
from jaxnets.errors import ArgumentTypeError

KEY = jax.random.key(0)
NET, SGD = jn.dense(1), optax.sgd(0.1)
START = {"w": np.zeros((1, 1), np.float32), "b": np.zeros(1, np.float32)}
TIMES = 1.7e9 + np.arange(64.0)[:, None]


def run(x):
    options = {"key": KEY, "params": START, "steps": 1}
    return jn.fit(NET, jn.losses.mse, SGD, (x, np.zeros((len(x), 1))), **options)


def test_masked_values_are_refused_for_a_device_array_has_no_mask():
    x = np.ma.masked_values(np.array([[1.0], [1e20]]), 1e20)
    with pytest.raises(ArgumentTypeError, match="x must hold no masked values"):
        run(x)
    assert run(x[:1]).status == "completed"


def test_long_doubles_are_refused_in_the_words_of_the_library():
    with pytest.raises(ArgumentTypeError, match="x must be of a dtype that JAX has"):
        run(np.ones((4, 1), np.longdouble))


def test_a_column_that_float32_can_hardly_tell_apart_is_noticed():
    # At 1.7e9 the numbers of float32 are 128 apart, so that these 64 become one.
    assert len(np.unique(TIMES.astype(np.float32))) == 1
    with pytest.warns(UserWarning, match=r"x holds numbers .* from 1700000000.0 to 1700000063.0"):
        run(TIMES)


@pytest.mark.parametrize(
    "x",
    [
        pytest.param(TIMES - 1.7e9, id="small"),
        pytest.param(1.7e9 + 1e9 * np.arange(4.0)[:, None], id="far apart"),
        pytest.param(2.0**31 + 256 * np.arange(4.0)[:, None], id="exact in float32"),
        pytest.param(np.array([[0.1 + 0.2], [0.3]]), id="equal but for rounding"),
        pytest.param(np.full((4, 1), 0.1), id="constant"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_columns_that_lose_nothing_are_let_through(x):
    assert run(x).history["step"].tolist() == [0]
