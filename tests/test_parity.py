"""The parity table and its command: complete, and honest about what is wrong."""

import json
import re
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import jaxnets
from jaxnets import activations, combinators, layers, losses
from jaxnets.parity import __main__ as command
from jaxnets.parity import check
from jaxnets.parity.__main__ import main
from jaxnets.parity.derivations import PAGES
from jaxnets.parity.entries import entries
from jaxnets.parity.formulas import OPTIMIZERS
from jaxnets.parity.leaves import leaf_error
from jaxnets.parity.row import Row
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
    assert row.errors["float64"] <= 1e-9


def test_the_tutorials_rule_takes_four_times_the_step_in_the_weights():
    (row,) = rows(["tutorial"])
    assert row.ok
    assert "weight steps are 3.99999" in row.note


def test_float64_stays_within():
    check(jnp.sin, lambda x: (np.sin(x), lambda g: g * np.cos(x)), np.array([0.3]))
    assert jnp.ones(1).dtype == "float32"


def double(x):
    return 2 * x


def double_by_hand(x):
    return 2 * x, lambda d_value: 2 * d_value


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((None, double_by_hand, 1.0), TypeError, "check: fn must be callable; got None"),
        ((double, None, 1.0), TypeError, "check: by_hand must be callable; got None"),
        ((double, double_by_hand, 3), TypeError, "check: at must be a floating array .* got 3"),
        ((double, double_by_hand, "a"), TypeError, "check: at must be a floating array"),
        ((double, double_by_hand, np.ones(2) + 1j), TypeError, r"floating.* got complex128\[2\]"),
        ((double, double_by_hand, {}), ValueError, "check: at must hold at least one element"),
        (
            (double, double_by_hand, np.zeros((0, 2))),
            ValueError,
            r"check: at must hold at least one element; got float64\[0,2\]",
        ),
        (
            (lambda x: x > 0, double_by_hand, np.ones(2)),
            TypeError,
            r"check: the value of fn must be a floating array .* got bool\[2\]",
        ),
        (
            (double, double, np.ones(2)),
            TypeError,
            r"check: by_hand must return \(value, backward\); got float64\[2\]",
        ),
        (
            (double, lambda x: (2 * x, np.full(2, 2.0)), np.ones(2)),
            ValueError,
            r"by_hand must return \(value, backward\), as the value is not a scalar",
        ),
    ],
)
def test_what_check_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        check(*arguments)


def test_kinks_must_be_entries_of_at():
    message = "check: kinks must name entries of the dict at; got 'corner'"
    with pytest.raises(ValueError, match=message):
        check(double, double_by_hand, np.ones(2), kinks=["corner"])


def test_central_differences_leave_out_the_kinks():
    def relu_of_all(at):
        return sum(jnp.maximum(x, 0).sum() for x in at.values())

    def by_hand(at):
        value = sum(np.maximum(x, 0).sum() for x in at.values())
        # At 0 autodiff of the maximum gives 1/2, and so would a central difference.
        slopes = {name: np.where(x == 0, 0.5, (x > 0) * 1.0) for name, x in at.items()}
        return value, {name: slope.astype(at[name].dtype) for name, slope in slopes.items()}

    at = {"smooth": np.array([1.0, -1.0]), "corner": np.zeros(2)}
    report = check(relu_of_all, by_hand, at, kinks=["corner"])
    assert report.ok, report
    compared = {part.reference: {leaf.leaf for leaf in part.leaves} for part in report.comparisons}
    assert compared["autodiff float64"] == {"value", "gradient/corner", "gradient/smooth"}
    assert compared["central differences"] == {"gradient/smooth"}


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
@pytest.mark.parametrize("side", ["by hand", "reference", "both"])
def test_only_equal_leaves_pass_where_numbers_are_not_finite(bad, side):
    good, spoiled = np.array([1.0, 2.0]), np.array([1.0, bad])
    found = good if side == "reference" else spoiled
    expected = good if side == "by hand" else spoiled
    error = leaf_error("w", found, expected).relative
    equal = side == "both" and not np.isnan(bad)
    assert error == 0 if equal else error > 0.1


def test_an_infinite_element_does_not_hide_the_others():
    found, expected = np.array([np.inf, 1.0]), np.array([np.inf, 2.0])
    assert leaf_error("w", found, expected).relative == 0.5


def test_a_report_says_what_is_wrong_and_where():
    at = {"w": np.array([1.0, 2.0]), "b": np.array([3.0])}

    def squares(at):
        return (at["w"] ** 2).sum() + at["b"].sum()

    def by_hand(at):
        value = (at["w"] ** 2).sum() + at["b"].sum()
        return value, {"w": at["w"] * np.array([2, 2.1]).astype(at["w"].dtype)}

    text = str(check(squares, by_hand, at))
    assert text.startswith("squares: WRONG\n")
    assert "autodiff float64 (tolerance 1e-12 relative)" in text
    assert re.search(r"gradient/w +2\.0e-01 absolute +5\.0e-02 relative +at \(1,\): 4\.2", text)
    assert re.search(r"gradient/b +inf absolute .*: nothing, reference float64\[1\]", text)


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
    off = Row("relu", "activation", "", {"float64": np.inf}, {"float64": 1e-12})
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
