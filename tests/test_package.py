"""The package as a whole: which way imports go, what importing costs, what is documented."""

import ast
import importlib
import inspect
import json
import os
import pkgutil
import subprocess
import sys
import tomllib
import types
from pathlib import Path

import pytest

import jaxnets

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "jaxnets"
SOURCES = sorted(PACKAGE.rglob("*.py"))

LAYERS = [
    {
        "checks",
        "errors",
        "files",
        "contents",
        "contracts",
        "dtypes",
        "written",
        "factories",
        "model",
        "making",
        "jaxprs",
        "members_last",
        "small_products",
        "paths",
        "process",
    },
    {"initializers", "activations", "calibration", "losses", "metrics"},
    {"layers", "combinators", "children", "precision", "summary"},
    {"data", "schedules", "search", "training"},
    {"evaluation", "parity", "torch_compat", "plots", "watch"},
    {"experiments"},
]
"""The order of the design: a module imports from its own layer and from those above it here."""

RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}


def module_name(path):
    """``jaxnets/losses/data.py`` is ``jaxnets.losses.data``."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_modules(path):
    """The modules that a source file imports, wherever in it that happens."""
    yield from imports_among(path, ast.walk(ast.parse(path.read_text())))


def imported_at_once(path):
    """Those that it imports when it is imported itself, outside of functions and conditions."""
    yield from imports_among(path, ast.parse(path.read_text()).body)


def imports_among(path, nodes):
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            if node.module != "jaxnets":
                yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def top_part(module):
    """The part of the package that a module belongs to, ``""`` for the package itself."""
    return module.split(".")[1] if "." in module else ""


PART_FILES = [path for path in SOURCES if path != PACKAGE / "__init__.py"]


@pytest.mark.parametrize("path", PART_FILES, ids=module_name)
def test_imports_go_one_way(path):
    own = top_part(module_name(path))
    assert own in RANK, f"{own} has no place in the design's order of imports"
    for module in imported_modules(path):
        part = top_part(module) if module.startswith("jaxnets.") else ""
        if part in RANK:
            assert RANK[part] <= RANK[own], f"{own} imports {module}"


@pytest.mark.parametrize("path", PART_FILES, ids=module_name)
def test_no_module_imports_the_whole_package(path):
    """It would see names that are not there yet; the package itself imports its parts."""
    assert "jaxnets" not in set(imported_modules(path))


def test_no_modules_import_each_other_in_a_circle():
    names = {module_name(path): path for path in SOURCES}
    left = {
        name: {module for module in imported_at_once(path) if module in names} - {name}
        for name, path in names.items()
    }
    while free := [name for name, needed in left.items() if not needed & left.keys()]:
        for name in free:
            del left[name]
    circles = {name: sorted(needed & left.keys()) for name, needed in left.items()}
    assert circles == {}


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_only_public_names_of_jax(path):
    private = {"jax._src", "jax.experimental", "jaxlib"}
    for module in imported_modules(path):
        assert not any(module == name or module.startswith(f"{name}.") for name in private)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert (node.value.id, node.attr) not in {("jax", "_src"), ("jax", "experimental")}


def test_the_package_does_not_import_its_experiments():
    imported = set(imported_modules(PACKAGE / "__init__.py"))
    assert not any(module.startswith("jaxnets.experiments") for module in imported)


def run_python(code, **environment):
    """Runs a program in an interpreter of its own and returns what it printed."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    ).stdout


IMPORT_EVERYTHING = """
import json, sys
import jax
before = {name: repr(value) for name, value in jax.config.values.items()}
import jaxnets
changed = [name for name, value in jax.config.values.items() if before.get(name) != repr(value)]
heavy = ["matplotlib", "orbax.checkpoint", "torch", "scipy.stats", "jaxnets.experiments"]
print(json.dumps({"changed": changed, "loaded": [name for name in heavy if name in sys.modules]}))
"""


def test_importing_computes_nothing_changes_no_setting_and_loads_nothing_heavy():
    """JAX starts its backend at the first computation, and no platform has this name."""
    found = json.loads(run_python(IMPORT_EVERYTHING, JAX_PLATFORMS="no_such_platform"))
    assert found == {"changed": [], "loaded": []}


def test_the_platform_of_that_test_would_have_failed_a_computation():
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run_python("import jax; jax.numpy.ones(1)", JAX_PLATFORMS="no_such_platform")
    assert "no_such_platform" in caught.value.stderr


