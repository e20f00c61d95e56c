"""Lists the experiments, one line each."""

import ast
import importlib.util
import pkgutil
import sys
from pathlib import Path

import jaxnets.experiments

SUPPORT = {"__main__", "command_line", "output", "published", "runner", "setup"}
"""Modules that serve the experiments and are none."""


def experiments() -> dict[str, str]:
    """The first sentence of every experiment, by name, without importing it."""
    found = {}
    for module in pkgutil.iter_modules(jaxnets.experiments.__path__):
        if module.name in SUPPORT:
            continue
        spec = importlib.util.find_spec(f"jaxnets.experiments.{module.name}")
        assert spec is not None
        assert spec.origin is not None
        doc = ast.get_docstring(ast.parse(Path(spec.origin).read_text())) or ""
        found[module.name] = doc.partition("\n")[0]
    return found


def main() -> int:
    """Prints the list."""
    print("Run one with: python -m jaxnets.experiments.NAME (--help shows its options)\n")
    for name, summary in sorted(experiments().items()):
        print(f"  {name:20} {summary}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
