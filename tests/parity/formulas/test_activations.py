"""What stands beside the formulas of the activations."""

import inspect

import numpy as np
import pytest

from jaxnets import activations as library
from jaxnets.parity.formulas import ACTIVATIONS
from jaxnets.parity.formulas.formula import kinks_of, options_of

GRID = np.arange(-10, 10.5, 0.5)
ALPHA = {"prelu": {"alpha": np.array(0.25)}}


def jumps(name, options):
    """The points of the grid where the value or the slope is another on either side."""
    left, right = (
        ACTIVATIONS[name](GRID + side, **ALPHA.get(name, {}), **options) for side in (-1e-9, 1e-9)
    )
    apart = [np.abs(a - b) > 1e-6 for a, b in zip(left, right, strict=True)]
    return tuple(GRID[apart[0] | apart[1]])


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_kinks_beside_a_formula_are_all_that_it_has(name):
    variants = ({}, *options_of(ACTIVATIONS[name]))
    found = {point for options in variants for point in jumps(name, options)}
    assert found == set(kinks_of(ACTIVATIONS[name]))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_option_of_the_library_is_tried(name):
    parameters = inspect.signature(getattr(library, name)).parameters.values()
    named = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is not p.empty}
    assert named == {option for options in options_of(ACTIVATIONS[name]) for option in options}
