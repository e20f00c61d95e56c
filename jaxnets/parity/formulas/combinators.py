"""Layers made of layers, under the contract of `layers`: ``f(params, x) -> (y, backward)``."""

from typing import Any

from jaxnets.parity.formulas.activations import sigmoid
from jaxnets.parity.formulas.arrays import namespace
from jaxnets.parity.formulas.layers import ValueAndBackward, dense

__all__ = ["elementwise", "parallel", "perceptron", "residual", "sequential"]


def elementwise(activation: Any) -> Any:
    """An activation of one element as a layer without parameters.

      y   = f(x)
      d_x = d_y f'(x)                                (element by element)

    Symbols: x the input, f(x), f'(x), y, d_y, d_x any shape, all the same.
    """

    def layer(params: Any, x: Any, **options: Any) -> ValueAndBackward:
        value, slope = activation(x, **options)
        return value, lambda d_y: ({}, d_y * slope)

    return layer


def sequential(*layers: Any) -> Any:
    """Layers one after the other.

      x_0     = x
      x_(i+1) = f_i(x_i)                             i = 0 ... n - 1
      y       = x_n

    By the chain rule the gradient goes through them in the opposite order: each layer takes the
    gradient by its output, and gives the one by its input to the layer before it:

      d_x_n                 = d_y
      d_params_i, d_x_i     = backward_i(d_x_(i+1))  i = n - 1 ... 0
      d_x                   = d_x_0

    Symbols: n the number of layers; x_i the input of layer i and d_x_i, of the shape that it
    takes; f_i the layer and backward_i its own way back; d_params_i of the shapes of its
    parameters. Parameters are {"0": those of layer 0, ...}; layers without them have no entry.
    """

    def layer(params: Any, x: Any) -> ValueAndBackward:
        backwards = {}
        for i, child in enumerate(layers):
            x, backwards[str(i)] = child(params.get(str(i), {}), x)

        def backward(d_x: Any) -> tuple[Any, Any]:
            d_params = {}
            for name, child_backward in reversed(backwards.items()):
                d_params[name], d_x = child_backward(d_x)
            return {name: d_params[name] for name in params}, d_x

        return x, backward

    return layer


def parallel(*layers: Any) -> Any:
    """Layers side by side, their outputs added.

      y   = f_0(x) + ... + f_n(x)
      d_x = d_x of f_0 + ... + d_x of f_n            (x acts through all of them)

    Each layer gets d_y as it is, for dy/df_i = 1; what it makes of it stands with that layer.

    Symbols: x the input [..., in]; f_i(x), y and d_y [..., out]; d_x of the shape of x.
    Parameters are keyed as those of sequential.
    """

    def layer(params: Any, x: Any) -> ValueAndBackward:
        outputs, backwards = zip(
            *(child(params.get(str(i), {}), x) for i, child in enumerate(layers)), strict=True
        )

        def backward(d_y: Any) -> tuple[Any, Any]:
            gradients = [child_backward(d_y) for child_backward in backwards]
            d_params = {name: gradients[int(name)][0] for name in params}
            return d_params, sum(d_x for _, d_x in gradients)

        return sum(outputs), backward

    return layer


def residual(inner: Any) -> Any:
    """A layer with a way around it.

      y   = x + f(x)
      d_x = d_y + (d_x of the layer f)               (x acts directly and through f)

    f gets d_y as it is, for dy/df = 1, and so its parameters' gradients are what f makes of d_y.

    Symbols: x the input, f(x), y, d_y, d_x any shape, all the same. Parameters are those of f.
    """

    def layer(params: Any, x: Any) -> ValueAndBackward:
        y, inner_backward = inner(params, x)

        def backward(d_y: Any) -> tuple[Any, Any]:
            d_params, d_x = inner_backward(d_y)
            return d_params, d_y + d_x

        return x + y, backward

    return layer


def perceptron(params: Any, x: Any) -> ValueAndBackward:
    """A single sigmoid unit, whose output has no axis of features.

      l   = x w + b
      y   = sigmoid(l)
      d_l = d_y y (1 - y)                            (see sigmoid)
      d_w = x^T d_l,   d_b = sum of d_l,   d_x = d_l w^T             (see dense)

    The last axis of l, of length 1, is left out of y.

    Symbols: x the input and d_x [..., features]; w and d_w [features, 1]; b and d_b [1]; l and
    d_l [..., 1]; y and d_y [...].
    """
    l1, dense_backward = dense(params, x)
    y, slope = sigmoid(l1)
    y = namespace(x).squeeze(y, axis=-1)
    return y, lambda d_y: dense_backward(d_y[..., None] * slope)
