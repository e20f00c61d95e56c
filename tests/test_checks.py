"""Every check: what it lets through, what it refuses, and the exact words."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnets as jn
from jaxnets import checks
from jaxnets.checks import ArgumentTypeError, ArgumentValueError

KEY = jax.random.key(0)


def error_of(check, *args, **options):
    """The type and the text of the error that a call raises."""
    with pytest.raises((ValueError, TypeError), match=r" must .*; got .*\.$") as caught:
        check(*args, **options)
    return caught.type, str(caught.value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (jnp.zeros((4, 1)), "float32[4,1]"),
        (np.zeros(3, int), "int64[3]"),
        (np.float32(2.5), "float32[]"),
        (jax.ShapeDtypeStruct((2,), "bfloat16"), "bfloat16[2]"),
        (KEY, "key<fry>[]"),
        ("text", "'text'"),
        (None, "None"),
        ([1, 2], "[1, 2]"),
        ("x" * 100, f"'{'x' * 76}..."),
    ],
)
def test_describe(value, text):
    assert checks.describe(value) == text
    assert len(checks.describe(value)) <= 80


def test_errors_are_those_of_the_standard_library():
    assert issubclass(ArgumentValueError, ValueError)
    assert issubclass(ArgumentTypeError, TypeError)


@pytest.mark.parametrize(
    ("got", "shown"), [(0, "0"), ("0 of 3", "0 of 3"), (np.zeros((2, 2), "f4"), "float32[2,2]")]
)
def test_fail_has_one_wording(got, shown):
    error = error_of(checks.fail, "fit", "steps", "be at least 1", got, "Pass steps=1000.")
    assert error == (
        ArgumentValueError,
        f"fit: steps must be at least 1; got {shown}. Pass steps=1000.",
    )


def test_fail_raises_the_error_asked_for():
    with pytest.raises(KeyError, match=r"f: a must b; got 'c'\. D\."):
        checks.fail("f", "a", "b", "'c'", "D.", error=KeyError)


def test_concrete_is_false_under_jit_alone():
    seen = []
    jax.jit(lambda x: seen.append(checks.concrete(x)) or x)(jnp.ones(2))
    assert (seen, checks.concrete(jnp.ones(2)), checks.concrete(3)) == ([False], True, True)


@pytest.mark.parametrize("kind", [ArgumentValueError, ArgumentTypeError])
def test_inside_layer_names_the_layer_in_front(kind):
    with (
        pytest.raises(kind, match=r"^layer 2 > layer dense > f: a must b; got 1\. D\.$"),
        checks.inside_layer("2"),
        checks.inside_layer("dense"),
    ):
        checks.fail("f", "a", "b", 1, "D.", error=kind)


def test_inside_names_any_place():
    with (
        pytest.raises(ArgumentValueError, match=r"^validation > f: a must b; got 1\. D\.$"),
        checks.inside("validation"),
    ):
        checks.fail("f", "a", "b", 1, "D.")


def test_inside_layer_adds_a_note_to_errors_of_others():
    with (
        pytest.raises(KeyError, match=r"^'w'\nraised inside layer 2$"),
        checks.inside_layer("2"),
    ):
        raise KeyError("w")


def test_inside_layer_lets_through_what_is_right():
    with checks.inside_layer("2"):
        result = 3
    assert result == 3


TYPE, VALUE = ArgumentTypeError, ArgumentValueError

INTEGER = functools.partial(checks.check_integer, minimum=1)
CHOICE = functools.partial(checks.check_choice, choices=("mean", "sum"))
AXIS = functools.partial(checks.check_axis, ndim=2)
DTYPE = functools.partial(checks.check_floating_dtype, example="jnp.float32")

REFUSED = [
    (INTEGER, 0, VALUE, "be a whole number of at least 1; got 0. Pass a=10, for example."),
    (INTEGER, -3, VALUE, "be a whole number of at least 1; got -3. Pass a=10, for example."),
    (INTEGER, 2.0, TYPE, "be a whole number of at least 1; got 2.0. Pass a=10, for example."),
    (INTEGER, "2", TYPE, "be a whole number of at least 1; got '2'. Pass a=10, for example."),
    (INTEGER, True, TYPE, "be a whole number of at least 1; got True. Pass a=10, for example."),
    (INTEGER, None, TYPE, "be a whole number of at least 1; got None. Pass a=10, for example."),
    (
        functools.partial(checks.check_integer, minimum=20),
        19,
        VALUE,
        "be a whole number of at least 20; got 19. Pass a=20, for example.",
    ),
    *(
        (checks.check_positive, value, error, f"be a positive finite number; got {text}. {advice}")
        for advice in ["Pass a=0.1, for example."]
        for value, error, text in [
            (0, VALUE, "0"),
            (-0.5, VALUE, "-0.5"),
            (math.inf, VALUE, "inf"),
            (math.nan, VALUE, "nan"),
            ("1", TYPE, "'1'"),
            (True, TYPE, "True"),
            (None, TYPE, "None"),
        ]
    ),
    (checks.check_finite, math.nan, VALUE, "be a finite number; got nan. Pass a=0.1, for example."),
    (
        checks.check_finite,
        -math.inf,
        VALUE,
        "be a finite number; got -inf. Pass a=0.1, for example.",
    ),
    (checks.check_finite, "x", TYPE, "be a finite number; got 'x'. Pass a=0.1, for example."),
    (checks.check_finite, False, TYPE, "be a finite number; got False. Pass a=0.1, for example."),
    *(
        (
            checks.check_nonnegative,
            value,
            error,
            f"be a finite number of at least 0; got {text}. Pass a=0.1, for example.",
        )
        for value, error, text in [
            (-1, VALUE, "-1"),
            (math.inf, VALUE, "inf"),
            (math.nan, VALUE, "nan"),
            (None, TYPE, "None"),
            (True, TYPE, "True"),
            ("1", TYPE, "'1'"),
            (np.complex64(1), TYPE, "complex64[]"),
            (10**400, VALUE, f"{str(10**400)[:77]}..."),
        ]
    ),
    (
        functools.partial(checks.check_text, example="loss"),
        3,
        TYPE,
        "be a text; got 3. Pass 'loss', for example.",
    ),
    (
        checks.check_hashable,
        [1],
        TYPE,
        "be hashable, for its compiled program is found again by it; got [1]. Pass a function "
        "that calls it.",
    ),
    (checks.check_flag, "none", TYPE, "be True or False; got 'none'. Pass a=True, for example."),
    (checks.check_flag, 1, TYPE, "be True or False; got 1. Pass a=True, for example."),
    (checks.check_flag, None, TYPE, "be True or False; got None. Pass a=True, for example."),
    (AXIS, 2, VALUE, "name an axis of x, from -2 to 1; got 2. Pass a=-1, the last one."),
    (AXIS, -3, VALUE, "name an axis of x, from -2 to 1; got -3. Pass a=-1, the last one."),
    (AXIS, 0.5, TYPE, "name an axis of x, from -2 to 1; got 0.5. Pass a=-1, the last one."),
    (AXIS, True, TYPE, "name an axis of x, from -2 to 1; got True. Pass a=-1, the last one."),
    (
        functools.partial(checks.check_axis, ndim=0),
        0,
        VALUE,
        "name an axis of x, which has none; got 0. Add an axis with x.reshape(1).",
    ),
    (checks.check_fraction, 1, VALUE, "be a number in [0, 1); got 1. Pass a=0.5, for example."),
    (
        checks.check_fraction,
        -0.1,
        VALUE,
        "be a number in [0, 1); got -0.1. Pass a=0.5, for example.",
    ),
    (
        checks.check_fraction,
        math.nan,
        VALUE,
        "be a number in [0, 1); got nan. Pass a=0.5, for example.",
    ),
    (
        checks.check_fraction,
        "half",
        TYPE,
        "be a number in [0, 1); got 'half'. Pass a=0.5, for example.",
    ),
    (CHOICE, "avg", VALUE, "be one of 'mean', 'sum'; got 'avg'. Pass a='mean'."),
    (CHOICE, None, VALUE, "be one of 'mean', 'sum'; got None. Pass a='mean'."),
    (
        checks.check_floating,
        jnp.zeros((2,), int),
        TYPE,
        "be floating; got int32[2]. Convert it with a.astype(jnp.float32).",
    ),
    (DTYPE, "int32", TYPE, "be a floating dtype; got int32. Pass a=jnp.float32, for example."),
    (
        DTYPE,
        "no dtype",
        TYPE,
        "be a floating dtype; got 'no dtype'. Pass a=jnp.float32, for example.",
    ),
]


@pytest.mark.parametrize(
    ("check", "value", "error", "text"), REFUSED, ids=[f"{i}" for i in range(len(REFUSED))]
)
def test_refused_with_exactly_these_words(check, value, error, text):
    assert error_of(check, "f", "a", value) == (error, f"f: a must {text}")


ACCEPTED = [
    (INTEGER, 1, 1),
    (INTEGER, np.int64(7), 7),
    (functools.partial(checks.check_integer, minimum=0), 0, 0),
    (checks.check_positive, 2, 2.0),
    (checks.check_positive, np.float32(0.5), 0.5),
    (checks.check_finite, -2, -2.0),
    (checks.check_finite, 0.0, 0.0),
    (checks.check_nonnegative, 0, 0.0),
    (checks.check_flag, False, False),
    (checks.check_flag, np.True_, True),
    (AXIS, -2, -2),
    (AXIS, np.int32(1), 1),
    (checks.check_fraction, 0, 0.0),
    (checks.check_fraction, 0.999, 0.999),
    (CHOICE, "sum", "sum"),
    (functools.partial(checks.check_text, example="loss"), "f1", "f1"),
    (checks.check_hashable, 3, None),
    (DTYPE, "bfloat16", jnp.dtype("bfloat16")),
]


@pytest.mark.parametrize(
    ("check", "value", "result"), ACCEPTED, ids=[f"{i}" for i in range(len(ACCEPTED))]
)
def test_accepted_and_returned_in_one_type(check, value, result):
    returned = check("f", "a", value)
    assert returned == result
    assert type(returned) is type(result)


def test_check_callable():
    assert checks.check_callable("f", "a", len, "D.") is len
    error = error_of(checks.check_callable, "f", "a", 3, "Pass a function.")
    assert error == (ArgumentTypeError, "f: a must be callable; got 3. Pass a function.")


def test_check_floating_makes_an_array():
    assert checks.check_floating("f", "a", [0.5]).dtype == jnp.float32


def test_check_same_shape_suggests_the_reshape_that_works():
    predictions, targets = jnp.zeros((4, 1)), jnp.zeros(4)
    kind, text = error_of(checks.check_same_shape, "mse", predictions, targets)
    assert kind is ArgumentValueError
    assert text == (
        "mse: targets must have the shape of predictions, (4, 1); got (4,). "
        "Reshape them with targets.reshape((4, 1))."
    )
    checks.check_same_shape("mse", predictions, targets.reshape((4, 1)))


def test_check_same_shape_suggests_no_reshape_that_cannot_be():
    _, text = error_of(checks.check_same_shape, "mse", jnp.zeros((4, 1)), jnp.zeros((3, 1)))
    assert text.endswith("got (3, 1). Give one target for each prediction.")


@pytest.mark.parametrize("key", [KEY, jax.random.key_data(KEY)], ids=["typed", "raw"])
def test_check_key_takes_both_styles(key):
    checks.check_key("f", key)


@pytest.mark.parametrize(
    ("key", "error", "shown"),
    [
        (None, ArgumentValueError, "None"),
        (0, ArgumentTypeError, "0"),
        (jax.random.split(KEY), ArgumentTypeError, "key<fry>[2]"),
        (jnp.zeros(2), ArgumentTypeError, "float32[2]"),
    ],
    ids=["none", "a seed", "several", "floats"],
)
def test_check_key_refuses(key, error, shown):
    text = f"f: key must be one PRNG key; got {shown}. Pass key=jax.random.key(0)."
    assert error_of(checks.check_key, "f", key) == (error, text)


@pytest.mark.parametrize(
    ("x", "error", "text"),
    [
        (
            [[1.0, 2.0]],
            TYPE,
            "be an array or a jax.ShapeDtypeStruct; got [[1.0, 2.0]]. "
            "Convert it with jnp.asarray(x).",
        ),
        (
            jnp.zeros((2, 3), int),
            TYPE,
            "be floating; got int32[2,3]. Convert it with x.astype(jnp.float32).",
        ),
        (
            jnp.zeros(()),
            VALUE,
            "have a last axis of at least one feature; got float32[]. "
            "Pass one of shape [..., features].",
        ),
        (
            jnp.zeros((4, 0)),
            VALUE,
            "have a last axis of at least one feature; got float32[4,0]. "
            "Pass one of shape [..., features].",
        ),
    ],
    ids=["list", "integers", "scalar", "no features"],
)
def test_check_example_refuses(x, error, text):
    assert error_of(checks.check_example, "dense(1)", x) == (error, f"dense(1): x must {text}")


def test_check_example_takes_shapes_and_gives_the_dtype_that_jax_computes_in():
    example = checks.check_example("f", np.zeros((4, 2), np.float64))
    assert (example.shape, example.dtype) == ((4, 2), jnp.float32)
    with jax.enable_x64(True):
        assert checks.check_example("f", np.zeros((4, 2))).dtype == jnp.float64
    labels = jax.ShapeDtypeStruct((4, 2), "int32")
    assert checks.check_example("f", labels, floating=False).dtype == jnp.int32


def test_check_width():
    checks.check_width("dense(1)", jnp.zeros((4, 2)), 2)
    text = (
        "dense(1): x must have 3 features on its last axis, as the parameters do; got "
        "float32[4,2]. Pass such an x, or make the parameters with model.init(key, x) for this one."
    )
    error = error_of(checks.check_width, "dense(1)", jnp.zeros((4, 2)), 3)
    assert error == (ArgumentValueError, text)


@pytest.mark.parametrize(
    ("params", "shown"), [({"b": 1, "a": 2}, "['a', 'b']"), ({}, "[]"), (3, "3"), (None, "None")]
)
def test_check_entries_refuses(params, shown):
    text = (
        f"dense(1): params must be a dict with the entries 'w', 'b'; got {shown}. "
        "Make them with model.init(key, x)."
    )
    assert error_of(checks.check_entries, "dense(1)", params, ("w", "b")) == (
        ArgumentValueError,
        text,
    )


def test_check_entries_takes_what_is_there():
    checks.check_entries("dense(1)", {"w": 1, "b": 2}, ("w", "b"))


def test_a_failing_layer_is_named_from_the_outside_in():
    net = jn.sequential(encoder=jn.sequential(jn.dense(3), jn.dense(2)), head=jn.dense(1))
    params = net.init(KEY, jnp.zeros((4, 2)))
    params["encoder"]["1"]["w"] = jnp.zeros((5, 2))
    with pytest.raises(
        ArgumentValueError,
        match=r"^layer encoder > layer 1 > dense\(2\): x must have 5 features on its last axis",
    ):
        net.apply(params, jnp.zeros((4, 2)))


def test_shape_checks_run_while_tracing():
    net = jn.dense(1)
    params = net.init(KEY, jnp.zeros((4, 2)))
    with pytest.raises(ArgumentValueError, match=r"dense\(1\): x must have 2 features"):
        jax.eval_shape(net.apply, params, jax.ShapeDtypeStruct((4, 3), "float32"))
