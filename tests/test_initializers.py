"""Initialisers against the distributions that their docstrings state, by way of SciPy."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

import jaxnets as jn
from jaxnets import initializers
from jaxnets.errors import ArgumentTypeError, ArgumentValueError

FAN_IN, FAN_OUT = 300, 400
DRAWS = FAN_IN * FAN_OUT
KEY = jax.random.key(7)

STD_TOLERANCE = 5 * math.sqrt(0.5 / DRAWS)
"""Five standard errors of a normal sample's standard deviation, relative; 1% here."""

DISTRIBUTIONS = {
    "torch_linear": (initializers.torch_linear(), "uniform", math.sqrt(1 / (3 * FAN_IN))),
    "uniform": (initializers.uniform(0.3), "uniform", 0.3 / math.sqrt(3)),
    "normal": (initializers.normal(), "norm", 1.0),
    "normal of 0.2": (initializers.normal(0.2), "norm", 0.2),
    "glorot_uniform": (initializers.glorot_uniform(), "uniform", math.sqrt(2 / (FAN_IN + FAN_OUT))),
    "glorot_normal": (initializers.glorot_normal(), "truncnorm", math.sqrt(2 / (FAN_IN + FAN_OUT))),
    "he_uniform": (initializers.he_uniform(), "uniform", math.sqrt(2 / FAN_IN)),
    "he_normal": (initializers.he_normal(), "truncnorm", math.sqrt(2 / FAN_IN)),
    "lecun_uniform": (initializers.lecun_uniform(), "uniform", math.sqrt(1 / FAN_IN)),
    "lecun_normal": (initializers.lecun_normal(), "truncnorm", math.sqrt(1 / FAN_IN)),
}
"""The initialiser, its distribution and the standard deviation that its formula gives."""


def distribution(kind, sigma):
    """SciPy's distribution of mean 0 and standard deviation ``sigma``."""
    if kind == "uniform":
        bound = sigma * math.sqrt(3)
        return scipy.stats.uniform(-bound, 2 * bound)
    if kind == "norm":
        return scipy.stats.norm(scale=sigma)
    return scipy.stats.truncnorm(-2, 2, scale=sigma / scipy.stats.truncnorm(-2, 2).std())


@pytest.fixture(scope="module", params=DISTRIBUTIONS)
def sample(request):
    initializer, kind, sigma = DISTRIBUTIONS[request.param]
    weights = np.asarray(initializer(KEY, (FAN_IN, FAN_OUT), jnp.float32), np.float64).ravel()
    return weights, distribution(kind, sigma)


def test_standard_deviation_is_that_of_the_formula(sample):
    weights, expected = sample
    assert weights.std() == pytest.approx(expected.std(), rel=STD_TOLERANCE)
    assert abs(weights.mean()) < 5 * expected.std() / math.sqrt(DRAWS)


def test_values_stay_within_the_bounds_and_come_near_them(sample):
    weights, expected = sample
    low, high = expected.support()
    assert np.float32(low) <= weights.min()
    assert weights.max() <= np.float32(high)
    assert expected.cdf(weights.min()) < 20 / DRAWS
    assert expected.sf(weights.max()) < 20 / DRAWS


def test_the_whole_distribution_fits(sample):
    """Kolmogorov and Smirnov's test; the seed is fixed, so that this never fails by chance."""
    weights, expected = sample
    assert scipy.stats.kstest(weights, expected.cdf).pvalue > 1e-3


def test_a_formula_wrong_by_five_percent_would_be_caught(sample):
    weights, expected = sample
    assert weights.std() != pytest.approx(1.05 * expected.std(), rel=STD_TOLERANCE)


def test_another_key_gives_other_numbers():
    draw = initializers.torch_linear()
    one, other = (draw(jax.random.key(seed), (3, 3), jnp.float32) for seed in (0, 1))
    assert not jnp.array_equal(one, other)
    np.testing.assert_array_equal(one, draw(jax.random.key(0), (3, 3), jnp.float32))


MAKERS = {
    "torch_linear": initializers.torch_linear,
    "uniform": lambda: initializers.uniform(0.5),
    "normal": initializers.normal,
    "constant": lambda: initializers.constant(0.5),
    "zeros": lambda: initializers.zeros,
    "glorot_uniform": initializers.glorot_uniform,
    "glorot_normal": initializers.glorot_normal,
    "xavier_uniform": initializers.xavier_uniform,
    "xavier_normal": initializers.xavier_normal,
    "he_uniform": initializers.he_uniform,
    "he_normal": initializers.he_normal,
    "lecun_uniform": initializers.lecun_uniform,
    "lecun_normal": initializers.lecun_normal,
    "kaiming_uniform": initializers.kaiming_uniform,
    "kaiming_normal": initializers.kaiming_normal,
    "orthogonal": initializers.orthogonal,
    "truncated_normal": initializers.truncated_normal,
    "variance_scaling": lambda: initializers.variance_scaling(1.0, "fan_avg", "normal"),
    "ones": lambda: initializers.ones,
}


def test_every_public_initialiser_is_here():
    assert sorted(MAKERS) == sorted(initializers.__all__)


DTYPES = [
    (name, dtype) for name in MAKERS for dtype in ("float16", "bfloat16", "float32", "float64")
]


@pytest.mark.parametrize(("name", "dtype"), DTYPES)
def test_shape_and_dtype_are_those_asked_for(name, dtype):
    with jax.enable_x64(True):
        shape = jax.eval_shape(lambda key: MAKERS[name]()(key, (3, 2), jnp.dtype(dtype)), KEY)
    assert (shape.shape, shape.dtype) == ((3, 2), jnp.dtype(dtype))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", MAKERS)
