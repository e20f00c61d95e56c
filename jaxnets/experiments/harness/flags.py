"""A command line from a frozen dataclass: one flag a field, its help from the docstring.

An *argument type* reads a text of the command line, or refuses it in the library's wording.
"""

import argparse
import dataclasses
import functools
import inspect
import math
import re
import sys
import typing
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple, NoReturn

from jaxnets.experiments.harness.choices import OPTIMIZERS
from jaxnets.training.loop import MOST_STEPS

__all__ = [
    "Flag",
    "LogEvery",
    "Optimizer",
    "Parser",
    "Precision",
    "Rate",
    "Seed",
    "Steps",
    "add_flags",
    "choice",
    "fraction",
    "make_config",
    "place",
    "positive_number",
    "positive_numbers",
    "refuse",
    "whole_number",
    "widths",
]

LARGEST_WIDTH = 65_536


def refuse(rule: str, value: str, remedy: str) -> NoReturn:
    """Raise the error that a parser reports with the name of the flag in front."""
    raise argparse.ArgumentTypeError(f"must {rule}; got {value or repr(value)}. {remedy}")


def whole_number(minimum: int, maximum: int = MOST_STEPS) -> Callable[[str], int]:
    """An argument type: a whole number from ``minimum`` to ``maximum``."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = minimum - 1
        if not minimum <= number <= maximum:
            rule = f"be a whole number from {minimum} to {maximum}"
            refuse(rule, text, f"Pass {max(minimum, 1)}, for example.")
        return number

    return parse


def _real(holds: Callable[[float], bool], rule: str, example: str) -> Callable[[str], float]:
    """An argument type: a number of which a rule holds, which it does not of NaN."""

    def parse(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not holds(number):
            refuse(rule, text, f"Pass {example}, for example.")
        return number

    return parse


positive_number = _real(lambda value: 0 < value < math.inf, "be a positive finite number", "0.1")
fraction = _real(lambda value: 0 <= value < 1, "be a number from 0 up to 1, not 1 itself", "0.2")


def positive_numbers(text: str) -> tuple[float, ...]:
    """An argument type: positive finite numbers separated by commas."""
    return tuple(map(positive_number, text.split(",")))


def widths(text: str) -> tuple[int, ...]:
    """An argument type: layer widths separated by commas."""
    try:
        return tuple(map(whole_number(1, LARGEST_WIDTH), text.split(",")))
    except argparse.ArgumentTypeError:
        rule = f"be widths separated by commas, each from 1 to {LARGEST_WIDTH}"
        refuse(rule, text, "Pass 10,10,10, for example.")


def place(text: str) -> Path:
    """An argument type: the path of a file or folder to write."""
    if not text:
        refuse("name a place", text, "Pass runs/first, for example, or leave it out.")
    return Path(text)


class Flag(NamedTuple):
    """The way to read a field from the command line; it stands in the field's annotation.

    Attributes:
      parse: An argument type.
      metavar: The value's name in the help.
      about: The help, where the docstring of the dataclass has none.
      other: Another flag that sets the same field, with an argument type and a metavar of its
        own. Only one of the two can be given.
    """

    parse: Callable[[str], Any]
    metavar: str | None = None
    about: str = ""
    other: tuple[str, Callable[[str], Any], str] | None = None


def choice(names: Iterable[str], about: str = "") -> Flag:
    """A flag whose value is one of some names."""

    def parse(text: str) -> str:
        if text not in names:
            refuse(f"be one of {', '.join(names)}", text, "Pass one of them.")
        return text

    return Flag(parse, "{" + ",".join(names) + "}", about)


Seed = Annotated[int, Flag(whole_number(0, 2**31 - 1))]
Steps = Annotated[int, Flag(whole_number(1), about="Full-batch updates.")]
Rate = Annotated[float, Flag(positive_number, about="Learning rate.")]
Optimizer = Annotated[str, choice(OPTIMIZERS, "Update rule.")]
LogEvery = Annotated[int, Flag(whole_number(1), "N", "Steps between records.")]
Precision = Annotated[str, choice(("float32", "float64"), "Of weights and arithmetic.")]


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line in the library's wording, exit code 2."""

    def parse(self, argv: Sequence[str] | None) -> argparse.Namespace:
        """The values of the flags; one that is wrong ends the program with code 2."""
        try:
            args, unknown = self.parse_known_args(argv)
        except argparse.ArgumentError as error:
            own = "must have a value; got none. See --help."
            message = error.message.replace("expected one argument", own)
            self.error(f"{error.argument_name} {message}" if error.argument_name else message)
        if unknown:
            self.error(f"arguments must be known; got {' '.join(unknown)}. See --help.")
        return args

    def error(self, message: str) -> NoReturn:
        """Print one line on standard error and leave with code 2."""
        print(f"{self.prog.rpartition('.')[2]}: {message}", file=sys.stderr)
        raise SystemExit(2)


class _Store(argparse.Action):
    """Store a value, unless another flag has set the same field."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: Any = None) -> None:
        mark, flag = f"{self.dest} set by", self.option_strings[0]
        other = getattr(namespace, mark, flag)
        if other != flag:
            message = f"must not be given with {other}; got both. Leave one out."
            raise argparse.ArgumentError(self, message)
        setattr(namespace, mark, flag)
        setattr(namespace, self.dest, values)


def add_flags(parser: Parser, config: type[Any]) -> None:
    """Add a flag for every field of a dataclass whose annotation holds a `Flag`.

    Its help is what the docstring of the dataclass says of the field, and the default.
    """
    doc = inspect.cleandoc(config.__doc__ or "")
    about = dict(re.findall(r"^  (\w+): (.*(?:\n    .*)*)", doc, re.MULTILINE))
    hints = typing.get_type_hints(config, include_extras=True)
    for field in dataclasses.fields(config):
        flag: Flag = hints[field.name].__metadata__[0]
        add = functools.partial(parser.add_argument, action=_Store, dest=field.name)
        text = " ".join(about.get(field.name, flag.about).split()).replace("`", "").rstrip(".")
        text = text[0].lower() + text[1:].replace("%", "%%")
        if (default := field.default) is not None:
            text += f" ({','.join(map(str, default)) if isinstance(default, tuple) else default})"
        name = "--" + field.name.replace("_", "-")
        add(name, type=flag.parse, metavar=flag.metavar, help=text)
        if flag.other is not None:
            name, parse, metavar = flag.other
            add(name, type=parse, metavar=metavar, help=f"--{field.name} by name")


def make_config(config: type[Any], args: argparse.Namespace) -> Any:
    """The configuration that parsed flags ask for; a field without a flag has its default."""
    values = {field.name: getattr(args, field.name) for field in dataclasses.fields(config)}
    return config(**{name: value for name, value in values.items() if value is not None})