@pytest.mark.slow
def test_importing_adds_at_most_150_ms_to_jax_and_optax():
    code = """
import time
import jax, optax
started = time.process_time()
import jaxnets
print(time.process_time() - started)
"""
    # Compiled files are written and read, as they are for a user, whatever the tests run under.
    compiled = {"PYTHONDONTWRITEBYTECODE": ""}
    run_python(code, **compiled)
    # The least of several: whatever else the machine does only adds.
    assert min(float(run_python(code, **compiled)) for _ in range(5)) <= 0.15


def test_the_version_is_that_of_pyproject():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert jaxnets.__version__ == project["version"]


def test_type_information_is_shipped():
    assert (PACKAGE / "py.typed").is_file()


def modules():
    """All modules of the package but those that run when imported, or import PyTorch."""
    for info in pkgutil.walk_packages(jaxnets.__path__, "jaxnets."):
        if not info.name.endswith(("__main__", "torch_reference")):
            yield info.name


MODULES = sorted(modules())


@pytest.mark.parametrize("name", MODULES)
def test_all_is_sorted_and_there(name):
    module = importlib.import_module(name)
    listed = getattr(module, "__all__", [])
    # In the order of ruff's RUF022, which keeps it: CONSTANTS, Classes, functions.
    assert list(listed) == sorted(listed, key=lambda item: (kind_of_name(item), item))
    assert all(hasattr(module, item) for item in listed)
    assert len(set(listed)) == len(listed)


def kind_of_name(name):
    return 0 if name.isupper() else 1 if name[0].isupper() else 2


@pytest.mark.parametrize("name", ["jaxnets", *MODULES])
def test_every_module_says_what_it_is(name):
    first = (importlib.import_module(name).__doc__ or "").split("\n")[0]
    assert first.endswith((".", ":", "`"))


def public_objects():
    """What ``import jaxnets as jn`` offers, by the name under which it is used."""
    for name in jaxnets.__all__:
        value = getattr(jaxnets, name)
        if isinstance(value, types.ModuleType):
            yield from ((f"{name}.{inner}", getattr(value, inner)) for inner in value.__all__)
        else:
            yield name, value


PUBLIC = {
    name: value
    for name, value in public_objects()
    # Initialisers that are JAX's have JAX's documentation.
    if getattr(inspect.unwrap(value), "__module__", "").startswith("jaxnets")
}
FUNCTIONS = {name: value for name, value in PUBLIC.items() if not inspect.isclass(value)}
FAMILIES = {
    name
    for name, value in FUNCTIONS.items()
    if value.__module__.startswith(("jaxnets.activations.", "jaxnets.losses."))
}
"""Functions whose common contract is documented where the family is, and tested there."""


def test_the_public_names_are_found():
    expected = {"fit", "sweep", "dense", "sigmoid", "losses.bce", "data.xor", "initializers.normal"}
    assert expected <= FUNCTIONS.keys()
    assert {"Model", "Fit", "TrainState"} <= PUBLIC.keys()


@pytest.mark.parametrize("name", sorted(FUNCTIONS.keys() - FAMILIES))
def test_every_public_function_shows_its_arguments_result_and_an_example(name):
    function = FUNCTIONS[name]
    doc = inspect.getdoc(function) or ""
    parameters = inspect.signature(function).parameters
    assert ">>> " in doc
    assert "Example:" in doc
    assert "Returns:" in doc
    assert not parameters or "Args:" in doc
    if "Arguments that are not listed are those of `fit`" in doc:
        doc += inspect.getdoc(jaxnets.fit)
    for parameter in parameters:
        assert f"{parameter}:" in doc, f"{parameter} is not documented"


@pytest.mark.parametrize("name", sorted(PUBLIC.keys() - FUNCTIONS.keys()))
def test_every_public_class_is_documented(name):
    doc = inspect.getdoc(PUBLIC[name]) or ""
    assert doc.split("\n")[0].endswith(".")
    for field in getattr(PUBLIC[name], "_fields", ()):
        assert f"{field}:" in doc, f"{field} is not documented"


def test_help_opens_with_every_public_name_and_a_line_on_it():
    for name in jaxnets.__all__:
        (line,) = [line for line in jaxnets.__doc__.splitlines() if line.split()[:1] == [name]]
        assert len(line.split()) > 1, name


def test_completion_shows_what_is_public_and_nothing_else():
    assert set(dir(jaxnets)) == {*jaxnets.__all__, "__version__"}
    for value in (getattr(jaxnets, name) for name in jaxnets.__all__):
        if isinstance(value, types.ModuleType):
            assert sorted(dir(value)) == sorted(value.__all__)
