"""Softmax and its logarithm against PyTorch, their limits and their symmetries."""

from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnets import activations as act

INF, NAN = float("inf"), float("nan")
with np.load(Path(__file__).parents[1] / "fixtures" / "torch_activations.npz") as file:
    FIXTURE = {key: file[key] for key in file if "softmax" in key}
RTOL = {"float32": 1e-6, "float64": 1e-12}
EDGES = [0.0, 1e-30, -1e-30, 1.0, -1.0, 3.0, -3.0, 6.0, 30.0, -30.0, 1e4, -1e4]
EVERY = {"softmax": act.softmax, "log_softmax": act.log_softmax}


def derivatives(function, x):
    """The values and the first two elementwise derivatives, by reverse mode."""
    first = jax.grad(lambda x: function(x).sum())
    second = jax.grad(lambda x: first(x).sum())
    return {"value": function(x), "gradient": first(x), "second": second(x)}


# Multiples of 1/8, whose sums are exact, so that a shift changes no bit of the differences.
eighths = st.lists(st.integers(-240, 240).map(lambda n: n / 8), min_size=5, max_size=5)
vectors = st.lists(st.floats(-50, 50, width=32, allow_subnormal=False), min_size=5, max_size=5)


@pytest.mark.parametrize("dtype", RTOL)
@pytest.mark.parametrize("axis", [-1, 0])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_agrees_with_pytorch(name, axis, dtype):
    with jax.enable_x64(dtype == "float64"):
        x = jnp.asarray(FIXTURE["softmax/x"], dtype)
        value, pullback = jax.vjp(partial(EVERY[name], axis=axis), x)
        (gradient,) = pullback(jnp.asarray(FIXTURE["softmax/cotangent"], dtype))
    # Both are differences of numbers of size 1 where a probability nears 1, hence a few ulp of 1.
    tolerance = {"rtol": RTOL[dtype], "atol": 4 * np.finfo(dtype).eps}
    np.testing.assert_allclose(value, FIXTURE[f"{name}/{axis}/{dtype}/value"], **tolerance)
    np.testing.assert_allclose(gradient, FIXTURE[f"{name}/{axis}/{dtype}/gradient"], **tolerance)


def test_softmax_of_the_course_example():
    probabilities = act.softmax(jnp.array([-0.2528, -0.3826, -1.0988]))
    np.testing.assert_allclose(probabilities, [0.4334, 0.3806, 0.1860], atol=5e-5)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_masked_logits_have_no_probability_and_no_gradient(name):
    logits, kept = jnp.array([0.5, -INF, -1.0]), jnp.array([0, 2])
    function, loss = EVERY[name], lambda x: EVERY[name](x)[0]
    np.testing.assert_allclose(function(logits)[kept], function(logits[kept]), rtol=1e-6)
    assert float(function(logits)[1]) == {"softmax": 0, "log_softmax": -INF}[name]
    gradient = jax.grad(loss)(logits)
    assert float(gradient[1]) == 0
    np.testing.assert_allclose(gradient[kept], jax.grad(loss)(logits[kept]), rtol=1e-6)
    assert jnp.isfinite(jax.hessian(loss)(logits)).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_is_finite_and_keeps_the_dtype(name, dtype):
    with jax.enable_x64(dtype == "float64"):
        x = jnp.array(EDGES, dtype)
        result = jax.jit(partial(derivatives, EVERY[name]))(x)
    for quantity, ours in result.items():
        assert ours.dtype == x.dtype
        assert jnp.isfinite(ours).all(), quantity


@pytest.mark.parametrize("logits", [[-INF, -INF], [INF, 0.0], [NAN, 0.0]])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_without_a_limit_is_nan(name, logits):
    assert jnp.isnan(EVERY[name](jnp.array(logits))).all()


@settings(max_examples=100, deadline=None)
@given(x=eighths, shift=st.integers(-8000, 8000).map(lambda n: n / 8))
def test_softmax_is_invariant_to_shifts(x, shift):
    x = jnp.array(x)
    np.testing.assert_array_equal(act.softmax(x + shift), act.softmax(x))
    np.testing.assert_array_equal(act.log_softmax(x + shift), act.log_softmax(x))


@settings(max_examples=100, deadline=None)
@given(x=vectors)
def test_softmax_is_a_distribution_and_log_softmax_its_logarithm(x):
    with jax.enable_x64(True):
        x = jnp.array(x)
        probabilities = act.softmax(x)
        assert (probabilities >= 0).all()
        np.testing.assert_allclose(probabilities.sum(), 1, rtol=1e-14)
        np.testing.assert_allclose(
            act.log_softmax(x), jnp.log(probabilities), rtol=1e-13, atol=1e-15
        )
