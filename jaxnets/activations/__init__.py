"""Activation functions: pure, jitted, with their conventions written down.

Each takes a floating array of any shape and returns one of the same shape and dtype. Python
floats are taken too; integers are an error, as their derivative means nothing. Options are
keyword-only Python values and part of the compiled program.

Float16 and bfloat16 are computed in float32 and rounded once, at the end. NaN gives NaN. Values
and derivatives at plus and minus infinity are the limits, wherever those exist. At a kink the
derivative is PyTorch's.

Most of this is ``jax.nn``; `jaxnets.activations.exact` says where a derivative is written out,
and why.
"""

from jaxnets.activations.gated import gelu, mish, silu
from jaxnets.activations.rectifiers import celu, elu, leaky_relu, prelu, relu, relu6, selu
from jaxnets.activations.sigmoids import (
    hard_sigmoid,
    hard_tanh,
    log_sigmoid,
    sigmoid,
    softplus,
    softsign,
    tanh,
)
from jaxnets.activations.softmax import log_softmax, softmax
from jaxnets.activations.threshold import identity, step

__all__ = [
    "celu",
    "elu",
    "gelu",
    "hard_sigmoid",
    "hard_tanh",
    "identity",
    "leaky_relu",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "prelu",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "softsign",
    "step",
    "tanh",
]
