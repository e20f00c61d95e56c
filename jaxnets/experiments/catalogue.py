"""Which experiments there are, found without importing one."""

import ast
import importlib.util
import pkgutil
from pathlib import Path

import jaxnets.experiments

__all__ = ["summaries"]

COURSE = (
    "perceptron",
    "xor",
    "activations",
    "losses",
    "two_layer",
    "linear_regression",
    "initialization",
    "digits",
)
"""The order in which they build on each other; others follow by name."""


def summaries() -> dict[str, str]:
    """The first line of every experiment, by name: of every module that has an ``EXPERIMENT``."""
    found = {}
    for module in pkgutil.iter_modules(jaxnets.experiments.__path__):
        spec = importlib.util.find_spec(f"jaxnets.experiments.{module.name}")
        if module.ispkg or spec is None or spec.origin is None:
            continue
        tree = ast.parse(Path(spec.origin).read_text())
        if "EXPERIMENT" in _assigned(tree):
            found[module.name] = (ast.get_docstring(tree) or "").partition("\n")[0]
    return {name: found[name] for name in sorted(found, key=_place)}


def _assigned(tree: ast.Module) -> set[str]:
    """The names that a module assigns at its top level."""
    targets = [node.targets for node in tree.body if isinstance(node, ast.Assign)]
    return {target.id for group in targets for target in group if isinstance(target, ast.Name)}


def _place(name: str) -> tuple[int, str]:
    return (COURSE.index(name) if name in COURSE else len(COURSE), name)
