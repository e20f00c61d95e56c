"""The picture of the initialization experiment."""

from typing import TYPE_CHECKING, Any

import numpy as np

from jaxnets.experiments.harness.figures import grey_table
from jaxnets.plots import line_style, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from jaxnets.experiments.initialization.__main__ import First

__all__ = ["draw"]


def draw(report: "First") -> "Figure":
    """Spread by layer above; below, the share that solves XOR, and the loss where it is best."""
    figure, axes = new_figure(2, 4, width=3.5, height=3.2)
    panels = iter(axes[0])
    for activation, spread in report.spread.items():
        for part in ("activations", "gradients"):
            _draw_spread(next(panels), activation, part, spread)
    panels = iter(axes[1])
    for optimizer, share in report.share_solved.items():
        _draw_share(next(panels), optimizer, share, report.config.lr)
    _draw_loss(next(panels), report)
    for ax in panels:
        ax.set_visible(False)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))
    return figure


def _style(index: int) -> dict[str, Any]:
    """One more style than `line_style` has, and dashes of which those below show through.

    Three of the initialisers lie on each other wherever layers are as wide as long.
    """
    style = line_style(index)
    hidden: dict[int, dict[str, Any]] = {
        3: {"linestyle": "-", "linewidth": 3.2, "marker": "", "color": "#b5b5b5"},
        5: {"linestyle": "--", "marker": "x", "markersize": 6},
        6: {"linestyle": (0, (1, 3)), "marker": "v", "color": "#000000"},
    }
    return {**style, **hidden.get(index, {})}


def _draw_spread(ax: Any, activation: str, part: str, spread: dict[str, Any]) -> None:
    """One line per initialiser; a spread of 0 has no place on the scale."""
    for index, (init, parts) in enumerate(spread.items()):
        values = np.array(parts[part])
        layers = 1 + np.arange(len(values))
        style = {**_style(index), "markevery": 1}
        ax.semilogy(layers, np.where(values > 0, values, np.nan), label=init, **style)
    ax.set(xlabel="layer", ylabel="standard deviation", title=f"{activation}: {part}")


def _draw_share(ax: Any, optimizer: str, share: dict[str, list[float]], lr: Any) -> None:
    """A table in greys: initialisers by learning rates."""
    shares = np.array(list(share.values()))
    # A bare 0 is none at all.
    cells = np.array([[f"{100 * part:.1f}" if part else "0" for part in row] for row in shares])
    grey_table(ax, shares, cells, share, [f"{rate:g}" for rate in lr])
    ax.set(xlabel="learning rate", title=f"XOR solved (%), {optimizer}")


def _draw_loss(ax: Any, report: "First") -> None:
    """Every initialiser where it does best."""
    history = report.history
    for index, init in enumerate(report.best):
        ax.semilogy(history["step"], history[f"loss_{init}"], **_style(index))
    ax.set(xlabel="step", ylabel="binary cross-entropy (nats)")
    ax.set_title("Median loss at the best setting")
