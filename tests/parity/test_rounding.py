"""Derivatives in float32 that are rounded once, against the exact quotient."""

import jax
import numpy as np
import pytest

import jaxnets as jn

P = np.geomspace(1e-6, 1, 10_000, endpoint=False, dtype=np.float32)


@pytest.mark.parametrize(
    ("target", "exact"), [(1.0, lambda p: -1 / p), (0.0, lambda p: 1 / (1 - p))]
)
def test_the_slope_of_bce_at_a_hard_target_is_rounded_no_more_than_once(target, exact):
    """Written (p - y) / (p (1 - p)) it is rounded three times, up to 1.5 units apart."""
    y = np.full_like(P, target)
    slope = jax.grad(lambda p: jn.losses.bce(p, y, reduction="sum"))(P)
    # 1 - p is rounded too, as p itself was.
    expected = exact(P.astype(np.float64) if target else P).astype(np.float64)
    units = np.abs(slope - expected) / np.spacing(np.abs(expected).astype(np.float32))
    assert units.max() <= 0.5 + 1e-3


def test_the_longer_form_would_not_be():
    p = P.astype(np.float64)
    longer = (P - 1) / (P * (1 - P))
    units = np.abs(longer + 1 / p) / np.spacing((1 / p).astype(np.float32))
    assert units.max() > 1
