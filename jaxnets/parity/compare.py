"""A derivative by hand against autodiff and against central differences, leaf by leaf."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.checks import ArgumentTypeError, check_callable, describe, fail
from jaxnets.parity.leaves import leaf_error, leaves
from jaxnets.parity.references import Reference, precision, references
from jaxnets.parity.report import Comparison, Report

__all__ = ["check", "compare", "compared", "evaluated"]


def check(
    fn: Callable[..., Any],
    by_hand: Callable[..., Any],
    at: Any,
    *args: Any,
    kinks: Collection[str] = (),
) -> Report:
    """Compares a derivative written by hand with autodiff and with central differences.

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
      kinks: Names of entries of the dict ``at`` at which ``fn`` has no derivative, only a
        convention for it: central differences know nothing of that and are not compared there.

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
      >>> report = check(cubes, lambda x: (np.sum(x**3), 3.15 * x**2), x)
      >>> report.ok, report.comparisons[0].worst.leaf, report.comparisons[0].worst.where
      (False, 'gradient', (1,))
    """
    check_callable("check", "fn", fn, "Pass a function that JAX can differentiate.")
    check_callable("check", "by_hand", by_hand, "Pass a function that returns (value, gradient).")
    _check_floating("at", at)
    if not any(np.size(leaf) for leaf in jax.tree.leaves(at)):
        fail("check", "at", "hold at least one element", at, "Pass at=np.ones(3), for example.")
    _check_kinks(kinks, at)
    _check_floating("the value of fn", jax.eval_shape(fn, at, *args))
    name = getattr(fn, "__name__", type(fn).__name__)
    return compare(name, by_hand, references(fn, at, *args, kinks=kinks))


def compare(name: str, by_hand: Callable[..., Any], references: Iterable[Reference]) -> Report:
    """A formula as `check` takes it, against references that are already there."""
    return Report(
        name, tuple(compared(evaluated(by_hand, reference), reference) for reference in references)
    )


def evaluated(by_hand: Callable[..., Any], reference: Reference) -> dict[str, Any]:
    """The leaves of a formula's value and gradient, at the inputs of a reference."""
    with precision(reference.dtype):
        result = by_hand(*reference.inputs)
        if not (isinstance(result, tuple) and len(result) == 2):
            rule, remedy = "return (value, backward)", "Return the two as a tuple."
            fail("check", "by_hand", rule, result, remedy, error=ArgumentTypeError)
        value, backward = result
        is_scalar = getattr(reference.cotangent, "shape", None) == ()
        if not callable(backward) and not is_scalar:
            rule = "return (value, backward), as the value is not a scalar"
            remedy = "Return backward(d_value) -> d_at, such as lambda d_value: d_value * slope."
            fail("check", "by_hand", rule, backward, remedy)
        gradient = backward(reference.cotangent) if callable(backward) else backward
        return leaves(value=value, gradient=gradient)


def compared(found: Mapping[str, Any], reference: Reference) -> Comparison:
    """The leaves of a formula against those of a reference."""
    paths = dict.fromkeys([*reference.leaves, *(found if reference.complete else ())])
    return Comparison(
        reference.name,
        tuple(leaf_error(path, found.get(path), reference.leaves.get(path)) for path in paths),
    )


def _check_floating(argument: str, tree: Any) -> None:
    for leaf in jax.tree.leaves(tree):
        dtype = leaf.dtype if hasattr(leaf, "dtype") else np.asarray(leaf).dtype
        if not jnp.issubdtype(dtype, jnp.floating):
            rule = "be a floating array or a pytree of them"
            remedy = "Convert it with np.asarray(..., np.float64)."
            fail("check", argument, rule, describe(leaf), remedy, error=ArgumentTypeError)


def _check_kinks(kinks: Collection[str], at: Any) -> None:
    entries = set(at) if isinstance(at, Mapping) else set()
    for kink in kinks:
        if kink not in entries:
            remedy = "Pass at={'smooth': ..., 'kinks': ...}, kinks=['kinks'], for example."
            fail("check", "kinks", "name entries of the dict at", repr(kink), remedy)
