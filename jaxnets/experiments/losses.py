"""Losses: the course's printed examples, gradients by hand beside autodiff, surfaces and an error.

Mean squared, mean absolute and root mean squared error, binary cross-entropy, and cross-entropy,
which is the negative log-likelihood of the log-softmax to the last bit::

    python -m jaxnets.experiments.losses --plot

Nothing is trained.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets import losses
from jaxnets.activations import log_softmax
from jaxnets.checks import ArgumentValueError
from jaxnets.experiments.command_line import (
    Parser,
    add_precision_flag,
    any_seed,
    run_as_program,
)
from jaxnets.experiments.runner import Experiment, Result, run_experiment
from jaxnets.parity.formulas import LOSSES as BY_HAND
from jaxnets.plots import line_style, new_figure
from jaxnets.torch_compat import TorchGenerator

__all__ = ["EXPERIMENT", "Config", "examples", "main", "run"]

TOLERANCE = {"float32": 1e-6, "float64": 1e-14}
"""Allowed between a gradient by hand and autodiff's, relative to the gradient's largest entry."""


@dataclass(frozen=True)
class Config:
    """One run, whole.

    Attributes:
      seed: Of the random logits and labels on which cross-entropy is compared bit by bit.
      precision: ``"float32"`` or ``"float64"``.
    """

    seed: int = 777
    precision: str = "float32"

    @property
    def criterion(self) -> str:
        """What the run has to show."""
        return (
            "every example gives the printed number, every gradient by hand is autodiff's to "
            f"{TOLERANCE[self.precision]:g}, cross-entropy is the nll of the log-softmax in "
            "every bit, and a class out of range is an error that says where"
        )


class Example(NamedTuple):
    """A loss and what it has to give.

    Attributes:
      name: The loss.
      predictions: What it is given.
      targets: And against what.
      printed: The value, with as many digits as the source has.
      source: Where that value is from.
      gradient: The derivative by the predictions, as formulas has it.
    """

    name: str
    predictions: jax.Array
    targets: jax.Array
    printed: str
    source: str
    gradient: str


def course_scores(precision: str) -> jax.Array:
    """The scores of the course's softmax lab: ``torch.manual_seed(1); torch.rand(3, 5)``."""
    return jnp.asarray(TorchGenerator(1).uniform((3, 5)).astype(precision))


def examples(precision: str) -> list[Example]:
    """One example a loss; the regression targets are those of the course's first lab."""
    zeros, heights = jnp.zeros(3, precision), jnp.array([2.0, 4.0, 6.0], precision)
    p = jnp.array([0.5639, 0.4057, 0.8600, 0.6237], precision)
    y = jnp.array([1.0, 0.0, 1.0, 0.0], precision)
    scores, labels = course_scores(precision), jnp.array([0, 2, 1])
    lab = "course, softmax lab"
    return [
        Example("mse", zeros, heights, "18.6667", "course, regression lab", "2 (x - y) / n"),
        Example("mae", zeros, heights, "4.0000", "(2 + 4 + 6) / 3", "sign(x - y) / n"),
        Example("rmse", zeros, heights, "4.3205", "sqrt(56 / 3)", "(x - y) / (n L)"),
        Example("bce", p, y, "0.5554", "course, BCE", "(p - y) / (p (1 - p) n)"),
        Example("nll", log_softmax(scores), labels, "1.4689", lab, "-[j = y] / n"),
        Example("cross_entropy", scores, labels, "1.4689", lab, "(softmax(x) - [j = y]) / n"),
    ]


def run(config: Config, *, progress: bool = False) -> Result:
    """Evaluates all of it; prints nothing. Its time includes compilation, which is most of it."""
    begin = time.perf_counter()
    rows = [_evaluated(example) for example in examples(config.precision)]
    bits, error = _compare_bits(config), _out_of_range(config.precision)
    largest = max(row["gradient_difference"] for row in rows)
    success = (
        all(row["value"] == row["printed"] for row in rows)
        and largest <= TOLERANCE[config.precision]
        and bits["different"] == 0
        and error["message"] is not None
        and error["nan_under_jit"]
    )
    report = {
        "experiment": "losses",
        "config": asdict(config),
        "criterion": config.criterion,
        "success": success,
        "metrics": {"largest_gradient_difference": largest, "bits": bits},
        "examples": rows,
        "error": error,
        "history": {},
        "seconds": {"compile": 0.0, "run": time.perf_counter() - begin},
    }
    return Result(report, {}, {})


def _evaluated(example: Example) -> dict[str, Any]:
    """The value of an example, and its gradient by hand and by autodiff."""
    loss = getattr(losses, example.name)
    value, automatic = jax.value_and_grad(loss)(example.predictions, example.targets)
    _, by_hand = BY_HAND[example.name](example.predictions, example.targets)
    difference = jnp.abs(by_hand - automatic).max() / jnp.abs(by_hand).max()
    return {
        "loss": example.name,
        "value": f"{value:.4f}",
        "printed": example.printed,
        "source": example.source,
        "gradient": example.gradient,
        "gradient_by_hand": by_hand.tolist(),
        "gradient_by_autodiff": automatic.tolist(),
        "gradient_difference": float(difference),
    }


