"""Jaxprs read equation by equation, for transformations that change what an equation does."""

from collections.abc import Callable, Sequence
from typing import Any

from jax.extend import core

__all__ = ["evaluate"]

CALLS = {
    "closed_call": "call_jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "jit": "jaxpr",
    "pjit": "jaxpr",
}
"""Primitives that call a jaxpr, and the parameter that holds it."""


def evaluate(
    jaxpr: Any,
    consts: Sequence[Any],
    args: Sequence[Any],
    apply: Callable[[Any, list[Any]], Sequence[Any]],
    wrap: Callable[[Any], Any] = lambda value: value,
) -> list[Any]:
    """The results of a jaxpr, with what it calls read through.

    Args:
      jaxpr: A jaxpr.
      consts: The values of its constants.
      args: The values of its arguments, of any kind that ``apply`` takes.
      apply: ``apply(equation, values) -> results``, what an equation does.
      wrap: Makes such a value of a constant or a literal.
    """
    env: dict[Any, Any] = dict(zip(jaxpr.constvars, map(wrap, consts), strict=True))
    env.update(zip(jaxpr.invars, args, strict=True))

    def read(atom: Any) -> Any:
        return wrap(atom.val) if isinstance(atom, core.Literal) else env[atom]

    for equation in jaxpr.eqns:
        values = [read(atom) for atom in equation.invars]
        if equation.primitive.name in CALLS:
            inner = equation.params[CALLS[equation.primitive.name]]
            results = evaluate(inner.jaxpr, inner.consts, values, apply, wrap)
        else:
            results = list(apply(equation, values))
        env.update(zip(equation.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars]
