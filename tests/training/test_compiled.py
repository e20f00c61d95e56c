"""Compiled functions are forgotten when they have not been used for long."""

import gc
import weakref

from jaxnets.training.compiled import MOST_KEPT, compiled_for


def test_programs_are_forgotten_after_a_while():
    """A loop over a thousand learning rates must not keep a thousand programs."""

    def rate_of(rate):
        return lambda: rate

    added = compiled_for(lambda number, x: x + number())
    first = rate_of(0)
    held = weakref.ref(first)
    assert float(added(first)(1.0)) == 1
    for i in range(MOST_KEPT):
        added(rate_of(i))
    del first
    gc.collect()
    assert held() is None
