"""The picture of the perceptron experiment."""

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets import data
from jaxnets.combinators import perceptron
from jaxnets.experiments.perceptron.rosenblatt import GATES
from jaxnets.plots import draw_surface, line_style, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from jaxnets.experiments.perceptron.__main__ import Perceptron

__all__ = ["draw"]


def draw(report: "Perceptron") -> "Figure":
    """The four decision lines, the losses, and the mistakes beside their bound."""
    figure, axes = new_figure(2, 3, width=3.6, height=3.3)
    points = np.asarray(data.xor()[0])
    for ax, (name, targets) in zip(axes[:, :2].flat, GATES.items(), strict=True):
        params = report.params[name]

        def predict(x: np.ndarray, params: Any = params) -> jax.Array:
            answer: jax.Array = perceptron().apply(params, jnp.asarray(x))
            return answer

        bands = draw_surface(ax, predict, points, targets)
        right = round(4 * report.gates[name]["accuracy"])
        ax.set_title(f"{name.upper()}: {right} of 4 right")
    bar: dict[str, Any] = {"shrink": 0.8, "location": "bottom", "label": "output of the unit"}
    figure.colorbar(bands, ax=axes[1, :2], **bar)
    _draw_losses(axes[0, 2], report.history)
    _draw_mistakes(axes[1, 2], [row for row in report.rosenblatt if "margin" in row])
    return figure


def _draw_losses(ax: Any, history: dict[str, list[Any]]) -> None:
    columns = [name for name in history if name != "step"]
    for i, name in enumerate(columns):
        label = name.removeprefix("loss_").upper()
        ax.semilogy(history["step"], np.array(history[name], float), label=label, **line_style(i))
    ax.set(xlabel="step", ylabel="binary cross-entropy (nats)", title="Loss of the sigmoid unit")
    ax.legend()


def _draw_mistakes(ax: Any, rows: list[dict[str, Any]]) -> None:
    margins = [row["margin"] for row in rows]
    for i, (key, label) in enumerate((("mistakes", "made"), ("bound", "bound"))):
        style = {**line_style(i), "markevery": 1, "marker": "os"[i]}
        ax.loglog(margins, [row[key] for row in rows], label=label, **style)
    ax.set_xticks(margins, [f"{margin:g}" for margin in margins])
    ax.minorticks_off()
    ax.set(xlabel="margin", ylabel="mistakes", title="Mistakes of Rosenblatt's rule")
    ax.legend()
