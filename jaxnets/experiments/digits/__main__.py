"""Digits in four steps: the model, the data, training, and the test."""

import argparse
import functools
import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import jax
import numpy as np

from jaxnets import data, losses, metrics
from jaxnets.combinators import mlp, sequential
from jaxnets.data import LabelledImages
from jaxnets.errors import ArgumentValueError, named, require
from jaxnets.experiments.harness import choices, flags
from jaxnets.experiments.harness.experiment import Experiment
from jaxnets.experiments.harness.report import UNPRINTED, Report, diverged_at, number
from jaxnets.layers import flatten
from jaxnets.model import Model, Params
from jaxnets.process import run_as_program
from jaxnets.training import Fit, fit

__all__ = ["EXPERIMENT", "Config", "Digits", "build_model", "main", "run", "show", "train"]

CLASSES = 10

HELD_OUT = 0.1
"""Share of the training part that is kept for validation."""

FEWEST = (20, 2)
"""Training and test images without which there is nothing to learn, to validate or to test."""

LINES = 20
"""Records printed at most; all of them are in the JSON object and in the saved history."""


def mnist_folder(text: str) -> str:
    """An argument type: a folder of MNIST-format files, all of them whole."""
    if not Path(text).is_dir() or not text:
        reason = "is a file" if Path(text).is_file() else "does not exist"
        got = f"{text}, which {reason}" if text else ""
        rule, remedy = "be a folder of MNIST-format files", "Pass the folder of the four files."
        flags.refuse(rule, got, remedy)
    try:
        images = data.mnist(text)
    except (ArgumentValueError, OSError) as error:
        # The message of the reader, less the reader's own argument.
        function, _, rest = str(error).partition(": ")
        files = "" if function == "mnist" else "be a folder of files each of which must "
        raise argparse.ArgumentTypeError(f"must {files}{rest.partition(' must ')[2]}") from None
    counts = len(images.train[1]), len(images.test[1])
    if counts[0] < FEWEST[0] or counts[1] < FEWEST[1]:
        rule = f"hold at least {FEWEST[0]} training and {FEWEST[1]} test images"
        flags.refuse(rule, f"{counts[0]} and {counts[1]} in {text}", "Pass a larger set.")
    return text


@dataclass(frozen=True)
class Config:
    """One run, whole: equal configurations give equal numbers on the same platform.

    Attributes:
      data: Folder of MNIST-format files; the digits shipped with jaxnets if there is none.
      hidden: Widths of the hidden layers, such as 256,128, of ReLU units.
      dropout: Share of hidden units dropped in training.
      batch_size: Images in a batch; 64 if not given, or all there are if they are fewer.
      seed: Of the weights, the order of the images and dropout.
      epochs: Passes over the training images; 100 if not given, 15 with ``data``.
      log_every: Epochs between records.
    """

    data: Annotated[str | None, flags.Flag(mnist_folder, "DIR")] = None
    hidden: Annotated[tuple[int, ...], flags.Flag(flags.widths)] = (256,)
    dropout: Annotated[float, flags.Flag(flags.fraction)] = 0.2
    batch_size: Annotated[int | None, flags.Flag(flags.whole_number(1))] = None
    seed: flags.Seed = 777
    epochs: Annotated[int | None, flags.Flag(flags.whole_number(1, 1_000_000), "N")] = None
    lr: flags.Rate = 1e-3
    optimizer: flags.Optimizer = "adam"
    log_every: flags.LogEvery = 1


def train(config: Config, images: LabelledImages, *, progress: bool = False) -> Fit:
    """The first three steps: a model, the data, and training on all but the last of them."""
    model = build_model(config.hidden, config.dropout, CLASSES)
    x, y = images.train
    kept, epochs, size = _amounts(config, images)
    return fit(
        model,
        losses.cross_entropy,
        choices.make_optimizer(config.optimizer, config.lr),
        (x[:kept], y[:kept]),
        key=jax.random.key(config.seed),
        epochs=epochs,
        batch_size=size,
        # A smaller last batch would be a second program to compile; the next epoch has others.
        drop_last=True,
        validation=(x[kept:], y[kept:]),
        metrics={"accuracy": metrics.accuracy},
        validate_every=kept // size * min(config.log_every, epochs),
        on_divergence="return",
        progress=progress,
    )


def test(config: Config, params: Params, images: LabelledImages) -> dict[str, Any]:
    """The fourth step: accuracy, loss and mistakes on the test images, the most confident first."""
    x, y = images.test
    scores = jax.jit(build_model(config.hidden, config.dropout, CLASSES).apply)(params, x)
    probabilities = np.asarray(jax.nn.softmax(scores))
    read, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    mistakes = np.flatnonzero(read != y)
    mistakes = mistakes[np.argsort(-confidence[mistakes], kind="stable")]
    columns = (column[mistakes].tolist() for column in (np.arange(len(y)), y, read, confidence))
    names = ("index", "label", "read", "confidence")
    return {
        "accuracy": float((read == y).mean()),
        "loss": float(losses.cross_entropy(scores, y)),
        "confusion": np.asarray(metrics.confusion_matrix(scores, y)),
        "wrong": [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)],
    }


