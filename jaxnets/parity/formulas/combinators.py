"""Layers made of layers, under the contract of `layers`: ``f(params, x) -> (y, backward)``."""

import functools
import itertools
import math
from collections.abc import Sequence
from typing import Any

from jaxnets.parity.formulas.activations.sigmoids import sigmoid
from jaxnets.parity.formulas.arrays import bracket, namespace
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


def parallel(*layers: Any, combine: str = "add") -> Any:
    """Layers side by side, their outputs combined.

      add          y = f_0(x) + ... + f_n(x)         d_f_i = d_y
      multiply     y = f_0(x) f_1(x) ... f_n(x)      d_f_i = d_y times the others
      maximum      y = max(f_0(x), ..., f_n(x))      d_f_i = d_y [f_i(x) = y]
      concatenate  y = (f_0(x), ..., f_n(x))         d_f_i = the part of d_y of f_i

      d_x = d_x of f_0 + ... + d_x of f_n            (x acts through all of them)

    dy/df_i is 1 in the sum, the product of the others in the product, and 1 for the largest and 0
    for the others in the maximum, which is smooth wherever one alone is largest. What a layer makes
    of its d_f_i stands with that layer.

    Symbols: x the input [..., in]; f_i(x) and d_f_i [..., out]; y and d_y [..., out], concatenated
    [..., sum of all out]; d_x of the shape of x. Parameters are keyed as those of sequential.
    """

    def layer(params: Any, x: Any) -> ValueAndBackward:
        outputs, backwards = zip(
            *(child(params.get(str(i), {}), x) for i, child in enumerate(layers)), strict=True
        )
        y, by_output = _combined(outputs, combine)

        def backward(d_y: Any) -> tuple[Any, Any]:
            ways = zip(backwards, by_output(d_y), strict=True)
            gradients = [child_backward(d_f) for child_backward, d_f in ways]
            d_params = {name: gradients[int(name)][0] for name in params}
            return d_params, sum(d_x for _, d_x in gradients)

        return y, backward

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


def _combined(outputs: Sequence[Any], combine: str) -> tuple[Any, Any]:
    """The outputs combined, and the gradients by each of them as a function of d_y."""
    xp, places = namespace(outputs[0]), range(len(outputs))
    if combine == "add":
        return sum(outputs), lambda d_y: [d_y for _ in places]
    if combine == "multiply":
        others = [math.prod(outputs[j] for j in places if j != i) for i in places]
        return math.prod(outputs), lambda d_y: [d_y * other for other in others]
    if combine == "maximum":
        y = functools.reduce(xp.maximum, outputs)
        return y, lambda d_y: [d_y * bracket(output == y, y) for output in outputs]
    ends = list(itertools.accumulate(output.shape[-1] for output in outputs))
    return xp.concat(outputs, axis=-1), lambda d_y: xp.split(d_y, ends[:-1], axis=-1)
