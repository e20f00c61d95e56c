"""Layers: Models with parameters or with randomness.

Parameters have the dtype of the example input that ``init`` is given, and outputs the dtype
that input and parameters promote to: float16 in, float16 out. Inputs are ``[..., features]``
with any leading axes. A layer that draws nothing needs no key: ``init(None, x)`` will do.

Names of parameters: ``w`` ([in, out]) and ``b`` ([out]) of `dense`, ``table`` ([vocabulary,
features]) of `embedding`, ``scale`` and ``shift`` ([features]) of the normalisations, ``alpha``
of `parametric_relu`.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets import initializers
from jaxnets.activations import prelu
from jaxnets.checks import (
    ArgumentTypeError,
    check_callable,
    check_entries,
    check_example,
    check_flag,
    check_floating,
    check_floating_dtype,
    check_fraction,
    check_integer,
    check_key,
    check_parameter,
    check_width,
    concrete,
    describe,
    fail,
)
from jaxnets.model import Initializer, Model, Params
from jaxnets.normalization import layer_norm, rms_norm

__all__ = [
    "dense",
    "dropout",
    "embedding",
    "flatten",
    "layer_norm",
    "parametric_relu",
    "rms_norm",
]


def dense(
    features: int,
    *,
    use_bias: bool = True,
    w_init: Initializer | None = None,
    b_init: Initializer | None = None,
) -> Model:
    r"""A fully connected layer.

    .. math:: y = x w + b

    With :math:`g = \partial L / \partial y`, summed over all axes but the last:
    :math:`\partial L/\partial w = x^T g`, :math:`\partial L/\partial b = \sum g` and
    :math:`\partial L/\partial x = g w^T`.

    Args:
      features: The number of units, *out*.
      use_bias: Whether there is a b.
      w_init: Initialiser of w, shape ``[in, out]``. The default is PyTorch's, uniform on
        ±1/sqrt(in).
      b_init: Initialiser of b, shape ``[out]``. The default is PyTorch's, again uniform on
        ±1/sqrt(in).

    Returns:
      A Model from ``[..., in]`` to ``[..., out]`` with parameters ``w`` and ``b``.

    Raises:
      ValueError: If ``features`` is below 1, or later if the width of x or the shape of a
        parameter does not fit.
      TypeError: If an argument has the wrong type, or later if x is not floating.

    Example:
      >>> layer = dense(3)
      >>> params = layer.init(jax.random.key(0), jnp.zeros((4, 2)))
      >>> layer.apply(params, jnp.ones((4, 2))).shape
      (4, 3)

    References:
      ``torch.nn.Linear`` (PyTorch documentation), whose weight is the transpose, ``[out, in]``.
    """
    features = check_integer("dense", "features", features, minimum=1)
    use_bias = check_flag("dense", "use_bias", use_bias)
    _check_initializer("dense", "w_init", w_init)
    _check_initializer("dense", "b_init", b_init)
    name = f"dense({features})"
    entries = ("w", "b") if use_bias else ("w",)

    def init(key: Any, x: Any) -> Params:
        x = check_example(name, x)
        check_key(name, key)
        w_key, b_key = jax.random.split(key)
        fan_in = x.shape[-1]
        draw_w = w_init or initializers.torch_linear()
        w = _drawn(name, "w_init", draw_w, w_key, (fan_in, features), x.dtype)
        if not use_bias:
            return {"w": w}
        draw_b = b_init or initializers.uniform(1 / math.sqrt(fan_in))
        return {"w": w, "b": _drawn(name, "b_init", draw_b, b_key, (features,), x.dtype)}

    def apply(params: Params, x: Any, *, key: Any = None) -> jax.Array:
        check_example(name, x)
        check_entries(name, params, entries)
        check_parameter(name, params, "w", (None, features))
        check_width(name, x, params["w"].shape[0])
        if use_bias:
            check_parameter(name, params, "b", (features,))
        y = jnp.matmul(x, params["w"])
        return y + jnp.broadcast_to(params["b"], y.shape) if use_bias else y

    return Model(init, apply)


def dropout(rate: float) -> Model:
    r"""Sets elements to zero at random while training, and scales up those that stay.

    .. math:: y = \frac{m x}{1 - p}, \qquad m \sim \text{Bernoulli}(1 - p)

    The expectation of y is x, so that evaluation needs no change of scale. The gradient is that
    of the elements that stay, 1/(1 - p), and 0 for the others.

    Args:
      rate: The probability p of *dropping* an element, in [0, 1), as in PyTorch.

    Returns:
      A Model without parameters, of any shape. Without a key, or with rate 0, it is the
      identity: that is evaluation.

    Raises:
      ValueError: If ``rate`` is not in [0, 1).
      TypeError: If ``rate`` is not a number, or later if x is not floating.

    Example:
      >>> layer, x = dropout(0.5), jnp.ones(6)
      >>> layer.apply({}, x).tolist()
      [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
      >>> sorted(set(layer.apply({}, x, key=jax.random.key(0)).tolist()))
      [0.0, 2.0]

    References:
      Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, "Dropout: a simple way to
      prevent neural networks from overfitting", 2014.
    """
    rate = check_fraction("dropout", "rate", rate)
    name = f"dropout({rate})"

    def apply(params: Params, x: Any, *, key: Any = None) -> jax.Array:
        array = check_floating(name, "x", x)
        if key is None or rate == 0:
            return array
        check_key(name, key)
        stays = jax.random.bernoulli(key, 1 - rate, array.shape)
        return jnp.where(stays, array / (1 - rate), jnp.zeros_like(array))

    return Model(_no_params, apply)


def flatten() -> Model:
    """Joins all axes behind the first: ``[batch, ...]`` becomes ``[batch, features]``.

    The first axis is always kept, so an input without a batch axis, as inside ``jax.vmap``, is
    not made flat; ``jnp.ravel``, used as a layer, does that.

    Returns:
      A Model without parameters, of any dtype. ``[batch]`` becomes ``[batch, 1]``.

    Raises:
      ValueError: Later, if x has no axis at all.
      TypeError: Later, if x is not an array.

    Example:
      >>> flatten().apply({}, jnp.zeros((32, 28, 28))).shape
      (32, 784)

    References:
      ``torch.nn.Flatten`` (PyTorch documentation).
    """

    def apply(params: Params, x: Any, *, key: Any = None) -> jax.Array:
        check_example("flatten", x, floating=False)
        return jnp.reshape(x, (x.shape[0], math.prod(x.shape[1:])))

    return Model(_no_params, apply)


def embedding(
    vocabulary: int,
    features: int,
    *,
    table_init: Initializer | None = None,
    dtype: Any = float,
) -> Model:
    r"""A table of vectors, one for each index: looks up those of the indices it is given.

    .. math:: y = e_x, \qquad \partial L/\partial e_i = \sum_{x = i} \partial L/\partial y

    Args:
      vocabulary: The number of indices, 0 to vocabulary - 1.
      features: The width of each vector.
      table_init: Initialiser of the table e, shape ``[vocabulary, features]``. The default is
        PyTorch's, normal with mean 0 and standard deviation 1.
      dtype: The floating dtype of the table, as the input has none; ``float`` is JAX's default.

    Returns:
      A Model from integers ``[...]`` to ``[..., features]`` with the parameter ``table``.

    Raises:
      ValueError: If ``vocabulary`` or ``features`` is below 1, or later if an index given
        outside ``jit`` is out of range; under ``jit`` its vector is NaN, never another's, so
        that `fit` raises `TrainingDiverged` at the step that meets it.
      TypeError: If an argument has the wrong type, or later if x does not hold integers.

    Example:
      >>> layer = embedding(10, 3)
      >>> params = layer.init(jax.random.key(0), jnp.array([0, 9]))
      >>> layer.apply(params, jnp.array([[0, 9, 4]])).shape
      (1, 3, 3)

    References:
      ``torch.nn.Embedding`` (PyTorch documentation).
    """
    vocabulary = check_integer("embedding", "vocabulary", vocabulary, minimum=1)
    features = check_integer("embedding", "features", features, minimum=1)
    _check_initializer("embedding", "table_init", table_init)
    check_floating_dtype("embedding", "dtype", dtype, example="jnp.float32")
    name = f"embedding({vocabulary}, {features})"
    shape = (vocabulary, features)

    def init(key: Any, x: Any) -> Params:
        _check_integers(name, x)
        check_key(name, key)
        draw = table_init or initializers.normal()
        table_dtype = jax.dtypes.canonicalize_dtype(dtype)
        return {"table": _drawn(name, "table_init", draw, key, shape, table_dtype)}

    def apply(params: Params, x: Any, *, key: Any = None) -> jax.Array:
        _check_integers(name, x)
        check_entries(name, params, ("table",))
        check_parameter(name, params, "table", shape)
        table = jnp.asarray(params["table"])
        _check_in_range(name, x, vocabulary)
        rows = table.at[jnp.asarray(x)]
        return rows.get(mode="fill", fill_value=jnp.nan, wrap_negative_indices=False)

    return Model(init, apply)


def parametric_relu(*, per_feature: bool = False, alpha_init: Initializer | None = None) -> Model:
    r"""A ReLU whose slope on the left is learned.

    .. math::
       y = \max(0, x) + \alpha \min(0, x), \qquad
       \partial L/\partial \alpha = \sum \min(0, x) \, \partial L/\partial y

    Args:
      per_feature: Whether each feature has an alpha of its own, or one serves all.
      alpha_init: Initialiser of alpha. The default is PyTorch's constant 0.25.

    Returns:
      A Model of ``[..., features]`` with the parameter ``alpha``, shape ``[]`` or
      ``[features]``.

    Raises:
      ValueError: Later, if the width of x does not fit.
      TypeError: If an argument has the wrong type, or later if x is not floating.

    Example:
      >>> layer, x = parametric_relu(), jnp.array([-1.0, 2.0])
      >>> layer.apply(layer.init(None, x), x).tolist()
      [-0.25, 2.0]

    References:
      He, Zhang, Ren and Sun, "Delving deep into rectifiers", 2015; ``torch.nn.PReLU``, whose
      features are on axis 1 instead of the last.
    """
    name = "parametric_relu"
    per_feature = check_flag(name, "per_feature", per_feature)
    _check_initializer(name, "alpha_init", alpha_init)
    draw = alpha_init or initializers.constant(0.25)

    def init(key: Any, x: Any) -> Params:
        x = check_example(name, x)
        shape = x.shape[-1:] if per_feature else ()
        return {"alpha": _drawn(name, "alpha_init", draw, key, shape, x.dtype)}

    def apply(params: Params, x: Any, *, key: Any = None) -> jax.Array:
        check_example(name, x)
        check_entries(name, params, ("alpha",))
        alpha = params["alpha"]
        check_parameter(name, params, "alpha", (None,) if per_feature else ())
        if per_feature:
            check_width(name, x, alpha.shape[0])
        return prelu(jnp.asarray(x, jnp.result_type(x, alpha)), alpha)

    return Model(init, apply)


def _no_params(key: Any, x: Any) -> Params:
    return {}


def _check_initializer(function: str, argument: str, value: Any) -> None:
    if value is not None:
        remedy = f"Pass {argument}=jn.initializers.normal(0.1), for example."
        check_callable(function, argument, value, remedy)


def _drawn(
    name: str, argument: str, draw: Initializer, key: Any, shape: tuple[int, ...], dtype: Any
) -> jax.Array:
    """A parameter from an initialiser, which may be the user's."""
    array = draw(key, shape, dtype)
    if jnp.shape(array) != shape:
        rule, got = f"return an array of the shape that it is given, {shape}", jnp.shape(array)
        remedy = f"Pass {argument}=jn.initializers.normal(0.1), for example."
        fail(name, argument, rule, str(got), remedy)
    return jnp.asarray(array, dtype)


def _check_integers(name: str, x: Any) -> None:
    if not (hasattr(x, "dtype") and jnp.issubdtype(x.dtype, jnp.integer)):
        remedy = "Convert it with jnp.asarray(x, dtype=jnp.int32)."
        fail(name, "x", "be an array of integers", describe(x), remedy, error=ArgumentTypeError)


def _check_in_range(name: str, x: Any, count: int) -> None:
    """Raises at the first concrete index that is not in the table."""
    if not concrete(x):
        return
    indices = np.asarray(x)
    bad = np.argwhere((indices < 0) | (indices >= count))
    if len(bad):
        at = tuple(bad[0].tolist())
        rule, got = f"hold indices in [0, {count})", f"{indices[at]} at index {at}"
        fail(name, "x", rule, got, "Correct it, or make the vocabulary larger.")
