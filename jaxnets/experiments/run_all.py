"""Every experiment with its defaults, one after the other, and a page that shows them all."""

import importlib
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from jaxnets.experiments.catalogue import summaries
from jaxnets.experiments.harness.arguments import place
from jaxnets.experiments.harness.experiment import (
    DEVICE,
    Experiment,
    check_matplotlib,
    check_places,
    on_device,
    save_picture,
)
from jaxnets.experiments.harness.flags import Parser, make_config
from jaxnets.experiments.harness.output import save_run
from jaxnets.experiments.harness.page import Entry, write_page

__all__ = ["entry_name", "load", "main", "run_entry"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run every experiment and write the page.

    Returns:
      0 if every criterion was met, 1 if one was missed or an experiment failed; a wrong command
      line leaves through ``SystemExit`` with 2.
    """
    parser = _parser()
    args = parser.parse(argv)
    if args.out is None:
        parser.error("--out must name a folder; got none. Pass --out runs/all, for example.")
    check_places(parser, args.out)
    check_matplotlib(parser, "--out", args.out)
    entries = []
    for experiment in map(load, summaries()):
        for label in experiment.runs:
            print(f"{entry_name(experiment, label):20} ", end="", flush=True)
            entries.append(_entry(experiment, label, args.out, args.device))
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
        exit_on_error=False,
    )
    parser.add_argument("--out", type=place, metavar="DIR", help="folder of the page, index.html")
    parser.add_argument("--device", **DEVICE)
    return parser


def load(name: str) -> Experiment:
    """The experiment of that name."""
    module = importlib.import_module(f"jaxnets.experiments.{name}.__main__")
    experiment: Experiment = module.EXPERIMENT
    return experiment


def entry_name(experiment: Experiment, label: str) -> str:
    """The name of a run on the page and in its folder."""
    return f"{experiment.name}-{label}" if label else experiment.name


def _entry(experiment: Experiment, label: str, folder: Path, device: str | None) -> Entry:
    """The run as the page shows it; one that fails must not lose the others."""
    try:
        return run_entry(experiment, label, folder, device)
    except Exception:
        name, error = entry_name(experiment, label), traceback.format_exc(limit=-3)
        return Entry(name, experiment.summary, error=error)


def run_entry(experiment: Experiment, label: str, folder: Path, device: str | None = None) -> Entry:
    """Run one of ``experiment.runs``; save it in a folder of its own, its picture beside that.

    Args:
      experiment: The experiment.
      label: Which of its runs.
      folder: Where to save; it is made if it is not there.
      device: Where to run; None for JAX's default.
    """
    begin = time.perf_counter()
    parser, name = experiment.parser(), entry_name(experiment, label)
    config = make_config(experiment.config, parser.parse(experiment.runs[label]))
    with on_device(parser, device, config):
        report = experiment.run(config)
        save_run(folder / name, report)
        save_picture(experiment.draw(report), folder / f"{name}.png")
    return Entry(
        name,
        experiment.summary,
        report=report,
        text=experiment.text(report),
        command=" ".join((parser.prog, *experiment.runs[label])),
        seconds=time.perf_counter() - begin,
    )
