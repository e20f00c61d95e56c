"""Every experiment in its short form, one after the other, and a page that shows them all."""

import importlib
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from jaxnets.experiments.catalogue import summaries
from jaxnets.experiments.command_line import Parser, device_and_precision, run_as_program
from jaxnets.experiments.output import save_run
from jaxnets.experiments.page import Entry, write_page
from jaxnets.experiments.runner import (
    Experiment,
    check_matplotlib,
    check_out,
    make_config,
    make_parser,
)
from jaxnets.plots import save_figure

__all__ = ["load", "main", "run_short"]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs every experiment and writes the page.

    Returns:
      0 if every criterion was met, 1 if one was missed or an experiment failed; a wrong command
      line leaves through ``SystemExit`` with 2.
    """
    parser = _parser()
    args = parser.parse_args(argv)
    if args.out is None:
        parser.error("--out must name a folder; got none. Pass --out runs/all, for example.")
    check_out(parser, args.out)
    check_matplotlib(parser, "--out", args.out)
    entries = []
    for name in summaries():
        print(f"{name:20} ", end="", flush=True)
        entries.append(_entry(load(name), args.out, args.device))
        print(entries[-1].verdict)
    page = write_page(args.out, entries)
    print(f"page: {page}")
    return 0 if all(entry.success for entry in entries) else 1


def _parser() -> Parser:
    parser = Parser(
        prog="python -m jaxnets.experiments all",
        description=__doc__,
        epilog="Exit code 0: every criterion was met; 1: one was not; 2: the command line was "
        "wrong.",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the page, index.html")
    parser.add_argument("--device", choices=("cpu", "gpu", "tpu"), help="where (JAX's default)")
    return parser


def load(name: str) -> Experiment:
    """The experiment of that name."""
    experiment: Experiment = importlib.import_module(f"jaxnets.experiments.{name}").EXPERIMENT
    return experiment


def _entry(experiment: Experiment, folder: Path, device: str | None) -> Entry:
    """What the page says of an experiment; one that fails must not lose the others."""
    try:
        return run_short(experiment, folder, device)
    except Exception:
        return Entry(experiment.name, experiment.summary, error=traceback.format_exc(limit=-3))


def run_short(experiment: Experiment, folder: Path, device: str | None = None) -> Entry:
    """Runs the short form; saves the run in a folder of its own and its picture beside that.

    Args:
      experiment: The experiment.
      folder: Where to save; it is made if it is not there.
      device: Where to run; None for JAX's default.
    """
    parser = make_parser(experiment)
    config = replace(make_config(experiment, parser.parse_args([])), **experiment.short)
    with device_and_precision(parser, device, getattr(config, "precision", "float32")):
        result = experiment.run(config)
        save_run(folder / experiment.name, result.report, result.params)
        save_figure(experiment.draw(result), folder / f"{experiment.name}.png")
    return Entry(
        experiment.name,
        experiment.summary,
        report=result.report,
        text=experiment.show(result.report),
        changed=experiment.short,
    )


if __name__ == "__main__":
    run_as_program(main)
