"""Grids and samples: held against ``itertools`` and against the distributions' own quantiles."""

import itertools
import subprocess
import sys

import jax
import numpy as np
import pytest

import jaxnets as jn
from jaxnets.errors import ArgumentTypeError, ArgumentValueError
from jaxnets.search import check_samples

KEY = jax.random.key(0)
N = 1000


def drawn(**distributions):
    (name,) = distributions
    return [row[name] for row in jn.sample(KEY, N, **distributions)]


def furthest(values, cdf):
    """The largest distance between the empirical and the true distribution function."""
    values = np.sort(values)
    below = np.arange(len(values)) / len(values)
    at = cdf(values)
    return max(np.max(at - below), np.max(below + 1 / len(values) - at))


KOLMOGOROV = 1.95 / np.sqrt(N)
"""Exceeded by one sample in a thousand."""


def test_a_grid_has_every_combination_in_the_order_of_a_product():
    made = jn.grid(a=[1, 2], b=np.array([0.5, 0.25]), c=(jn.relu, "text"))
    expected = itertools.product([1, 2], [0.5, 0.25], [jn.relu, "text"])
    assert made == [dict(zip("abc", row, strict=True)) for row in expected]
    assert {type(row["b"]) for row in made} == {float}


def test_uniform_and_log_uniform_have_their_distribution():
    values = np.array(drawn(rate=jn.uniform(-1.0, 3.0)))
    assert furthest(values, lambda x: (x + 1) / 4) <= KOLMOGOROV
    values = np.array(drawn(rate=jn.log_uniform(1e-4, 1e-1)))
    assert furthest(values, lambda x: (np.log10(x) + 4) / 3) <= KOLMOGOROV
    assert values.min() >= 1e-4
    assert values.max() < 1e-1


def test_integers_end_before_high_and_choices_are_the_objects_themselves():
    counts = np.bincount(drawn(depth=jn.integers(2, 6)), minlength=7)
    assert counts[2:6].sum() == N
    assert (abs(counts[2:6] - 250) <= 5 * np.sqrt(N * 3 / 16)).all()
    assert set(drawn(activation=jn.choice([jn.relu, jn.tanh]))) == {jn.relu, jn.tanh}
    assert {type(value) for value in drawn(width=jn.choice([16, 64]))} == {int}


def test_another_name_changes_nothing_of_the_others():
    rates = {"rate": jn.log_uniform(1e-4, 1e-1)}
    alone = [row["rate"] for row in jn.sample(KEY, 5, **rates)]
    more = jn.sample(KEY, 5, width=jn.choice([1, 2, 3]), beta=jn.log_uniform(1e-4, 1e-1), **rates)
    assert [row["rate"] for row in more] == alone
    assert [row["beta"] for row in more] != alone
    assert list(more[0]) == ["width", "beta", "rate"]
    assert jn.sample(jax.random.key(1), 5, **rates)[0]["rate"] != alone[0]


def test_samples_are_the_same_in_another_process_and_in_64_bits():
    code = (
        "import jax, jaxnets as jn\n"
        "print(jn.sample(jax.random.key(0), 2, rate=jn.uniform(0, 1), depth=jn.integers(0, 99)))"
    )
    here = jn.sample(KEY, 2, rate=jn.uniform(0, 1), depth=jn.integers(0, 99))
    command = [
        sys.executable,
        "-c",
        "import jax; jax.config.update('jax_enable_x64', True)\n" + code,
    ]
    there = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert there.strip() == str(here)


def test_any_function_of_a_key_and_a_number_is_a_distribution():
    values = drawn(share=lambda key, n: jax.random.beta(key, 2.0, 5.0, (n,)))
    assert abs(np.mean(values) - 2 / 7) <= 5 * np.sqrt(10 / 392 / N)
    assert type(values[0]) is float


@pytest.mark.parametrize(
    ("misuse", "error", "message"),
    [
        (
            lambda: jn.grid(),
            ArgumentValueError,
            "grid: values must be given by name; got none. Pass grid(learning_rate=[0.01, 0.1]), "
            "for example.",
        ),
        (
            lambda: jn.grid(rate=[]),
            ArgumentValueError,
            "grid: rate must hold at least one value; got none. Pass rate=[0.01, 0.1], for "
            "example.",
        ),
        (
            lambda: jn.grid(rate="abc"),
            ArgumentTypeError,
            "grid: rate must be a list of values; got 'abc'. Pass rate=[0.01, 0.1], for example.",
        ),
        (
            lambda: jn.sample(KEY, 3),
            ArgumentValueError,
            "sample: distributions must be given by name; got none. Pass "
            "learning_rate=jn.log_uniform(1e-4, 1e-1), for example.",
        ),
        (
            lambda: jn.sample(KEY, 3, rate=0.1),
            ArgumentTypeError,
            "sample: rate must be callable; got 0.1. Pass rate=jn.log_uniform(1e-4, 1e-1), for "
            "example.",
        ),
        (
            lambda: jn.sample(KEY, 3, rate=lambda key, n: [1, 2]),
            ArgumentValueError,
            "sample: rate must draw 3 values; got 2. Return n values from draw(key, n).",
        ),
        (
            lambda: jn.sample(KEY, 0, rate=jn.uniform(0, 1)),
            ArgumentValueError,
            "sample: n must be a whole number of at least 1; got 0. Pass n=10, for example.",
        ),
        (
            lambda: jn.log_uniform(0.1, 1e-4),
            ArgumentValueError,
            "log_uniform: low must be smaller than high; got low=0.1 and high=0.0001. Pass "
            "low=0.0001 and high=0.1.",
        ),
        (
            lambda: jn.log_uniform(0.0, 1.0),
            ArgumentValueError,
            "log_uniform: low must be a positive finite number; got 0.0. Pass low=0.0001, for "
            "example.",
        ),
        (
            lambda: jn.integers(3, 3),
            ArgumentValueError,
            "integers: low must be smaller than high; got low=3 and high=3. Pass a larger high.",
        ),
        (
            lambda: jn.choice([]),
            ArgumentValueError,
            "choice: values must hold at least one value; got none. Pass values=[0.01, 0.1], for "
            "example.",
        ),
        (
            lambda: check_samples("hyperparameters", []),
            ArgumentValueError,
            "hyperparameters must hold at least one dict by name; got []. Pass "
            '[{"learning_rate": 0.1}, {"learning_rate": 0.01}], for example.',
        ),
        (
            lambda: check_samples("hyperparameters", [{"a": 1, "b": 2}, {"a": 1}]),
            ArgumentValueError,
            "hyperparameters[1] must have the names of the others, ['a', 'b']; got ['a']. Give "
            "every one a value of each name.",
        ),
        (
            lambda: check_samples("hyperparameters", [0.1, 0.2]),
            ArgumentTypeError,
            "hyperparameters[0] must be a dict by name; got 0.1. Pass "
            '[{"learning_rate": 0.1}, {"learning_rate": 0.01}], for example.',
        ),
    ],
)
def test_misuse_is_named(misuse, error, message):
    with pytest.raises(error) as caught:
        misuse()
    assert str(caught.value) == message


def test_samples_of_equal_names_are_taken_as_they_stand():
    rows = jn.grid(a=[1, 2], b=["x"])
    assert check_samples("hyperparameters", rows) == rows
