"""The picture of the losses experiment."""

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.parity.formulas import LOSSES as BY_HAND
from jaxnets.plots import line_style, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from jaxnets.experiments.losses.__main__ import Losses

__all__ = ["draw"]

REAL = ("mse", "mae", "rmse")
"""The losses of real numbers."""


def draw(report: "Losses") -> "Figure":
    """Each loss over the plane of two predictions, with arrows down the gradient by hand."""
    figure, axes = new_figure(2, 3, width=3.8, height=3.5)
    apart, sure = np.array([1.0, -1.0], "float32"), np.array([1.0, 0.0], "float32")
    surfaces: list[tuple[Any, ...]]
    surfaces = [(name, apart, (-3, 3), f"{name}, targets 1 and -1", "prediction") for name in REAL]
    surfaces += [("bce", sure, (0.01, 0.99), "bce (nats), targets 1 and 0", "probability")]
    last = "cross-entropy (nats), class 1 of 3"
    surfaces += [("cross_entropy", np.int32(0), (-4, 4), last, "logit")]
    for ax, (name, targets, span, title, label) in zip(axes.flat, surfaces, strict=False):
        _draw_surface(ax, name, targets, span)
        ax.set(title=title, xlabel=f"{label} 1", ylabel=f"{label} 2")
    ax, error = axes[1, 2], np.linspace(-3, 3, 121, dtype="float32")
    for i, name in enumerate(("mse", "mae", "huber")):
        values, _ = BY_HAND[name](error, np.zeros_like(error), reduction="none")
        ax.plot(error, values, label=name, **line_style(i))
    ax.set(title="One example", xlabel="prediction minus target", ylabel="loss", ylim=(0, 4))
    ax.legend()
    return figure


def _draw_surface(ax: Any, name: str, targets: Any, span: tuple[float, float]) -> None:
    """Contours of a loss of two numbers, and arrows against its gradient by hand.

    Beside two logits there is a third of 0, as only differences of logits count.
    """

    def formula(x: jax.Array) -> Any:
        x = jnp.append(x, 0) if name == "cross_entropy" else x
        loss, gradient = BY_HAND[name](x, jnp.asarray(targets))
        return loss, gradient[:2]

    inset = (span[1] - span[0]) / 8
    fine = np.linspace(*span, 81, dtype="float32")
    coarse = np.linspace(span[0] + inset, span[1] - inset, 7, dtype="float32")
    heights, _ = jax.vmap(jax.vmap(formula))(jnp.stack(jnp.meshgrid(fine, fine), axis=-1))
    _, slopes = jax.vmap(jax.vmap(formula))(jnp.stack(jnp.meshgrid(coarse, coarse), axis=-1))
    lines = ax.contour(fine, fine, np.asarray(heights), levels=9, colors="#7a7a7a", linewidths=1)
    down = -np.asarray(slopes)
    ax.quiver(coarse, coarse, down[..., 0], down[..., 1], color="black", width=0.006)
    _label_contours(ax, lines, span)
    ax.set(aspect="equal")
    ax.grid(visible=False)


def _label_contours(ax: Any, lines: Any, span: tuple[float, float]) -> None:
    """One label a contour, above the arrows and where the frame does not cut it off."""
    edge = (span[1] - span[0]) / 14
    places: list[np.ndarray] = []
    for path in lines.get_paths():
        points = path.vertices
        inside = points[((points > span[0] + edge) & (points < span[1] - edge)).all(axis=1)]
        if len(inside):
            # Far from those before, so that no two labels lie on each other.
            gaps = [np.inf] * len(inside)
            for place in places:
                gaps = np.minimum(gaps, np.hypot(*(inside - place).T))
            places.append(inside[int(np.argmax(gaps))])
    for text in ax.clabel(lines, fontsize=7, colors="black", manual=[tuple(p) for p in places]):
        text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 0.8})
        text.set_zorder(5)
