"""The common flags of all experiments and their meaning, in one place."""

import argparse
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NoReturn

import jax
import numpy as np

from jaxnets.process import run_as_program
from jaxnets.training.loop import MOST_STEPS

__all__ = [
    "Parser",
    "add_precision_flag",
    "add_training_flags",
    "any_seed",
    "check_rates",
    "device_and_precision",
    "fraction",
    "place",
    "positive_number",
    "positive_numbers",
    "refuse",
    "run_as_program",
    "whole_number",
    "widths",
]

LARGEST_WIDTH = 65_536

MOST_EPOCHS = 1_000_000

MOST_SEEDS = 1_000_000
"""Networks trained at once, at most."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line in the library's wording, exit code 2."""

    def error(self, message: str) -> NoReturn:
        """Prints one line on standard error and leaves with code 2."""
        print(f"{self.prog.rpartition('.')[2]}: {_reworded(message)}", file=sys.stderr)
        raise SystemExit(2)


def _reworded(message: str) -> str:
    """The library's wording of argparse's own messages; ours pass through."""
    if message.startswith("argument ") and "invalid choice: " in message:
        argument, _, rest = message.removeprefix("argument ").partition(": invalid choice: ")
        # Versions of Python differ in what they put in quotes.
        value, _, choices = rest.replace("'", "").partition(" (choose from ")
        return f"{argument} must be one of {choices.rstrip(')')}; got {value}. Pass one of them."
    if message.startswith("argument ") and "not allowed with argument" in message:
        argument, _, other = message.removeprefix("argument ").partition(
            ": not allowed with argument "
        )
        return f"{argument} must not be given with {other}; got both. Leave one out."
    if message.startswith("argument ") and "expected one argument" in message:
        argument = message.removeprefix("argument ").partition(":")[0]
        return f"{argument} must have a value; got none. See --help."
    if message.startswith("unrecognized arguments: "):
        unknown = message.removeprefix("unrecognized arguments: ")
        return f"arguments must be known; got {unknown}. See --help."
    return message.removeprefix("argument ").replace(": must ", " must ", 1)


def refuse(rule: str, value: str, remedy: str) -> NoReturn:
    """Raises what ``argparse`` reports as the error of an argument, in the library's wording."""
    raise argparse.ArgumentTypeError(f"must {rule}; got {value}. {remedy}")


def whole_number(minimum: int, maximum: int = MOST_STEPS) -> Callable[[str], int]:
    """An argument type: a whole number from ``minimum`` to ``maximum``."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = minimum - 1
        if not minimum <= number <= maximum:
            rule = f"be a whole number from {minimum} to {maximum}"
            refuse(rule, text or "''", f"Pass {max(minimum, 1)}, for example.")
        return number

    return parse


any_seed = whole_number(0, 2**31 - 1)
"""An argument type: a seed."""


def positive_number(text: str) -> float:
    """An argument type: a positive finite number."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        refuse("be a positive finite number", text or "''", "Pass 0.1, for example.")
    return number


def positive_numbers(text: str) -> tuple[float, ...]:
    """An argument type: positive finite numbers separated by commas."""
    return tuple(positive_number(part) for part in text.split(","))


def fraction(text: str) -> float:
    """An argument type: a number from 0 up to, but not, 1."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < 1:
        refuse("be a number from 0 up to 1, not 1 itself", text or "''", "Pass 0.2, for example.")
    return number


def widths(text: str) -> tuple[int, ...]:
    """An argument type: layer widths separated by commas."""
    number = whole_number(1, LARGEST_WIDTH)
    try:
        return tuple(number(part) for part in text.split(","))
    except argparse.ArgumentTypeError:
        rule = f"be widths separated by commas, each from 1 to {LARGEST_WIDTH}"
        refuse(rule, text or "''", "Pass 10,10,10, for example.")


def place(text: str) -> Path:
    """An argument type: the path of a file or folder to write."""
    if not text:
        refuse("name a place", "''", "Pass runs/first, for example, or leave it out.")
    return Path(text)


def check_rates(parser: "Parser", rates: float | Sequence[float], precision: str) -> None:
    """Ends the program with one line if a learning rate is nothing that precision can hold."""
    held = np.finfo(precision)
    low, high = float(held.tiny), float(held.max)
    for rate in [rates] if isinstance(rates, float) else rates:
        if not low <= rate <= high:
            parser.error(
                f"--lr must be from {low:.2g} to {high:.2g}, which {precision} can hold; "
                f"got {rate:g}. Pass 0.1, for example."
            )


def add_training_flags(
    parser: argparse.ArgumentParser,
    *,
    lr: float,
    optimizers: Any,
    steps: int | None = None,
    epochs: int | None = None,
    epochs_help: str = "passes over the data (%(default)s)",
    optimizer: str = "sgd",
    seed: int = 777,
    log_every: int = 100,
) -> None:
    """Adds the flags of a training run, with this experiment's defaults.

    The run is as long as ``steps`` says, or else ``epochs``, which is also the unit of
    ``--log-every`` then.
    """
    add = parser.add_argument
    add("--seed", type=any_seed, default=seed, help="of the weights (%(default)s)")
    if steps is not None:
        add("--steps", type=whole_number(1), default=steps, help="updates (%(default)s)")
    else:
        number = whole_number(1, MOST_EPOCHS)
        add("--epochs", type=number, default=epochs, metavar="N", help=epochs_help)
    add("--lr", type=positive_number, default=lr, help="learning rate (%(default)s)")
    add("--optimizer", choices=optimizers, default=optimizer, help="update rule (%(default)s)")
    add(
        "--log-every",
        type=whole_number(1),
        default=log_every,
        metavar="N",
        help=f"{'steps' if steps is not None else 'epochs'} between records (%(default)s)",
    )


def add_precision_flag(parser: argparse.ArgumentParser) -> None:
    """Adds ``--precision``."""
    parser.add_argument(
        "--precision",
        choices=("float32", "float64"),
        default="float32",
        help="of weights and arithmetic (%(default)s)",
    )


@contextmanager
def device_and_precision(
    parser: argparse.ArgumentParser, device: str | None, precision: str
) -> Iterator[None]:
    """Runs what is inside on that device and in that precision, and then puts both back."""
    with ExitStack() as stack:
        if device is not None:
            try:
                chosen = jax.devices(device)[0]
            except RuntimeError:
                extra = {"gpu": "cuda13"}.get(device, device)
                parser.error(
                    f"--device must be one that JAX can see; got {device}. Pass --device "
                    f"{jax.default_backend()}, or install what it needs: "
                    f"pip install -e '.[{extra}]'"
                )
            stack.enter_context(jax.default_device(chosen))
        stack.enter_context(jax.enable_x64(precision == "float64"))
        yield
