"""The examples run, and find what they say they find."""

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.slow
def test_the_equation_is_solved_in_twenty_lines():
    found = runpy.run_path(str(EXAMPLES / "poisson.py"))
    assert found["error"] <= 1e-4
    code = (EXAMPLES / "poisson.py").read_text().split('"""')[2].splitlines()
    assert sum(bool(line.strip()) for line in code) <= 20