@functools.lru_cache(maxsize=16)
def build_model(hidden: tuple[int, ...], dropout: float, classes: int) -> Model:
    """The network: pixels in a row, hidden layers, one score per class.

    Equal arguments give the same object, so that a second run compiles nothing.
    """
    return sequential(flatten(), mlp([*hidden, classes], dropout_rate=dropout))


def _amounts(config: Config, images: LabelledImages) -> tuple[int, int, int]:
    """Images to train on, epochs, and images in a batch, refused if there are not as many.

    The images after those to train on, at least one, validate.
    """
    there = len(images.train[1])
    kept = there - max(1, int(HELD_OUT * there))
    size = min(64, kept) if config.batch_size is None else config.batch_size
    rule = f"be at most the number of training images, {kept}"
    require(size <= kept, "batch_size", rule, size, f"Pass {kept}, for example.")
    return kept, config.epochs or (100 if config.data is None else 15), size


@dataclass(frozen=True, kw_only=True)
class Digits(Report):
    """The report of a run; labels are the rows of the confusion matrix."""

    experiment: str = "digits"
    test_accuracy: float
    images: dict[str, int]
    confusion_matrix: list[list[int]]
    wrong: list[dict[str, Any]]
    diverged_at: int | None
    tested: np.ndarray = field(metadata=UNPRINTED)


@named("digits")
def run(config: Config, *, progress: bool = False) -> Digits:
    """Train and test what ``config`` says; prints nothing but a progress bar."""
    images = data.digits() if config.data is None else data.mnist(config.data)
    kept, epochs, size = _amounts(config, images)
    config = replace(config, epochs=epochs, batch_size=size)
    result = train(config, images, progress=progress)
    tested = test(config, result.params, images)
    needed = 0.97 if config.data is None else 0.98
    return Digits(
        config=config,
        criterion=f"at least {needed:.0%} of the test images are read right",
        success=result.status != "diverged" and tested["accuracy"] >= needed,
        metrics={"test_accuracy": tested["accuracy"], "test_loss": tested["loss"]},
        history=_history(result),
        seconds=result.seconds,
        params=result.params,
        test_accuracy=tested["accuracy"],
        images={"train": kept, "test": len(images.test[1])},
        confusion_matrix=tested["confusion"].tolist(),
        wrong=tested["wrong"],
        diverged_at=diverged_at(result),
        tested=images.test[0],
    )


def _history(result: Fit) -> dict[str, list[float]]:
    """One record per evaluation; the training loss is the mean of the batches since the last."""
    names = ("epoch", "loss", "validation_loss", "validation_accuracy")
    validation = result.validation
    if not len(validation) or not len(validation["step"]):
        return {name: [] for name in names}
    per_record = int(validation["step"][0])
    batches = result.history["loss"][: len(validation["step"]) * per_record]
    loss = batches.reshape(-1, per_record).mean(axis=1)
    columns = (validation["epoch"], loss, validation["loss"], validation["accuracy"])
    return {name: column.tolist() for name, column in zip(names, columns, strict=True)}


def show(report: Digits) -> list[str]:
    """The report as a person reads it, with the records that fit on a screen."""
    config, images, history = report.config, report.images, report.history
    names = "-".join(map(str, (*config.hidden, len(report.confusion_matrix))))
    every = -(-len(history["epoch"]) // LINES) or 1
    return [
        f"digits, {config.data or 'the set shipped with jaxnets'}: {images['train']} to train "
        f"on, {images['test']} to test; hidden and output widths {names}, "
        f"dropout {config.dropout:g}, {config.optimizer}, learning rate {config.lr:g}, "
        f"batches of {config.batch_size}, seed {config.seed}",
        "",
        " epoch  training loss  validation loss  validation accuracy",
        *(
            f"{epoch:6d}  {number(loss, '.4f', 13)}  {number(theirs, '.4f', 15)}  {accuracy:19.4f}"
            for epoch, loss, theirs, accuracy in zip(*history.values(), strict=True)
            if epoch // config.log_every % every == 0
        ),
        *report.divergence(),
        "",
        f"test accuracy: {report.test_accuracy:.4f} "
        f"({len(report.wrong)} of {images['test']} wrong)",
        *map(_mistake, report.wrong[:3]),
    ]


def _mistake(row: dict[str, Any]) -> str:
    """A mistake in words; how confident it is, unless the scores were not finite."""
    confidence = row["confidence"]
    known = confidence is not None and math.isfinite(confidence)
    read = f"{row['read']} at {confidence:.1%}" if known else row["read"]
    return f"  test image {row['index']}: read as {read}, labelled {row['label']}"


EXPERIMENT = Experiment("digits", Config, run, show, progress=True)
main = EXPERIMENT.main

if __name__ == "__main__":
    run_as_program(main)
