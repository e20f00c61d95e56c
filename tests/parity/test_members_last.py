"""Every rule of the members-last transformation, against each member computed alone.

In float64 and element by element, with each operand mapped or not. The rules are found in the
module itself, so that one without a case here fails.
"""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxnets import members_last as module

MEMBERS = 5
EPS = np.finfo(np.float64).eps

UNARY = {
    "abs": lax.abs,
    "ceil": lax.ceil,
    "convert_element_type": lambda x: lax.convert_element_type(x, np.int32),
    "copy": jnp.copy,
    "cos": lax.cos,
    "erf": lax.erf,
    "exp": lax.exp,
    "exp2": lax.exp2,
    "expm1": lax.expm1,
    "floor": lax.floor,
    "integer_pow": lambda x: lax.integer_pow(x, 3),
    "logistic": lax.logistic,
    "neg": lax.neg,
    "round": lax.round,
    "sign": lax.sign,
    "sin": lax.sin,
    "square": lax.square,
    "tan": lax.tan,
    "tanh": lax.tanh,
}
POSITIVE = {"log": lax.log, "log1p": lax.log1p, "rsqrt": lax.rsqrt, "sqrt": lax.sqrt}
BINARY = {
    "add": lax.add,
    "add_any": lambda x, y: jax.vjp(lambda x: x * lax.sin(x), x)[1](y)[0],
    "atan2": lax.atan2,
    "div": lax.div,
    "ge": lax.ge,
    "gt": lax.gt,
    "le": lax.le,
    "lt": lax.lt,
    "max": lax.max,
    "min": lax.min,
    "mul": lax.mul,
    "rem": lax.rem,
    "sub": lax.sub,
}
LOGICAL = {
    "and": lax.bitwise_and,
    "not": lambda x, y: lax.bitwise_not(lax.bitwise_xor(x, y)),
    "or": lax.bitwise_or,
    "xor": lax.bitwise_xor,
}


def operands(*shapes, dtype=np.float64):
    rng = np.random.default_rng(0)
    return [rng.standard_normal((*shape, MEMBERS)).astype(dtype) for shape in shapes]


def cases():
    """Functions and their operands by the name of the rule that they go through."""
    one, two = operands((3, 4)), operands((3, 4), (3, 4))
    yield from ((name, function, one) for name, function in UNARY.items())
    yield from ((name, function, [np.abs(one[0]) + 0.1]) for name, function in POSITIVE.items())
    yield from ((name, function, two) for name, function in BINARY.items())
    yield from ((name, function, [a > 0 for a in two]) for name, function in LOGICAL.items())
    whole = [np.round(a) for a in two]
    yield from (("eq", lax.eq, whole), ("ne", lax.ne, whole))
    yield "is_finite", lax.is_finite, [np.where(one[0] > 0, np.inf, one[0])]
    yield "pow", lax.pow, [np.abs(two[0]), two[1]]
    yield "clamp", lax.clamp, [-np.abs(two[1]), two[0], np.abs(two[1])]
    yield "select_n", lax.select_n, [two[0] > 0, *operands((3, 4), (3, 4))]
    yield "broadcast_in_dim", lambda x: lax.broadcast_in_dim(x, (2, 3, 5, 4), (1, 3)), one
    yield "reshape", lambda x: lax.reshape(x, (2, 6)), one
    yield "transpose", lambda x: lax.transpose(x, (2, 0, 1)), operands((2, 3, 4))
    for left, right in itertools.product(range(2), range(3)):
        numbers = (((left,), (right,)), ((), ()))
        shapes = np.roll([3, 2], left), np.roll([3, 4, 5], right)
        yield (
            "dot_general",
            functools.partial(lax.dot_general, dimension_numbers=numbers),
            operands(*map(tuple, shapes)),
        )


CASES = [
    pytest.param(
        *(name, function, arrays, mapped),
        id=f"{name}-{number}-{''.join(map(str, mapped))}",
        marks=() if all(mapped) else pytest.mark.slow,
    )
    for number, (name, function, arrays) in enumerate(cases())
    for mapped in itertools.product((1, 0), repeat=len(arrays))
    if any(mapped)
]


