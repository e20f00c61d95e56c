"""Models made of Models.

Containers (`sequential`, `parallel`) hold one entry of parameters per child, keyed by the child's
name; the others (`residual`, `mlp`, `perceptron`) have just the parameters of the Model inside.
A layer passed twice makes two layers, each with its own parameters.

All refuse what is no layer with a ``TypeError``, and whatever does not fit with a ``ValueError``;
an error within a layer says in which one, as in ``layer 1 > dense(3): ...``.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxnets.activations import relu, sigmoid
from jaxnets.checks import check_callable, check_fraction, check_integer
from jaxnets.children import joined, named_children, only_child
from jaxnets.errors import ArgumentTypeError, concrete, describe, fail, require
from jaxnets.layers.contract import check_example
from jaxnets.layers.dense import dense
from jaxnets.layers.dropout import dropout
from jaxnets.making import Combination, Made, factory
from jaxnets.model import Example, Layer, Model, Params, as_model

__all__ = ["mlp", "parallel", "perceptron", "residual", "sequential"]


@factory()
def sequential(*layers: Layer, **named_layers: Layer) -> Combination:
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

    def init(key: jax.Array | None, x: Example) -> Made:
        made: list[Made] = []
        for child in children:
            made.append(child.init(key, x))
            x = made[-1].output
        return joined(children, made, output=x)

    def apply(params: Params, x: Any, *, key: jax.Array | None = None) -> Any:
        for child in children:
            x = child.apply(params, x, key)
        return x

    return Combination(init, apply)


@factory()
def parallel(
    *layers: Layer, combine: Callable[..., Any] = jnp.add, **named_layers: Layer
) -> Combination:
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

    Example:
      >>> import jaxnets as jn
      >>> net = parallel(jnp.sin, jnp.cos, combine=lambda ys: jnp.concatenate(ys, axis=-1))
      >>> net.apply({}, jnp.zeros((4, 1))).tolist()[0]
      [0.0, 1.0]
      >>> list(parallel(wide=dense(3), skip=dense(3)).init(jax.random.key(0), jnp.ones((4, 2))))
      ['wide', 'skip']
    """
    children = named_children("parallel", layers, named_layers)
    check_callable("combine", combine, "Pass combine=jnp.add, for example.")

    def combined(outputs: list[Any]) -> Any:
        if not isinstance(combine, jnp.ufunc):
            return combine(outputs)
        _check_one_shape([str(child.name) for child in children], outputs)
        return functools.reduce(combine, outputs)

    def init(key: jax.Array | None, x: Example) -> Made:
        made = [child.init(key, x) for child in children]
        return joined(children, made, jax.eval_shape(combined, [each.output for each in made]))

    def apply(params: Params, x: Any, *, key: jax.Array | None = None) -> Any:
        return combined([child.apply(params, x, key) for child in children])

    return Combination(init, apply)


def _check_one_shape(names: list[str], outputs: list[Any]) -> None:
    """Raise unless all outputs have one shape: nothing is broadcast."""
    shapes = [jnp.shape(output) for output in outputs]
    if len(set(shapes)) > 1:
        got = ", ".join(
            f"{shape} from layer {name}" for name, shape in zip(names, shapes, strict=True)
        )
        remedy = (
            "Give the layers equal widths, or pass "
            "combine=lambda outputs: jnp.concatenate(outputs, axis=-1)."
        )
        fail("outputs", "have one shape to be combined by a ufunc", got, remedy)


@factory()
def residual(model: Layer) -> Combination:
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

    Example:
      >>> double = residual(lambda x: x)
      >>> double.apply({}, jnp.array([1.0, 2.0])).tolist()
      [2.0, 4.0]

    References:
      He, Zhang, Ren and Sun, "Deep residual learning for image recognition", 2015.
    """
    child = only_child(model)

    def around(x: jax.Array, y: jax.Array) -> jax.Array:
        remedy = f"Let it end in jn.dense({x.shape[-1]}), for example."
        rule = f"return the shape of its input, {x.shape}"
        require(y.shape == x.shape, "model", rule, str(y.shape), remedy)
        return jnp.add(x, y)

    def init(key: jax.Array | None, x: Example) -> Made:
        made = child.init(key, x)
        if made.output is None:
            return made
        return made._replace(output=jax.eval_shape(around, x, made.output))

    def apply(params: Params, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        check_example(x, floating=False)
        return around(x, child.apply(params, x, key))

    return Combination(init, apply)


@factory(too_many="Pass the widths in one list: jn.mlp([10, 1]).")
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
      dropout_rate: Probability of dropping a unit after each ``activation``; it may be traced.
        At 0 there are no dropout layers, so a dense layer comes at every second position, else
        at every third.

    Returns:
      The `sequential` of those layers, keyed by position.

    Example:
      >>> import jaxnets as jn
      >>> net = jn.mlp([10, 10, 10, 1], jn.sigmoid, output_activation=jn.sigmoid)
      >>> list(net.init(jax.random.key(0), jax.ShapeDtypeStruct((4, 2), "float32")))
      ['0', '2', '4', '6']
    """
    is_list = isinstance(widths, list | tuple)
    got, remedy = describe(widths), "Pass widths=[10, 1], for example."
    require(is_list, "widths", "be a list or a tuple", got, remedy, error=ArgumentTypeError)
    require(widths, "widths", "hold at least one width", got, remedy)
    _check_activation("activation", activation)
    between: list[Layer] = [activation]
    rate = check_fraction("dropout_rate", dropout_rate)
    if not concrete(rate) or rate > 0:
        between.append(dropout(dropout_rate))
    layers: list[Layer] = []
    for i, width in enumerate(widths):
        layers += between if layers else []
        layers.append(dense(check_integer(f"widths[{i}]", width, minimum=1)))
    if output_activation is not None:
        _check_activation("output_activation", output_activation)
        layers.append(output_activation)
    return sequential(*layers)


def _check_activation(argument: str, value: Layer) -> None:
    check_callable(argument, value, f"Pass {argument}=jn.relu, for example.")
    as_model(value, argument)


@factory()
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
    unit = only_child(dense(1))

    def apply(params: Params, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        return jnp.squeeze(sigmoid(unit.apply(params, x, key)), axis=-1)

    return Model(unit.model.init, apply)