def test_half_precision_is_drawn_in_float32_and_rounded_once(name, dtype):
    narrow = MAKERS[name]()(KEY, (30, 20), jnp.dtype(dtype))
    wide = MAKERS[name]()(KEY, (30, 20), jnp.float32)
    np.testing.assert_array_equal(narrow, wide.astype(dtype))


@pytest.mark.parametrize(
    "make", [initializers.normal, initializers.uniform, initializers.orthogonal]
)
def test_a_scale_may_be_traced(make):
    drawn = jax.jit(lambda scale: make(scale)(KEY, (3, 2), jnp.float32))(0.3)
    np.testing.assert_allclose(drawn, make(0.3)(KEY, (3, 2), jnp.float32), rtol=1e-6)


def test_a_constant_may_be_traced():
    filled = jax.vmap(lambda value: initializers.constant(value)(KEY, (3,), jnp.float32))
    np.testing.assert_array_equal(filled(jnp.array([1.0, -2.0]))[:, 0], [1.0, -2.0])


@pytest.mark.parametrize("name", ["glorot_uniform", "he_normal", "lecun_normal", "orthogonal"])
def test_numbers_are_those_of_jax(name):
    ours, jaxs = (getattr(module, name)() for module in (initializers, jax.nn.initializers))
    np.testing.assert_array_equal(ours(KEY, (5, 3)), jaxs(KEY, (5, 3)))


@pytest.mark.parametrize("name", MAKERS)
def test_fits_into_dense(name):
    params = jn.dense(4, w_init=MAKERS[name]()).init(KEY, jnp.zeros((1, 3)))
    assert (params["w"].shape, params["w"].dtype) == ((3, 4), jnp.float32)


@pytest.mark.parametrize(
    "initializer",
    [jax.nn.initializers.ones, jax.nn.initializers.normal(), jax.nn.initializers.lecun_normal()],
    ids=["ones", "normal", "lecun_normal"],
)
def test_those_of_jax_fit_into_dense_as_they_are(initializer):
    layer = jn.dense(4, w_init=initializer, b_init=jax.nn.initializers.ones)
    params = layer.init(KEY, jnp.zeros((1, 3)))
    assert params["w"].shape == (3, 4)
    assert params["b"].tolist() == [1, 1, 1, 1]


def test_xavier_is_another_name_of_glorot():
    assert initializers.xavier_uniform is initializers.glorot_uniform
    assert initializers.xavier_normal is initializers.glorot_normal


@pytest.mark.parametrize("value", [0, -1.5, 0.25])
def test_constant_fills_any_shape(value):
    np.testing.assert_array_equal(
        initializers.constant(value)(KEY, (2, 3), jnp.float32), np.full((2, 3), value)
    )


def test_zeros_fills_any_shape():
    np.testing.assert_array_equal(initializers.zeros(KEY, (2,), jnp.float32), np.zeros(2))


@pytest.mark.parametrize(("shape", "small"), [((5, 3), "columns"), ((3, 5), "rows")])
def test_orthogonal_has_orthonormal_rows_or_columns(shape, small):
    w = np.asarray(initializers.orthogonal(2.0)(KEY, shape, jnp.float32))
    product = w.T @ w if small == "columns" else w @ w.T
    np.testing.assert_allclose(product, 4 * np.eye(3), atol=1e-5)


@pytest.mark.parametrize("name", ["uniform", "normal", "orthogonal"])
@pytest.mark.parametrize("value", [0, -1.0, math.inf, math.nan])
def test_a_scale_that_is_not_positive_is_an_error(name, value):
    argument = "stddev" if name == "normal" else "scale"
    rule = rf"initializers\.{name}: {argument} must be a positive finite number; got "
    with pytest.raises(ArgumentValueError, match=rule):
        getattr(initializers, name)(value)


@pytest.mark.parametrize("value", ["0.1", None, True])
def test_a_scale_of_another_type_is_an_error(value):
    with pytest.raises(ArgumentTypeError, match=r"scale must be a positive finite number; got"):
        initializers.uniform(value)


def test_the_advice_of_the_message_works():
    with pytest.raises(ArgumentValueError, match=r"Pass scale=0\.1, for example\.$"):
        initializers.uniform(0)
    assert initializers.uniform(scale=0.1)(KEY, (2,), jnp.float32).shape == (2,)


MISUSE = [
    pytest.param(
        lambda: initializers.uniform(0),
        ValueError,
        "initializers.uniform: scale must be a positive finite number; got 0. Pass "
        "scale=0.1, for example.",
        lambda: initializers.uniform(scale=0.1),
        id="interval of length 0",
    ),
    pytest.param(
        lambda: initializers.normal(-1.0),
        ValueError,
        "initializers.normal: stddev must be a positive finite number; got -1.0. Pass "
        "stddev=0.1, for example.",
        lambda: initializers.normal(stddev=0.1),
        id="negative deviation",
    ),
    pytest.param(
        lambda: initializers.orthogonal("relu"),
        TypeError,
        "initializers.orthogonal: scale must be a positive finite number; got 'relu'. Pass "
        "scale=0.1, for example.",
        lambda: initializers.orthogonal(scale=0.1),
        id="gain a text",
    ),
]


@pytest.mark.parametrize(("misuse", "error", "message", "advice"), MISUSE)
def test_misuse_is_refused_with_a_remedy_that_works(misuse, error, message, advice, assert_refused):
    assert_refused(misuse, error, message, advice)
