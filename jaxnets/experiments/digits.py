"""Digits: handwritten digits read by a multilayer perceptron in mini-batches.

The four steps of the course, which are those of every classifier: the model, the data, training,
and the test on examples that had no part in it. Out of the box on the digits shipped with
jaxnets, or on MNIST from a folder of its files::

    python -m jaxnets.experiments.digits
    python -m jaxnets.experiments.digits --data path/to/mnist
"""

import argparse
import functools
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import jax
import numpy as np

from jaxnets import data, losses, metrics
from jaxnets.checks import ArgumentValueError
from jaxnets.combinators import mlp, sequential
from jaxnets.data import LabelledImages
from jaxnets.experiments.command_line import (
    Parser,
    add_training_flags,
    fraction,
    refuse,
    run_as_program,
    whole_number,
    widths,
)
from jaxnets.experiments.digits_plots import draw_digits
from jaxnets.experiments.numbers import divergence_text, number
from jaxnets.experiments.runner import Experiment, Result, run_experiment
from jaxnets.experiments.setup import OPTIMIZERS, make_optimizer
from jaxnets.layers import flatten
from jaxnets.model import Model, Params
from jaxnets.training import Fit, fit

__all__ = ["EXPERIMENT", "Config", "build_model", "main", "run"]

CLASSES = 10

HELD_OUT = 0.1
"""Share of the training part that is kept for validation."""

FEWEST = (20, 2)
"""Training and test images without which there is nothing to learn, to validate or to test."""

LINES = 20
"""Records printed at most; all of them are in the JSON object and in the saved history."""


@dataclass(frozen=True)
class Config:
    """One run, whole: equal configurations give equal numbers on the same platform.

    Attributes:
      data: A folder of MNIST-format files; None for the digits shipped with jaxnets.
      hidden: Widths of the hidden layers, of ReLU units.
      dropout: Probability of dropping a hidden unit in training.
      batch_size: Images in a batch.
      seed: Of the weights, the order of the images and dropout.
      epochs: Passes over the training images; None for 100, or 15 with ``data``.
      lr: Learning rate.
      optimizer: Update rule, a name of `OPTIMIZERS`.
      log_every: Epochs between records.
    """

    data: str | None = None
    hidden: tuple[int, ...] = (256,)
    dropout: float = 0.2
    batch_size: int = 64
    seed: int = 777
    epochs: int | None = None
    lr: float = 1e-3
    optimizer: str = "adam"
    log_every: int = 1

    @property
    def accuracy_needed(self) -> float:
        """The test accuracy that counts as success."""
        return 0.97 if self.data is None else 0.98

    @property
    def criterion(self) -> str:
        """What the run has to show."""
        return f"at least {self.accuracy_needed:.0%} of the test images are read right"


@functools.lru_cache(maxsize=16)
def build_model(hidden: tuple[int, ...], dropout: float, classes: int) -> Model:
    """The network: pixels in a row, hidden layers, one score a class.

    Equal arguments give the same object, so that a second run compiles nothing.
    """
    return sequential(flatten(), mlp([*hidden, classes], dropout_rate=dropout))


def run(config: Config, *, progress: bool = False) -> Result:
    """Trains and tests what ``config`` says; prints nothing but a progress bar."""
    if config.epochs is None:
        config = replace(config, epochs=100 if config.data is None else 15)
    images = data.digits() if config.data is None else data.mnist(config.data)
    model = build_model(config.hidden, config.dropout, CLASSES)
    result = _trained(config, model, images, progress)
    test = _tested(model, result.params, images.test)
    diverged = result.status == "diverged"
    report = {
        "experiment": "digits",
        "config": asdict(config),
        "criterion": config.criterion,
        "test_accuracy": test["accuracy"],
        "metrics": {"test_accuracy": test["accuracy"], "test_loss": test["loss"]},
        "images": {"train": len(images.train[1]) - _held_out(images), "test": len(images.test[1])},
        "history": _history(result),
        "confusion_matrix": test["confusion"].tolist(),
        "wrong": test["wrong"],
        "diverged_at": int(result.state.step) if diverged else None,
        "success": not diverged and test["accuracy"] >= config.accuracy_needed,
        "seconds": result.seconds,
    }
    return Result(report, result.params, {"images": images.test[0]})


def _held_out(images: LabelledImages) -> int:
    """How many images the end of the training part gives to validation, at least one."""
    return max(1, int(HELD_OUT * len(images.train[1])))


def _trained(config: Config, model: Model, images: LabelledImages, progress: bool) -> Fit:
    """Training on all but the last images of the training part, which validate."""
    x, y = images.train
    kept = len(y) - _held_out(images)
    batch_size = min(config.batch_size, kept)
    assert config.epochs is not None
    return fit(
        model,
        losses.cross_entropy,
        make_optimizer(config.optimizer, config.lr),
        (x[:kept], y[:kept]),
        key=jax.random.key(config.seed),
        epochs=config.epochs,
        batch_size=batch_size,
        # A smaller last batch would be a second program to compile; the next epoch has others.
        drop_last=True,
        validation=(x[kept:], y[kept:]),
        metrics={"accuracy": metrics.accuracy},
        validate_every=kept // batch_size * min(config.log_every, config.epochs),
        on_divergence="return",
        progress=progress,
    )


def _history(result: Fit) -> dict[str, list[float]]:
    """One record an evaluation; the training loss is the mean of the batches since the last."""
    validation = result.validation
    if not len(validation) or not len(validation["step"]):
        return {"epoch": [], "loss": [], "validation_loss": [], "validation_accuracy": []}
    per_record = int(validation["step"][0])
    kept = len(validation["step"]) * per_record
    return {
        "epoch": validation["epoch"].tolist(),
        "loss": result.history["loss"][:kept].reshape(-1, per_record).mean(axis=1).tolist(),
        "validation_loss": validation["loss"].tolist(),
        "validation_accuracy": validation["accuracy"].tolist(),
    }


