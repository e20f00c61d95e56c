"""Layers: values and gradients against PyTorch, and what each promises of itself."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import initializers
from jaxnets.checks import ArgumentValueError
from jaxnets.layers import (
    dense,
    dropout,
    embedding,
    flatten,
    layer_norm,
    parametric_relu,
    rms_norm,
)

KEY = jax.random.key(0)
FLOATING = ("float16", "bfloat16", "float32")
TORCH = np.load(Path(__file__).parent / "fixtures" / "torch_layers.npz")
FLOAT32_EPS = float(np.finfo(np.float32).eps)

TORCH_CASES = {
    "dense": lambda: dense(9),
    "layer_norm": layer_norm,
    "layer_norm_edge": layer_norm,
    "rms_norm": lambda: rms_norm(eps=FLOAT32_EPS),
    "rms_norm_edge": lambda: rms_norm(eps=FLOAT32_EPS),
    "embedding": lambda: embedding(12, 5),
    "parametric_relu": parametric_relu,
    "parametric_relu_per_feature": lambda: parametric_relu(per_feature=True),
}


def torch_case(case, dtype):
    """The arrays of a case without its name, those that a layer takes in ``dtype``."""
    arrays = {k.removeprefix(f"{case}/"): TORCH[k] for k in TORCH.files if k.startswith(f"{case}/")}
    x = jnp.asarray(arrays["x"])
    x = x.astype(dtype) if jnp.issubdtype(x.dtype, jnp.floating) else x
    names = [name.removeprefix("parameters/") for name in arrays if name.startswith("parameters/")]
    params = {name: jnp.asarray(arrays[f"parameters/{name}"], dtype) for name in names}
    return arrays, x, params, jnp.asarray(arrays["cotangent"], dtype)


def assert_close_to_row(actual, expected, tolerance):
    """Relative to the largest element of a row, for a sum is no more exact than its terms."""
    actual, expected = np.atleast_1d(np.asarray(actual, np.float64), expected)
    size = np.abs(expected).max(axis=-1, keepdims=True)
    assert actual.shape == expected.shape
    assert (np.abs(actual - expected) <= tolerance * size).all()


def check_against_torch(case, dtype, tolerance):
    arrays, x, params, cotangent = torch_case(case, dtype)
    layer = TORCH_CASES[case]()
    drawn = jax.eval_shape(layer.init, KEY, x)
    assert jax.tree.map(jnp.shape, drawn) == jax.tree.map(jnp.shape, params)
    y, gradients, x_gradient = jax.jit(with_gradients, static_argnums=0)(
        layer, params, x, cotangent
    )
    assert y.dtype == dtype
    assert_close_to_row(y, arrays["y"], tolerance)
    for name, gradient in gradients.items():
        assert_close_to_row(gradient, arrays[f"gradients/{name}"], tolerance)
    if x_gradient is not None:
        assert_close_to_row(x_gradient, arrays["x_gradient"], tolerance)


def with_gradients(layer, params, x, cotangent):
    """The output, and the gradients of sum(cotangent y) by the parameters and by a floating x."""
    y, pull_back = jax.vjp(lambda params: layer.apply(params, x), params)
    x_gradient = None
    if jnp.issubdtype(x.dtype, jnp.floating):
        (x_gradient,) = jax.vjp(lambda x: layer.apply(params, x), x)[1](cotangent)
    return y, pull_back(cotangent)[0], x_gradient


def test_the_fixture_names_its_torch_version():
    assert str(TORCH["torch_version"]).startswith("2.")


def test_every_fixture_case_is_used():
    assert {name.split("/")[0] for name in TORCH.files} == {"torch_version", *TORCH_CASES}


@pytest.mark.parametrize("case", TORCH_CASES)
def test_values_and_gradients_are_torchs_in_float32(case):
    check_against_torch(case, jnp.float32, 1e-6)


@pytest.mark.parametrize("case", TORCH_CASES)
@pytest.mark.usefixtures("x64")
def test_values_and_gradients_are_torchs_in_float64(case):
    check_against_torch(case, jnp.float64, 1e-12)


def test_a_wrong_gradient_would_be_caught():
    gradient = TORCH["layer_norm/gradients/scale"]
    with pytest.raises(AssertionError):
        assert_close_to_row(gradient * 1.05, gradient, 1e-6)


class TestDense:
    @pytest.mark.parametrize("leading", [(), (4,), (3, 4), (2, 3, 4), (0,)])
    def test_takes_any_leading_axes(self, leading):
        layer, x = dense(3), jax.ShapeDtypeStruct((*leading, 2), "float32")
        params = jax.eval_shape(layer.init, KEY, x)
        assert jax.tree.map(jnp.shape, params) == {"w": (2, 3), "b": (3,)}
        assert jax.eval_shape(layer.apply, params, x).shape == (*leading, 3)

    def test_without_bias_has_no_b(self):
        params = dense(3, use_bias=False).init(KEY, jnp.ones((4, 2)))
        assert list(params) == ["w"]
        y = dense(3, use_bias=False).apply(params, jnp.ones((4, 2)))
        np.testing.assert_allclose(y[0], params["w"].sum(axis=0), rtol=1e-6)

    def test_initialisers_are_asked_for_the_right_shapes(self):
        layer = dense(
            3, w_init=initializers.constant(2.0), b_init=jax.nn.initializers.constant(0.5)
        )
        params = layer.init(KEY, jnp.ones((4, 2)))
        assert params["w"].tolist() == [[2.0] * 3] * 2
        assert params["b"].tolist() == [0.5] * 3

    def test_default_draws_have_pytorchs_bound(self):
        params = dense(1000).init(KEY, jnp.ones((1, 16)))
        for array in params.values():
            assert 0.24 < float(jnp.abs(array).max()) <= 0.25

    def test_w_and_b_are_drawn_apart(self):
        params = dense(4).init(KEY, jnp.ones((1, 1)))
        assert not jnp.allclose(params["w"][0], params["b"])


class TestDropout:
    x = jnp.ones((200, 100))

    def test_drops_at_the_rate_and_scales_up_the_rest(self):
        y = dropout(0.2).apply({}, self.x, key=KEY)
        assert sorted(np.unique(y).tolist()) == [0.0, 1.25]
        # 20,000 draws: five standard deviations are 0.014.
        assert abs(float((y == 0).mean()) - 0.2) < 0.014

    def test_without_a_key_it_is_the_identity(self):
        np.testing.assert_array_equal(dropout(0.9).apply({}, self.x), self.x)

    def test_rate_0_is_the_identity(self):
        np.testing.assert_array_equal(dropout(0.0).apply({}, self.x, key=KEY), self.x)

    def test_a_rate_near_1_stays_finite(self):
        assert jnp.isfinite(dropout(1 - 1e-9).apply({}, self.x, key=KEY)).all()

    def test_the_key_decides(self):
        layer = dropout(0.5)
        first, again = (layer.apply({}, self.x, key=KEY) for _ in range(2))
        other = layer.apply({}, self.x, key=jax.random.key(1))
        np.testing.assert_array_equal(first, again)
        assert not jnp.array_equal(first, other)

    def test_the_gradient_is_the_mask(self):
        layer = dropout(0.5)
        gradient = jax.grad(lambda x: layer.apply({}, x, key=KEY).sum())(self.x)
        np.testing.assert_array_equal(gradient, layer.apply({}, self.x, key=KEY))

    def test_a_dropped_infinity_gives_no_nan(self):
        gradient = jax.grad(lambda x: dropout(0.5).apply({}, x, key=KEY).sum())
        assert jnp.isfinite(gradient(jnp.full_like(self.x, jnp.inf))).all()

    def test_takes_old_style_keys(self):
        assert (dropout(0.5).apply({}, self.x, key=jax.random.PRNGKey(0)) == 0).any()


class TestFlatten:
    @pytest.mark.parametrize(
        ("shape", "flat"),
        [((4,), (4, 1)), ((4, 3), (4, 3)), ((4, 3, 2, 5), (4, 30)), ((0, 3, 2), (0, 6))],
    )
    def test_keeps_the_first_axis(self, shape, flat):
        assert flatten().apply({}, jnp.zeros(shape)).shape == flat

    def test_is_row_major_and_takes_integers(self):
        x = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
        y = flatten().apply({}, x)
        assert y.dtype == np.uint8
        np.testing.assert_array_equal(y, np.arange(24).reshape(2, 12))

    def test_ravel_flattens_one_example_under_vmap(self):
        x = jnp.zeros((4, 3, 2))
        assert jax.vmap(lambda x: flatten().apply({}, x))(x).shape == (4, 3, 2)
        assert jax.vmap(jnp.ravel)(x).shape == (4, 6)


class TestNormalisation:
    @pytest.mark.parametrize("layer", [layer_norm(), rms_norm()], ids=["layer_norm", "rms_norm"])
    def test_float16_does_not_overflow(self, layer):
        x = jnp.array([[6e4, -6e4, 3e4, 1e4]], jnp.float16)
        y = layer.apply(layer.init(None, x), x)
        expected = layer.apply(layer.init(None, x.astype("float32")), x.astype("float32"))
        assert y.dtype == jnp.float16
        np.testing.assert_allclose(y, expected, rtol=2**-10)

    @pytest.mark.parametrize("dtype", FLOATING)
    def test_layer_norm_has_mean_0_and_variance_1(self, dtype):
        x = (jax.random.normal(KEY, (8, 64)) * 3 + 5).astype(dtype)
        y = jax.jit(layer_norm().apply)(layer_norm().init(None, x), x).astype("float32")
        np.testing.assert_allclose(y.mean(axis=-1), 0, atol=0.01)
        np.testing.assert_allclose(y.var(axis=-1), 1, atol=0.01)

    @pytest.mark.parametrize("dtype", FLOATING)
    def test_rms_norm_has_mean_square_1(self, dtype):
        x = (jax.random.normal(KEY, (8, 64)) * 3 + 5).astype(dtype)
        y = jax.jit(rms_norm().apply)(rms_norm().init(None, x), x).astype("float32")
        np.testing.assert_allclose(jnp.square(y).mean(axis=-1), 1, atol=0.01)

    @pytest.mark.usefixtures("x64")
    def test_default_eps_of_rms_norm_is_that_of_the_dtype(self):
        # At x = sqrt(eps) the mean square is eps, and y is 1/sqrt(2).
        for dtype in (np.float32, np.float64):
            x = jnp.full((1, 4), np.sqrt(np.finfo(dtype).eps), dtype)
            y = rms_norm().apply(rms_norm().init(None, x), x)
            np.testing.assert_allclose(y, np.sqrt(0.5), rtol=1e-6)

    def test_equal_features_have_finite_gradients(self):
        x = jnp.full((2, 4), 7.0)
        params = layer_norm().init(None, x)
        assert jnp.isfinite(jax.grad(lambda x: (layer_norm().apply(params, x) ** 2).sum())(x)).all()


class TestEmbedding:
    layer = embedding(5, 3)

    @property
    def params(self):
        return {"table": jnp.arange(15.0).reshape(5, 3)}

    @pytest.mark.parametrize("dtype", ["int8", "uint8", "int32"])
    def test_looks_rows_up(self, dtype):
        y = self.layer.apply(self.params, jnp.array([[0, 4], [2, 2]], dtype))
        np.testing.assert_array_equal(y[..., 0], [[0, 12], [6, 6]])

    def test_a_scalar_index_gives_one_row(self):
        assert self.layer.apply(self.params, jnp.array(1)).tolist() == [3.0, 4.0, 5.0]

    @pytest.mark.parametrize("bad", [-1, 5, 2**31 - 1])
    def test_an_index_out_of_range_is_nan_under_jit(self, bad):
        y = jax.jit(self.layer.apply)(self.params, jnp.array([1, bad]))
        assert y[0].tolist() == [3.0, 4.0, 5.0]
        assert jnp.isnan(y[1]).all()

    def test_the_first_bad_index_is_named(self):
        message = r"got -2 at index \(1, 0\)\."
        with pytest.raises(ValueError, match=message):
            self.layer.apply(self.params, jnp.array([[0, 4], [-2, 9]]))

    def test_an_unused_row_gets_no_gradient(self):
        gradient = jax.grad(lambda p: self.layer.apply(p, jnp.array([1, 1, 3])).sum())(self.params)
        assert gradient["table"].sum(axis=-1).tolist() == [0.0, 6.0, 0.0, 3.0, 0.0]

    def test_the_table_is_standard_normal(self):
        table = embedding(1000, 20).init(KEY, jnp.array([0]))["table"]
        # 20,000 draws: five standard deviations of the mean are 0.035.
        assert abs(float(table.mean())) < 0.035
        assert abs(float(table.std()) - 1) < 0.025

    def test_the_dtype_of_the_table_can_be_chosen(self):
        params = embedding(5, 3, dtype=jnp.bfloat16).init(KEY, jnp.array([0]))
        assert params["table"].dtype == jnp.bfloat16


class TestParametricRelu:
    def test_starts_at_pytorchs_slope(self):
        assert float(parametric_relu().init(None, jnp.ones((1, 3)))["alpha"]) == 0.25

    def test_per_feature_has_one_alpha_a_feature(self):
        params = parametric_relu(per_feature=True).init(None, jnp.ones((2, 4, 3)))
        assert params["alpha"].tolist() == [0.25] * 3

    def test_alpha_can_be_drawn_otherwise(self):
        layer = parametric_relu(alpha_init=initializers.constant(0.5))
        x = jnp.array([-2.0, 2.0])
        assert layer.apply(layer.init(None, x), x).tolist() == [-1.0, 2.0]


WRONG_SHAPES = {
    "dense w": (dense(5), "dense(5)", "w", (2, 3), "[any, 5]"),
    "dense b": (dense(3), "dense(3)", "b", (1,), "[3]"),
    "layer_norm": (layer_norm(), "layer_norm", "shift", (), "[2]"),
    "rms_norm": (rms_norm(), "rms_norm", "scale", (1, 2), "[any]"),
    "parametric_relu": (parametric_relu(), "parametric_relu", "alpha", (2,), "[]"),
}


@pytest.mark.parametrize("name", WRONG_SHAPES)
def test_parameters_of_another_shape_are_not_broadcast(name):
    layer, called, entry, shape, wanted = WRONG_SHAPES[name]
    params = {**layer.init(KEY, jnp.ones((4, 2))), entry: jnp.ones(shape)}
    with pytest.raises(ArgumentValueError) as caught:
        layer.apply(params, jnp.ones((4, 2)))
    assert str(caught.value) == (
        f"{called}: params must have {entry!r} of shape {wanted}; got {list(shape)}. Make them "
        "with model.init(key, x)."
    )


def test_a_shift_of_another_width_is_not_broadcast():
    params = {"scale": jnp.ones(2), "shift": jnp.ones(1)}
    with pytest.raises(
        ValueError, match=r"^layer_norm: params must have 'shift' of shape \[2\]; got \[1\]"
    ):
        layer_norm().apply(params, jnp.ones((4, 2)))
