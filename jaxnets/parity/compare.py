"""A derivative by hand against autodiff and against central differences, leaf by leaf."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import jax
import numpy as np

from jaxnets.checks import check_callable, require_type
from jaxnets.dtypes import is_floating
from jaxnets.errors import public, require
from jaxnets.parity.leaves import Reference
from jaxnets.parity.programs import precision
from jaxnets.parity.references import references
from jaxnets.parity.report import Report
from jaxnets.paths import named_leaves

__all__ = ["check", "compare", "evaluated"]


@public
def check(
    fn: Callable[..., Any],
    by_hand: Callable[..., Any],
    at: Any,
    *args: Any,
    kinks: Collection[str] = (),
) -> Report:
    """Compare a derivative written by hand with autodiff and with central differences.

    Works on any function and any formula, not only on those of this library. The configuration
    of JAX is left as it is: float64 is switched on and off within.

    Args:
      fn: ``fn(at, *args) -> value``, a function that JAX can differentiate. The value is a
        floating array or a pytree of them.
      by_hand: ``by_hand(at, *args) -> (value, backward)``, where ``backward(d_value) -> d_at``
        takes the gradient of a loss by the value and returns the one by ``at``. For a scalar
        value the gradient itself may be returned: ``(value, gradient)``. It gets NumPy arrays.
      at: Where to differentiate: a floating array or a pytree of them.
      args: Further arrays, or pytrees of them, that ``fn`` is not differentiated by.
      kinks: Names of entries of the dict ``at`` in which ``fn`` may have no derivative, only a
        convention for it: where the slopes on both sides differ, the derivative by hand may be
        any between them. (Autodiff has its own convention, and is compared with everywhere.)

    Returns:
      A `Report` against autodiff in float64 and in float32 and against central differences in
      float64. A leaf that is missing, or that has another shape or dtype than autodiff's, is an
      error of its own and not within any tolerance.

    Raises:
      TypeError: If ``fn`` or ``by_hand`` cannot be called, ``at`` or the value is not floating,
        or ``by_hand`` does not return a pair.
      ValueError: If ``at`` has no elements, ``kinks`` are not entries of it, or ``by_hand``
        returns a gradient in place of ``backward`` for a value that is not a scalar.

    Example:
      >>> def cubes(x):
      ...     return (x**3).sum()
      >>> x = np.array([1.0, -2.0])
      >>> check(cubes, lambda x: (np.sum(x**3), 3 * x**2), x).ok
      True
      >>> report = check(cubes, lambda x: (np.sum(x**3), 3 * x * np.abs(x)), x)
      >>> report.ok, report.worst["float64"].leaf, report.worst["float64"].where
      (False, 'gradient', (1,))
    """
    check_callable("fn", fn, "Pass a function that JAX can differentiate.")
    check_callable("by_hand", by_hand, "Pass a function that returns (value, gradient).")
    _check_floating("at", at)
    filled = any(np.size(leaf) for leaf in jax.tree.leaves(at))
    require(filled, "at", "hold at least one element", at, "Pass at=np.ones(3), for example.")
    _check_kinks(kinks, at)
    _check_floating("the value of fn", jax.eval_shape(fn, at, *args))
    name = getattr(fn, "__name__", type(fn).__name__)
    return compare(name, by_hand, references(fn, at, *args, kinks=kinks))


def compare(
    name: str,
    by_hand: Callable[..., Any],
    references: Iterable[Reference],
    *,
    kind: str = "function",
    compared: str = "",
) -> Report:
    """A formula as `check` takes it, against references that are already there."""
    errors = {
        reference.column: reference.errors(evaluated(by_hand, reference))
        for reference in references
    }
    return Report(name, kind, errors, compared)


def evaluated(by_hand: Callable[..., Any], reference: Reference) -> dict[str, Any]:
    """The leaves of a formula's value and gradient, at the inputs of a reference."""
    with precision(np.float32 if reference.column == "float32" else np.float64):
        result = by_hand(*reference.inputs)
        rule, remedy = "return (value, backward)", "Return the two as a tuple."
        is_pair = isinstance(result, tuple) and len(result) == 2
        require_type(is_pair, "by_hand", result, rule, remedy)
        value, backward = result
        is_scalar = getattr(reference.cotangent, "shape", None) == ()
        rule += ", as the value is not a scalar"
        remedy = "Return backward(d_value) -> d_at, such as lambda d_value: d_value * slope."
        require(callable(backward) or is_scalar, "by_hand", rule, backward, remedy)
        gradient = backward(reference.cotangent) if callable(backward) else backward
        return named_leaves({"value": value, "gradient": gradient})


def _check_floating(argument: str, tree: Any) -> None:
    rule = "be a floating array or a pytree of them"
    remedy = "Convert it with np.asarray(..., np.float64)."
    for leaf in jax.tree.leaves(tree):
        typed = leaf if hasattr(leaf, "dtype") else np.asarray(leaf)
        require_type(is_floating(typed), argument, leaf, rule, remedy)


def _check_kinks(kinks: Collection[str], at: Any) -> None:
    entries = set(at) if isinstance(at, Mapping) else set()
    remedy = "Pass at={'smooth': ..., 'kinks': ...}, kinks=['kinks'], for example."
    for kink in kinks:
        require(kink in entries, "kinks", "name entries of the dict at", repr(kink), remedy)
