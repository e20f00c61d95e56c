"""The proof: ``python -m jaxnets.parity`` prints how far every hand formula is from autodiff."""

import argparse
import importlib.util
import inspect
import json
import sys
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

from jaxnets.parity import backprop, tutorial
from jaxnets.parity.formulas import DERIVATIONS
from jaxnets.parity.row import COLUMNS, Row
from jaxnets.parity.table import row_makers, rows

__all__ = ["main"]

WIDTH = 80
"""Columns of a terminal."""

HEADERS = {
    "float64": "autodiff 64",
    "float32": "autodiff 32",
    "differences": "differences",
    "PyTorch": "PyTorch",
}
"""What stands above each column."""


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        print(f"parity: {message} See --help.", file=sys.stderr)
        raise SystemExit(2)


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the table or a derivation.

    Returns:
      0 if every difference is within its tolerance and every public function has a hand formula,
      1 if not; a wrong command line leaves through ``SystemExit`` with 2.
    """
    parser = _parser()
    args = parser.parse_args(argv)
    if args.show is not None:
        print(_derivation(parser, args.show))
        return 0
    torch = importlib.util.find_spec("torch") is not None
    _check_name(parser, "--only", args.only, row_makers(torch=False))
    made = rows([args.only] if args.only else [], torch=torch)
    if args.json:
        table = list(made)
        print(json.dumps({"torch": torch, "rows": [row.as_json() for row in table]}))
    else:
        table = list(_printed(made, torch=torch))
    return 0 if all(row.ok for row in table) else 1


def _parser() -> _Parser:
    parser = _Parser(
        prog="python -m jaxnets.parity",
        description=__doc__,
        epilog="Exit code 0: all within tolerance; 1: not; 2: the command line was wrong.",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    parser.add_argument("--only", metavar="NAME", help="only this row")
    parser.add_argument("--show", metavar="NAME", help="print the derivation of NAME instead")
    return parser


def _derivations() -> dict[str, Callable[..., Any]]:
    """What has a derivation to show, by name."""
    by_hand: dict[str, Callable[..., Any]] = {
        "backprop": backprop.value_and_grad,
        "tutorial": tutorial.value_and_grad,
    }
    return {**DERIVATIONS, **by_hand}


def _derivation(parser: _Parser, name: str) -> str:
    """The derivation as it stands with the formula."""
    formulas = _derivations()
    _check_name(parser, "--show", name, formulas)
    text = inspect.getdoc(formulas[name]) or ""
    paragraphs = [_fitted(paragraph) for paragraph in text.split("\n\n")]
    return "\n\n".join([f"{name}\n{'=' * len(name)}", *paragraphs])


def _fitted(paragraph: str) -> str:
    """Prose wrapped to a terminal's width; formulas are indented and stay as they are."""
    if any(line.startswith(" ") for line in paragraph.splitlines()):
        return paragraph
    return textwrap.fill(" ".join(paragraph.split()), WIDTH)


def _check_name(parser: _Parser, flag: str, name: str | None, names: Iterable[str]) -> None:
    if name is not None and name not in set(names):
        parser.error(f"{flag} must be one of {', '.join(sorted(names))}; got {name}.")


def _printed(made: Iterable[Row], *, torch: bool) -> Iterable[Row]:
    """Prints the table as its rows come, and a verdict; yields them on."""
    print("Largest relative difference of the formula derived by hand from autodiff in float64 and")
    print("float32 (update rules: from optax), from central differences and from PyTorch.\n")
    heads = "".join(f"{HEADERS[column]:>13}" for column in COLUMNS)
    print(f"{'name':22}{'kind':12}{heads}  verdict")
    found, notes = [], []
    for row in made:
        found.append(row)
        cells = "".join(f"{_cell(row, column, torch):>13}" for column in COLUMNS)
        verdict = "ok" if row.ok else "OFF" if row.errors else row.compared
        print(f"{row.name:22}{row.kind:12}{cells}  {verdict}", flush=True)
        if row.note:
            notes.append(f"{row.name}: {row.note}")
        yield row
    bad = [row.name for row in found if not row.ok]
    verdict = f"{len(found)} rows, all within tolerance"
    print(f"\n{verdict if not bad else 'NOT within tolerance: ' + ', '.join(bad)}")
    print(*notes, sep="\n")


def _cell(row: Row, column: str, torch: bool) -> str:
    if column in row.errors:
        return f"{row.errors[column]:.1e}"
    return "not installed" if column == "PyTorch" and not torch else "-"


if __name__ == "__main__":
    sys.exit(main())
