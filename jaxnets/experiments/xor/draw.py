"""The pictures of the XOR experiment."""

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets import data
from jaxnets.experiments.harness.figures import grey_table, loss_curve
from jaxnets.experiments.xor.networks import Many, build_model, shares_solved
from jaxnets.model import Params
from jaxnets.plots import DASHES, draw_surface, line_style, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from jaxnets.experiments.xor.__main__ import One

__all__ = ["LR_FACTORS", "draw", "spread_steps"]

LR_FACTORS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Learning rates to compare, as multiples of the one asked for."""

MOST_SEEDS = 100
"""Seeds of each initialiser and learning rate compared, at most."""

SURFACES = 6
"""Pictures of the decision surface at most, from the first step to the last."""

LOSS = "binary cross-entropy (nats)"


def draw(report: "One | Many") -> "Figure":
    """Of one network the loss, the hidden units' lines and the surface as it changes.

    Of many the distribution of the final losses, and the share solved by initialiser and rate.
    """
    if isinstance(report, Many):
        figure, axes = new_figure(1, 2, width=5.4, height=4.2)
        _draw_final_losses(axes[0, 0], report)
        _draw_shares(figure, axes[0, 1], report)
        return figure
    hidden = report.config.hidden
    figure, axes = new_figure(2, 4, width=3.3, height=3.0)
    _draw_loss(axes[0, 0], report)
    if len(hidden) == 1 and hidden[0] <= len(DASHES):
        _draw_hidden_lines(axes[1, 0], report.params["0"])
    else:
        axes[1, 0].remove()
        axes[0, 0].set_subplotspec(axes[0, 0].get_gridspec()[:, 0])
    _draw_surfaces(figure, axes[:, 1:], report)
    return figure


def _draw_loss(ax: Any, report: "One") -> None:
    """The published curve lies on this run's, so that it is marked by points.

    The scale is logarithmic where the loss falls tenfold; on less it has no labels to speak of.
    """
    history, table = report.history, report.published
    loss_curve(ax, 0, history["step"], history["loss"], "this run")
    if history["loss"] and min(history["loss"]) < max(history["loss"]) / 10:
        ax.set_yscale("log")
    if table is not None:
        marks = {**line_style(1), "linestyle": "", "markevery": 5}
        ax.plot(table["step"], table["loss"], label="published", **marks)
    ax.set(xlabel="step", ylabel=LOSS, title="Loss")
    ax.legend()


def _draw_hidden_lines(ax: Any, layer: Params) -> None:
    """The line at which each hidden unit is 0.5; it is above on the side of its arrow."""
    points, targets = data.xor()
    flat = np.asarray(targets)[:, 0]
    ax.scatter(*np.asarray(points).T, c=1 - flat, cmap="gray", edgecolors="black", s=50, zorder=3)
    low, high = -0.5, 1.5
    grid = np.stack(np.meshgrid(*[np.linspace(low, high, 101)] * 2), axis=-1)
    sums = grid @ np.asarray(layer["w"], float) + np.asarray(layer["b"], float)
    for i in range(sums.shape[-1]):
        style = line_style(i)
        look = {"colors": [style["color"]], "linestyles": [style["linestyle"]]}
        ax.contour(grid[0, :, 0], grid[:, 0, 1], sums[..., i], levels=[0], linewidths=1.8, **look)
        ax.plot([], [], label=f"unit {i + 1}", **{**style, "marker": ""})
        _draw_arrow(ax, np.asarray(layer["w"])[:, i], float(layer["b"][i]), style["color"])
    ax.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    ax.set(xlabel="$x_1$", ylabel="$x_2$", title="Hidden units at the end")
    ax.legend(loc="upper right", fontsize="small")


def _draw_arrow(ax: Any, w: np.ndarray, b: float, color: str) -> None:
    """From the point of the line nearest to the middle of the square, uphill."""
    length = float(np.linalg.norm(w))
    if length:
        middle, uphill = np.array([0.5, 0.5]), w / length
        foot = middle - uphill * (middle @ w + b) / length
        arrow = {"arrowstyle": "->", "color": color, "lw": 1.8}
        at = {"xy": foot + 0.25 * uphill, "xytext": foot, "annotation_clip": False}
        ax.annotate("", arrowprops=arrow, **at)


def _draw_surfaces(figure: Any, axes: Any, report: "One") -> None:
    """The output over the plane, at the start, as the loss falls and at the end."""
    last = report.config.steps if report.diverged_at is None else report.diverged_at
    steps = spread_steps(report.history, last, SURFACES)
    points, targets = data.xor()
    model = build_model(report.config.hidden, report.config.init)
    for ax, step in zip(axes.flat, steps, strict=False):
        params = report.params_after(step)

        def outputs(x: Any, params: Params = params) -> jax.Array:
            answers: jax.Array = model.apply(params, jnp.asarray(x))
            return answers[:, 0]

        bands = draw_surface(ax, outputs, points, np.asarray(targets)[:, 0])
        ax.set_title(f"after {step} steps" if step else "at the start")
    for ax in axes.flat[len(steps) :]:
        ax.set_visible(False)
    figure.colorbar(bands, ax=axes, shrink=0.6, label="output of the network")


def spread_steps(history: dict[str, list[Any]], last: int, count: int) -> list[int]:
    """Steps at which the loss has come down by equal parts, with the first and the last.

    Between records the loss is taken to fall in a straight line.

    Example:
      >>> spread_steps({"step": [0, 10, 20, 30], "loss": [0.7, 0.7, 0.4, 0.1]}, 40, 4)
      [0, 17, 23, 40]
    """
    steps, loss = np.array(history["step"]), np.array(history["loss"], float)
    chosen = {0, last}
    if not loss.size:
        return sorted(chosen)
    for level in np.linspace(loss[0], loss.min(), count)[1:-1]:
        after = int(np.argmax(loss <= level))
        around = slice(max(after - 1, 0), after + 1)
        step = round(float(np.interp(-level, -loss[around], steps[around])))
        chosen.add(min(step, last))
    return sorted(chosen)


def _draw_final_losses(ax: Any, report: Many) -> None:
    """A histogram over the logarithm, of those that solve it and those that do not."""
    final, solves = report.losses[:, -1], report.solves
    shown = np.isfinite(final) & (final > 0)
    if not shown.any():
        ax.set_title("No network stayed finite")
        return
    low, high = np.log10(final[shown].min()), np.log10(final[shown].max())
    edges = np.logspace(low - 0.05, high + 0.05, 41)
    ax.hist(
        [final[shown & solves], final[shown & ~solves]],
        bins=edges,
        stacked=True,
        label=[f"solved: {(shown & solves).sum()}", f"not solved: {(shown & ~solves).sum()}"],
        color=["#4d4d4d", "#ffffff"],
        edgecolor="black",
        linewidth=0.6,
        hatch=["", "///"],
    )
    step, config = report.history["step"][-1], report.config
    ax.set(xscale="log", xlabel=f"{LOSS} at step {step}", ylabel="networks")
    ax.yaxis.get_major_locator().set_params(integer=True)
    ax.set_title(f"Final loss: {config.init}, {config.optimizer}, rate {config.lr:g}")
    ax.legend()


def _draw_shares(figure: Any, ax: Any, report: Many) -> None:
    """A table of shares, by initialiser and learning rate."""
    config = report.config
    low, high = (float(getattr(np.finfo(config.precision), end)) for end in ("tiny", "max"))
    rates = [rate for rate in (f * config.lr for f in LR_FACTORS) if low <= rate <= high]
    seeds = min(report.members, MOST_SEEDS)
    shares = shares_solved(config, seeds, rates)
    table = np.array(list(shares.values()))
    cells = np.array([[f"{share:.0%}" for share in row] for row in table])
    image = grey_table(ax, table, cells, shares, [f"{rate:.3g}" for rate in rates], size=10)
    ax.set(xlabel=f"learning rate of {config.optimizer}", ylabel="weights")
    ax.set_title(f"Share of {seeds} seeds that solve XOR")
    figure.colorbar(image, ax=ax, label="share solved")