def primitives(jaxpr):
    for equation in jaxpr.eqns:
        yield equation.primitive.name
        for value in equation.params.values():
            inner = getattr(value, "jaxpr", None)
            yield from primitives(inner) if inner is not None else ()


def partly(function, arrays, mapped):
    """The function of the mapped operands alone, with the first member's in place of the others."""

    def of_mapped(*args):
        given = iter(args)
        pairs = zip(arrays, mapped, strict=True)
        return function(*(next(given) if m else jnp.asarray(a[..., 0]) for a, m in pairs))

    return of_mapped, [array for array, m in zip(arrays, mapped, strict=True) if m]


def alone(function, arrays):
    """Each member computed without the transformation."""
    members = [function(*(array[..., m] for array in arrays)) for m in range(MEMBERS)]
    return np.stack([np.asarray(member) for member in members], axis=-1)


def difference(name, function, arrays, mapped):
    """The largest difference of an element in units of its last place."""
    of_mapped, args = partly(function, arrays, mapped)
    found, expected = module.members_last(of_mapped)(*args), alone(of_mapped, args)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    if name == "dot_general":  # its rounding is that of its terms
        of_mapped, args = partly(function, [np.abs(array) for array in arrays], mapped)
    size = np.abs(alone(of_mapped, args), dtype=np.float64)
    off = np.abs(np.asarray(found, np.float64) - np.asarray(expected, np.float64))
    return np.max(off / np.maximum(EPS * size, 1e-300))


def test_every_rule_has_a_case():
    assert {name for name, _, _ in cases()} == module.ELEMENTWISE | module.RULES.keys()


@pytest.mark.parametrize(("name", "function", "arrays", "mapped"), CASES)
def test_a_rule_gives_what_each_member_gives_alone(
    name, function, arrays, mapped, x64, monkeypatch
):
    of_mapped, args = partly(function, arrays, mapped)
    jaxpr = jax.make_jaxpr(of_mapped)(*(array[..., 0] for array in args))
    assert name in set(primitives(jaxpr.jaxpr))
    monkeypatch.setattr(module.jax, "vmap", None)  # the rule is used, and not this
    assert difference(name, function, arrays, mapped) <= 4


FIRST = {case.values[0]: case for case in reversed(CASES) if all(case.values[3])}
"""One case of each rule."""


@pytest.mark.parametrize("name", FIRST)
def test_a_wrong_rule_is_caught(name, x64, monkeypatch):
    """One that hands each member the result of the next."""
    rule = module.RULES.get(name, module._elementwise)

    def wrong(primitive, params, values):
        return jnp.roll(rule(primitive, params, values), 1, axis=-1)

    monkeypatch.setattr(module, "ELEMENTWISE", module.ELEMENTWISE - {name})
    monkeypatch.setitem(module.RULES, name, wrong)
    assert difference(*FIRST[name].values) > 4


@jax.custom_jvp
def with_jvp(x):
    return x @ x


@jax.custom_vjp
def with_vjp(x):
    return x @ x


with_jvp.defjvp(lambda primals, tangents: (with_jvp(*primals), tangents[0]))
with_vjp.defvjp(lambda x: (x @ x, None), lambda _, g: (g,))

CALLING = {
    "custom_jvp_call": with_jvp,
    "custom_vjp_call": with_vjp,
    "jit": jax.jit(lambda x: x @ x),
}


@pytest.mark.parametrize("name", CALLING)
def test_what_is_called_goes_through_the_rules_too(name, x64, monkeypatch):
    (array,) = operands((3, 3))
    jaxpr = jax.make_jaxpr(CALLING[name])(array[..., 0])
    assert name in set(primitives(jaxpr.jaxpr))
    monkeypatch.setattr(module.jax, "vmap", None)
    assert difference("dot_general", CALLING[name], [array], (1,)) <= 4
