"""Activations against exact values, PyTorch, their limits and their symmetries.

``fixtures/torch_activations.npz`` (made by the script beside it) holds two references for 256
points: PyTorch's values and gradients, and exact ones from mpmath, whose gradients are central
differences of the function in 1000 digits. PyTorch's own float32 is often far from exact in a
tail (gelu cancels, the slope of sigmoid is y (1 - y), softplus is cut at 20). So every point is
held against the exact reference, and against PyTorch wherever PyTorch itself keeps the tolerance.
"""

import ast
import functools
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
    FIXTURE = dict(file)
RTOL = {"float32": 1e-6, "float64": 1e-12}
DTYPES = ["float16", "bfloat16", "float32", "float64"]


def function_of(case):
    """``"elu(alpha=1.5)"`` is ``partial(act.elu, alpha=1.5)``."""
    name, _, options = case.rstrip(")").partition("(")
    pairs = (option.split("=") for option in options.split(",") if option)
    function = getattr(act, name)
    return partial(function, **{key: ast.literal_eval(value) for key, value in pairs})


ELEMENTWISE = {
    case: function_of(case)
    for case in sorted(key.removesuffix("/exact/value") for key in FIXTURE if "/exact/value" in key)
}
SMOOTH = ["sigmoid", "log_sigmoid", "tanh", "gelu", "silu", "mish", "softplus", "celu"]
EVERY = {
    **ELEMENTWISE,
    "heaviside": act.heaviside,
    "prelu": partial(act.prelu, alpha=0.25),
    "softmax": act.softmax,
    "log_softmax": act.log_softmax,
}

SELU = 1.0507009873554805  # lambda of the paper; lambda alpha is the negative of the left limit
LIMITS = {  # value and derivative at -inf, value and derivative at inf
    "identity": (-INF, 1, INF, 1),
    "heaviside": (0, 0, 1, 0),
    "sigmoid": (0, 0, 1, 0),
    "hard_sigmoid": (0, 0, 1, 0),
    "log_sigmoid": (-INF, 1, 0, 0),
    "tanh": (-1, 0, 1, 0),
    "hard_tanh": (-1, 0, 1, 0),
    "relu": (0, 0, INF, 1),
    "relu6": (0, 0, 6, 0),
    "leaky_relu": (-INF, 0.01, INF, 1),
    "leaky_relu(negative_slope=0.25)": (-INF, 0.25, INF, 1),
    "prelu": (-INF, 0.25, INF, 1),
    "elu": (-1, 0, INF, 1),
    "elu(alpha=1.5)": (-1.5, 0, INF, 1),
    "selu": (-1.7580993408473766, 0, INF, SELU),
    "celu": (-1, 0, INF, 1),
    "celu(alpha=2.0)": (-2, 0, INF, 1),
    "gelu": (0, 0, INF, 1),
    "gelu(approximate=True)": (0, 0, INF, 1),
    "silu": (0, 0, INF, 1),
    "mish": (0, 0, INF, 1),
    "softplus": (0, 0, INF, 1),
    "softplus(beta=2.0)": (0, 0, INF, 1),
    "softsign": (-1, 0, 1, 0),
}
EDGES = [0.0, 1e-30, -1e-30, 1.0, -1.0, 3.0, -3.0, 6.0, 30.0, -30.0, 1e4, -1e4]
SMOOTH_POINTS = np.linspace(-4.03, 4.01, 9)
DIFFERENCE = 1e-5
POINTS = {
    "fixture": FIXTURE["x"],
    "edges": EDGES,
    "limits": [-INF, INF],
    "nan": [NAN],
    "left": SMOOTH_POINTS - DIFFERENCE,
    "here": SMOOTH_POINTS,
    "right": SMOOTH_POINTS + DIFFERENCE,
}


