"""The members-last transformation against ``jax.vmap`` over the last axis, its independent twin."""

import functools
import math

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import strategies as st
from jax import lax

import jaxnets as jn
from jaxnets.members_last import LARGEST_CONTRACTION, members_last

MEMBERS = 5
MATRIX = np.random.default_rng(1).standard_normal((3, 4)).astype(np.float32)
"""What functions close over: an operand without a members' axis."""

TOO_LONG = LARGEST_CONTRACTION + 1


def normal(*shape, seed=0):
    values = np.random.default_rng(seed).standard_normal((*shape, MEMBERS))
    return jnp.asarray(values.astype(np.float32))


def whole(*shape, high=10, seed=0):
    return jnp.asarray(np.random.default_rng(seed).integers(0, high, (*shape, MEMBERS)), jnp.int32)


def keys(seed=0):
    return jax.random.split(jax.random.key(seed), MEMBERS)


def assert_as_vmap(function, *args, rtol=1e-5, atol=1e-5):
    """Structure, shapes and dtypes are equal, values to the rounding of sums in another order."""
    got = jax.jit(members_last(function))(*args)
    want = jax.jit(jax.vmap(function, in_axes=-1, out_axes=-1))(*args)
    assert jax.tree.structure(got) == jax.tree.structure(want)
    for ours, theirs in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
        if jnp.issubdtype(ours.dtype, jax.dtypes.prng_key):
            ours, theirs = jax.random.key_data(ours), jax.random.key_data(theirs)
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=atol)


def both(*functions):
    """One function that returns the results of all."""
    return lambda *args: [function(*args) for function in functions]


@jax.custom_jvp
def cut_sine(x):
    return jnp.sin(x)


@cut_sine.defjvp
def _(primals, tangents):
    return jnp.sin(primals[0]), 2 * tangents[0]


@jax.custom_vjp
def tripled_sine(x):
    return jnp.sin(x)


tripled_sine.defvjp(lambda x: (jnp.sin(x), x), lambda x, g: (3 * g * x,))


@functools.partial(jax.jit, static_argnames="power")
def jitted(x, y, *, power):
    return jnp.tanh(x) ** power + y


def newton(x):
    return lax.while_loop(
        lambda carry: (carry[1] < 50) & (jnp.abs(carry[0] ** 2 - x) > 1e-3),
        lambda carry: ((carry[0] + x / carry[0]) / 2, carry[1] + 1),
        (jnp.ones_like(x), 0),
    )


def recurrence(w, x):
    return lax.scan(lambda h, row: (jnp.tanh(row @ w + h), h.sum()), jnp.zeros(4), x)


