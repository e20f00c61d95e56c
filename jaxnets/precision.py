"""Mixed precision: parameters kept in float32, computation in a narrower type."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.checks import check_floating_dtype
from jaxnets.children import only_child
from jaxnets.dtypes import at_least_float32, is_floating
from jaxnets.making import Combination, Made, factory
from jaxnets.model import Example, Layer, Params

__all__ = ["with_precision"]


@factory()
def with_precision(model: Layer, compute: Any = jnp.bfloat16) -> Combination:
    r"""A Model that computes in a narrower type, with float32 parameters and outputs.

    Parameters and inputs are rounded to ``compute`` on their way into ``model`` and its output
    is widened again. Because rounding has the derivative 1, gradients arrive in the dtype of the
    parameters, so an optimizer's small updates are not lost:

    .. math:: y = \text{wide}(f_{\text{round}(\theta)}(\text{round}(x)))

    Only floating arrays are touched: indices and keys stay as they are. float16 has so little
    range that gradients of a mean loss may vanish on the way back, unless the loss is scaled
    up; bfloat16 has the range of float32.

    Args:
      model: The Model or function f to wrap.
      compute: The floating dtype to compute in.

    Returns:
      A Model with parameters of the same structure. Parameters that ``init`` draws, and
      outputs, are float32, or the widest type of x (and for outputs of the parameters) if that
      is wider.

    Example:
      >>> import jaxnets as jn
      >>> net = with_precision(jn.dense(1, use_bias=False))
      >>> x = jnp.array([[1.0]])
      >>> params = net.init(jax.random.key(0), x)
      >>> params["w"].dtype.name, net.apply({"w": jnp.array([[1.001]])}, x).tolist()
      ('float32', [[1.0]])

    References:
      Micikevicius et al., "Mixed precision training", 2018.
    """
    child = only_child(model)
    compute = check_floating_dtype("compute", compute, example="jnp.bfloat16")

    def init(key: jax.Array | None, x: Example) -> Made:
        made = child.init(key, _widened(x))
        return made._replace(params=_widened(made.params), output=None)

    def apply(params: Params, x: Any, *, key: jax.Array | None = None) -> Any:
        narrow = _cast_to(compute)
        y = child.apply(narrow(params), narrow(x), key)
        return _cast_to(_widest((params, x)))(y)

    return Combination(init, apply)


def _cast_to(dtype: Any) -> Callable[[Any], Any]:
    """A function that gives a tree with every floating leaf in ``dtype``."""

    def cast(leaf: Any) -> Any:
        return leaf.astype(dtype) if is_floating(leaf) else leaf

    return functools.partial(jax.tree.map, cast)


def _widened(tree: Any) -> Any:
    """The tree with every floating leaf, array or shape, in float32 or wider."""

    def widen(leaf: Any) -> Any:
        if not is_floating(leaf):
            return leaf
        dtype = at_least_float32(leaf.dtype)
        if isinstance(leaf, jax.ShapeDtypeStruct):
            return jax.ShapeDtypeStruct(leaf.shape, dtype)
        return jnp.asarray(leaf, dtype)

    return jax.tree.map(widen, tree)


def _widest(tree: Any) -> Any:
    """The dtype that float32 and all floating leaves promote to."""
    dtypes = (leaf.dtype for leaf in jax.tree.leaves(tree) if is_floating(leaf))
    # Not jnp.result_type: jax_numpy_dtype_promotion may be strict.
    return functools.reduce(np.promote_types, dtypes, np.dtype(np.float32))