def _tested(model: Model, params: Params, test: tuple[np.ndarray, np.ndarray]) -> dict[str, Any]:
    """Accuracy, loss and mistakes on the test images, the most confident mistake first."""
    x, y = test
    scores = jax.jit(model.apply)(params, x)
    probabilities = np.asarray(jax.nn.softmax(scores))
    read, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    mistakes = np.flatnonzero(read != y)
    mistakes = mistakes[np.argsort(-confidence[mistakes], kind="stable")]
    columns = {"index": mistakes, "label": y, "read": read, "confidence": confidence}
    columns.update({name: columns[name][mistakes] for name in ("label", "read", "confidence")})
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    return {
        "accuracy": float((read == y).mean()),
        "loss": float(losses.cross_entropy(scores, y)),
        "confusion": np.asarray(metrics.confusion_matrix(scores, y)),
        "wrong": [dict(zip(columns, row, strict=True)) for row in rows],
    }


def show(report: dict[str, Any]) -> str:
    """The report as a person reads it."""
    config, images, history = Config(**report["config"]), report["images"], report["history"]
    names = "-".join(map(str, (*config.hidden, len(report["confusion_matrix"]))))
    lines = [
        f"digits, {config.data or 'the set shipped with jaxnets'}: {images['train']} to train on, "
        f"{images['test']} to test; hidden and output widths {names}, dropout {config.dropout:g}, "
        f"{config.optimizer}, learning rate {config.lr:g}, batches of {config.batch_size}, "
        f"seed {config.seed}",
        "",
        " epoch  training loss  validation loss  validation accuracy",
    ]
    every = -(-len(history["epoch"]) // LINES) or 1
    lines += [
        f"{epoch:6d}  {number(loss, '.4f', 13)}  {number(validation, '.4f', 15)}  {accuracy:19.4f}"
        for epoch, loss, validation, accuracy in zip(*history.values(), strict=True)
        if epoch // config.log_every % every == 0
    ]
    if report["diverged_at"] is not None:
        lines.append(divergence_text(report["diverged_at"]))
    seconds, met = report["seconds"], "met" if report["success"] else "MISSED"
    return "\n".join(
        [
            *lines,
            "",
            f"test accuracy: {report['test_accuracy']:.4f} "
            f"({len(report['wrong'])} of {images['test']} wrong)",
            *_worst(report["wrong"]),
            f"wall time: {seconds['compile']:.3f} s compile, {seconds['run']:.4f} s run",
            f"criterion {met}: {report['criterion']}",
        ]
    )


def _worst(wrong: list[dict[str, Any]]) -> list[str]:
    """The three most confident mistakes in words."""
    return [
        f"  test image {row['index']}: read as {row['read']}{_at(row['confidence'])}, "
        f"labelled {row['label']}"
        for row in wrong[:3]
    ]


def _at(confidence: float | None) -> str:
    """How sure the network was; nothing where its scores were not finite."""
    known = confidence is not None and math.isfinite(confidence)
    return f" at {confidence:.1%}" if known else ""


def mnist_folder(text: str) -> str:
    """An argument type: a folder of MNIST-format files, all of them whole."""
    rule, remedy = "be a folder of MNIST-format files", "Pass the folder of the four files."
    if not Path(text).is_dir() or not text:
        reason = "is a file" if Path(text).is_file() else "does not exist"
        refuse(rule, f"{text}, which {reason}" if text else "''", remedy)
    try:
        images = data.mnist(text)
    except (ArgumentValueError, OSError) as error:
        _refuse_files(str(error))
    counts = len(images.train[1]), len(images.test[1])
    if counts[0] < FEWEST[0] or counts[1] < FEWEST[1]:
        rule = f"hold at least {FEWEST[0]} training and {FEWEST[1]} test images"
        refuse(rule, f"{counts[0]} and {counts[1]} in {text}", "Pass a larger set.")
    return text


def _refuse_files(message: str) -> NoReturn:
    """Refuses a folder with the message of the reader, less the reader's own argument."""
    function, _, rest = message.partition(": ")
    rule = rest.partition(" must ")[2]
    if function == "mnist":
        raise argparse.ArgumentTypeError(f"must {rule}")
    raise argparse.ArgumentTypeError(f"must be a folder of files each of which must {rule}")


def add_flags(parser: Parser) -> None:
    """The flags of this experiment."""
    add = parser.add_argument
    add(
        "--data",
        type=mnist_folder,
        metavar="DIR",
        help="folder of MNIST-format files (the digits shipped with jaxnets)",
    )
    add("--hidden", type=widths, default=(256,), help="hidden widths, such as 256,128 (256)")
    add("--dropout", type=fraction, default=0.2, help="share of units dropped (%(default)s)")
    add("--batch-size", type=whole_number(1), default=64, help="images a batch (%(default)s)")
    add_training_flags(
        parser,
        epochs=None,
        epochs_help="passes over the training images (100; 15 with --data)",
        lr=1e-3,
        optimizers=OPTIMIZERS,
        optimizer="adam",
        log_every=1,
    )


EXPERIMENT = Experiment(
    name="digits",
    summary=(__doc__ or "").partition("\n")[0],
    config=Config,
    add_flags=add_flags,
    run=run,
    show=show,
    draw=draw_digits,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the experiment from the command line; returns the exit code."""
    return run_experiment(EXPERIMENT, argv)


if __name__ == "__main__":
    run_as_program(main)