ELEMENTWISE = {
    "arithmetic": (lambda x, y: (x + y) * x - y / (2 + jnp.abs(x)), normal(3), normal(3, seed=1)),
    "python scalars": (lambda x: 2 * x - 1 + x / 3, normal(3, 4)),
    "powers": (
        both(lambda x: x**2, lambda x: x**-1, lambda x: jnp.abs(x) ** 0.3, lambda x: 2.0**x),
        normal(3),
    ),
    "transcendental": (
        both(jnp.exp, jnp.sin, jnp.tanh, jnp.expm1, jax.nn.sigmoid, lax.erf),
        normal(3),
    ),
    "positive only": (
        both(jnp.log, jnp.log1p, jnp.sqrt, lax.rsqrt, lax.digamma),
        jnp.abs(normal(3)),
    ),
    "comparisons": (
        both(lambda x: x > 0, lambda x: x == x, lambda x: jnp.where(x > 0, x, -1.0)),
        normal(3),
    ),
    "rounding": (both(jnp.round, jnp.floor, jnp.ceil, jnp.sign, jnp.trunc), 3 * normal(3)),
    "whole numbers": (
        both(lambda n: n // 3 + n % 4, lambda n: n & 5, lambda n: n << 2, lambda n: -n, jnp.abs),
        whole(3),
    ),
    "casts": (both(lambda x: x.astype(int), lambda x: x.astype(bool), jnp.isnan), normal(3)),
    "unmapped operand": (lambda x: x * MATRIX + MATRIX, normal(3, 4)),
    "member scalar, unmapped matrix": (lambda a: a * MATRIX, normal()),
    "member scalar, member matrix": (lambda a, x: a * x + a, normal(), normal(3, 4)),
    "clip to scalars": (lambda x: jnp.clip(x, -0.5, 0.5), normal(3, 4)),
    "clamp, member bounds": (lambda a: lax.clamp(a, jnp.asarray(MATRIX), a + 1), normal()),
    "clamp, member array": (lambda x: lax.clamp(-0.1, x, 0.2), normal(3, 4)),
    "select by a member scalar": (
        lambda a: lax.select(a > 0, jnp.asarray(MATRIX), jnp.asarray(-MATRIX)),
        normal(),
    ),
    "select among three": (lambda n, x: lax.select_n(n, x, 2 * x, 3 * x), whole(high=3), normal(3)),
    "select by an unmapped mask": (lambda x: jnp.where(MATRIX > 0, x, 0.0), normal(3, 4)),
}
SHAPES = {
    "broadcast to": (lambda x: jnp.broadcast_to(x, (2, 3, 4)), normal(3, 4)),
    "broadcast a new last axis": (lambda x: jnp.broadcast_to(x[:, None], (3, 4)), normal(3)),
    "broadcast a scalar": (lambda a: jnp.full((3, 4), a), normal()),
    "bias onto rows": (lambda x, b: x + jnp.broadcast_to(b, x.shape), normal(3, 4), normal(4)),
    "reshape": (lambda x: x.reshape(2, 6), normal(3, 4)),
    "reshape to scalar": (lambda x: x.reshape(()), normal(1, 1)),
    "reshape in column order": (lambda x: x.reshape(12, order="F"), normal(3, 4)),
    "reshape with dimensions": (lambda x: lax.reshape(x, (2, 12), (2, 0, 1)), normal(2, 3, 4)),
    "transpose": (lambda x: jnp.transpose(x, (2, 0, 1)), normal(2, 3, 4)),
    "squeeze and expand": (lambda x: jnp.squeeze(x, 1)[None], normal(3, 1, 4)),
    "moveaxis": (lambda x: jnp.moveaxis(x, -1, 0), normal(2, 3, 4)),
    "concatenate": (
        lambda x: jnp.concatenate([x, jnp.asarray(MATRIX), 2 * x], axis=1),
        normal(3, 4),
    ),
    "pad": (lambda x: jnp.pad(x, ((1, 0), (0, 2)), constant_values=7.0), normal(3, 4)),
    "slice and reverse": (lambda x: x[::-1, 1:3], normal(3, 4)),
    "split": (lambda x: jnp.split(x, 2, axis=1), normal(3, 4)),
}

REDUCTIONS = {
    "sums": (both(jnp.sum, lambda x: x.sum(0), lambda x: x.sum((0, 2))), normal(2, 3, 4)),
    "mean and variance": (both(lambda x: x.mean(1), jnp.var, jnp.std), normal(3, 4)),
    "extremes": (both(jnp.max, lambda x: x.min(0), lambda x: x.argmax(1)), normal(3, 4)),
    "logical": (both(jnp.all, lambda b: b.any(0)), normal(3, 4) > 0),
    "product": (lambda x: x.prod(1), normal(3, 4)),
    "cumulative": (both(lambda x: x.cumsum(0), lambda x: lax.cummax(x, 1)), normal(3, 4)),
    "softmax": (both(jax.nn.softmax, jax.nn.log_softmax, jax.nn.logsumexp), normal(3, 4)),
    "norm": (lambda x: jnp.linalg.norm(x, axis=1), normal(3, 4)),
    "unmapped only": (lambda a: a + jnp.asarray(MATRIX).sum(), normal()),
}

PRODUCTS = {
    "matrix matrix": (jnp.matmul, normal(3, 4), normal(4, 2, seed=1)),
    "matrix vector": (jnp.matmul, normal(3, 4), normal(4, seed=1)),
    "vector vector": (jnp.dot, normal(4), normal(4, seed=1)),
    "outer": (jnp.outer, normal(3), normal(4)),
    "unmapped left": (lambda w: jnp.asarray(MATRIX) @ w, normal(4, 2)),
    "unmapped right": (lambda x: x @ jnp.asarray(MATRIX), normal(2, 3)),
    "left transposed": (lambda x, g: x.T @ g, normal(4, 3), normal(4, 2)),
    "first axis of both": (
        lambda a, b: lax.dot_general(a, b, (((0,), (0,)), ((), ()))),
        normal(4, 3),
        normal(4, 2),
    ),
    "middle axis": (
        lambda a, b: lax.dot_general(a, b, (((1,), (2,)), ((), ()))),
        normal(2, 4, 3),
        normal(2, 3, 4),
    ),
    "two axes": (lambda a, b: jnp.tensordot(a, b, 2), normal(2, 3, 4), normal(3, 4, 2)),
    "no axis": (lambda a, b: jnp.tensordot(a, b, 0), normal(2), normal(3, 4)),
    "batched": (jnp.matmul, normal(2, 3, 4), normal(2, 4, 3)),
    "einsum": (lambda a, b: jnp.einsum("ijk,kl->lij", a, b), normal(2, 3, 4), normal(4, 2)),
    "longest short contraction": (
        jnp.matmul,
        normal(2, LARGEST_CONTRACTION),
        normal(LARGEST_CONTRACTION, 3),
    ),
    "too long contraction": (jnp.matmul, normal(2, TOO_LONG), normal(TOO_LONG, 3)),
    "empty contraction": (jnp.matmul, normal(3, 0), normal(0, 2)),
    "one term": (jnp.matmul, normal(3, 1), normal(1, 2)),
    "whole numbers": (jnp.matmul, whole(3, 4), whole(4, 2, seed=1)),
    "truth values": (jnp.matmul, normal(3, 4) > 0, normal(4, 2) > 0),
    "wider result": (
        functools.partial(jnp.matmul, preferred_element_type=jnp.float32),
        normal(3, 4).astype(jnp.bfloat16),
        normal(4, 2).astype(jnp.bfloat16),
    ),
}

INDEXING = {
    "unmapped index": (lambda x: x[jnp.array([2, 0, 2])], normal(3, 4)),
    "member index": (lambda x, n: x[n], normal(10, 2), whole(4)),
    "member index, unmapped table": (lambda n: jnp.asarray(MATRIX)[n], whole(2, high=3)),
    "take along an axis": (
        lambda x, n: jnp.take_along_axis(x, n[:, None], 1),
        normal(3, 4),
        whole(3, high=4),
    ),
    "scatter add": (lambda x, n: jnp.zeros(10).at[n].add(x), normal(4), whole(4)),
    "dynamic slice": (lambda x, n: lax.dynamic_slice(x, (n, 0), (2, 4)), normal(5, 4), whole()),
    "dynamic update": (lambda x, n: x.at[n].set(7.0), normal(10, 2), whole()),
    "one hot": (lambda n: jax.nn.one_hot(n, 4), whole(3, high=4)),
    "sort": (both(jnp.sort, jnp.argsort, lambda x: lax.top_k(x, 2)), normal(3, 4)),
    "sort two by the first": (lambda x, y: lax.sort((x, y), num_keys=1), normal(4), whole(4)),
    "iota": (lambda x: x * jnp.arange(4.0), normal(4)),
}

CONTROL = {
    "while, each its own count": (newton, jnp.abs(normal()) * 100 + 0.1),
    "fori": (lambda x: lax.fori_loop(0, 5, lambda i, x: x * 0.5 + i, x), normal(3)),
    "scan": (recurrence, normal(3, 4), normal(6, 3)),
    "scan over unmapped rows": (
        lambda a: lax.scan(lambda c, row: (c + a * row.sum(), c), 0.0, jnp.asarray(MATRIX)),
        normal(),
    ),
    "cond by a member": (lambda x: lax.cond(x.sum() > 0, jnp.sin, jnp.cos, x), normal(3)),
    "cond by an unmapped value": (
        lambda x: lax.cond(jnp.asarray(MATRIX).sum() > 0, jnp.sin, jnp.cos, x),
        normal(3),
    ),
    "switch": (
        lambda n, x: lax.switch(n, [jnp.sin, jnp.cos, jnp.tanh], x),
        whole(high=3),
        normal(3),
    ),
    "jit": (functools.partial(jitted, power=3), normal(3), normal(3, seed=1)),
    "jit within jit": (lambda x: jax.jit(lambda z: jitted(z, x, power=2) + z)(x), normal(3)),
    "jit of an unmapped value": (lambda a: a + jitted(MATRIX, MATRIX, power=2).sum(), normal()),
    "custom_jvp": (lambda x: cut_sine(x), normal(3)),
    "custom_vjp": (lambda x: tripled_sine(x), normal(3)),
    "custom_jvp of an unmapped value": (lambda a: a + cut_sine(MATRIX).sum(), normal()),
    "custom_vjp of an unmapped value": (lambda a: a + tripled_sine(MATRIX).sum(), normal()),
    "checkpoint": (
        jax.grad(lambda x: jax.checkpoint(lambda z: jnp.sin(z @ z.T))(x).sum()),
        normal(3, 4),
    ),
    "optimization barrier": (lambda x: lax.optimization_barrier((x, 2 * x)), normal(3)),
    "vmap within": (lambda w: jax.vmap(lambda row: row @ w)(jnp.asarray(MATRIX)), normal(4, 2)),
}

RANDOM = {
    "a draw, key and number by member": (
        lambda k, n, x: jax.random.uniform(jax.random.fold_in(k, n), (3,)) * x,
        keys(),
        whole(),
        normal(3),
    ),
    "split": (lambda k: jax.random.split(k), keys()),
    "chosen key": (
        lambda p, a, b: jax.random.bits(jnp.where(p, a, b)),
        normal() > 0,
        keys(),
        keys(1),
    ),
    "unmapped key": (lambda x: x + jax.random.uniform(jax.random.key(3), (3,)), normal(3)),
}

GRADIENTS = {
    "custom_jvp": (jax.grad(lambda x: cut_sine(x).sum()), normal(3)),
    "custom_vjp": (jax.grad(lambda x: tripled_sine(x).sum()), normal(3)),
    "custom_vjp of an unmapped value": (
        jax.grad(lambda a: (a * tripled_sine(jnp.asarray(MATRIX))).sum()),
        normal(),
    ),
    "scan": (jax.grad(lambda w, x: recurrence(w, x)[0].sum()), normal(3, 4), normal(6, 3)),
    "gather": (jax.grad(lambda x, n: (x[n] ** 2).sum()), normal(10, 2), whole(4)),
    "softmax": (jax.grad(lambda x: jax.nn.log_softmax(x)[1]), normal(4)),
    "second derivative": (jax.hessian(lambda x: jnp.sin(x).prod()), normal(3)),
    "forward mode": (lambda x, t: jax.jvp(jnp.tanh, (x,), (t,)), normal(3), normal(3, seed=1)),
}

STRUCTURES = {
    "nested results": (lambda x: {"a": (x, [2 * x]), "b": None}, normal(3)),
    "nested arguments": (lambda d: d["a"] + d["b"][0], {"a": normal(3), "b": [normal(3)]}),
    "constant results": (lambda x: (1.0, jnp.asarray(MATRIX), 3, x), normal(3)),
    "an argument as it is": (lambda x, y: y, normal(3), normal(2)),
    "the same twice": (lambda x: (x, x), normal(3)),
    "bfloat16": (lambda x: jnp.tanh(x) * 2, normal(3).astype(jnp.bfloat16)),
    "a sum that float16 cannot hold on its way": (
        jnp.matmul,
        jnp.ones((2, 3, MEMBERS), jnp.float16),
        jnp.full((3, 1, MEMBERS), 60_000, jnp.float16) * jnp.array([1, 1, -1])[:, None, None],
    ),
    "mixed dtypes": (
        lambda a, b: jax.lax.dot(a, b, preferred_element_type=jnp.bfloat16),
        normal(2, 3).astype(jnp.bfloat16),
        normal(3, 1),
    ),
}

CASES = {
    f"{group}: {name}": case
    for group, cases in {
        "elementwise": ELEMENTWISE,
        "shapes": SHAPES,
        "reductions": REDUCTIONS,
        "products": PRODUCTS,
        "indexing": INDEXING,
        "control": CONTROL,
        "random": RANDOM,
        "gradients": GRADIENTS,
        "structures": STRUCTURES,
    }.items()
    for name, case in cases.items()
}


@pytest.mark.parametrize("name", CASES)
def test_equals_vmap_over_the_last_axis(name):
    function, *args = CASES[name]
    assert_as_vmap(function, *args)


BATCH = jn.data.xor()
SCALED = jn.Model(
    lambda key, x: {"a": jax.random.normal(key)},
    lambda params, x, *, key=None: (params["a"] * x).sum(1, keepdims=True),
)
STEPS = {
    "2-2-1": (
        jn.sequential(jn.dense(2), jn.sigmoid, jn.dense(1), jn.sigmoid),
        jn.losses.bce,
        optax.adam(0.1),
    ),
    "wide": (
        jn.sequential(jn.dense(TOO_LONG), jn.relu, jn.dense(1)),
        jn.losses.mse,
        optax.sgd(0.1, momentum=0.9),
    ),
    "normalised": (
        jn.sequential(jn.dense(4), jn.layer_norm(), jn.dense(1)),
        jn.losses.mse,
        optax.sgd(0.1),
    ),
    "activation of the data first": (
        jn.sequential(jn.relu, jn.dense(1)),
        jn.losses.huber,
        optax.sgd(0.1),
    ),
    "a scalar of the user's": (SCALED, jn.losses.mse, optax.rmsprop(0.1)),
}


@pytest.mark.parametrize("name", STEPS)
def test_a_training_step_equals_vmap(name):
    model, loss, optimizer = STEPS[name]
    step = jn.make_step(model, loss, optimizer)
    shapes = jax.eval_shape(model.init, jax.random.key(0), BATCH[0])

    def first_step(params):
        state = jn.init_state(model, optimizer, jax.random.key(0), BATCH[0], params=params)
        state, metrics = step(state, BATCH)
        return state.params, state.opt_state, metrics

    assert_as_vmap(first_step, jax.tree.map(lambda leaf: normal(*leaf.shape), shapes))


@pytest.mark.slow
def test_dropout_draws_for_each_member_what_it_draws_alone():
    model = jn.dropout(0.5)
    x = jnp.ones((4, 8))
    got = members_last(lambda key: model.apply({}, x, key=key))(keys())
    for member, key in enumerate(keys()):
        np.testing.assert_array_equal(got[..., member], model.apply({}, x, key=key))


def test_works_without_jit_as_well():
    got = members_last(lambda w: jnp.tanh(MATRIX @ w))(normal(4, 2))
    want = np.tanh(np.einsum("ij,jkm->ikm", MATRIX, normal(4, 2)))
    np.testing.assert_allclose(got, want, rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_keeps_dtypes_where_float64_is_enabled(dtype):
    with jax.enable_x64(True):
        x = jnp.linspace(-1, 1, 12, dtype=dtype).reshape(3, 4)
        assert_as_vmap(lambda z: (2.0 * z + 1, jnp.where(z > 0, z, 0.0), z.sum() / 3), x)


def test_one_member():
    assert_as_vmap(lambda w: jnp.tanh(jnp.asarray(MATRIX) @ w), normal(4, 2)[..., :1])


def test_does_not_multiply_small_matrices_by_dot_general():
    """The reason to be of the transformation: it fuses what ``dot_general`` would not."""

    def primitives(terms):
        args = jnp.ones((3, terms, MEMBERS)), jnp.ones((terms, 2, MEMBERS))
        return str(jax.make_jaxpr(members_last(jnp.matmul))(*args))

    assert "dot_general" not in primitives(LARGEST_CONTRACTION)
    assert "dot_general" in primitives(TOO_LONG)


def test_keeps_the_name_and_docstring_of_the_function():
    assert members_last(recurrence).__name__ == "recurrence"


SHAPE = st.lists(st.integers(1, 4), min_size=0, max_size=3).map(tuple)


@pytest.mark.slow
@hypothesis.given(shape=SHAPE, order=st.randoms(use_true_random=False))
@hypothesis.settings(max_examples=12)
def test_any_transpose_and_reshape(shape, order):
    axes = list(range(len(shape)))
    order.shuffle(axes)
    values = normal(*shape)
    assert_as_vmap(
        lambda x: (jnp.transpose(x, axes), x.reshape(-1), x.reshape(-1, order="F")), values
    )


@pytest.mark.slow
@hypothesis.given(
    left=SHAPE, right=SHAPE, terms=st.integers(1, 4), a_mapped=st.booleans(), data=st.data()
)
@hypothesis.settings(max_examples=12)
def test_any_contraction_of_one_axis(left, right, terms, a_mapped, data):
    i = data.draw(st.integers(0, len(left)), label="contracted axis of a")
    j = data.draw(st.integers(0, len(right)), label="contracted axis of b")
    a = normal(*left[:i], terms, *left[i:], seed=2)
    b = normal(*right[:j], terms, *right[j:], seed=3)

    def product(a, b):
        return lax.dot_general(a, b, (((i,), (j,)), ((), ())))

    if a_mapped:
        assert_as_vmap(product, a, b)
    else:
        assert_as_vmap(functools.partial(product, a[..., 0]), b)


@hypothesis.given(shape=SHAPE, mask=st.lists(st.booleans(), min_size=3, max_size=3))
@hypothesis.settings(max_examples=12)
def test_any_broadcast_of_two_operands(shape, mask):
    """NumPy's rules between operands of equal rank, either of which may be unmapped."""
    shape = (*shape, 2)
    thin = tuple(1 if narrow else size for size, narrow in zip(shape, mask, strict=False))
    thin += shape[len(thin) :]
    full, other = normal(*shape), normal(*thin, seed=1)
    assert_as_vmap(lambda x, y: x * y + y, full, other)
    assert_as_vmap(lambda y: full[..., 0] * y - y, other)
    assert math.prod(thin) <= math.prod(shape)


def test_products_of_bfloat16_lose_no_more_than_one_rounding():
    a, b = normal(2, 32).astype(jnp.bfloat16), normal(32, 1, seed=1).astype(jnp.bfloat16)
    found = members_last(jnp.matmul)(a, b)
    exact = np.einsum("ikm,kjm->ijm", np.float64(a), np.float64(b))
    np.testing.assert_allclose(np.float64(found), exact, rtol=2**-8, atol=1e-5)
