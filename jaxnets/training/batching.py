"""Mini-batches: a fresh permutation every epoch, made where the data are."""

import functools
from dataclasses import dataclass
from typing import Any

import jax
from jax import lax

from jaxnets.checks import check_integer
from jaxnets.errors import require
from jaxnets.training.shuffle import permutation

__all__ = ["Batching", "make_batching"]


@dataclass(frozen=True)
class Batching:
    """The dealing out of the examples of an epoch; fixed when a run is compiled.

    Attributes:
      examples: The number of examples.
      size: Examples in a batch.
      full: Batches of that size in an epoch.
      rest: Examples in the smaller batch that ends an epoch, 0 if there is none.
    """

    examples: int
    size: int
    full: int
    rest: int

    @functools.cached_property
    def per_epoch(self) -> int:
        """Steps in an epoch."""
        return self.full + (self.rest > 0)

    @property
    def shuffled(self) -> bool:
        """True if there is an order: a batch of all examples needs none."""
        return self.size < self.examples

    def order(self, key: jax.Array, epoch: Any) -> jax.Array:
        """The permutation of the examples in an epoch, a function of the run's key alone."""
        # Folded twice, so that no epoch shares its key with a step.
        epoch_key = jax.random.fold_in(jax.random.fold_in(key, 0x7FFFFFFF), epoch)
        return permutation(epoch_key, self.examples)

    def take(self, data: Any, order: jax.Array, step: jax.Array, *, rest: bool = False) -> Any:
        """The batch of a step: ``size`` examples, or the ``rest`` that ends an epoch."""
        if not self.shuffled:
            return data
        start = self.full * self.size if rest else (step % self.per_epoch) * self.size
        chosen = lax.dynamic_slice_in_dim(order, start, self.rest if rest else self.size)
        return jax.tree.map(lambda leaf: leaf.at[chosen].get(mode="promise_in_bounds"), data)


def make_batching(data: Any, batch_size: int | None, *, drop_last: bool) -> Batching:
    """The batches that ``batch_size`` asks for; None means all examples at every step."""
    leaves = jax.tree.leaves(data)
    examples = len(leaves[0]) if leaves else 0
    if batch_size is None:
        return Batching(examples, examples, 1, 0)
    size = check_integer("batch_size", batch_size, minimum=1)
    require(
        size <= examples,
        "batch_size",
        f"be at most the number of examples, {examples}",
        str(size),
        f"Pass batch_size={examples}, or None for all of them.",
    )
    return Batching(examples, size, examples // size, 0 if drop_last else examples % size)
