"""A confidence interval for a share."""

import math

from jaxnets.checks import fail

__all__ = ["wilson_interval"]


def wilson_interval(successes: int, trials: int, *, z: float = 1.959964) -> tuple[float, float]:
    r"""Wilson's score interval of a binomial proportion.

    .. math::
       \frac{1}{1 + z^2/n} \Bigl(\hat p + \frac{z^2}{2n}
       \pm z \sqrt{\frac{\hat p (1 - \hat p)}{n} + \frac{z^2}{4 n^2}}\Bigr)

    Unlike p ± 2 sigma it stays within [0, 1] and has a width at 0 and n successes.

    Args:
      successes: The number of successes, from 0 to n.
      trials: The number of trials n, at least 1.
      z: The quantile of the standard normal; the default is for 95%.

    Returns:
      The lower and the upper end.

    Raises:
      ValueError: If the numbers do not fit each other.

    Example:
      >>> low, high = wilson_interval(9, 10)
      >>> print(f"{low:.3f} {high:.3f}")
      0.596 0.982

    References:
      Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
    """
    if not (trials >= 1 and 0 <= successes <= trials):
        fail(
            "wilson_interval",
            "successes",
            "be from 0 to trials, and trials at least 1",
            f"{successes} of {trials}",
            "Pass counts such as wilson_interval(9, 10).",
        )
    share, scale = successes / trials, 1 / (1 + z * z / trials)
    middle = scale * (share + z * z / (2 * trials))
    half = scale * z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    # Rounding must not put the share itself outside.
    return max(0.0, min(middle - half, share)), min(1.0, max(middle + half, share))
