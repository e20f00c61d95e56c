"""The worked example of CONTRIBUTING.md, followed to the letter in a copy of the package."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STEPS = re.findall(r"```python\n# (\S+)\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.S)


@pytest.fixture
def followed(tmp_path):
    """A copy of the package in which the steps were followed."""
    shutil.copytree(ROOT / "jaxnets", tmp_path / "jaxnets")
    for name, code in STEPS:
        path = tmp_path / name
        text = path.read_text().replace("__all__ = [", '__all__ = ["squareplus", ', 1)
        path.write_text(f"{text}\n\n{code}")
    return tmp_path


def run(folder, *words):
    return subprocess.run(
        [sys.executable, *words], cwd=folder, capture_output=True, text=True, timeout=300
    )


@pytest.mark.slow
def test_an_activation_is_added_by_the_steps_of_the_guide(followed):
    assert [Path(name).parts[-2] for name, _ in STEPS] == ["activations", "activations"]
    used = run(
        followed, "-c", "import jaxnets as jn; print(jn.sequential(jn.dense(1), jn.squareplus))"
    )
    assert used.stdout == "sequential(dense(1), squareplus)\n"
    proof = run(followed, "-m", "jaxnets.parity", "--only", "squareplus")
    assert proof.returncode == 0, proof.stdout + proof.stderr
    assert re.search(r"^squareplus +activation .* ok$", proof.stdout, re.M)
    shown = run(followed, "-m", "jaxnets.parity", "--show", "squareplus")
    assert "f'(x) = f(x) / r" in shown.stdout


@pytest.mark.slow
def test_a_wrong_formula_of_the_guide_would_be_noticed(followed):
    path = followed / STEPS[1][0]
    path.write_text(
        path.read_text().replace("return value, value / r", "return value, 1.05 * value / r")
    )
    assert run(followed, "-m", "jaxnets.parity", "--only", "squareplus").returncode == 1
