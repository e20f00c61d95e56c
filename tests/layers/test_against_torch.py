"""Layers: values and gradients against PyTorch."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.layers import dense, embedding, layer_norm, parametric_relu, rms_norm

KEY = jax.random.key(0)
TORCH = np.load(Path(__file__).parents[1] / "fixtures" / "torch_layers.npz")
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
