"""The parity table: complete, within its tolerances, and able to tell a wrong formula."""

import functools
import json
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnets
from jaxnets import activations, combinators, layers, losses
from jaxnets.parity import check
from jaxnets.parity.__main__ import main
from jaxnets.parity.compare import compare
from jaxnets.parity.entries import by_hand, entries, entry_references
from jaxnets.parity.formulas import DERIVATIONS, OPTIMIZERS
from jaxnets.parity.table import rows

PACKAGE = Path(jaxnets.__file__).parent
ENTRIES = entries()
PUBLIC = sorted({*activations.__all__, *losses.__all__, *layers.__all__, *combinators.__all__})


@functools.cache
def found(name):
    return tuple(entry_references(ENTRIES[name]))


def spoiled(name, change):
    """The hand formula of an entry with its gradient changed (its value, where that is 0)."""
    hand = by_hand(ENTRIES[name])

    def wrong(*arguments):
        value, backward = hand(*arguments)
        if name == "step":
            return jax.tree.map(change, value), backward
        if callable(backward):
            return value, lambda gradient: jax.tree.map(change, backward(gradient))
        return value, jax.tree.map(change, backward)

    return wrong


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_function_has_a_hand_formula(name):
    assert name in ENTRIES


@pytest.mark.parametrize("name", ENTRIES)
def test_the_formula_agrees_and_wrong_ones_are_caught(name):
    references = found(name)
    assert compare(name, by_hand(ENTRIES[name]), references).ok
    for change in (lambda leaf: 1.05 * leaf, lambda leaf: -leaf):
        assert not compare(name, spoiled(name, change), references).ok


def test_a_transposed_weight_is_caught():
    w = np.random.default_rng(0).normal(size=(3, 3))
    x = np.random.default_rng(1).normal(size=(4, 3))

    def wrong(params, x):
        return x @ params["w"], lambda g: {"w": (x.T @ g).T}

    def right(params, x):
        return x @ params["w"], lambda g: {"w": x.T @ g}

    def fn(params, x):
        return x @ params["w"]

    assert check(fn, right, {"w": w}, x).ok
    assert not check(fn, wrong, {"w": w}, x).ok


def test_the_formulas_hold_no_automatic_differentiation():
    files = [*(PACKAGE / "parity" / "formulas").glob("*.py")]
    files += [PACKAGE / "parity" / name for name in ("backprop.py", "tutorial.py")]
    assert len(files) > 5
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


def test_the_command_prints_rows_and_derivations(capsys):
    assert main(["--only", "dense", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert (row["name"], row["ok"]) == ("dense", True)
    assert main(["--only", "relu"]) == 0
    assert "1 rows, all within tolerance" in capsys.readouterr().out
    for name in ("dense", "cross_entropy", "layer_norm"):
        assert main(["--show", name]) == 0
        shown = capsys.readouterr().out
        assert "Symbols:" in shown
        assert len(shown.splitlines()) <= 45


@pytest.mark.parametrize("name", DERIVATIONS)
def test_every_derivation_can_be_shown(name, capsys):
    assert main(["--show", name]) == 0
    assert capsys.readouterr().out.startswith(f"{name}\n=")


def test_an_unknown_name_is_one_line_and_exit_code_2(capsys):
    with pytest.raises(SystemExit) as left:
        main(["--only", "nothing"])
    assert left.value.code == 2
    assert re.fullmatch(
        r"parity: --only must be one of .*; got nothing\..*\n", capsys.readouterr().err
    )


@pytest.mark.slow
def test_a_missing_formula_fails_the_whole_table(capsys, monkeypatch):
    monkeypatch.setattr(activations, "__all__", [*activations.__all__, "unheard_of"])
    assert main([]) == 1
    assert "NO HAND FORMULA" in capsys.readouterr().out
