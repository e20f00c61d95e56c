"""Intervals of confidence, of 95%."""

import math

__all__ = ["wilson_interval"]

NORMAL_95 = 1.959964
"""The quantile of the standard normal for an interval of 95%."""


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    r"""Wilson's score interval, of 95%, of a binomial proportion.

    .. math::
       \frac{1}{1 + z^2/n} \Bigl(\hat p + \frac{z^2}{2n}
       \pm z \sqrt{\frac{\hat p (1 - \hat p)}{n} + \frac{z^2}{4 n^2}}\Bigr)

    Unlike p ± 2 sigma it stays within [0, 1] and has a width at 0 and n successes.

    Example:
      >>> low, high = wilson_interval(9, 10)
      >>> print(f"{low:.3f} {high:.3f}")
      0.596 0.982

    References:
      Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
    """
    z, share = NORMAL_95, successes / trials
    scale = 1 / (1 + z * z / trials)
    middle = scale * (share + z * z / (2 * trials))
    half = scale * z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    # Rounding must not put the share itself outside.
    return max(0.0, min(middle - half, share)), min(1.0, max(middle + half, share))
