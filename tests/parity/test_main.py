"""The parity table and its command: complete, and honest about what is wrong."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import jaxnets
from jaxnets import activations, combinators, layers, losses
from jaxnets.parity import __main__ as command
from jaxnets.parity.__main__ import main
from jaxnets.parity.derivations import PAGES
from jaxnets.parity.entries import entries
from jaxnets.parity.formulas import OPTIMIZERS
from jaxnets.parity.leaves import leaf_error
from jaxnets.parity.report import Report
from jaxnets.parity.table import row_makers, rows

PACKAGE = Path(jaxnets.__file__).parent
ENTRIES = entries()
PUBLIC = sorted({*activations.__all__, *losses.__all__, *layers.__all__, *combinators.__all__})


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_function_has_a_hand_formula(name):
    assert name in ENTRIES


def test_the_formulas_hold_no_automatic_differentiation():
    files = [*(PACKAGE / "parity" / "formulas").rglob("*.py")]
    files += [PACKAGE / "parity" / name for name in ("backprop.py", "tutorial.py")]
    assert len(files) > 10
    for file in files:
        code = re.sub(r'""".*?"""', "", file.read_text(), flags=re.DOTALL)
        assert not re.search(r"jax\.(grad|value_and_grad|vjp|jvp|linearize|jac\w+)\b", code), file


@pytest.mark.parametrize("name", [*OPTIMIZERS, "training_2_2_1", "training_2_10_10_10_1"])
def test_update_rules_and_whole_runs_agree(name):
    (row,) = rows([name])
    assert row.ok
    assert row.worst["float64"].relative <= 1e-9


def test_the_tutorials_rule_takes_four_times_the_step_in_the_weights():
    (row,) = rows(["tutorial"])
    assert row.ok
    assert "weight steps are 3.99999" in row.note


@pytest.fixture
def no_torch(monkeypatch):
    """The normal tests never import PyTorch, installed or not."""
    monkeypatch.setattr(command, "torch_version", lambda: None)


def test_json_is_all_there_is_on_standard_output(no_torch, capsys):
    assert main(["--only", "dense", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    (row,) = printed["rows"]
    assert printed["torch"] is None
    assert (row["name"], row["kind"], row["ok"]) == ("dense", "layer", True)
    assert set(row["errors"]) == {"float64", "float32", "differences", "PyTorch"}
    assert row["errors"]["PyTorch"] is None


def test_the_table_says_what_is_not_installed_and_counts_rows(no_torch, capsys):
    assert main(["--only", "relu"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^relu +activation .* not installed  ok$", out, flags=re.MULTILINE)
    assert "1 row, all within tolerance" in out


def test_a_row_out_of_tolerance_is_exit_code_1(no_torch, capsys, monkeypatch):
    off = Report("relu", "activation", {"float64": (leaf_error("value", None, np.ones(1)),)})
    monkeypatch.setattr(command, "rows", lambda names, *, torch: iter([off]))
    assert main(["--only", "relu"]) == 1
    assert "NOT within tolerance: relu" in capsys.readouterr().out
    assert main(["--only", "relu", "--json"]) == 1
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert (row["errors"]["float64"], row["ok"]) == ("inf", False)


@pytest.mark.parametrize("name", PAGES)
def test_every_derivation_fits_a_terminal_and_states_its_symbols(name, capsys):
    assert main(["--show", name]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"{name}\n=")
    assert "\nSymbols:" in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert len(shown.splitlines()) <= 45


def test_every_row_can_be_shown():
    assert set(row_makers(torch=False)) <= set(PAGES)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "nothing"], r"--only must be one of .*\badam,.*; got nothing\."),
        (["--only", ""], r"--only must be one of .*; got \."),
        (["--show", "nothing"], r"--show must be one of .*\bmlp,.*; got nothing\."),
        (["--show", "dense", "--json"], "--show must stand alone; got --json or --only beside it"),
        (["--show", "dense", "--only", "relu"], "--show must stand alone"),
        (["--only"], "argument --only: expected one argument"),
        (["dense"], "unrecognized arguments: dense"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_exit_code_2(arguments, message, capsys):
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert re.fullmatch(rf"parity: {message}.*\n", printed.err)


@pytest.mark.slow
def test_a_missing_formula_fails_the_whole_table(no_torch, capsys, monkeypatch):
    monkeypatch.setattr(activations, "__all__", [*activations.__all__, "unheard_of"])
    assert main([]) == 1
    assert "NO HAND FORMULA" in capsys.readouterr().out
