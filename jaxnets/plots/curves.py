"""Curves with bands, and maps of numbers: what pictures of results are made of."""

import warnings
from typing import Any

import numpy as np

from jaxnets.plots.drawing import line_style

__all__ = ["draw_curve", "draw_map", "finish", "middle", "wide"]

BAND = (10, 50, 90)
"""The percentiles that a band over members goes between, and in the middle that of its line."""

WIDE = 50.0
"""The ratio of largest to smallest beyond which positive numbers are drawn in logarithms."""

LUMINANCE = (0.299, 0.587, 0.114)
"""How bright red, green and blue look."""

MOST_CELLS = 400
"""Cells of a map in which a number can still be read."""


def middle(numbers: Any, axis: int = 0) -> Any:
    """Percentiles 10, 50 and 90 along an axis, of what is finite; NaN where nothing is."""
    numbers = np.where(np.isfinite(numbers), numbers, np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of slices without a number
        return np.nanpercentile(numbers, BAND, axis=axis)


def wide(numbers: Any) -> bool:
    """True for positive numbers over more than a decade or so."""
    finite = np.asarray(numbers, float)[np.isfinite(np.asarray(numbers, float))]
    return bool(finite.size and finite.min() > 0 and finite.max() > WIDE * finite.min())


def draw_curve(ax: Any, x: Any, y: Any, label: str, number: int, *, points: bool = False) -> None:
    """A line in the style of its number, with a band around it where y has an axis of members."""
    style = line_style(number)
    if points:
        style |= {"marker": "osD^vx"[number % 6], "markevery": 1}
    if np.ndim(y) > 1:
        low, y, high = middle(y)
        ax.fill_between(x, low, high, color=style["color"], alpha=0.18, linewidth=0)
    ax.plot(x, y, label=label, **style)


def finish(ax: Any, x: str, y: str) -> None:
    """Label the axes, and draw them in logarithms where the numbers are wide."""
    lines = [line.get_data() for line in ax.get_lines()]
    if wide(np.concatenate([np.asarray(y, float) for _, y in lines])):
        ax.set_yscale("log")
    ax.set(xlabel=x, ylabel=y)


def draw_map(
    ax: Any, cells: Any, rows: Any, columns: Any, *, shown: str = "{:.3g}", colours: str = "cividis"
) -> None:
    """Cells in shades by their numbers, which are written in."""
    cells = np.asarray(cells)
    image = ax.imshow(np.log(cells) if wide(cells) else cells, cmap=colours, aspect="auto")
    ax.set_xticks(range(len(columns)), columns)
    ax.set_yticks(range(len(rows)), rows)
    ax.grid(visible=False)
    if cells.size > MOST_CELLS:
        return
    shades = image.to_rgba(image.get_array())[..., :3] @ LUMINANCE
    for (row, column), cell in np.ndenumerate(cells):
        ink = "black" if shades[row, column] > 0.5 else "white"
        ax.text(column, row, shown.format(cell), ha="center", va="center", color=ink)
