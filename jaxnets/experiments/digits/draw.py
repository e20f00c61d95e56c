"""The picture of the digits experiment."""

from typing import TYPE_CHECKING, Any

import numpy as np

from jaxnets.experiments.harness.figures import grey_table
from jaxnets.plots import line_style, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from jaxnets.experiments.digits.__main__ import Digits

__all__ = ["draw"]

WORST = (3, 4)
"""Rows and columns of wrongly read digits, the most confidently wrong first."""


def draw(report: "Digits") -> "Figure":
    """Curves of loss and accuracy, the confusion matrix, the most confidently wrong digits."""
    figure, axes = new_figure(2, 2, width=5.0, height=4.2)
    _draw_curves(axes[0], report.history)
    _draw_confusion(axes[1, 0], np.array(report.confusion_matrix))
    _draw_wrong(axes[1, 1], report.wrong, report.tested)
    return figure


def _draw_curves(axes: Any, history: dict[str, list[float]]) -> None:
    """Loss in training, where units are dropped, and in validation, where none is."""
    epoch = history["epoch"]
    axes[0].semilogy(epoch, history["loss"], label="training", **line_style(0))
    axes[0].semilogy(epoch, history["validation_loss"], label="validation", **line_style(1))
    axes[0].set(xlabel="epoch", ylabel="cross-entropy (nats)", title="Loss")
    axes[0].legend()
    percent = 100 * np.array(history["validation_accuracy"])
    axes[1].plot(epoch, percent, **line_style(1))
    axes[1].set(xlabel="epoch", ylabel="right (%)", title="Validation accuracy")


def _draw_confusion(ax: Any, counts: np.ndarray) -> None:
    """A share of each true class in greys, with the counts written in."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    cells = np.where(counts > 0, counts.astype(str), "")
    names = list(map(str, range(len(counts))))
    grey_table(ax, shares, cells, names, names, aspect="equal")
    title = f"Test images: {counts.trace()} of {counts.sum()} right"
    ax.set(xlabel="read as", ylabel="label", title=title)


def _draw_wrong(ax: Any, wrong: list[dict[str, Any]], images: np.ndarray) -> None:
    """A sheet of digits, each under what it was read as and what its label says."""
    rows, columns = WORST
    for place, row in enumerate(wrong[: rows * columns]):
        top, left = divmod(place, columns)
        extent = (left + 0.08, left + 0.92, 1.3 * top + 1.22, 1.3 * top + 0.38)
        ax.imshow(images[row["index"]], cmap="Greys", vmin=0, vmax=1, extent=extent)
        lines = f"label {row['label']}, read {row['read']}\nat {row['confidence']:.1%}"
        ax.text(left + 0.5, 1.3 * top + 0.34, lines, fontsize=8, ha="center", va="bottom")
    title = "Most confidently wrong" if wrong else "No test image was read wrong"
    ax.set(xlim=(0, columns), ylim=(1.3 * rows, 0), title=title, aspect="equal")
    ax.axis("off")
