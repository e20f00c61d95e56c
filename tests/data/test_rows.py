"""Rows of studies: every property is checked on the index arrays themselves, by counting."""

import jax
import numpy as np
import pytest

import jaxnets as jn
from jaxnets.data.rows import padded
from jaxnets.errors import ArgumentTypeError, ArgumentValueError

KEY = jax.random.key(0)


@pytest.mark.parametrize(("n", "k"), [(2, 2), (17, 2), (17, 5), (17, 16), (17, 17)])
def test_every_row_is_left_out_by_exactly_one_fold_and_sizes_differ_by_at_most_one(n, k):
    rows = jn.data.folds(n, k, KEY)
    assert sorted(np.concatenate(rows.test)) == list(range(n))
    sizes = [len(test) for test in rows.test]
    assert max(sizes) - min(sizes) <= 1
    for train, test in zip(rows.train, rows.test, strict=True):
        assert sorted([*train, *test]) == list(range(n))


@pytest.mark.parametrize("counts", [[17], [3, 14], [4, 4, 4, 5], [3, 3, 3, 3, 5], [8, 9]])
@pytest.mark.parametrize("seed", range(5))
def test_stratified_folds_differ_by_at_most_one_row_of_each_class_and_in_all(counts, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    rows = jn.data.folds(17, 3, jax.random.key(seed), stratify=labels)
    assert sorted(np.concatenate(rows.test)) == list(range(len(labels)))
    sizes = [len(test) for test in rows.test]
    assert max(sizes) - min(sizes) <= 1
    for number in range(len(counts)):
        own = [(labels[test] == number).sum() for test in rows.test]
        assert max(own) - min(own) <= 1
        assert min(own) >= 1


def test_folds_are_dealt_at_random_by_the_key_alone():
    first, again = (jn.data.folds(100, 2, KEY).test[0] for _ in range(2))
    other = jn.data.folds(100, 2, jax.random.key(1)).test[0]
    assert first.tolist() == again.tolist() != other.tolist()
    assert first.tolist() not in (list(range(50)), list(range(0, 100, 2)))


def test_stratified_folds_are_dealt_at_random_within_a_class():
    """Each of 10 rows is in the first of 2 folds with probability 1/2: 50 +- 25 of 100."""
    labels = ["a"] * 4 + ["b"] * 6
    keys = jax.random.split(KEY, 100)
    firsts = np.concatenate([jn.data.folds(10, 2, key, stratify=labels).test[0] for key in keys])
    assert (abs(np.bincount(firsts, minlength=10) - 50) <= 25).all()


def test_labels_may_be_texts():
    rows = jn.data.folds(4, 2, KEY, stratify=["no", "yes", "yes", "no"])
    assert [sorted(test % 3 == 0) for test in rows.test] == [[False, True]] * 2


def test_a_resample_draws_with_replacement_and_is_evaluated_on_what_it_left_out():
    rows = jn.data.bootstrap(1000, 20, KEY)
    assert (rows.axis, rows.values.tolist()) == ("resample", list(range(20)))
    for train, test in zip(rows.train, rows.test, strict=True):
        assert len(train) == 1000
        assert set(train) | set(test) == set(range(1000))
        assert not set(train) & set(test)
    # (1 - 1/n)^n of the rows are left out: 0.3677 of 1,000, within 5 standard errors.
    assert abs(np.mean([len(test) for test in rows.test]) - 367.7) <= 5 * 9.8 / np.sqrt(20)
    assert rows.train[0].tolist() != rows.train[1].tolist()


def test_subsets_are_nested_and_share_their_test():
    rows = jn.data.subsets(50, [30, 5, 10], KEY)
    assert (rows.axis, rows.values.tolist()) == ("size", [30, 5, 10])
    large, small, middle = map(set, rows.train)
    assert (len(large), len(small), len(middle)) == (30, 5, 10)
    assert small < middle < large
    assert all(set(test) == set(range(50)) - large for test in rows.test)


def test_padding_leaves_sums_as_they_are():
    rows = jn.data.folds(7, 3, KEY)
    indices, weights = padded(rows.train)
    values = np.arange(7.0) ** 2
    sums = (values[indices] * weights).sum(1)
    assert sums.tolist() == [values[train].sum() for train in rows.train]
    assert indices.dtype == np.int32
    assert weights.sum(1).tolist() == [len(train) for train in rows.train]


@pytest.mark.parametrize(
    ("misuse", "error", "message"),
    [
        (
            lambda: jn.data.folds(4, 5, KEY),
            ArgumentValueError,
            "folds: k must be at most n, 4; got 5. Pass k=4, which leaves one row out at a time.",
        ),
        (
            lambda: jn.data.folds(4, 1, KEY),
            ArgumentValueError,
            "folds: k must be a whole number of at least 2; got 1. Pass k=10, for example.",
        ),
        (
            lambda: jn.data.folds(5, 3, KEY, stratify=[0, 0, 0, 1, 1]),
            ArgumentValueError,
            "folds: stratify must hold 3 examples of each class, one for each fold; got 2 of "
            "class 1. Pass k=2, or leave stratify out.",
        ),
        (
            lambda: jn.data.folds(5, 3, KEY, stratify=np.eye(5)),
            ArgumentValueError,
            "folds: stratify must hold one label for each of 5 rows; got (5, 5). Pass "
            "labels.argmax(-1) for one-hot targets.",
        ),
        (
            lambda: jn.data.folds(5, 3, 0),
            ArgumentTypeError,
            "folds: key must be one PRNG key; got 0. Pass key=jax.random.key(0).",
        ),
        (
            lambda: jn.data.bootstrap(2, 50, KEY),
            ArgumentValueError,
            "bootstrap: n must be so large that each resample leaves rows out; got 2, of which "
            "resample 0 drew every one. Use folds.",
        ),
        (
            lambda: jn.data.subsets(10, [5, 10], KEY),
            ArgumentValueError,
            "subsets: sizes[1] must be smaller than n, 10, so that rows are left to evaluate on; "
            "got 10. Pass sizes=[2, 5], for example.",
        ),
        (
            lambda: jn.data.subsets(10, [], KEY),
            ArgumentValueError,
            "subsets: sizes must be a list of whole numbers; got []. Pass sizes=[2, 5], for "
            "example.",
        ),
        (
            lambda: jn.data.subsets(10, [0.5], KEY),
            ArgumentTypeError,
            "subsets: sizes[0] must be a whole number of at least 1; got 0.5. Pass sizes[0]=10, "
            "for example.",
        ),
    ],
)
def test_misuse_is_named(misuse, error, message):
    with pytest.raises(error) as caught:
        misuse()
    assert str(caught.value) == message
