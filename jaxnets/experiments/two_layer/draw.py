"""The picture of the two-layer experiment."""

from typing import TYPE_CHECKING

from jaxnets.experiments.harness.figures import loss_curve
from jaxnets.plots import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from jaxnets.experiments.two_layer.__main__ import TwoLayer

__all__ = ["draw"]


def draw(report: "TwoLayer") -> "Figure":
    """The loss of every step on a log scale, and the share of the first that must not be left."""
    curve, config, table = report.curve, report.config, report.table
    figure, axes = new_figure()
    ax = axes[0, 0]
    loss_curve(ax, 0, curve["step"], curve["loss"], "this run")
    ax.set_yscale("log")
    if table is not None:
        marks = {"color": "#c1440e", "linestyle": "", "marker": "o", "markerfacecolor": "none"}
        ax.plot(table["step"][::2], table["loss"][::2], label="PyTorch", **marks)
    for first in curve["loss"][:1]:
        label = f"{report.fall:g} of the first loss"
        ax.axhline(report.fall * first, color="#7a7a7a", linestyle=":", label=label)
    ax.set(
        xlabel="step",
        ylabel="summed squared error",
        title=f"Two layers on random numbers, seed {config.seed}, {config.precision}",
    )
    ax.legend()
    return figure
