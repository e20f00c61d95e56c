"""Watchers made of watchers: less often, or several at once."""

import functools
import math
import time
from typing import Any

from jaxnets.checks import check_callable, check_positive
from jaxnets.errors import public, require
from jaxnets.training import Look
from jaxnets.watch.looks import Watcher, begins, joined

__all__ = ["every", "paced", "together"]


@public
def every(seconds: float, function: Watcher) -> Watcher:
    """Call a function less often: with all that happened since its last call, as one `Look`.

    The last look of a run that makes all its steps calls it in any case.

    Args:
      seconds: Wall time between calls, at least.
      function: A watcher, ``function(look)``; a true answer ends the run.

    Returns:
      A watcher.

    Raises:
      ValueError: If ``seconds`` is not positive.
      TypeError: If ``function`` is no function.

    Example:
      >>> import optax
      >>> seen, x = [], jnp.ones((4, 1))
      >>> _ = jn.fit(
      ...     jn.dense(1), jn.losses.mse, optax.sgd(0.1), (x, x), key=jax.random.key(0), steps=3,
      ...     watch=jn.watch.every(3600, lambda look: seen.append(look.history["step"].tolist())),
      ... )
      >>> seen
      [[0, 1, 2]]
    """
    seconds = check_positive("seconds", seconds, example=10.0)
    check_callable("function", function, "Pass a function f(look).")
    return paced(seconds, function)


@public
def together(*watchers: Watcher) -> Watcher:
    """Several watchers as one, each called at every look; a true answer of any ends the run.

    Args:
      watchers: The watchers, called in their order.

    Returns:
      A watcher.

    Raises:
      ValueError: If there are none.
      TypeError: If one is no function.

    Example:
      >>> watcher = jn.watch.together(lambda look: None, lambda look: look.step > 100)
    """
    require(watchers, "watchers", "be given", "none", 'Pass jn.watch.csv("run.csv").')
    for number, watcher in enumerate(watchers):
        check_callable(f"watchers[{number}]", watcher, 'Pass jn.watch.csv("run.csv").')

    def watch(look: Look) -> bool:
        answers = [watcher(look) for watcher in watchers]  # of all, before one ends the run
        return any(answers)

    return watch


def paced(seconds: float, function: Watcher) -> Watcher:
    """``function`` at the first look after so many seconds, and at the last."""
    kept: list[Look] = []
    last = [-math.inf]

    def watch(look: Look) -> Any:
        if begins(look):
            kept.clear()
        kept.append(look)
        if time.monotonic() - last[0] < seconds and look.step < look.steps:
            return False
        last[0] = time.monotonic()
        history = functools.reduce(joined, [each.history for each in kept])
        validation = functools.reduce(joined, [each.validation for each in kept])
        kept.clear()
        return function(look._replace(history=history, validation=validation))

    return watch