def _compare_bits(config: Config) -> dict[str, int]:
    """Cross-entropy against the nll of the log-softmax, on logits small and huge."""
    whole = np.dtype(config.precision.replace("float", "int"))
    key, compared, different = jax.random.key(config.seed), 0, 0
    for i, (examples, classes) in enumerate([(64, 10), (257, 1000)]):
        logits_key, labels_key = jax.random.split(jax.random.fold_in(key, i))
        labels = jax.random.randint(labels_key, (examples,), 0, classes)
        for scale in (1e-3, 1.0, 1e3):
            x = scale * jax.random.normal(logits_key, (examples, classes), config.precision)
            for reduction in ("none", "mean", "sum"):
                one = losses.cross_entropy(x, labels, reduction=reduction)
                two = losses.nll(log_softmax(x), labels, reduction=reduction)
                same = np.asarray(one).view(whole) == np.asarray(two).view(whole)
                compared, different = compared + same.size, different + int((~same).sum())
    return {"compared": compared, "different": different}


def _out_of_range(precision: str) -> dict[str, Any]:
    """What a user gets who keeps the course's labels 0, 2, 1 for scores of only two classes."""
    scores, labels = course_scores(precision)[:, :2], jnp.array([0, 2, 1])
    message = None
    try:
        losses.cross_entropy(scores, labels)
    except ArgumentValueError as error:
        message = str(error)
    under_jit = jax.jit(losses.cross_entropy)(scores, labels)
    mended = losses.cross_entropy(course_scores(precision)[:, :3], labels)
    return {
        "call": "cross_entropy(scores[:, :2], [0, 2, 1])",
        "message": message,
        "nan_under_jit": bool(jnp.isnan(under_jit)),
        "mended_call": "cross_entropy(scores[:, :3], [0, 2, 1])",
        "mended": float(mended),
    }


def show(report: dict[str, Any]) -> str:
    """The report as a person reads it."""
    bits, error = report["metrics"]["bits"], report["error"]
    lines = [f"{'loss':14}{'value':>9}{'expected':>10}  from"]
    for row in report["examples"]:
        lines.append(f"{row['loss']:14}{row['value']:>9}{row['printed']:>10}  {row['source']}")
    lines += ["", "Gradients by the predictions, for the first example or row"]
    for row in report["examples"]:
        lines.append(f"{row['loss']}: {row['gradient']}")
        for title, key in (("by hand", "gradient_by_hand"), ("autodiff", "gradient_by_autodiff")):
            values = row[key][0] if isinstance(row[key][0], list) else row[key]
            lines.append(f"  {title:9}" + "".join(f"{value:11.6f}" for value in values))
        lines.append(f"  largest difference, relative: {row['gradient_difference']:.1e}")
    met = "met" if report["success"] else "MISSED"
    return "\n".join(
        [
            *lines,
            "",
            f"cross_entropy(x, y) and nll(log_softmax(x), y): {bits['compared']} numbers compared, "
            f"{bits['different']} differ in any bit",
            "",
            f"A class out of range, {error['call']}:",
            f"  {error['message']}",
            f"  under jit, where values cannot be read: {'nan' if error['nan_under_jit'] else '?'}",
            f"  mended, {error['mended_call']}: {error['mended']:.4f}",
            "",
            f"criterion {met}: {report['criterion']}",
        ]
    )


def draw(result: Result) -> Any:
    """Each loss over the plane of two predictions, with arrows down the gradient by hand."""
    figure, axes = new_figure(2, 3, width=3.8, height=3.5)
    apart, sure = np.array([1.0, -1.0], "float32"), np.array([1.0, 0.0], "float32")
    for ax, name in zip(axes[0], ("mse", "mae", "rmse"), strict=True):
        _draw_surface(ax, name, apart, (-3, 3), lambda x: x)
        ax.set(title=f"{name}, targets 1 and -1", xlabel="prediction 1", ylabel="prediction 2")
    _draw_surface(axes[1, 0], "bce", sure, (0.01, 0.99), lambda x: x)
    axes[1, 0].set(
        title="bce (nats), targets 1 and 0", xlabel="probability 1", ylabel="probability 2"
    )
    _draw_surface(axes[1, 1], "cross_entropy", np.int32(0), (-4, 4), _with_third_logit)
    axes[1, 1].set(title="cross-entropy (nats), class 1 of 3", xlabel="logit 1", ylabel="logit 2")
    ax, error = axes[1, 2], np.linspace(-3, 3, 121, dtype="float32")
    for i, name in enumerate(("mse", "mae", "huber")):
        values, _ = BY_HAND[name](error, np.zeros_like(error), reduction="none")
        ax.plot(error, values, label=name, **line_style(i))
    ax.set(title="One example", xlabel="prediction minus target", ylabel="loss", ylim=(0, 4))
    ax.legend()
    return figure


def _with_third_logit(x: jax.Array) -> jax.Array:
    """Two logits and a third of 0, as only differences of logits count."""
    return jnp.append(x, 0)


def _draw_surface(ax: Any, name: str, targets: Any, span: tuple[float, float], widen: Any) -> None:
    """Contours of a loss of two numbers, and arrows against its gradient by hand."""

    def formula(x: jax.Array) -> Any:
        loss, gradient = BY_HAND[name](widen(x), jnp.asarray(targets))
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


def add_flags(parser: Parser) -> None:
    """The flags of this experiment."""
    help_seed = "of the random logits (%(default)s)"
    parser.add_argument("--seed", type=any_seed, default=777, help=help_seed)
    add_precision_flag(parser)


EXPERIMENT = Experiment(
    name="losses",
    summary=(__doc__ or "").partition("\n")[0],
    config=Config,
    add_flags=add_flags,
    run=run,
    show=show,
    draw=draw,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the experiment from the command line; returns the exit code."""
    return run_experiment(EXPERIMENT, argv)


if __name__ == "__main__":
    run_as_program(main)
