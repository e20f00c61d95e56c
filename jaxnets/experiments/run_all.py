"""Every experiment with its defaults, one after the other, and a page that shows them all."""

import importlib
import time
import traceback
from collections.abc import Sequence
from typing import Any

from jaxnets.experiments import COURSE
from jaxnets.experiments.harness import output
from jaxnets.experiments.harness.experiment import DEVICE, Experiment, on_device
from jaxnets.experiments.harness.flags import Parser, make_config, place
from jaxnets.experiments.harness.page import Entry, write_page
from jaxnets.process import NO_CACHE, programs_kept

__all__ = ["load", "main"]

CODES = "Exit code 0: every criterion was met; 1: one was not; 2: the command line was wrong."


def main(argv: Sequence[str] | None = None) -> int:
    """Run every experiment and write the page.

    Returns:
      0 if every criterion was met, 1 if one was missed or an experiment failed; a wrong command
      line leaves through ``SystemExit`` with 2.
    """
    prog = "python -m jaxnets.experiments all"
    parser = Parser(prog=prog, description=__doc__, epilog=CODES, exit_on_error=False)
    parser.add_argument("--out", type=place, metavar="DIR", help="folder of the page, index.html")
    parser.add_argument("--device", **DEVICE)
    parser.add_argument("--no-cache", **NO_CACHE)
    args = parser.parse(argv)
    if args.out is None:
        parser.error("--out must name a folder; got none. Pass --out runs/all, for example.")
    output.check_places(parser, args.out)
    output.check_matplotlib(parser, "--out", args.out)
    entries = []
    for experiment in map(load, COURSE):
        for label in experiment.runs:
            name = f"{experiment.name}-{label}" if label else experiment.name
            print(f"{name:20} ", end="", flush=True)
            entries.append(_entry(name, experiment, experiment.runs[label], args))
            print(entries[-1].verdict)
    print(f"page: {write_page(args.out, entries)}")
    return 0 if all(entry.success for entry in entries) else 1


def load(name: str) -> Experiment:
    """The experiment of that name."""
    module = importlib.import_module(f"jaxnets.experiments.{name}.__main__")
    experiment: Experiment = module.EXPERIMENT
    return experiment


def _entry(name: str, experiment: Experiment, line: Sequence[str], args: Any) -> Entry:
    """One run as the page shows it, saved in a folder of its name, with its picture beside that.

    One that fails must not lose the others.
    """
    begin, parser = time.perf_counter(), experiment.parser()
    try:
        config = make_config(experiment.config, parser.parse(line))
        with programs_kept(not args.no_cache), on_device(parser, args.device, config):
            report = experiment.run(config)
            output.save_run(args.out / name, report)
            output.save_picture(experiment.draw(report), args.out / f"{name}.png")
        text, command = experiment.text(report), " ".join((parser.prog, *line))
        seconds = time.perf_counter() - begin
        return Entry(name, experiment.summary, report, text, command, seconds)
    except Exception:
        return Entry(name, experiment.summary, error=traceback.format_exc(limit=-3))
