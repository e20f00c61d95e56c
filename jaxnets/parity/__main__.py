"""The proof: ``python -m jaxnets.parity`` prints how far every hand formula is from autodiff."""

import argparse
import json
import sys
from collections.abc import Collection, Sequence
from typing import NoReturn

from jaxnets.parity.derivations import PAGES, page
from jaxnets.parity.report import COLUMNS, Report
from jaxnets.parity.table import row_makers, rows, torch_version
from jaxnets.process import NO_CACHE, programs_kept, run_as_program

__all__ = ["main"]


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        print(f"parity: {message} See --help.", file=sys.stderr)
        raise SystemExit(2)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table or a derivation.

    Returns:
      0 if every difference is within its tolerance and every public function has a hand formula,
      1 if not; a wrong command line leaves through ``SystemExit`` with 2.
    """
    parser = _parser()
    args = parser.parse_args(argv)
    if args.show is not None:
        if args.json or args.only is not None:
            parser.error("--show must stand alone; got --json or --only beside it.")
        _check_name(parser, "--show", args.show, PAGES)
        print(page(args.show))
        return 0
    if args.only is not None:
        _check_name(parser, "--only", args.only, row_makers(torch=False))
    torch = torch_version()
    table = []
    if not args.json:
        _print_head()
    with programs_kept(not args.no_cache):
        for row in rows([] if args.only is None else [args.only], torch=torch is not None):
            table.append(row)
            if not args.json:
                _print_row(row, torch)
    if args.json:
        print(json.dumps({"torch": torch, "rows": [row.as_json() for row in table]}))
    else:
        _print_verdict(table)
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
    parser.add_argument("--no-cache", **NO_CACHE)
    return parser


def _check_name(parser: _Parser, flag: str, name: str, names: Collection[str]) -> None:
    if name not in names:
        parser.error(f"{flag} must be one of {', '.join(sorted(names))}; got {name}.")


def _print_head() -> None:
    print("Largest relative difference of the formula derived by hand from autodiff in float64 and")
    print("float32 (update rules: from optax), from central differences and from PyTorch.\n")
    heads = "".join(f"{column:>14}" for column in COLUMNS)
    print(f"{'name':22}{'kind':12}{heads}  verdict")


def _print_row(row: Report, torch: str | None) -> None:
    cells = "".join(f"{_cell(row, column, torch):>14}" for column in COLUMNS)
    verdict = "ok" if row.ok else "OFF" if row.errors else row.compared
    print(f"{row.name:22}{row.kind:12}{cells}  {verdict}", flush=True)


def _cell(row: Report, column: str, torch: str | None) -> str:
    if column in row.errors:
        return f"{row.worst[column].relative:.1e}"
    return "not installed" if column == "PyTorch" and torch is None else "-"


def _print_verdict(table: Sequence[Report]) -> None:
    bad = ", ".join(row.name for row in table if not row.ok)
    count = "1 row" if len(table) == 1 else f"{len(table)} rows"
    print(f"\nNOT within tolerance: {bad}" if bad else f"\n{count}, all within tolerance")
    for row in table:
        if row.note:
            print(f"{row.name}: {row.note}")


if __name__ == "__main__":
    run_as_program(main)
