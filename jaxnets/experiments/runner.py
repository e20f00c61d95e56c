"""What every experiment's command line does, in one place: parse, run, save, draw, print."""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

import jax

from jaxnets.experiments.command_line import Parser, check_rates, device_and_precision, place
from jaxnets.experiments.numbers import json_text
from jaxnets.experiments.output import check_file, check_folder, save_run
from jaxnets.plots import MissingPlotExtraError, require_matplotlib, save_figure

__all__ = [
    "Experiment",
    "Result",
    "check_matplotlib",
    "check_out",
    "make_config",
    "make_parser",
    "run_experiment",
]


class Result(NamedTuple):
    """What a run gives.

    Attributes:
      report: The object that ``--json`` prints: at least ``experiment``, ``config``,
        ``criterion``, ``success``, ``metrics``, ``history`` and ``seconds``.
      params: The trained parameters, or an empty dict.
      details: What the pictures need beyond the report; never printed or saved.
    """

    report: dict[str, Any]
    params: Any
    details: dict[str, Any]


@dataclass(frozen=True)
class Experiment:
    """An experiment as its command line needs it.

    Attributes:
      name: Its module's name.
      summary: One line on what it shows.
      config: A frozen dataclass; fields are filled from the flags of the same names.
      add_flags: Adds the flags to a parser.
      run: ``run(config, progress=False) -> Result``; prints nothing but a progress bar.
      show: ``show(report) -> text`` for a person.
      draw: ``draw(result) -> matplotlib figure``.
      runs: The command lines that `all` runs, by a label that tells them apart.
    """

    name: str
    summary: str
    config: type[Any]
    add_flags: Callable[[Parser], None]
    run: Callable[..., Result]
    show: Callable[[dict[str, Any]], str]
    draw: Callable[[Result], Any]
    runs: dict[str, tuple[str, ...]] = field(default_factory=lambda: {"": ()})


def run_experiment(experiment: Experiment, argv: Sequence[str] | None = None) -> int:
    """Runs an experiment from its command line; returns the exit code.

    0: the stated criterion was met; 1: it was not; 2: the command line was wrong (this one
    leaves through ``SystemExit``, as ``argparse`` does).
    """
    parser = make_parser(experiment)
    args = parser.parse_args(argv)
    _check_places(parser, args.out, args.plot)
    config = make_config(experiment, args)
    precision = getattr(args, "precision", "float32")
    check_rates(parser, getattr(config, "lr", ()), precision)
    try:
        with device_and_precision(parser, args.device, precision):
            result = _run_and_save(experiment, config, args)
    except (MemoryError, jax.errors.JaxRuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        print(
            f"{experiment.name}: the run must fit into memory; got one that does not. Lower "
            "--hidden, --seeds, --steps or --batch-size, where there is such a flag.",
            file=sys.stderr,
        )
        return 1
    print(json_text(result.report) if args.json else experiment.show(result.report))
    if args.plot is not None and not args.json:
        print(f"picture: {args.plot}")
    return 0 if result.report["success"] else 1


def _run_and_save(experiment: Experiment, config: Any, args: argparse.Namespace) -> Result:
    """Runs, and writes what the flags ask for."""
    result = experiment.run(config, progress=not args.no_progress and sys.stderr.isatty())
    if args.out is not None:
        save_run(args.out, result.report, result.params)
    if args.plot is not None:
        save_figure(experiment.draw(result), args.plot)
    return result


def _is_out_of_memory(error: Exception) -> bool:
    """Whether memory ran out, on the host or on the device."""
    return isinstance(error, MemoryError) or any(
        sign in str(error) for sign in ("RESOURCE_EXHAUSTED", "Out of memory")
    )


def make_config(experiment: Experiment, args: argparse.Namespace) -> Any:
    """The configuration that parsed flags ask for."""
    names = [part.name for part in fields(experiment.config)]
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    return experiment.config(**given)


def make_parser(experiment: Experiment) -> Parser:
    """The command line of an experiment."""
    parser = Parser(
        prog=f"python -m jaxnets.experiments.{experiment.name}",
        description=experiment.summary,
        epilog="Exit code 0: the criterion was met; 1: it was not; 2: the command line was wrong.",
    )
    experiment.add_flags(parser)
    add = parser.add_argument
    add("--device", choices=("cpu", "gpu", "tpu"), help="where to run (JAX's default)")
    add("--json", action="store_true", help="print one JSON object and nothing else")
    add("--out", type=place, metavar="DIR", help="folder to save config, history, params, metrics")
    add(
        "--plot",
        type=place,
        metavar="FILE",
        nargs="?",
        const=Path(f"{experiment.name}.png"),
        help="draw a picture (%(const)s)",
    )
    add("--no-progress", action="store_true", help="no progress bar")
    return parser


def _check_places(parser: Parser, out: Path | None, plot: Path | None) -> None:
    """Ends the program with one line if results could not be written, before anything runs."""
    if out is not None:
        check_out(parser, out)
    if plot is None:
        return
    check_matplotlib(parser, "--plot", plot)
    if reason := check_file(plot):
        parser.error(
            f"--plot must name a picture that can be written; got {plot}, which {reason}. "
            "Pass --plot picture.png, for example."
        )


def check_out(parser: Parser, out: Path) -> None:
    """Ends the program with one line if that folder could not be written."""
    if reason := check_folder(out):
        parser.error(
            f"--out must name a folder that can be written; got {out}, which {reason}. "
            "Pass a new folder, such as --out runs/first."
        )


def check_matplotlib(parser: Parser, argument: str, value: Any) -> None:
    """Ends the program with one line if the pictures that ``argument`` asks for need matplotlib."""
    try:
        require_matplotlib()
    except MissingPlotExtraError:
        parser.error(
            f"{argument} must be left out where matplotlib is not installed; got {value}. "
            "Install it with: pip install 'jaxnets[plot]'"
        )
