"""Every check: what it lets through, what it refuses, and the exact words."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import checks, errors
from jaxnets.errors import ArgumentTypeError, ArgumentValueError

KEY = jax.random.key(0)


def error_of(check, *args, **options):
    """The type and the text of the error that a call raises in the public function ``f``."""
    with pytest.raises((ValueError, TypeError), match=r" must .*; got .*\.$") as caught:
        errors.named("f")(check)(*args, **options)
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
    assert errors.describe(value) == text
    assert len(errors.describe(value)) <= 80


def test_errors_are_those_of_the_standard_library():
    assert issubclass(ArgumentValueError, ValueError)
    assert issubclass(ArgumentTypeError, TypeError)


@pytest.mark.parametrize(
    ("got", "shown"), [(0, "0"), ("0 of 3", "0 of 3"), (np.zeros((2, 2), "f4"), "float32[2,2]")]
)
def test_fail_has_one_wording(got, shown):
    error = error_of(errors.fail, "steps", "be at least 1", got, "Pass steps=1000.")
    assert error == (
        ArgumentValueError,
        f"f: steps must be at least 1; got {shown}. Pass steps=1000.",
    )


def test_fail_raises_the_error_asked_for():
    with pytest.raises(IndexError, match=r"^a must b; got 'c'\. D\.$"):
        errors.fail("a", "b", "'c'", "D.", error=errors.ArgumentIndexError)


@pytest.mark.parametrize(
    ("error", "standard"),
    [
        (errors.ArgumentIndexError, IndexError),
        (errors.ArgumentFileError, OSError),
        (errors.ArgumentMissingFileError, FileNotFoundError),
    ],
)
def test_every_error_is_one_of_the_standard_library_too(error, standard):
    assert issubclass(error, standard)
    assert issubclass(error, errors.ArgumentError)


def test_the_innermost_public_function_gives_its_name():
    inner = errors.named("inner")(errors.fail)
    with pytest.raises(ArgumentValueError, match=r"^inner: a must b; got 1\. D\.$"):
        errors.named("outer")(inner)("a", "b", 1, "D.")


def test_a_public_function_is_named_by_itself_and_stays_what_it_was():
    @errors.public
    def double(x, *, y=1):
        """Twice x."""
        errors.require(x, "x", "be there", x, "Pass it.")
        return 2 * x

    assert (double(2), double.__name__, double.__doc__) == (4, "double", "Twice x.")
    with pytest.raises(ArgumentValueError, match=r"^double: x must be there; got 0\."):
        double(0)


def test_a_name_leaves_errors_of_others_alone():
    with pytest.raises(KeyError, match=r"^'w'$"):
        errors.named("f")({}.__getitem__)("w")


def test_concrete_is_false_under_jit_alone():
    seen = []
    jax.jit(lambda x: seen.append(errors.concrete(x)) or x)(jnp.ones(2))
    assert (seen, errors.concrete(jnp.ones(2)), errors.concrete(3)) == ([False], True, True)


@pytest.mark.parametrize("kind", [ArgumentValueError, ArgumentTypeError])
def test_places_stand_in_front_from_the_outside_in(kind):
    with (
        pytest.raises(kind, match=r"^layer 2 > layer dense > f: a must b; got 1\. D\.$"),
        errors.inside("layer 2"),
        errors.inside("layer dense"),
    ):
        errors.named("f")(errors.fail)("a", "b", 1, "D.", error=kind)


def test_a_place_is_a_note_on_errors_of_others():
    with pytest.raises(KeyError, match=r"^'w'\nraised inside layer 2$"), errors.inside("layer 2"):
        raise KeyError("w")


def test_a_place_is_no_note_on_an_interrupt():
    with pytest.raises(KeyboardInterrupt) as caught, errors.inside("layer 2"):
        raise KeyboardInterrupt
    assert not hasattr(caught.value, "__notes__")


def test_a_place_lets_through_what_is_right():
    with errors.inside("layer 2"):
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
        "be hashable: it is part of the cache key of the compiled program; got [1]. Pass a "
        "function that calls it.",
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
    assert error_of(check, "a", value) == (error, f"f: a must {text}")


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
    returned = check("a", value)
    assert returned == result
    assert type(returned) is type(result)


@pytest.mark.parametrize(
    ("check", "argument"),
    [
        (checks.check_positive, -1.0),
        (checks.check_finite, math.nan),
        (checks.check_nonnegative, -1.0),
        (checks.check_fraction, 2.0),
    ],
)
def test_a_traced_number_has_no_value_to_check_yet(check, argument):
    traced = []
    jax.jit(lambda x: traced.append(check("a", x) is x))(argument)
    assert traced == [True]


def test_a_traced_array_is_no_number():
    with pytest.raises(ArgumentTypeError, match=r"be a number in \[0, 1\)"):
        jax.eval_shape(lambda x: checks.check_fraction("a", x), jnp.ones(2))


@pytest.mark.parametrize(("value", "shown"), [(3, "3"), ("relu", "'relu'")])
def test_check_callable(value, shown):
    checks.check_callable("a", len, "D.")
    error = error_of(checks.check_callable, "a", value, "Pass a function.")
    assert error == (TYPE, f"f: a must be callable; got {shown}. Pass a function.")


def test_check_floating_makes_an_array():
    assert checks.check_floating("a", [0.5]).dtype == jnp.float32


@pytest.mark.parametrize("key", [KEY, jax.random.key_data(KEY)], ids=["typed", "raw"])
def test_check_key_takes_both_styles(key):
    checks.check_key(key)


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
    assert error_of(checks.check_key, key) == (error, text)
