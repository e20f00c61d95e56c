"""Mixed precision: parameters kept in float32, computation in a narrower type."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxnets.checks import check_floating_dtype
from jaxnets.model import Layer, Model, Params, as_model

__all__ = ["with_precision"]


def with_precision(model: Layer, compute: Any = jnp.bfloat16) -> Model:
    r"""A Model that computes in a narrower type, with float32 parameters and outputs.

    Parameters and inputs are rounded to ``compute`` on their way into ``model`` and its output
    is widened again. Since rounding has the derivative 1, gradients arrive in the dtype of the
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

    Raises:
      TypeError: If ``model`` is neither a Model nor callable, or ``compute`` is not a floating
        dtype.

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
    inner = as_model("with_precision", model, argument="model")
    compute = check_floating_dtype("with_precision", "compute", compute, example="jnp.bfloat16")

    def init(key: Any, x: Any) -> Params:
        params: Params = _at_least_float32(inner.init(key, _at_least_float32(x)))
        return params

    def apply(params: Params, x: Any, *, key: Any = None) -> Any:
        y = inner.apply(_cast(params, compute), _cast(x, compute), key=key)
        return _cast(y, _widest((params, x)))

    return Model(init, apply)


def _is_floating(leaf: Any) -> bool:
    return hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jnp.floating)


def _cast(tree: Any, dtype: Any) -> Any:
    """Every floating leaf in ``dtype``."""
    return jax.tree.map(lambda leaf: leaf.astype(dtype) if _is_floating(leaf) else leaf, tree)


def _at_least_float32(tree: Any) -> Any:
    """Every floating leaf, which may be a ``jax.ShapeDtypeStruct``, in float32 or wider."""

    def widen(leaf: Any) -> Any:
        if not _is_floating(leaf):
            return leaf
        dtype = jnp.promote_types(leaf.dtype, jnp.float32)
        if isinstance(leaf, jax.ShapeDtypeStruct):
            return jax.ShapeDtypeStruct(leaf.shape, dtype)
        return jnp.asarray(leaf, dtype)

    return jax.tree.map(widen, tree)


def _widest(tree: Any) -> Any:
    """The dtype that float32 and all floating leaves promote to."""
    leaves = [leaf for leaf in jax.tree.leaves(tree) if _is_floating(leaf)]
    return jnp.result_type(jnp.float32, *leaves)