def derivatives(function, x):
    """The values and the first two elementwise derivatives, by reverse mode."""
    first = jax.grad(lambda x: function(x).sum())
    second = jax.grad(lambda x: first(x).sum())
    return {"value": function(x), "gradient": first(x), "second": second(x)}


@functools.cache
def results(dtype):
    """Every elementwise activation at all points, from one compiled program."""
    with jax.enable_x64(dtype == "float64"):
        points = {name: jnp.asarray(x, dtype) for name, x in POINTS.items()}
        sizes = np.cumsum([x.size for x in points.values()])[:-1]
        program = jax.jit(lambda x: {case: derivatives(EVERY[case], x) for case in LIMITS})
        found = jax.tree.map(np.asarray, program(jnp.concatenate(list(points.values()))))
    split = partial(np.split, indices_or_sections=sizes)
    return jax.tree.map(lambda y: dict(zip(POINTS, split(y), strict=True)), found)


# The share of the points where PyTorch keeps half the tolerance, at least; 0.95 otherwise.
PYTORCH_ACCURATE = {
    "tanh/gradient": 0.4,  # 1 - y**2, the same
    "softsign/gradient": 0.8,  # the quotient rule cancels in float32
    "hard_sigmoid/gradient": 0.5,  # 1/6 in float32, in float64 as well
    "gelu/value": 0.7,  # 1 + erf cancels on the left
    "gelu/gradient": 0.7,
    "gelu(approximate=True)/value": 0.8,  # 1 + tanh, the same
    "gelu(approximate=True)/gradient": 0.8,
}


def allowed_error(case, dtype, quantity, exact):
    """The tolerance at every point, with the four places where a relative one has no meaning."""
    x, info = FIXTURE["x"], np.finfo(dtype)
    relative = np.full_like(x, RTOL[dtype])
    # XLA flushes subnormal numbers, here times |x| or x**2 at most, to 0.
    absolute = np.full_like(x, 1e3 * info.tiny)
    if case.startswith(("silu", "mish", "gelu")) and quantity == "gradient":
        # The derivative, of scale 1, is a difference that crosses 0 between these points.
        absolute[(x > -1.7) & (x < -0.5)] += 4 * info.eps
    if case == "sigmoid" and quantity == "gradient":
        # y (1 - y) has the absolute accuracy of y: PyTorch's formula, whose rounding the
        # published tables follow.
        absolute += info.eps
    if case == "gelu(approximate=True)":
        # The left tail is exp(z), which turns the rounding of z into a relative error of z eps.
        z = np.sqrt(8 / np.pi) * x * (1 + 0.044715 * x**2)
        relative += np.where(x < 0, np.abs(z), 0) * info.eps
    return relative * np.abs(exact) + absolute


def check(case, dtype, quantity, ours):
    """Asserts agreement with the exact numbers, and with PyTorch's where those are accurate."""
    by_torch = FIXTURE[f"{case}/{dtype}/{quantity}"].astype(np.float64)
    exact = FIXTURE[f"{case}/exact/{quantity}"]
    exact = np.where(np.isnan(exact), by_torch, exact)  # at a kink
    allowed = allowed_error(case, dtype, quantity, exact)
    missed = ~(np.abs(ours - exact) <= allowed)
    assert not missed.any(), f"{case}: {quantity} is off at x = {FIXTURE['x'][missed]}"
    accurate = np.abs(by_torch - exact) <= allowed / 2
    assert accurate.mean() >= PYTORCH_ACCURATE.get(f"{case}/{quantity}", 0.95)
    assert (np.abs(ours - by_torch) <= allowed)[accurate].all()


@pytest.mark.parametrize("quantity", ["value", "gradient"])
@pytest.mark.parametrize("dtype", RTOL)
@pytest.mark.parametrize("case", ELEMENTWISE)
def test_agrees_with_exact_numbers_and_pytorch(case, dtype, quantity):
    check(case, dtype, quantity, results(dtype)[case][quantity]["fixture"])


