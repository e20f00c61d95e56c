r"""Learning rates over the steps of a run, ``schedule(step) -> rate``, that a sweep may vary.

They are optax schedules: ``optax.adam(jn.schedules.warmup_cosine(0.1, 100, 1000))``. All rise
linearly from 0 and reach their peak after ``warmup`` steps (the first step then changes nothing;
with ``warmup=0`` they start at the peak); after ``steps`` steps they stay at ``end``. Every
argument may be traced, and so be a hyperparameter of `sweep`.

Of optax's own schedules most can be traced over their values as well. Those that cannot decide
something by a value in Python, and raise a ``TracerBoolConversionError``:

- ``warmup_cosine_decay_schedule`` and ``sgdr_schedule`` by their peak;
- ``exponential_decay`` and ``warmup_exponential_decay_schedule`` by ``decay_rate``;
- ``piecewise_constant_schedule`` and ``piecewise_interpolate_schedule`` by their scales;
- ``cosine_decay_schedule``, ``exponential_decay``, ``linear_schedule`` and
  ``polynomial_schedule`` by their numbers of steps.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxnets.checks import check_finite, check_nonnegative, check_positive
from jaxnets.errors import concrete, public, require

__all__ = ["Schedule", "warmup_cosine", "warmup_linear", "warmup_stable"]

Number = float | jax.Array
"""A number, or a traced one."""

Schedule = Callable[[Any], jax.Array]
"""``schedule(step) -> learning rate``, as optax takes it in place of a number."""


@public
def warmup_cosine(peak: Number, warmup: Number, steps: Number, end: Number = 0.0) -> Schedule:
    r"""A linear rise, then half a period of the cosine down to ``end``.

    .. math::
       \eta(t) = \begin{cases} p\,t / w & t < w \\
       e + \frac{p - e}{2} \bigl(1 + \cos \pi \frac{t - w}{s - w}\bigr) & w \le t < s \\
       e & t \ge s \end{cases}

    It equals ``optax.warmup_cosine_decay_schedule(0.0, peak, warmup, steps, end)``.

    Args:
      peak: The largest rate, p.
      warmup: The steps of the rise, w; 0 starts at the peak.
      steps: The steps of the whole, s, more than ``warmup``.
      end: The rate from then on, e.

    Returns:
      ``schedule(step) -> rate``.

    Raises:
      ValueError: If a number is not finite or negative, or ``steps`` is at most ``warmup``.

    Example:
      >>> schedule = warmup_cosine(0.1, warmup=10, steps=110)
      >>> [round(float(schedule(step)), 3) for step in (0, 5, 10, 60, 110)]
      [0.0, 0.05, 0.1, 0.05, 0.0]

    References:
      Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017.
    """
    return _warmed_up(peak, warmup, steps, end, lambda share: (1 + jnp.cos(jnp.pi * share)) / 2)


@public
def warmup_linear(peak: Number, warmup: Number, steps: Number, end: Number = 0.0) -> Schedule:
    r"""A linear rise, then a straight line down to ``end``.

    .. math::
       \eta(t) = \begin{cases} p\,t / w & t < w \\
       p + (e - p) \frac{t - w}{s - w} & w \le t < s \\ e & t \ge s \end{cases}

    Args:
      peak: As for `warmup_cosine`.
      warmup: As for `warmup_cosine`.
      steps: As for `warmup_cosine`.
      end: As for `warmup_cosine`.

    Returns:
      ``schedule(step) -> rate``.

    Example:
      >>> schedule = warmup_linear(0.1, warmup=10, steps=110, end=0.02)
      >>> [round(float(schedule(step)), 3) for step in (0, 5, 10, 60, 110, 500)]
      [0.0, 0.05, 0.1, 0.06, 0.02, 0.02]

    References:
      Devlin et al., "BERT: pre-training of deep bidirectional transformers", 2019.
    """
    return _warmed_up(peak, warmup, steps, end, lambda share: 1 - share)


@public
def warmup_stable(
    peak: Number, warmup: Number, steps: Number, end: Number = 0.0, *, decay: Number = 0.2
) -> Schedule:
    r"""A linear rise, a plateau at the peak, and a straight line down to ``end`` in the last steps.

    .. math::
       \eta(t) = \begin{cases} p\,t / w & t < w \\ p & w \le t < d \\
       p + (e - p) \frac{t - d}{s - d} & d \le t < s \\ e & t \ge s \end{cases}
       \qquad d = s - \delta (s - w)

    Args:
      peak: As for `warmup_cosine`.
      warmup: As for `warmup_cosine`.
      steps: As for `warmup_cosine`.
      end: As for `warmup_cosine`.
      decay: The share of the steps after the rise in which the rate falls, in (0, 1].

    Returns:
      ``schedule(step) -> rate``.

    Example:
      >>> schedule = warmup_stable(0.1, warmup=10, steps=110, decay=0.5)
      >>> [round(float(schedule(step)), 3) for step in (0, 5, 10, 60, 85, 110)]
      [0.0, 0.05, 0.1, 0.1, 0.05, 0.0]

    References:
      Hu et al., "MiniCPM: unveiling the potential of small language models", 2024.
    """
    decay = check_positive("decay", decay, example=0.2)
    if concrete(decay):
        require(decay <= 1, "decay", "be at most 1", decay, "Pass decay=0.2, for example.")
    return _warmed_up(peak, warmup, steps, end, lambda share: jnp.minimum(1.0, (1 - share) / decay))


def _warmed_up(
    peak: Any, warmup: Any, steps: Any, end: Any, fall: Callable[[jax.Array], jax.Array]
) -> Schedule:
    """A linear rise to the peak, then ``fall``, from 1 to 0 as the share of the rest goes to 1."""
    peak, end = check_finite("peak", peak), check_finite("end", end, example=0.0)
    warmup = check_nonnegative("warmup", warmup, example=100)
    steps = check_positive("steps", steps, example=1000)
    if concrete(warmup) and concrete(steps):
        remedy = f"Pass steps={10 * max(1, round(warmup))}, for example."
        require(steps > warmup, "steps", f"be more than warmup, {warmup:g}", f"{steps:g}", remedy)

    def schedule(step: Any) -> jax.Array:
        share = jnp.clip((step - warmup) / (steps - warmup), 0, 1)
        rise = peak * step / jnp.maximum(warmup, 1)
        return jnp.where(step < warmup, rise, end + (peak - end) * fall(share))

    return schedule


def __dir__() -> list[str]:
    """The public names alone."""
    return __all__
