"""The pictures of the activations experiment."""

from typing import TYPE_CHECKING, Any

import numpy as np

from jaxnets.plots import line_style, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from jaxnets.experiments.activations.__main__ import Activations

__all__ = ["draw"]

COLUMNS = 6
WEIGHTS = {"torch": "PyTorch's weights", "he": "He's weights", "normal": "weights N(0, 1)"}


def draw(report: "Activations") -> "Figure":
    """The curves above; below them gradients through depth, and units that die."""
    rows = -(-len(report.curves) // COLUMNS)
    # The measurements below the curves are twice as wide and high as these.
    figure, axes = new_figure(rows + 6, COLUMNS, width=2.0, height=1.45)
    _draw_curves(axes[:rows], report.curves)
    for ax in axes[rows:].flat:
        ax.remove()
    grid, panels = axes[0, 0].get_gridspec(), np.empty((3, 3), object)
    for i, j in np.ndindex(3, 3):
        place = grid[rows + 2 * i : rows + 2 * i + 2, 2 * j : 2 * j + 2]
        panels[i, j] = ax = figure.add_subplot(place)
        ax.grid(visible=True, color="#dddddd", linewidth=0.6)
    _draw_gradients(panels[0], panels[1], report.norms)
    _draw_dead(panels[2], report.history["step"], report.dead, report.rates)
    return figure


def _draw_curves(axes: Any, curves: dict[str, Any]) -> None:
    for ax, (name, (x, y, slope)) in zip(axes.flat, curves.items(), strict=False):
        plain = {"marker": ""}
        ax.plot(x, y, **{**line_style(0), **plain}, label="y(x)")
        ax.plot(x, slope, **{**line_style(1), **plain}, label="y'(x)")
        ax.set_title(name, fontsize="medium")
        ax.tick_params(labelsize="small")
    for ax in axes.flat[len(curves) :]:
        ax.set_visible(False)
    axes[0, 0].legend(fontsize="small")
    columns = axes.shape[1]
    for ax in axes.flat[max(len(curves) - columns, 0) : len(curves)]:
        ax.set_xlabel("x", fontsize="small")


def _draw_gradients(by_layer: Any, by_depth: Any, norms: dict[str, Any]) -> None:
    """Norms that are exactly 0 have no place on a log scale and are left out."""
    for i, (weights, tables) in enumerate(norms.items()):
        for j, (name, table) in enumerate(tables.items()):
            numbers = np.arange(1, len(table) + 1)
            style = {**line_style(j), "markevery": 5}
            for ax, norm in ((by_layer[i], table[-1]), (by_depth[i], table[:, 0])):
                ax.semilogy(numbers, np.where(norm > 0, norm, np.nan), label=name, **style)
        by_layer[i].set_title(f"Depth {len(numbers)}, {WEIGHTS[weights]}", fontsize="medium")
        by_depth[i].set_title(f"First layer, {WEIGHTS[weights]}", fontsize="medium")
        by_layer[i].set(xlabel="layer")
        by_depth[i].set(xlabel="depth of the network (hidden layers)")
    for row in (by_layer, by_depth):
        row[0].set_ylabel("norm of the gradient")
        row[0].legend(fontsize="small")


def _draw_dead(axes: Any, steps: list[int], dead: dict[str, Any], rates: list[float]) -> None:
    for ax, (name, counted) in zip(axes, dead.items(), strict=True):
        for i, rate in enumerate(rates):
            ax.plot(steps, 100 * counted.share[i], label=f"rate {rate:g}", **line_style(i))
        ax.set(xlabel="step", ylim=(-3, 103))
        ax.set_title(f"Units off on every example: {name}", fontsize="medium")
    axes[0].set_ylabel("share of hidden units (%)")
    axes[-1].legend(fontsize="small")
