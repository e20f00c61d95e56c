"""The losses that the course's programs print in PyTorch, and the comparison with them.

References:
  deeplearningzerotoall/PyTorch, ``lab-08_1_xor``, ``lab-08_2_xor_nn`` and
  ``lab-08_3_xor_nn_wide_deep``: seed 777, full batches, SGD with learning rate 1, 10,001 steps.
  The two-layer program, run from three seeds in PyTorch 2.13 on a CPU, one thread;
  ``tests/fixtures/make_torch_two_layer.py`` made the file.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

__all__ = ["Table", "compared", "two_layer_table", "xor_table"]

Table = dict[str, list[float]]
"""``"step"`` and ``"loss"``, lists of equal length."""

FILES = {(): "xor_single_layer.csv", (2,): "xor_2_2_1.csv", (10, 10, 10): "xor_2_10_10_10_1.csv"}
"""The tables of XOR by the widths of the hidden layers."""


def xor_table(hidden: tuple[int, ...]) -> Table | None:
    """The published losses of the network with these hidden widths, or None if there are none.

    Example:
      >>> xor_table((2,))["loss"][0]
      0.7434073090553284
    """
    if hidden not in FILES:
        return None
    text = resources.files(__name__).joinpath(FILES[hidden]).read_text()
    _, *rows = csv.reader(text.splitlines())
    return {"step": [int(step) for step, _ in rows], "loss": [float(loss) for _, loss in rows]}


def two_layer_table(seed: int, run: str) -> Table | None:
    """The losses of one run, every tenth step, or None for a seed that is not in the file.

    Args:
      seed: 0, 1 or 777.
      run: ``"float32"``, ``"float64"``, or ``"nudged"``: float32 again, with every number that
        is drawn moved at random to a neighbouring float32 or left where it is.

    Example:
      >>> two_layer_table(777, "float32")["loss"][0]
      32406216.0
    """
    recorded = json.loads(resources.files(__name__).joinpath("torch_two_layer.json").read_text())
    runs = recorded["runs"].get(str(seed))
    return runs and {"step": recorded["step"], "loss": runs[run]}


def compared(history: Mapping[str, Sequence[Any]], table: Table) -> tuple[list[Any], list[Any]]:
    """For every record the published loss and the relative difference from it.

    Both are None at a step that the table does not have.
    """
    by_step = dict(zip(table["step"], table["loss"], strict=True))
    published = [by_step.get(step) for step in history["step"]]
    pairs = zip(history["loss"], published, strict=True)
    return published, [theirs and abs(loss - theirs) / theirs for loss, theirs in pairs]
