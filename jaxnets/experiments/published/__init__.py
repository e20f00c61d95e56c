"""The loss tables that the course's notebooks printed, and the comparison with them.

References:
  deeplearningzerotoall/PyTorch, ``lab-08_1_xor``, ``lab-08_2_xor_nn`` and
  ``lab-08_3_xor_nn_wide_deep``: seed 777, full batches, SGD with learning rate 1, 10,001 steps.
"""

import csv
from collections.abc import Mapping, Sequence
from importlib import resources

__all__ = ["Table", "largest_relative_difference", "relative_differences", "xor_table"]

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
    rows = list(csv.DictReader(text.splitlines()))
    return {
        "step": [int(row["step"]) for row in rows],
        "loss": [float(row["loss"]) for row in rows],
    }


def relative_differences(
    history: Mapping[str, Sequence[float]], table: Table
) -> list[tuple[float, float] | None]:
    """For every record the published loss and the relative difference, where there is one."""
    published = dict(zip(table["step"], table["loss"], strict=True))
    return [
        (published[step], abs(loss - published[step]) / published[step])
        if step in published
        else None
        for step, loss in zip(history["step"], history["loss"], strict=True)
    ]


def largest_relative_difference(
    history: Mapping[str, Sequence[float]], table: Table | None
) -> float | None:
    """The largest relative difference over the steps in both, or None if there is none."""
    rows = [] if table is None else relative_differences(history, table)
    return max((row[1] for row in rows if row is not None), default=None)
