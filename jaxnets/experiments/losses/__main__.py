"""Losses: their printed examples, their gradients, their bits, and an error."""

import time
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets import losses
from jaxnets.activations import log_softmax
from jaxnets.errors import ArgumentValueError
from jaxnets.experiments.harness import flags
from jaxnets.experiments.harness.experiment import Experiment
from jaxnets.experiments.harness.report import UNPRINTED, Report
from jaxnets.parity.formulas import LOSSES as BY_HAND
from jaxnets.process import run_as_program
from jaxnets.torch_compat import TorchGenerator

__all__ = ["EXPERIMENT", "Config", "Losses", "examples", "main", "run", "show"]

TOLERANCE = {"float32": 1e-6, "float64": 1e-14}
"""Allowed between a gradient by hand and autodiff's, relative to the gradient's largest entry."""


@dataclass(frozen=True)
class Config:
    """One run, whole.

    Attributes:
      seed: Of the random logits and labels on which cross-entropy is compared bit by bit.
      precision: Of the arithmetic.
    """

    seed: flags.Seed = 777
    precision: flags.Precision = "float32"


def course_scores(precision: str) -> jax.Array:
    """The scores of the course's softmax lab: ``torch.manual_seed(1); torch.rand(3, 5)``."""
    return jnp.asarray(TorchGenerator(1).uniform((3, 5)).astype(precision))


def examples(precision: str) -> list[tuple[Any, ...]]:
    """One example a loss, see `_evaluated`; regression targets are the course's first lab's."""
    zeros, heights = jnp.zeros(3, precision), jnp.array([2.0, 4.0, 6.0], precision)
    p = jnp.array([0.5639, 0.4057, 0.8600, 0.6237], precision)
    y = jnp.array([1.0, 0.0, 1.0, 0.0], precision)
    scores, labels = course_scores(precision), jnp.array([0, 2, 1])
    lab = "course, softmax lab"
    return [
        ("mse", zeros, heights, "18.6667", "course, regression lab", "2 (x - y) / n"),
        ("mae", zeros, heights, "4.0000", "(2 + 4 + 6) / 3", "sign(x - y) / n"),
        ("rmse", zeros, heights, "4.3205", "sqrt(56 / 3)", "(x - y) / (n L)"),
        ("bce", p, y, "0.5554", "course, BCE", "(p - y) / (p (1 - p) n)"),
        ("nll", log_softmax(scores), labels, "1.4689", lab, "-[j = y] / n"),
        ("cross_entropy", scores, labels, "1.4689", lab, "(softmax(x) - [j = y]) / n"),
    ]


@dataclass(frozen=True, kw_only=True)
class Losses(Report):
    """The report of a run: a row per example, and what a class out of range gives."""

    experiment: str = "losses"
    timed: str | None = field(default=None, metadata=UNPRINTED)
    examples: list[dict[str, Any]]
    error: dict[str, Any]


def run(config: Config) -> Losses:
    """Evaluate all of it. The time includes compilation, which is most of it."""
    begin = time.perf_counter()
    rows = [_evaluated(*example) for example in examples(config.precision)]
    bits, error = _compare_bits(config), _out_of_range(config.precision)
    largest = max(row["gradient_difference"] for row in rows)
    allowed = TOLERANCE[config.precision]
    return Losses(
        config=config,
        criterion="every example gives the printed number, every gradient by hand is autodiff's to "
        f"{allowed:g}, cross-entropy is the nll of the log-softmax in every bit, and a class out "
        "of range is an error that says where",
        success=all(row["value"] == row["printed"] for row in rows)
        and largest <= allowed
        and bits["different"] == 0
        and error["message"] is not None
        and error["nan_under_jit"],
        metrics={"largest_gradient_difference": largest, "bits": bits},
        history={},
        seconds={"compile": 0.0, "run": time.perf_counter() - begin},
        examples=rows,
        error=error,
    )


def _evaluated(
    name: str, predictions: Any, targets: Any, printed: str, source: str, gradient: str
) -> dict[str, Any]:
    """The value of an example, and its gradient by hand and by autodiff.

    Args:
      name: The loss.
      predictions: What it is given.
      targets: And against what.
      printed: The value, with as many digits as the source has.
      source: Where that value is from.
      gradient: The derivative by the predictions, as formulas has it.
    """
    value, automatic = jax.value_and_grad(getattr(losses, name))(predictions, targets)
    _, by_hand = BY_HAND[name](predictions, targets)
    return {
        "loss": name,
        "value": f"{value:.4f}",
        "printed": printed,
        "source": source,
        "gradient": gradient,
        "gradient_by_hand": by_hand.tolist(),
        "gradient_by_autodiff": automatic.tolist(),
        "gradient_difference": float(jnp.abs(by_hand - automatic).max() / jnp.abs(by_hand).max()),
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
    """The outcome of keeping the course's labels 0, 2, 1 for scores of only two classes."""
    scores, labels = course_scores(precision)[:, :2], jnp.array([0, 2, 1])
    message = None
    try:
        losses.cross_entropy.check_values(scores, labels)
    except ArgumentValueError as error:
        message = str(error)
    value = losses.cross_entropy(scores, labels)
    mended = losses.cross_entropy(course_scores(precision)[:, :3], labels)
    return {
        "call": "cross_entropy.check_values(scores[:, :2], [0, 2, 1])",
        "message": message,
        "nan_under_jit": bool(jnp.isnan(value)),
        "mended_call": "cross_entropy(scores[:, :3], [0, 2, 1])",
        "mended": float(mended),
    }


def show(report: Losses) -> list[str]:
    """The report as a person reads it."""
    bits, error = report.metrics["bits"], report.error
    return [
        f"{'loss':14}{'value':>9}{'expected':>10}  from",
        *(
            f"{row['loss']:14}{row['value']:>9}{row['printed']:>10}  {row['source']}"
            for row in report.examples
        ),
        "",
        "Gradients by the predictions, for the first example or row",
        *(line for row in report.examples for line in _show_gradients(row)),
        "",
        f"cross_entropy(x, y) and nll(log_softmax(x), y): {bits['compared']} numbers compared, "
        f"{bits['different']} differ in any bit",
        "",
        f"A class out of range, {error['call']}:",
        f"  {error['message']}",
        f"  the loss itself, which reads no value: {'nan' if error['nan_under_jit'] else '?'}",
        f"  mended, {error['mended_call']}: {error['mended']:.4f}",
        "",
    ]


def _show_gradients(row: dict[str, Any]) -> list[str]:
    """The formula of one example, and what it and autodiff give."""
    lines = [f"{row['loss']}: {row['gradient']}"]
    for title, key in (("by hand", "gradient_by_hand"), ("autodiff", "gradient_by_autodiff")):
        values = row[key][0] if isinstance(row[key][0], list) else row[key]
        lines.append(f"  {title:9}" + "".join(f"{value:11.6f}" for value in values))
    return [*lines, f"  largest difference, relative: {row['gradient_difference']:.1e}"]


EXPERIMENT = Experiment("losses", Config, run, show)
main = EXPERIMENT.main

if __name__ == "__main__":
    run_as_program(main)
