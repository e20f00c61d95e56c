"""An experiment's command line: parse, run, save, draw, print, and the exit code."""

import argparse
import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from jaxnets.errors import ArgumentError
from jaxnets.experiments import summary_of
from jaxnets.experiments.harness.flags import Parser, add_flags, choice, make_config, place
from jaxnets.experiments.harness.report import Report, json_text
from jaxnets.process import NO_CACHE, programs_kept

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["DEVICE", "Experiment", "on_device"]

CODES = "Exit code 0: the criterion was met; 1: it was not; 2: the command line was wrong."

KINDS = choice(("cpu", "gpu", "tpu"))
DEVICE: dict[str, Any] = {
    "type": KINDS.parse,
    "metavar": KINDS.metavar,
    "help": "where to run (JAX's default)",
}
"""The flag ``--device``, as ``add_argument`` takes it."""


@dataclass(frozen=True)
class Experiment:
    """An experiment as its command line needs it.

    Attributes:
      name: The name of its folder.
      config: A frozen dataclass whose fields are the flags.
      run: ``run(config) -> Report``; prints nothing. One that has a progress bar takes
        ``progress`` too.
      show: ``show(report) -> lines`` for a person, without the last ones, which `text` adds.
      runs: The command lines that ``all`` runs, by a label that tells them apart.
      progress: Whether there is a progress bar.

    Its picture is what ``draw(report)`` in its folder's ``draw.py`` makes.
    """

    name: str
    config: type[Any]
    run: Callable[..., Any]
    show: Callable[[Any], list[str]]
    runs: dict[str, tuple[str, ...]] = field(default_factory=lambda: {"": ()})
    progress: bool = False

    @property
    def summary(self) -> str:
        """One line on what it shows."""
        return summary_of(self.name)

    def text(self, report: Report) -> str:
        """The report as a person reads it, with its wall time and whether its criterion was met."""
        lines, seconds = self.show(report), report.seconds
        if report.timed is not None:
            times = f"{seconds['compile']:.3f} s compile, {seconds['run']:.4f} s run"
            lines.append(f"{report.timed}: {times}")
        lines.append(f"criterion {'met' if report.success else 'MISSED'}: {report.criterion}")
        return "\n".join(lines if report.why is None else [*lines, report.why])

    def draw(self, report: Report) -> "Figure":
        """The picture of a report."""
        # Imported here, because most runs draw nothing.
        module = importlib.import_module(f"jaxnets.experiments.{self.name}.draw")
        figure: Figure = module.draw(report)
        return figure

    def parser(self) -> Parser:
        """The flags of the configuration, and those that all experiments have."""
        prog = f"python -m jaxnets.experiments.{self.name}"
        parser = Parser(prog=prog, description=self.summary, epilog=CODES, exit_on_error=False)
        add_flags(parser, self.config)
        add, folder = parser.add_argument, "folder to save config, history, params, metrics"
        add("--device", **DEVICE)
        add("--json", action="store_true", help="print one JSON object and nothing else")
        add("--out", type=place, metavar="DIR", help=folder)
        picture = Path(f"{self.name}.png")
        help_plot = "draw a picture (%(const)s)"
        add("--plot", type=place, metavar="FILE", nargs="?", const=picture, help=help_plot)
        add("--no-progress", action="store_true", help="no progress bar")
        add("--no-cache", **NO_CACHE)
        return parser

    def main(self, argv: Sequence[str] | None = None) -> int:
        """Run from the command line.

        Returns:
          0 if the stated criterion was met, 1 if it was not or memory ran out, 2 if the run
          refused what the flags ask for. A command line that cannot be parsed leaves through
          ``SystemExit`` with 2, as with ``argparse``.
        """
        parser = self.parser()
        args = parser.parse(argv)
        try:
            report = self._run_and_save(parser, args)
        except ArgumentError as error:
            if error.function != self.name:
                raise
            print(error, file=sys.stderr)
            return 2
        except (MemoryError, jax.errors.JaxRuntimeError) as error:
            signs = ("RESOURCE_EXHAUSTED", "Out of memory")
            if not (isinstance(error, MemoryError) or any(sign in str(error) for sign in signs)):
                raise
            print(f"{self.name}: {OUT_OF_MEMORY}", file=sys.stderr)
            return 1
        print(json_text(report.as_json()) if args.json else self.text(report))
        if args.plot is not None and not args.json:
            print(f"picture: {args.plot}")
        return 0 if report.success else 1

    def _run_and_save(self, parser: Parser, args: argparse.Namespace) -> Report:
        """Run, and write what the flags ask for, if it can be written."""
        if args.out is not None or args.plot is not None:
            # Imported here, because most commands write nothing.
            from jaxnets.experiments.harness import output

            output.check_places(parser, args.out, args.plot)
        config = make_config(self.config, args)
        shown = {"progress": not args.no_progress and sys.stderr.isatty()} if self.progress else {}
        with programs_kept(not args.no_cache), on_device(parser, args.device, config):
            report: Report = self.run(config, **shown)
            if args.out is not None:
                output.save_run(args.out, report)
            if args.plot is not None:
                output.save_picture(self.draw(report), args.plot)
        return report


OUT_OF_MEMORY = (
    "the run must fit into memory; got one that does not. Lower --hidden, --seeds, --steps or "
    "--batch-size, where there is such a flag."
)


@contextmanager
def on_device(parser: Parser, device: str | None, config: Any) -> Iterator[None]:
    """Run what is inside on that device and in the configured precision; then put both back.

    A learning rate that the precision cannot hold, or a device that is not there, ends the program.
    """
    precision, rates = getattr(config, "precision", "float32"), getattr(config, "lr", ())
    low, high = float(np.finfo(precision).tiny), float(np.finfo(precision).max)
    for rate in [rates] if isinstance(rates, float) else rates:
        if not low <= rate <= high:
            parser.error(
                f"--lr must be from {low:.2g} to {high:.2g}, which {precision} can hold; "
                f"got {rate:g}. Pass 0.1, for example."
            )
    with ExitStack() as stack:
        if device is not None:
            try:
                stack.enter_context(jax.default_device(jax.devices(device)[0]))
            except RuntimeError:
                extra = {"gpu": "cuda13"}.get(device, device)
                parser.error(
                    f"--device must be one that JAX can see; got {device}. Pass --device "
                    f"{jax.default_backend()}, or install what it needs: "
                    f"pip install -e '.[{extra}]'"
                )
        stack.enter_context(jax.enable_x64(precision == "float64"))
        yield
