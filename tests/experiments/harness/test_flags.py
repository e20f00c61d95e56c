"""Flags from a frozen dataclass: names, types, defaults and help stand in it once."""

import dataclasses
import re
from typing import Annotated

import pytest

from jaxnets.experiments.harness import flags
from jaxnets.experiments.harness.flags import (
    Flag,
    Parser,
    add_flags,
    make_config,
    whole_number,
    widths,
)

NAMED = ("--shape", {"flat": ()}.__getitem__, "{flat}")


@dataclasses.dataclass(frozen=True)
class Config:
    """A run.

    Attributes:
      hidden: Widths of
        ``two`` lines, 100% of them.
      log_every: steps between records.
      rate: How fast.
      rule: Which one.
      seeds: So many; one if there is none.
    """

    hidden: Annotated[tuple[int, ...], Flag(widths, other=NAMED)] = (2, 3)
    log_every: flags.LogEvery = 100
    rate: flags.Rate = 1e-6
    rule: Annotated[str, flags.choice(("one", "other"))] = "one"
    seeds: Annotated[int | None, Flag(whole_number(1), "N")] = None


@pytest.fixture
def parser():
    parser = Parser(prog="python -m some.command", exit_on_error=False)
    add_flags(parser, Config)
    return parser


def test_without_flags_it_is_the_configuration_of_the_dataclass(parser):
    assert make_config(Config, parser.parse([])) == Config()


def test_every_field_is_a_flag(parser):
    arguments = "--hidden 4 --log-every 5 --rate 0.5 --rule other --seeds 6"
    expected = Config(hidden=(4,), log_every=5, rate=0.5, rule="other", seeds=6)
    assert make_config(Config, parser.parse(arguments.split())) == expected


def test_the_help_is_the_docstring_with_the_default(parser):
    text = " ".join(parser.format_help().split())
    assert "--hidden HIDDEN widths of two lines, 100% of them (2,3)" in text
    assert "--log-every N steps between records (100)" in text
    assert "--rate RATE how fast (1e-06)" in text
    assert "--rule {one,other} which one (one)" in text
    assert re.search(r"--seeds N so many; one if there is none$", text)


def test_a_field_can_be_set_by_name_too_but_not_twice(parser, capsys):
    assert make_config(Config, parser.parse(["--shape", "flat"])).hidden == ()
    assert parser.parse(["--hidden", "1", "--hidden", "2"]).hidden == (2,)
    with pytest.raises(SystemExit, match="2"):
        parser.parse(["--hidden", "1", "--shape", "flat"])
    assert capsys.readouterr().err == (
        "command: --shape must not be given with --hidden; got both. Leave one out.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--rule", "--rule must have a value; got none. See --help."),
        ("--rule third", "--rule must be one of one, other; got third. Pass one of them."),
        ("--log-every 0", "--log-every must be a whole number from 1 to 1073741824; got 0. Pass "),
        ("else", "arguments must be known; got else. See --help."),
    ],
)
def test_a_wrong_flag_is_one_line_and_code_2(parser, capsys, arguments, message):
    with pytest.raises(SystemExit, match="2"):
        parser.parse(arguments.split())
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert printed.err.startswith(f"command: {message}")
