"""Runs that stop being finite: valid JSON, true text, no warnings and no traceback."""

import importlib
import json
import math

import pytest

from jaxnets.experiments.harness.report import json_text, number

DIVERGE = {
    "two_layer": "--lr 1e-4 --steps 20",
    "digits": "--lr 1e30 --epochs 1 --hidden 8",
    "initialization": "--depth 20 --steps 100 --seeds 3 --optimizer sgd",
    "linear_regression": "--lr 1 --steps 40 --repeats 1",
    "xor": "--lr 3e38 --steps 20 --optimizer adam",
    "perceptron": "--lr 3e38 --steps 20 --orders 1 --optimizer adam",
}


def strict(text):
    def refused(word):
        raise AssertionError(f"{word} is not JSON")

    return json.loads(text, parse_constant=refused)


@pytest.mark.parametrize(
    "name",
    [
        name if name == "two_layer" else pytest.param(name, marks=pytest.mark.slow)
        for name in DIVERGE
    ],
)
def test_what_is_printed_and_saved_is_json(name, tmp_path, capsys):
    main = importlib.import_module(f"jaxnets.experiments.{name}.__main__").main
    assert main([*DIVERGE[name].split(), "--json", "--out", str(tmp_path)]) == 1
    printed, said = capsys.readouterr()
    report = strict(printed)
    assert said == ""
    assert strict((tmp_path / "config.json").read_text()) == report["config"]
    assert strict((tmp_path / "metrics.json").read_text())["metrics"] == report["metrics"]


@pytest.mark.parametrize(
    "name", ["two_layer", pytest.param("digits", marks=pytest.mark.slow), "xor"]
)
def test_the_text_claims_nothing_that_its_figures_deny(name, capsys):
    main = importlib.import_module(f"jaxnets.experiments.{name}.__main__").main
    assert main(DIVERGE[name].split()) == 1
    printed = capsys.readouterr().out
    assert "what follows is of the weights before that step's update" in printed
    assert "after the last update" not in printed
    assert not {"nan", "inf", "nan%", "inf%"} & set(printed.replace(",", " ").split())


def test_numbers_of_every_kind_become_json():
    value = {"a": [1, math.inf, None], "b": (math.nan, "x"), "c": {"d": -math.inf}, "e": True}
    assert json_text(value) == (
        '{"a": [1, null, null], "b": [null, "x"], "c": {"d": null}, "e": true}'
    )


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None])
def test_a_number_that_is_not_finite_is_said_in_words(value):
    assert number(value, ".3f", 12) == "  not finite"
    assert number(0.5, ".3f", 12) == "       0.500"
