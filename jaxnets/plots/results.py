"""Curves of a run, and of a sweep against its hyperparameters."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxnets.checks import check_choice
from jaxnets.errors import ArgumentTypeError, describe, fail, public, require
from jaxnets.plots.curves import draw_curve, draw_map, finish, middle, wide
from jaxnets.plots.drawing import new_figure
from jaxnets.training import Fit, Sweep

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["history", "history_figure", "sweep"]

Columns = dict[str, np.ndarray]
"""The columns of a table."""


@public
def history(result: Fit | Sweep | Mapping[str, Any]) -> "Figure":
    """The loss over the steps, and beside it every other measure that was recorded.

    Measures of the validation stand in the panel of the same name. Of a sweep each line is the
    median of the members that are left, in the band from the 10th to the 90th percentile.

    Args:
      result: What `fit` or `sweep` returned, or a `History` alone.

    Returns:
      The figure.

    Raises:
      ValueError: If nothing was recorded.
      TypeError: If ``result`` is no result.
      ImportError: If matplotlib is not installed.

    Example:
      >>> import optax
      >>> x = jnp.linspace(0, 1, 20)[:, None]
      >>> result = jn.fit(
      ...     jn.dense(1), jn.losses.mse, optax.sgd(0.1), (x, 2 * x),
      ...     key=jax.random.key(0), steps=50,
      ... )
      >>> figure = jn.plots.history(result)
      >>> [panel.get_ylabel() for panel in figure.axes]
      ['loss']
    """
    return history_figure(_parts(result))


def history_figure(parts: dict[str, Mapping[str, Any]]) -> "Figure":
    """The picture of what each part recorded, by the name of the part."""
    parts = {name: part for name, part in parts.items() if len(part.get("step", ()))}
    require(parts, "result", "hold at least one record", "none", "Train for a step or more.")
    many = np.ndim(next(iter(parts.values()))["loss"]) > 1
    columns = {name: column for part in parts.values() for name, column in part.items()}
    names = [
        name
        for name, column in columns.items()
        if name not in ("step", "epoch") and np.ndim(column) == 1 + many
    ]
    figure, axes = new_figure(1, len(names), width=5.0, height=3.4)
    for ax, name in zip(axes[0], names, strict=True):
        for number, (label, part) in enumerate(parts.items()):
            if name in part:
                draw_curve(ax, part["step"], part[name], label, number)
        finish(ax, "step", name)
        ax.legend(frameon=False)
    return figure


@public
def sweep(result: Sweep, x: str | None = None, y: str = "loss", hue: str | None = None) -> "Figure":
    """A column of a sweep's table against its hyperparameters.

    With ``x`` alone, or with ``hue``, a curve of y over x, for each value of ``hue`` one, the
    median over the other members in the band from the 10th to the 90th percentile. With two
    hyperparameters and no ``hue`` a map of the median of y, its value written into each cell. With
    more of them, unless ``x`` is given, parallel coordinates: a line per member, from value to
    value, the darker the smaller y.

    Args:
      result: What `sweep` returned.
      x: A hyperparameter, or ``"step"`` for the curves of y over the run; by default the
        hyperparameters that have more than one value.
      y: A column of the table: ``"loss"``, or ``"validation_"`` and a measure.
      hue: A hyperparameter with a line for each value.

    Returns:
      The figure.

    Raises:
      ValueError: If there is no such column, or no hyperparameter with more than one value.
      TypeError: If ``result`` is no `Sweep`.
      ImportError: If matplotlib is not installed.

    Example:
      >>> import optax
      >>> points = jnp.linspace(0, 1, 20)[:, None]
      >>> result = jn.sweep(
      ...     lambda rate: (jn.dense(1), jn.losses.mse, optax.sgd(rate)), (points, 2 * points),
      ...     keys=jax.random.split(jax.random.key(0), 3),
      ...     hyperparameters={"rate": [0.01, 0.1, 1.0]}, steps=20,
      ... )
      >>> (panel,) = jn.plots.sweep(result).axes
      >>> panel.get_xlabel(), panel.get_xscale(), panel.get_ylabel()
      ('rate', 'log', 'loss')
    """
    good = isinstance(result, Sweep)
    remedy = "Pass what jn.sweep returned."
    require(good, "result", "be a Sweep", describe(result), remedy, error=ArgumentTypeError)
    columns = _columns(result)
    varied = [name for name in result.labels if name != "seed" and len(_levels(columns[name])) > 1]
    for argument, name in (("x", x), ("y", y), ("hue", hue)):
        if name is not None:
            check_choice(argument, name, columns if argument != "x" else [*columns, "step"])
    if x == "step":
        return _over_steps(result, columns, y, hue)
    rule, remedy = "vary a hyperparameter", "Use jn.plots.history(result)."
    require(x or varied, "result", rule, "seeds alone", remedy)
    if x is None and hue is None and len(varied) > 2:
        return _parallel(columns, varied, y)
    if x is None and hue is None and len(varied) == 2:
        return _map(columns, varied[0], varied[1], y)
    x = x or next(name for name in varied if name != hue)
    x = x or next(name for name in varied if name != hue)
    return _over(x, columns, y, hue)


def _parts(result: Any) -> dict[str, Mapping[str, Any]]:
    """What training and validation recorded, where they did."""
    if not isinstance(result, Fit | Sweep | Mapping):
        rule, remedy = "be a result of fit or sweep", "Pass jn.fit(...) or its history."
        fail("result", rule, describe(result), remedy, error=ArgumentTypeError)
    parts: dict[str, Mapping[str, Any]]
    if isinstance(result, Mapping):
        parts = {"training": result}
    else:
        parts = {"training": result.history, "validation": result.validation}
    return parts


def _columns(result: Sweep) -> Columns:
    """The columns of the table that hold one number or text per member."""
    rows = result.table()
    columns = {name: np.array([row[name] for row in rows], object) for name in rows[0]}
    single = {name: column for name, column in columns.items() if column.ndim == 1}
    return {name: np.array([_plain(cell) for cell in column]) for name, column in single.items()}


def _plain(cell: Any) -> Any:
    """A number or a text; of a function its name."""
    return cell if isinstance(cell, int | float | str) else getattr(cell, "__name__", str(cell))


def _levels(column: np.ndarray) -> np.ndarray:
    """The different values of a column, in order."""
    return np.unique(column)


def _groups(columns: Columns, hue: str | None) -> list[tuple[str, np.ndarray]]:
    """Which members share a value of ``hue``, by that value as a text."""
    if hue is None:
        return [("", np.ones(len(columns["seed"]), bool))]
    return [
        (f"{value:.4g}" if isinstance(value, float) else str(value), columns[hue] == value)
        for value in _levels(columns[hue]).tolist()
    ]


def _over(x: str, columns: Columns, y: str, hue: str | None) -> "Figure":
    """Curves of y over a hyperparameter."""
    figure, axes = new_figure(width=5.5, height=3.8)
    ax = axes[0, 0]
    levels = _levels(columns[x])
    numeric = np.issubdtype(levels.dtype, np.number)
    places = levels if numeric else np.arange(len(levels))
    for number, (label, chosen) in enumerate(_groups(columns, hue)):
        own = [columns[y][chosen & (columns[x] == level)] for level in levels]
        spread = np.full((max(map(len, own)), len(levels)), np.nan)
        for place, values in enumerate(own):
            spread[: len(values), place] = values
        draw_curve(ax, places, spread, label, number, points=True)
    finish(ax, x, y)
    if numeric and wide(levels):
        ax.set_xscale("log")
    if not numeric:
        ax.set_xticks(places, levels)
    if hue is not None:
        ax.legend(title=hue, frameon=False)
    return figure


def _over_steps(result: Sweep, columns: Columns, y: str, hue: str | None) -> "Figure":
    """Curves of y over the run, as it was recorded."""
    name = y.removeprefix("validation_")
    part = result.history if name == y else result.validation
    remedy = 'Pass y="loss", or let the sweep validate on the way.'
    require(name in part, "y", "have been recorded on the way", repr(y), remedy)
    figure, axes = new_figure(width=5.5, height=3.8)
    for number, (label, chosen) in enumerate(_groups(columns, hue)):
        draw_curve(axes[0, 0], part["step"], part[name][chosen], label, number)
    finish(axes[0, 0], "step", y)
    if hue is not None:
        axes[0, 0].legend(title=hue, frameon=False)
    return figure


def _map(columns: Columns, rows: str, across: str, y: str) -> "Figure":
    """The median of y for each pair of values of two hyperparameters."""
    down, right = _levels(columns[rows]), _levels(columns[across])
    cells = np.array(
        [
            [middle(columns[y][(columns[rows] == a) & (columns[across] == b)])[1] for b in right]
            for a in down
        ]
    )
    figure, axes = new_figure(width=2.0 + 0.8 * len(right), height=1.2 + 0.5 * len(down))
    ticks = [
        [f"{v:.3g}" if isinstance(v, float) else str(v) for v in level.tolist()]
        for level in (down, right)
    ]
    draw_map(axes[0, 0], cells, *ticks)
    axes[0, 0].set(xlabel=across, ylabel=rows, title=f"median {y}")
    return figure


def _parallel(columns: Columns, names: list[str], y: str) -> "Figure":
    """A line per member through its values, each axis from the least to the largest."""
    from matplotlib import colormaps

    figure, axes = new_figure(width=1.6 * (len(names) + 1), height=3.8)
    ax, shown = axes[0, 0], [*names, y]
    heights = np.stack([_heights(columns[name]) for name in shown])
    for height in heights[:, np.argsort(-heights[-1])].T:
        if np.isfinite(height[-1]):
            ax.plot(range(len(shown)), height, color=colormaps["cividis"](height[-1]), alpha=0.7)
    for place, name in enumerate(shown):
        ax.axvline(place, color="black", linewidth=0.8)
        for level, height in _ends(columns[name], heights[place]):
            ax.annotate(
                level,
                (place, height),
                (4, 0),
                "data",
                "offset points",
                va="center",
                bbox={"facecolor": "white", "alpha": 0.7, "linewidth": 0, "pad": 0.5},
            )
    ax.set_xticks(range(len(shown)), shown)
    ax.set_yticks([])
    ax.grid(visible=False)
    return figure


def _heights(column: np.ndarray) -> np.ndarray:
    """Where values stand between the least and the largest of a column, 0 to 1."""
    if not np.issubdtype(column.dtype, np.number):
        column = np.searchsorted(_levels(column), column)
    numbers = np.log(column) if wide(column) else column.astype(float)
    finite = numbers[np.isfinite(numbers)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
    heights: np.ndarray = (numbers - low) / (high - low if high > low else 1.0)
    return heights


def _ends(column: np.ndarray, heights: np.ndarray) -> list[tuple[str, float]]:
    """What to write beside an axis: a few levels, or the least and the largest."""
    levels = {
        f"{v:.3g}" if isinstance(v, float) else str(v): float(height)
        for v, height in zip(column.tolist(), heights, strict=True)
        if np.isfinite(height)
    }
    if len(levels) <= 6:
        return list(levels.items())
    ordered = sorted(levels.items(), key=lambda item: item[1])
    return [ordered[0], ordered[-1]]
