"""Two descriptions of a run, compared: what must be equal, and what may differ with a warning."""

import warnings
from collections.abc import Mapping
from pathlib import Path

from jaxnets.errors import fail

__all__ = ["MACHINE", "PROGRAM", "check_same_run", "differences"]

PROGRAM = "program"
"""The entry of a description that says what is computed; another version computes another."""

MACHINE = "machine"
"""The entry of a description that says what computes: platform, cores, versions."""

TOLERATED = {
    PROGRAM: "by another program than the one that goes on from it: the model, the loss, the "
    "optimizer or the version of JAX has changed",
    MACHINE: "on another machine than the one that goes on from it, so that last digits may differ",
}
"""Entries of a description that may differ, with what is said then."""

SHOWN_DIFFERENCES = 8
"""Differences that an error lists; two models may differ in thousands of paths."""


def check_same_run(
    function: str, path: Path, described: Mapping[str, str], expected: Mapping[str, str]
) -> None:
    """Raise if a checkpoint is of another run than expected, naming what differs.

    Args:
      function: The public function that resumes the run, for warnings.
      path: The checkpoint.
      described: What it says of its run.
      expected: What the run that is to go on from it says.
    """
    different = differences(described, expected)
    if different:
        more = len(different) - SHOWN_DIFFERENCES
        shown = different[:SHOWN_DIFFERENCES] + ([f"and {more} more"] if more > 0 else [])
        rule, got = "be of this model, optimizer, data and key", "; ".join(shown)
        remedy = "Pass what that run was made with, or another directory."
        fail("checkpoint", rule, f"{path} with {got}", remedy)
    for name, reason in TOLERATED.items():
        if described.get(name) != expected.get(name):
            difference = _difference(name, described, expected)
            text = f"{function}: checkpoint {path} was saved {reason} ({difference})."
            warnings.warn(text, stacklevel=3)


def differences(described: Mapping[str, str], expected: Mapping[str, str]) -> list[str]:
    """Return what tells two runs apart.

    Example:
      >>> differences({"batch_size": "8", "program": "1"}, {"batch_size": "16", "program": "2"})
      ['batch_size: 8 saved, 16 here']
    """
    return [
        _difference(path, described, expected)
        for path in sorted(described.keys() | expected.keys())
        if path not in TOLERATED and described.get(path) != expected.get(path)
    ]


def _difference(path: str, described: Mapping[str, str], expected: Mapping[str, str]) -> str:
    saved, here = described.get(path, "nothing"), expected.get(path, "nothing")
    return f"{path}: {saved} saved, {here} here"
