"""Every experiment with its defaults, one after the other, and a page that shows them all."""

import importlib
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from jaxnets.experiments.catalogue import summaries
from jaxnets.experiments.command_line import (
    Parser,
    device_and_precision,
    place,
    run_as_program,
)
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

__all__ = ["entry_name", "load", "main", "run_entry"]


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
    )
    parser.add_argument("--out", type=place, metavar="DIR", help="folder of the page, index.html")
    parser.add_argument("--device", choices=("cpu", "gpu", "tpu"), help="where (JAX's default)")
    return parser


def load(name: str) -> Experiment:
    """The experiment of that name."""
    experiment: Experiment = importlib.import_module(f"jaxnets.experiments.{name}").EXPERIMENT
    return experiment


def entry_name(experiment: Experiment, label: str) -> str:
    """What a run is called on the page and in its folder."""
    return f"{experiment.name}-{label}" if label else experiment.name


def _entry(experiment: Experiment, label: str, folder: Path, device: str | None) -> Entry:
    """What the page says of a run; one that fails must not lose the others."""
    try:
        return run_entry(experiment, label, folder, device)
    except Exception:
        name, error = entry_name(experiment, label), traceback.format_exc(limit=-3)
        return Entry(name, experiment.summary, error=error)


def run_entry(experiment: Experiment, label: str, folder: Path, device: str | None = None) -> Entry:
    """Runs one of ``experiment.runs``; saves it in a folder of its own, its picture beside that.

    Args:
      experiment: The experiment.
      label: Which of its runs.
      folder: Where to save; it is made if it is not there.
      device: Where to run; None for JAX's default.
    """
    begin = time.perf_counter()
    parser, name = make_parser(experiment), entry_name(experiment, label)
    config = make_config(experiment, parser.parse_args(experiment.runs[label]))
    with device_and_precision(parser, device, getattr(config, "precision", "float32")):
        result = experiment.run(config)
        save_run(folder / name, result.report, result.params)
        save_figure(experiment.draw(result), folder / f"{name}.png")
    return Entry(
        name,
        experiment.summary,
        report=result.report,
        text=experiment.show(result.report),
        command=" ".join((parser.prog, *experiment.runs[label])),
        seconds=time.perf_counter() - begin,
    )


if __name__ == "__main__":
    run_as_program(main)
