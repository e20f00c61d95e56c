"""Panels that several pictures have: a table in greys, the curve of a loss."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from jaxnets.plots import line_style

__all__ = ["grey_table", "loss_curve"]


def grey_table(
    ax: Any,
    shares: np.ndarray,
    cells: np.ndarray,
    rows: Iterable[str],
    columns: Iterable[str],
    *,
    size: float = 8,
    aspect: str = "auto",
) -> Any:
    """Draw a table whose fields are the darker the larger their share.

    Args:
      ax: The axes to draw on.
      shares: From 0 to 1, ``[rows, columns]``.
      cells: The texts of the fields, of the same shape.
      rows: The labels of the rows.
      columns: Those of the columns.
      size: Of the texts, in points.
      aspect: Of the fields.

    Returns:
      The image, for a colour bar.
    """
    image = ax.imshow(shares, cmap="Greys", vmin=0, vmax=1, aspect=aspect)
    for row, column in np.ndindex(*shares.shape):
        shade = "white" if shares[row, column] > 0.5 else "black"
        text = cells[row, column]
        ax.text(column, row, text, color=shade, fontsize=size, ha="center", va="center")
    ax.set_xticks(range(shares.shape[1]), columns)
    ax.set_yticks(range(shares.shape[0]), rows)
    ax.grid(visible=False)
    return image


def loss_curve(ax: Any, index: int, step: Any, loss: Any, label: str) -> None:
    """Draw a loss by step as line number ``index``; one record alone shows by its marker."""
    style = line_style(index)
    style["marker"] = "o" if len(step) == 1 else style["marker"]
    ax.plot(step, loss, label=label, **style)
