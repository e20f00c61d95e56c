"""A command line from a frozen dataclass: one flag a field, its help from the docstring."""

import argparse
import dataclasses
import inspect
import re
import sys
import typing
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, NamedTuple, NoReturn

from jaxnets.experiments.harness.arguments import positive_number, refuse, whole_number
from jaxnets.experiments.harness.choices import OPTIMIZERS

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
    "make_config",
]


class Flag(NamedTuple):
    """The way to read a field from the command line; it stands in the field's annotation.

    Attributes:
      parse: An argument type, from the text to the value.
      metavar: The value's name in the help.
      other: Another flag that sets the same field, with an argument type and a metavar of its
        own. Only one of the two can be given.
    """

    parse: Callable[[str], Any]
    metavar: str | None = None
    other: tuple[str, Callable[[str], Any], str] | None = None


def choice(names: Iterable[str]) -> Flag:
    """A flag whose value is one of some names."""

    def parse(text: str) -> str:
        if text not in names:
            refuse(f"be one of {', '.join(names)}", text, "Pass one of them.")
        return text

    return Flag(parse, "{" + ",".join(names) + "}")


Seed = Annotated[int, Flag(whole_number(0, 2**31 - 1))]
Steps = Annotated[int, Flag(whole_number(1))]
Rate = Annotated[float, Flag(positive_number)]
Optimizer = Annotated[str, choice(OPTIMIZERS)]
LogEvery = Annotated[int, Flag(whole_number(1), "N")]
Precision = Annotated[str, choice(("float32", "float64"))]


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line in the library's wording, exit code 2."""

    def parse(self, argv: Sequence[str] | None) -> argparse.Namespace:
        """The values of the flags; one that is wrong ends the program with code 2."""
        try:
            args, unknown = self.parse_known_args(argv)
        except argparse.ArgumentError as error:
            message = OWN_WORDS.get(error.message, error.message)
            self.error(f"{error.argument_name} {message}" if error.argument_name else message)
        if unknown:
            self.error(f"arguments must be known; got {' '.join(unknown)}. See --help.")
        return args

    def error(self, message: str) -> NoReturn:
        """Print one line on standard error and leave with code 2."""
        print(f"{self.prog.rpartition('.')[2]}: {message}", file=sys.stderr)
        raise SystemExit(2)


OWN_WORDS = {"expected one argument": "must have a value; got none. See --help."}
"""Messages of argparse in the library's wording; any other is printed as it is."""


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
    """Add a flag for every field of a dataclass whose annotation holds a `Flag`."""
    doc = inspect.cleandoc(config.__doc__ or "")
    about = dict(re.findall(r"^  (\w+): (.*(?:\n    .*)*)", doc, re.MULTILINE))
    hints = typing.get_type_hints(config, include_extras=True)
    for field in dataclasses.fields(config):
        flag: Flag = hints[field.name].__metadata__[0]
        parser.add_argument(
            "--" + field.name.replace("_", "-"),
            action=_Store,
            type=flag.parse,
            metavar=flag.metavar,
            help=_help(about[field.name], field.default),
        )
        if flag.other is not None:
            name, parse, metavar = flag.other
            about_it = f"--{field.name} by name"
            parser.add_argument(
                name, action=_Store, type=parse, metavar=metavar, dest=field.name, help=about_it
            )


def _help(about: str, default: Any) -> str:
    """The help of a flag: the docstring of its field, and the default."""
    text = " ".join(about.split()).replace("`", "").rstrip(".").replace("%", "%%")
    text = text[0].lower() + text[1:]
    shown = ",".join(map(str, default)) if isinstance(default, tuple) else default
    return text if default is None else f"{text} ({shown})"


def make_config(config: type[Any], args: argparse.Namespace) -> Any:
    """The configuration that parsed flags ask for; a field without a flag has its default."""
    names = [field.name for field in dataclasses.fields(config)]
    return config(
        **{name: getattr(args, name) for name in names if getattr(args, name) is not None}
    )
