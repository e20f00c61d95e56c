"""Models made of Models.

Containers (`sequential`, `parallel`) hold one entry of parameters a child, keyed by the child's
name; the others (`residual`, `mlp`, `perceptron`) have just the parameters of the Model inside.
A layer passed twice makes two layers with parameters of their own.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxnets.activations import relu, sigmoid
from jaxnets.checks import (
    ArgumentTypeError,
    check_callable,
    check_example,
    check_fraction,
    check_integer,
    fail,
)
from jaxnets.children import named_children
from jaxnets.layers import dense, dropout
from jaxnets.model import Layer, Model, Params, as_model

__all__ = ["mlp", "parallel", "perceptron", "residual", "sequential"]


def sequential(*layers: Layer, **named_layers: Layer) -> Model:
    r"""Layers applied one after the other.

    .. math:: y = f_n(\dots f_1(f_0(x)))

    Children are keyed by their position, as in PyTorch's ``Sequential``, or by name when they
    are passed by keyword. Children without parameters have no entry. Child number i gets
    ``jax.random.fold_in(key, i)``.

    Args:
      *layers: Models or functions ``x -> y``.
      **named_layers: The same, by name, instead.

    Returns:
      A Model whose parameters are ``{name: parameters of the child}``.

    Raises:
      ValueError: If there is no layer, or layers are passed both ways.
      TypeError: If a layer is neither a Model nor callable.

    Example:
      >>> import jaxnets as jn
      >>> net = jn.sequential(jn.dense(10), jn.sigmoid, jn.dense(1), jn.sigmoid)
      >>> params = net.init(jax.random.key(0), jax.ShapeDtypeStruct((4, 2), "float32"))
      >>> jax.tree.map(lambda array: array.shape, params)
      {'0': {'b': (10,), 'w': (2, 10)}, '2': {'b': (1,), 'w': (10, 1)}}

    References:
      ``torch.nn.Sequential`` (PyTorch documentation).
    """
    children = named_children("sequential", layers, named_layers)

    def init(key: Any, x: Any) -> Params:
        params = {}
        for child in children:
            child_params, x = child.init(key, x)
            if child_params:
                params[child.name] = child_params
        return params

    def apply(params: Params, x: Any, *, key: Any = None) -> Any:
        for child in children:
            x = child.apply(params, x, key)
        return x

    return Model(init, apply)


def parallel(*layers: Layer, combine: Callable[..., Any] = jnp.add, **named_layers: Layer) -> Model:
    r"""Layers applied side by side to the same input, their outputs combined.

    .. math:: y = f_0(x) + f_1(x) + \dots + f_n(x)

    Children are keyed and get their PRNG keys as in `sequential`.

    Args:
      *layers: Models or functions ``x -> y``.
      combine: Either a ``jnp.ufunc`` of two arguments, such as ``jnp.add``, ``jnp.multiply`` or
        ``jnp.maximum``, applied from left to right to outputs that must have one shape; or any
        other function of the list of the outputs, such as
        ``lambda outputs: jnp.concatenate(outputs, axis=-1)``.
      **named_layers: The layers by name, instead; none can be called ``combine``.

    Returns:
      A Model whose parameters are ``{name: parameters of the child}``.

    Raises:
      ValueError: If there is no layer, or layers are passed both ways, or later if outputs of
        different shapes meet a ufunc.
      TypeError: If a layer is neither a Model nor callable, or ``combine`` is not callable.

    Example:
      >>> import jaxnets as jn
      >>> net = parallel(jnp.sin, jnp.cos, combine=lambda ys: jnp.concatenate(ys, axis=-1))
      >>> net.apply({}, jnp.zeros((4, 1))).tolist()[0]
      [0.0, 1.0]
      >>> list(parallel(wide=dense(3), skip=dense(3)).init(jax.random.key(0), jnp.ones((4, 2))))
      ['wide', 'skip']
    """
    children = named_children("parallel", layers, named_layers)
    check_callable("parallel", "combine", combine, "Pass combine=jnp.add, for example.")

    def init(key: Any, x: Any) -> Params:
        params = {child.name: child.init(key, x)[0] for child in children}
        return {name: child_params for name, child_params in params.items() if child_params}

    def apply(params: Params, x: Any, *, key: Any = None) -> Any:
        outputs = {child.name: child.apply(params, x, key) for child in children}
        if not isinstance(combine, jnp.ufunc):
            return combine(list(outputs.values()))
        _check_one_shape(outputs)
        return functools.reduce(combine, outputs.values())

    return Model(init, apply)


def _check_one_shape(outputs: dict[str, Any]) -> None:
    """Raises unless all outputs have one shape, for nothing is broadcast silently."""
    shapes = {name: jnp.shape(output) for name, output in outputs.items()}
    if len(set(shapes.values())) > 1:
        fail(
            "parallel",
            "outputs",
            "have one shape to be combined by a ufunc",
            ", ".join(f"{shape} from layer {name}" for name, shape in shapes.items()),
            "Give the layers equal widths, or pass "
            "combine=lambda outputs: jnp.concatenate(outputs, axis=-1).",
        )


def residual(model: Layer) -> Model:
    r"""A model with a way around it.

    .. math::
       y = x + f(x), \qquad
       \frac{\partial L}{\partial x} = g + \frac{\partial f}{\partial x}^T g
       \text{ for } g = \frac{\partial L}{\partial y}

    The gradient always passes by undiminished, which is what lets deep networks train.

    Args:
      model: A Model or function f whose output has the shape of its input.

    Returns:
      A Model of the same parameters as ``model``; its PRNG key goes to ``model`` as it is.

    Raises:
      TypeError: If ``model`` is neither a Model nor callable.
      ValueError: Later, if its output has another shape than its input.

    Example:
      >>> double = residual(lambda x: x)
      >>> double.apply({}, jnp.array([1.0, 2.0])).tolist()
      [2.0, 4.0]

    References:
      He, Zhang, Ren and Sun, "Deep residual learning for image recognition", 2015.
    """
    inner = as_model("residual", model, argument="model")

    def apply(params: Params, x: Any, *, key: Any = None) -> jax.Array:
        check_example("residual", x, floating=False)
        y: jax.Array = inner.apply(params, x, key=key)
        if y.shape != x.shape:
            fail(
                "residual",
                "model",
                f"return the shape of its input, {x.shape}",
                str(y.shape),
                f"Let it end in jn.dense({x.shape[-1]}), for example.",
            )
        return jnp.add(x, y)

    return Model(inner.init, apply)


def mlp(
    widths: Sequence[int],
    activation: Layer = relu,
    *,
    output_activation: Layer | None = None,
    dropout_rate: float = 0.0,
) -> Model:
    """A multilayer perceptron: dense layers with an activation between them.

    Args:
      widths: The number of units of each dense layer, the last being the output's. The input's
        width comes from the example input.
      activation: Applied after every dense layer but the last.
      output_activation: Applied after the last; None leaves it linear.
      dropout_rate: Probability of dropping a unit after each ``activation``. At 0 there are no
        dropout layers, so a dense layer comes at every second position, else at every third.

    Returns:
      The `sequential` of those layers, keyed by position.

    Raises:
      ValueError: If ``widths`` is empty, a width is below 1 or the rate is outside [0, 1).
      TypeError: If ``widths`` is not a sequence of whole numbers, or an activation is neither
        a Model nor callable.

    Example:
      >>> import jaxnets as jn
      >>> net = jn.mlp([10, 10, 10, 1], jn.sigmoid, output_activation=jn.sigmoid)
      >>> list(net.init(jax.random.key(0), jax.ShapeDtypeStruct((4, 2), "float32")))
      ['0', '2', '4', '6']
    """
    remedy = "Pass widths=[10, 1], for example."
    if not isinstance(widths, list | tuple):
        fail("mlp", "widths", "be a list or a tuple", widths, remedy, error=ArgumentTypeError)
    if not widths:
        fail("mlp", "widths", "hold at least one width", widths, remedy)
    _check_activation("activation", activation)
    between: list[Layer] = [activation]
    if check_fraction("mlp", "dropout_rate", dropout_rate) > 0:
        between.append(dropout(dropout_rate))
    layers: list[Layer] = []
    for i, width in enumerate(widths):
        layers += between if layers else []
        layers.append(dense(check_integer("mlp", f"widths[{i}]", width, minimum=1)))
    if output_activation is not None:
        _check_activation("output_activation", output_activation)
        layers.append(output_activation)
    return sequential(*layers)


def _check_activation(argument: str, value: Any) -> None:
    if not isinstance(value, Model):
        check_callable("mlp", argument, value, f"Pass {argument}=jn.relu, for example.")


def perceptron() -> Model:
    r"""Rosenblatt's single unit, with a sigmoid in place of the step so that it has a gradient.

    .. math:: y = \sigma(x \cdot w + b)

    The output has no axis of features: it fits targets of shape ``[batch]`` as they are.

    Returns:
      A Model from ``[..., features]`` to ``[...]``, in (0, 1), with parameters ``w``, shape
      ``[features, 1]``, and ``b``, shape ``[1]``, drawn as those of ``dense(1)``.

    Example:
      >>> unit = perceptron()
      >>> params = {"w": jnp.zeros((2, 1)), "b": jnp.zeros(1)}
      >>> unit.apply(params, jnp.ones((3, 2))).tolist()
      [0.5, 0.5, 0.5]

    References:
      Rosenblatt, "The perceptron: a probabilistic model for information storage and
      organization in the brain", 1958.
    """
    unit = dense(1)

    def apply(params: Params, x: Any, *, key: Any = None) -> jax.Array:
        return jnp.squeeze(sigmoid(unit.apply(params, x)), axis=-1)

    return Model(unit.init, apply)
