"""List the experiments, one line each; ``all --out DIR`` runs them all."""

import difflib
import sys
from collections.abc import Sequence

from jaxnets.experiments import COURSE, summary_of
from jaxnets.process import run_as_program

__all__ = ["main"]

HELP = """Run one with: python -m jaxnets.experiments.NAME (--help shows its options)
Run all with: python -m jaxnets.experiments all --out DIR
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Print the list, or run all; returns the exit code."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    if arguments[:1] == ["all"]:
        # Imported here, because the list needs no experiment.
        from jaxnets.experiments.run_all import main as run_all

        return run_all(arguments[1:])
    for argument in arguments:
        if argument not in ("-h", "--help"):
            print(_refusal(argument), file=sys.stderr)
            return 2
    print(HELP)
    for name in COURSE:
        print(f"  {name:20} {summary_of(name)}")
    return 0


def _refusal(argument: str) -> str:
    """One line; it suggests a command only where there is such an experiment."""
    advice = f"The experiments are {', '.join(COURSE)}."
    for near in difflib.get_close_matches(argument, [*COURSE, "all"], n=1):
        advice = f"To run one experiment, write python -m jaxnets.experiments.{near}"
        if near == "all":
            advice = "Write python -m jaxnets.experiments all --out DIR"
    return f"experiments: the argument must be 'all'; got {argument or repr(argument)}. {advice}"


if __name__ == "__main__":
    run_as_program(main)
