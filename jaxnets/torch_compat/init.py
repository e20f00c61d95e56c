"""Parameters as PyTorch draws them."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np

from jaxnets.errors import ArgumentTypeError, fail, public
from jaxnets.layers.contract import check_example
from jaxnets.model import Example, Layer, Model, Params, as_model
from jaxnets.torch_compat.rng import TorchGenerator, check_seed

__all__ = ["torch_init"]


@public
def torch_init(model: Layer, x: Example, seed: int | TorchGenerator) -> Params:
    r"""Parameters as PyTorch would have drawn them after ``torch.manual_seed(seed)``.

    .. math:: w_{ij},\, b_j \sim U(-1/\sqrt{n_{in}},\; 1/\sqrt{n_{in}})

    Layers are drawn in the order in which ``model.init`` makes them: children keyed by
    position by their number, named children in the order of the dict. (A dict that has been
    through ``jax.tree.map`` or ``jax.jit`` inside ``init`` has lost its order: its names are
    sorted.) What is drawn:

    - a dense layer, ``{"w": [in, out]}`` with or without ``"b": [out]``: like ``Linear``, the
      weight of shape ``[out, in]`` first, returned transposed, then the bias;
    - an embedding, ``{"table": [vocabulary, features]}``: like ``Embedding``, normal with mean
      0 and standard deviation 1.

    Every other parameter is what ``model.init`` gives with
    ``jax.random.key(seed & 0xffffffff)``. Those that start at constants, such as the scale of a
    normalisation, PyTorch does not draw either. Those that are drawn are not PyTorch's, and
    dense layers after them differ from PyTorch's too, as its stream would have moved on.

    Args:
      model: Any Model.
      x: Example input or a ``jax.ShapeDtypeStruct``. Parameters get the dtype that ``model``
        gives them for it, which is float32 for float32 and float64 for float64; float64 draws
        53 bits per value, as PyTorch does for float64 layers.
      seed: A whole number from -2**63 to 2**64 - 1, or a `TorchGenerator`, which is then
        advanced: several models can be drawn from one stream.

    Returns:
      ``params`` of the structure that ``model.init`` returns.

    Raises:
      TypeError: If ``model`` is neither a Model nor a function, ``seed`` is not a whole number,
        or the parameters are not float32 or float64.
      ValueError: If ``seed`` is out of range.

    Example:
      The weight of ``torch.nn.Linear(2, 1)`` after ``torch.manual_seed(777)``:

      >>> params = torch_init(jn.dense(1), jnp.zeros((4, 2)), 777)
      >>> print(params["w"].T, params["b"])
      [[-0.591261   -0.01253355]] [-0.13676392]

    References:
      ``torch.nn.Linear.reset_parameters`` and ``torch.nn.Embedding.reset_parameters``, PyTorch
      2.13.
    """
    model = as_model(model)
    check_example(x, floating=False)
    generator = seed if isinstance(seed, TorchGenerator) else TorchGenerator(check_seed(seed))
    params = _draw(_shapes(model, x), generator)
    if not any(isinstance(leaf, jax.ShapeDtypeStruct) for leaf in jax.tree.leaves(params)):
        return params
    made = model.init(jax.random.key(generator.seed & 0xFFFFFFFF), x)
    completed: Params = _complete(params, made)
    return completed


def _shapes(model: Model, x: Example) -> Params:
    """Shapes and dtypes of the parameters, in the order in which ``init`` makes them.

    They are taken while ``init`` is being traced, because ``jax.eval_shape`` sorts the names.
    """
    shapes: Params = {}

    def init(x: Example) -> Params:
        params = model.init(jax.random.key(0), x)
        shapes.update(_leaf_shapes(params))
        return params

    jax.eval_shape(init, x)
    return shapes


def _leaf_shapes(params: Any) -> Any:
    """The nested dict with a ``jax.ShapeDtypeStruct`` in place of every array."""
    if isinstance(params, Mapping):
        return {name: _leaf_shapes(child) for name, child in params.items()}
    if not (hasattr(params, "shape") and hasattr(params, "dtype")):
        rule = "have parameters that are a nested dict of arrays"
        fail("model", rule, params, "Return such a dict from init.")
    return jax.ShapeDtypeStruct(params.shape, params.dtype)


def _draw(shapes: Params, generator: TorchGenerator) -> Params:
    """The layers that PyTorch draws; other parameters stay shapes."""
    if _is_dense(shapes):
        return _draw_dense(shapes, generator)
    if _is_embedding(shapes):
        table = shapes["table"]
        return {"table": jax.device_put(generator.normal(table.shape, dtype=_drawn_dtype(table)))}
    return {
        name: _draw(child, generator) if isinstance(child, dict) else child
        for name, child in _in_order(shapes)
    }


def _is_dense(shapes: Params) -> bool:
    """True for the parameters of one dense layer."""
    w, b = shapes.get("w"), shapes.get("b")
    if not (isinstance(w, jax.ShapeDtypeStruct) and w.ndim == 2):
        return False
    if shapes.keys() == {"w"}:
        return True
    is_bias = isinstance(b, jax.ShapeDtypeStruct) and b.shape == w.shape[1:]
    return is_bias and shapes.keys() == {"w", "b"}


def _is_embedding(shapes: Params) -> bool:
    """True for the parameters of one embedding."""
    table = shapes.get("table")
    is_table = isinstance(table, jax.ShapeDtypeStruct) and table.ndim == 2
    return is_table and shapes.keys() == {"table"}


def _in_order(shapes: Params) -> Iterator[tuple[str, Any]]:
    """The children as PyTorch makes them: by number where all have one, else as they stand."""
    names = list(shapes)
    if all(str(name).isdecimal() for name in names):
        names.sort(key=int)
    return ((name, shapes[name]) for name in names)


def _draw_dense(shapes: Params, generator: TorchGenerator) -> Params:
    """The weight, then the bias, as ``torch.nn.Linear`` draws them."""
    w = shapes["w"]
    fan_in, features = w.shape
    dtype = _drawn_dtype(w)
    bound = _kaiming_bound(fan_in)
    drawn = {"w": jax.device_put(generator.uniform((features, fan_in), -bound, bound, dtype).T)}
    if "b" in shapes:
        bound = 1 / math.sqrt(fan_in)
        drawn["b"] = jax.device_put(generator.uniform(features, -bound, bound, dtype))
    return drawn


def _kaiming_bound(fan_in: int) -> float:
    """1/sqrt(fan-in), rounded step by step as ``kaiming_uniform_(a=math.sqrt(5))`` rounds it.

    In float64 that is another last bit than the bias's bound has.
    """
    gain = math.sqrt(2 / (1 + math.sqrt(5) ** 2))
    return math.sqrt(3) * (gain / math.sqrt(fan_in))


def _drawn_dtype(shape: jax.ShapeDtypeStruct) -> np.dtype[Any]:
    """The dtype of a parameter, one of the two that PyTorch's stream is reproduced in."""
    dtype: np.dtype[Any] = np.dtype(shape.dtype)
    if dtype not in (np.float32, np.float64):
        rule, remedy = "give float32 or float64 parameters", "Pass x.astype(jnp.float32)."
        fail("x", rule, shape, remedy, error=ArgumentTypeError)
    return dtype


def _complete(drawn: Any, made: Any) -> Any:
    """Put what ``init`` made where nothing was drawn; unlike ``jax.tree.map``, keeps order."""
    if isinstance(drawn, dict):
        return {name: _complete(child, made[name]) for name, child in drawn.items()}
    return made if isinstance(drawn, jax.ShapeDtypeStruct) else drawn
