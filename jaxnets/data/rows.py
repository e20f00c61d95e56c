"""Which examples to learn from, several times over: folds, bootstrap resamples, subsets.

Each function returns `Rows`: one entry per fold, resample or subset. The entries are indices of
rows, not copies of data, and a function of the key alone.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnets.checks import check_integer, check_key
from jaxnets.errors import describe, fail, public, require

__all__ = ["Rows", "bootstrap", "folds", "padded", "subsets"]


class Rows(NamedTuple):
    """The rows to learn from and those left out, for each entry of one axis of a study.

    Entries may be of different lengths, and a row may occur in one several times. Rows of other
    kinds, one subject or one year left out for example, are made by calling this class.

    Attributes:
      axis: The name of the axis, a column of a table: ``"fold"``, ``"resample"``, ``"size"``.
      values: What stands in that column, ``[entries]``: the number of the fold or resample, or
        the size of the subset.
      train: For each entry the rows to learn from, integers ``[rows]``.
      test: For each entry the rows to evaluate on, integers ``[rows]``, none of them in ``train``.

    Example:
      >>> rows = folds(5, 2, jax.random.key(0))
      >>> [len(train) for train in rows.train], [len(test) for test in rows.test]
      ([2, 3], [3, 2])
    """

    axis: str
    values: np.ndarray
    train: tuple[np.ndarray, ...]
    test: tuple[np.ndarray, ...]


@public
def folds(n: int, k: int, key: jax.Array, *, stratify: Any = None) -> Rows:
    """Cross-validation: every row is left out by exactly one of k folds.

    The folds differ by at most one row in size, and with ``stratify`` by at most one row of each
    class as well.

    Args:
      n: The number of rows.
      k: The number of folds.
      key: PRNG key that deals out the rows.
      stratify: Class labels, ``[n]``, of any type; None to deal without them.

    Returns:
      `Rows` along ``"fold"``: entry i learns from all rows but those of fold i, in their order.

    Raises:
      ValueError: If k is larger than n, or than the number of examples of a class: some fold
        would be without one.

    Example:
      >>> rows = folds(6, 3, jax.random.key(0), stratify=[0, 0, 0, 1, 1, 1])
      >>> [int((test >= 3).sum()) for test in rows.test]
      [1, 1, 1]

    References:
      Kohavi, "A study of cross-validation and bootstrap for accuracy estimation and model
      selection", 1995.
    """
    n, k = check_integer("n", n, minimum=2), check_integer("k", k, minimum=2)
    require(
        k <= n, "k", f"be at most n, {n}", k, f"Pass k={n}, which leaves one row out at a time."
    )
    check_key(key)
    order = _permutation(key, n)
    if stratify is not None:
        # One class after the other, so that dealing them out in turn spreads each evenly.
        order = order[np.argsort(_classes(stratify, n, k)[order], kind="stable")]
    fold = np.empty(n, np.int32)
    fold[order] = np.arange(n) % k
    test = tuple(_where(fold == number) for number in range(k))
    return Rows("fold", np.arange(k), tuple(_where(fold != number) for number in range(k)), test)


@public
def bootstrap(n: int, m: int, key: jax.Array) -> Rows:
    """Resampling: each of m resamples draws n of n rows, with replacement.

    About 1 / e = 37% of the rows are in none of the draws of a resample; it is evaluated on those.

    Args:
      n: The number of rows.
      m: The number of resamples.
      key: PRNG key that draws them.

    Returns:
      `Rows` along ``"resample"``.

    Raises:
      ValueError: If a resample drew every row, as happens where there are few.

    Example:
      >>> rows = bootstrap(100, 3, jax.random.key(0))
      >>> [len(train) for train in rows.train], set(rows.train[0]) & set(rows.test[0])
      ([100, 100, 100], set())

    References:
      Efron and Tibshirani, "An Introduction to the Bootstrap", 1993.
    """
    n, m = check_integer("n", n, minimum=2), check_integer("m", m, minimum=1)
    check_key(key)
    drawn = np.asarray(jax.random.randint(key, (m, n), 0, n), np.int32)
    test = tuple(np.setdiff1d(np.arange(n, dtype=np.int32), rows) for rows in drawn)
    if not all(map(len, test)):
        got = f"{n}, of which resample {[*map(len, test)].index(0)} drew every one"
        fail("n", "be so large that each resample leaves rows out", got, "Use folds.")
    return Rows("resample", np.arange(m), tuple(drawn), test)


@public
def subsets(n: int, sizes: Sequence[int], key: jax.Array) -> Rows:
    """Learning curves: for each size a random subset, evaluated on the same rows.

    The subsets are nested: each holds the smaller ones. What the largest leaves out is the test of
    all, so that their scores differ by what was learnt alone.

    Args:
      n: The number of rows.
      sizes: Those of the subsets, each at least 1 and smaller than n.
      key: PRNG key that orders the rows.

    Returns:
      `Rows` along ``"size"``.

    Raises:
      ValueError: If there are no sizes, or one is out of range.

    Example:
      >>> rows = subsets(10, [2, 4, 8], jax.random.key(0))
      >>> [len(train) for train in rows.train], [len(test) for test in rows.test]
      ([2, 4, 8], [2, 2, 2])
    """
    n = check_integer("n", n, minimum=2)
    check_key(key)
    example = f"Pass sizes={sorted({max(1, n // 4), max(1, n // 2)})}, for example."
    given = np.ndim(sizes) == 1 and len(sizes) > 0
    require(given, "sizes", "be a list of whole numbers", describe(sizes), example)
    counts = [check_integer(f"sizes[{i}]", size, minimum=1) for i, size in enumerate(sizes)]
    for i, size in enumerate(counts):
        rule = f"be smaller than n, {n}, so that rows are left to evaluate on"
        require(size < n, f"sizes[{i}]", rule, size, example)
    order = _permutation(key, n)
    train = tuple(np.sort(order[:size]) for size in counts)
    return Rows("size", np.array(counts), train, (np.sort(order[max(counts) :]),) * len(counts))


def padded(entries: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Rows of different lengths as one array, with weights that remove what fills it up.

    Args:
      entries: Index arrays, as `Rows` has them, none of them empty.

    Returns:
      Indices ``[entries, longest]``, int32, and weights of the same shape, float32: 1, or 0 where
      a row only fills up, which is the entry's first.

    Example:
      >>> rows, weights = padded([np.array([4, 5, 6]), np.array([7, 8])])
      >>> rows.tolist(), weights.tolist()
      ([[4, 5, 6], [7, 8, 7]], [[1.0, 1.0, 1.0], [1.0, 1.0, 0.0]])
    """
    longest = max(map(len, entries))
    rows = np.stack(
        [np.resize(np.append(own, np.full(longest, own[0])), longest) for own in entries]
    )
    weights = np.arange(longest) < np.array([len(own) for own in entries])[:, None]
    return rows.astype(np.int32), weights.astype(np.float32)


def _permutation(key: jax.Array, n: int) -> np.ndarray:
    return np.asarray(jax.random.permutation(key, n), np.int32)


def _where(flags: np.ndarray) -> np.ndarray:
    return np.flatnonzero(flags).astype(np.int32)


def _classes(labels: Any, n: int, k: int) -> np.ndarray:
    """The class of each row as a number, once each has enough examples for k folds."""
    labels = np.asarray(labels)
    remedy = "Pass labels.argmax(-1) for one-hot targets." if labels.ndim > 1 else "Pass them all."
    rule, got = f"hold one label for each of {n} rows", str(labels.shape)
    require(labels.shape == (n,), "stratify", rule, got, remedy)
    names, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if counts.min() < k:
        got = f"{counts.min()} of class {names[counts.argmin()]}"
        remedy = f"Pass k={counts.min()}, or leave stratify out."
        if counts.min() < 2:
            remedy = "Leave the class out, or stratify."
        fail("stratify", f"hold {k} examples of each class, one for each fold", got, remedy)
    return classes
