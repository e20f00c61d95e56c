"""The picture of the linear-regression experiment."""

from typing import TYPE_CHECKING, Any

import numpy as np

from jaxnets.experiments.harness.figures import loss_curve
from jaxnets.experiments.linear_regression.ladder import AGREEMENT, RUNGS
from jaxnets.plots import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from jaxnets.experiments.linear_regression.__main__ import Ladder

__all__ = ["draw"]


def draw(report: "Ladder") -> "Figure":
    """The losses on their way to the limit, and how far the rungs are apart."""
    figure, axes = new_figure(1, 2, width=5.0)
    _draw_losses(axes[0, 0], report)
    _draw_differences(axes[0, 1], report.metrics["rungs"])
    return figure


def _draw_losses(ax: Any, report: "Ladder") -> None:
    """The rung by hand of every rule, and the loss of the limit."""
    by_hand = {rule: next(iter(rungs)) for rule, rungs in RUNGS.items()}
    climbed = {rule: report.curves[name] for rule, name in by_hand.items() if name in report.curves}
    for i, (rule, curve) in enumerate(climbed.items()):
        loss_curve(ax, i, range(len(curve)), curve, f"{rule}, by hand")
    least = report.metrics["least_squares"]["loss"]
    ax.axhline(least, color="#7a7a7a", linestyle=":", label="least squares")
    ax.set(xlabel="step", ylabel="half summed squared error", title="Way to the limit")
    if report.diverged_at is not None:
        ax.set(yscale="log", title="Losses as long as they are finite")
    ax.legend()


def _draw_differences(ax: Any, rungs: dict[str, dict[str, Any]]) -> None:
    """Two bars per rung, in weights and in losses."""
    columns = {"distance_from_by_hand": "weights", "relative_difference_of_losses": "losses"}
    for i, (column, label) in enumerate(columns.items()):
        apart = [row[column] for row in rungs.values()]
        places = np.arange(len(rungs)) + 0.4 * i - 0.2
        colors = {"color": ("#3b6ea5", "#dddddd")[i], "edgecolor": "black"}
        ax.barh(places, apart, height=0.4, label=label, **colors)
    ax.axvline(AGREEMENT, color="black", linestyle="--", label="allowed")
    ax.set(xscale="log", xlim=(1e-17, 1e1), xlabel="absolute (weights), relative (losses)")
    ax.set_title("Difference from the rung by hand")
    ax.set_yticks(range(len(rungs)), list(rungs))
    ax.legend(fontsize="small", loc="upper right")
    ax.invert_yaxis()
