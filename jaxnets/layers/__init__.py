"""Layers: Models with parameters or with randomness.

Parameters have the dtype of the example input that ``init`` is given, and outputs the dtype
that input and parameters promote to: float16 in, float16 out. Inputs are ``[..., features]``
with any leading axes. A layer that draws nothing needs no key: ``init(None, x)`` will do.

A layer refuses options, inputs and parameters that do not fit: a ``TypeError`` for a wrong type
or dtype, a ``ValueError`` for a wrong value or shape. Nothing is broadcast: an entry of ``params``
has the very shape that ``init`` gave it. Shapes and dtypes are checked while tracing, once.

Names of parameters: ``w`` ([in, out]) and ``b`` ([out]) of `dense`, ``table`` ([vocabulary,
features]) of `embedding`, ``scale`` and ``shift`` ([features]) of the normalisations, ``alpha``
of `parametric_relu`.
"""

from jaxnets.layers.dense import dense
from jaxnets.layers.dropout import dropout
from jaxnets.layers.embedding import embedding
from jaxnets.layers.flatten import flatten
from jaxnets.layers.normalization import layer_norm, rms_norm
from jaxnets.layers.parametric_relu import parametric_relu

__all__ = [
    "dense",
    "dropout",
    "embedding",
    "flatten",
    "layer_norm",
    "parametric_relu",
    "rms_norm",
]
