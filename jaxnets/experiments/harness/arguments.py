"""Argument types: each reads a text of the command line, or refuses it in the library's wording."""

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from jaxnets.training.loop import MOST_STEPS

__all__ = [
    "fraction",
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


def _number(text: str) -> float:
    """The number that a text is, NaN if it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def positive_number(text: str) -> float:
    """An argument type: a positive finite number."""
    number = _number(text)
    if not 0 < number < math.inf:
        refuse("be a positive finite number", text, "Pass 0.1, for example.")
    return number


def positive_numbers(text: str) -> tuple[float, ...]:
    """An argument type: positive finite numbers separated by commas."""
    return tuple(positive_number(part) for part in text.split(","))


def fraction(text: str) -> float:
    """An argument type: a number from 0 up to, but not, 1."""
    number = _number(text)
    if not 0 <= number < 1:
        refuse("be a number from 0 up to 1, not 1 itself", text, "Pass 0.2, for example.")
    return number


def widths(text: str) -> tuple[int, ...]:
    """An argument type: layer widths separated by commas."""
    number = whole_number(1, LARGEST_WIDTH)
    try:
        return tuple(number(part) for part in text.split(","))
    except argparse.ArgumentTypeError:
        rule = f"be widths separated by commas, each from 1 to {LARGEST_WIDTH}"
        refuse(rule, text, "Pass 10,10,10, for example.")


def place(text: str) -> Path:
    """An argument type: the path of a file or folder to write."""
    if not text:
        refuse("name a place", text, "Pass runs/first, for example, or leave it out.")
    return Path(text)