@pytest.mark.parametrize("case", ["tanh", "gelu", "hard_sigmoid"])
def test_a_formula_wrong_by_five_percent_is_caught(case):
    wrong = 1.05 * results("float64")[case]["value"]["fixture"]
    with pytest.raises(AssertionError, match="value is off at x ="):
        check(case, "float64", "value", wrong)


def test_the_fixture_covers_every_public_activation():
    cases = {name.split("/")[0] for name in FIXTURE} - {"x", "torch_version"}
    assert cases == set(EVERY)
    assert {name.split("(")[0] for name in cases} == set(act.__all__)
    assert list(act.__all__) == sorted(act.__all__)
    assert str(FIXTURE["torch_version"]).startswith("2.13")


def test_heaviside_agrees_with_pytorch_and_has_no_gradient():
    ours = results("float64")["heaviside"]
    np.testing.assert_array_equal(ours["value"]["fixture"], FIXTURE["heaviside/value"])
    np.testing.assert_array_equal(ours["gradient"]["fixture"], np.zeros_like(FIXTURE["x"]))


@pytest.mark.parametrize("dtype", RTOL)
@pytest.mark.parametrize("kind", ["scalar", "features"])
def test_prelu_agrees_with_pytorch(kind, dtype):
    with jax.enable_x64(dtype == "float64"):
        x = jnp.asarray(FIXTURE["prelu/x"], dtype)
        alpha = jnp.asarray(FIXTURE[f"prelu/{kind}/alpha"], dtype)
        alpha = alpha.reshape(()) if kind == "scalar" else alpha
        value, pullback = jax.vjp(act.prelu, x, alpha)
        by_x, by_alpha = pullback(jnp.ones_like(value))
    found = {"value": value, "gradient_x": by_x, "gradient_alpha": by_alpha.reshape(-1)}
    for quantity, ours in found.items():
        expected = FIXTURE[f"prelu/{kind}/{dtype}/{quantity}"]
        np.testing.assert_allclose(ours, expected, rtol=RTOL[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", LIMITS)
def test_limits_at_infinity(case, dtype):
    ours, rtol = results(dtype)[case], 2 * float(jnp.finfo(dtype).eps)
    f_left, slope_left, f_right, slope_right = LIMITS[case]
    assert_close = partial(np.testing.assert_allclose, rtol=rtol)
    assert_close(ours["value"]["limits"].astype(float), [f_left, f_right])
    assert_close(ours["gradient"]["limits"].astype(float), [slope_left, slope_right])
    assert_close(ours["second"]["limits"].astype(float), [0, 0])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", LIMITS)
def test_values_and_two_derivatives_are_finite_and_keep_the_dtype(case, dtype):
    for quantity, ours in results(dtype)[case].items():
        assert ours["edges"].dtype == dtype
        assert np.isfinite(ours["edges"].astype(float)).all(), quantity


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", LIMITS)
def test_nan_gives_nan(case, dtype):
    assert np.isnan(results(dtype)[case]["value"]["nan"]).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("case", LIMITS)
def test_narrow_dtypes_are_rounded_once(case, dtype):
    x = np.asarray(EDGES).astype(dtype)
    wide = np.asarray(EVERY[case](jnp.asarray(x, jnp.float32)))
    np.testing.assert_array_equal(results(dtype)[case]["value"]["edges"], wide.astype(dtype))


@pytest.mark.parametrize("case", [case for case in LIMITS if case.split("(")[0] in SMOOTH])
def test_second_derivatives_agree_with_central_differences(case):
    ours = results("float64")[case]
    gradient = ours["gradient"]
    difference = (gradient["right"] - gradient["left"]) / (2 * DIFFERENCE)
    np.testing.assert_allclose(ours["second"]["here"], difference, rtol=1e-7, atol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("case", EVERY)
def test_transformations_agree_with_the_plain_call(case):
    function = EVERY[case]
    x, tangent, cotangent = jax.random.normal(jax.random.key(0), (3, 5, 4))

    @jax.jit
    def transformed(x):
        value, forward = jax.jvp(function, (x,), (tangent,))
        (backward,) = jax.vjp(function, x)[1](cotangent)
        return value, jax.vmap(function)(x), (forward * cotangent).sum(), (backward * tangent).sum()

    value, mapped, by_jvp, by_vjp = transformed(x)
    np.testing.assert_allclose(value, function(x), rtol=1e-6)
    np.testing.assert_allclose(mapped, function(x), rtol=1e-6)
    np.testing.assert_allclose(by_jvp, by_vjp, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("x", [0.5, "rows", "scalar"])
def test_any_shape(x):
    x = {"rows": jnp.zeros((2, 0, 3)), "scalar": jnp.array(0.5)}.get(x, x)
    for case, function in ELEMENTWISE.items():
        assert function(x).shape == jnp.shape(x), case


def test_prelu_takes_a_slope_for_each_feature_of_any_batch():
    x = -jnp.ones((2, 3, 2))
    expected = np.broadcast_to([-0.5, -2.0], x.shape)
    np.testing.assert_array_equal(act.prelu(x, jnp.array([0.5, 2.0])), expected)
    batched = jax.vmap(act.prelu, in_axes=(0, None))(x, jnp.array([0.5, 2.0]))
    np.testing.assert_array_equal(batched, expected)


@pytest.mark.parametrize("infinity", [INF, -INF])
def test_prelu_at_infinity_leaves_the_slope_a_gradient(infinity):
    gradient = jax.grad(lambda alpha: act.prelu(jnp.array(infinity), alpha))(0.25)
    assert float(gradient) == min(infinity, 0)


vectors = st.lists(st.floats(-50, 50, width=32, allow_subnormal=False), min_size=5, max_size=5)


@settings(max_examples=100, deadline=None)
@given(x=vectors)
def test_odd_functions(x):
    x = jnp.array(x)
    for function in (act.identity, act.tanh, act.hard_tanh, act.softsign):
        np.testing.assert_array_equal(function(-x), -function(x))


@settings(max_examples=100, deadline=None)
@given(x=vectors)
def test_functions_whose_sides_differ_by_the_identity(x):
    x = jnp.array(x)
    for case in ("silu", "gelu", "gelu(approximate=True)", "softplus", "log_sigmoid", "relu"):
        difference = EVERY[case](x) - EVERY[case](-x)
        np.testing.assert_allclose(difference, x, rtol=1e-6, atol=1e-6)
    for function in (act.sigmoid, act.hard_sigmoid):
        np.testing.assert_allclose(function(x) + function(-x), np.ones(5), rtol=1e-6)


@settings(max_examples=100, deadline=None)
@given(x=vectors)
def test_the_order_of_inputs_is_kept(x):
    x = jnp.sort(jnp.array(x))
    monotonic = set(LIMITS) - {"gelu", "gelu(approximate=True)", "silu", "mish"}
    for case in sorted(monotonic):
        y = EVERY[case](x)
        assert (y[1:] - y[:-1] >= -1e-6 * jnp.abs(y[1:])).all(), case


def test_a_slope_of_zero_has_a_limit():
    flat = partial(act.leaky_relu, negative_slope=0.0)
    assert flat(-INF) == 0
    assert jax.grad(flat)(-INF) == 0


@pytest.mark.parametrize("beta", [1e-3, 10.0, 1e3])
def test_softplus_does_not_overflow(beta):
    sharp = partial(act.softplus, beta=beta)
    assert sharp(1e38) == np.float32(1e38)
    assert jax.grad(sharp)(1e38) == 1
    x = np.linspace(-3, 3, 101) / beta
    exact = np.logaddexp(0, beta * x.astype(np.float32).astype(np.float64)) / beta
    np.testing.assert_allclose(sharp(jnp.asarray(x, jnp.float32)), exact, rtol=1e-5)
