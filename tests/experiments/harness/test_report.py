"""Runs that stop being finite: valid JSON, true text, no warnings and no traceback."""

import importlib
import json
import math

import pytest

from jaxnets.experiments.harness.report import Report, json_text, number, side_by_side
from jaxnets.experiments.published import compared

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


def test_runs_that_diverged_have_none_for_the_records_that_are_missing():
    columns = {"step": [0, 10, 20], "whole": [3.0, 2.0, 1.0], "diverged": [3.0]}
    assert side_by_side(columns) == {**columns, "diverged": [3.0, None, None]}


def test_losses_are_listed_beside_the_published_ones_where_there_are_any():
    history = {"step": [0, 5, 10], "loss": [0.5, 0.25, math.nan]}
    theirs, difference = compared(history, {"step": [0, 10], "loss": [0.4, 0.1]})
    assert theirs == [0.4, None, 0.1]
    assert difference[:2] == [pytest.approx(0.25), None]
    report = Report(
        experiment="",
        config=None,
        criterion="",
        success=True,
        metrics={},
        history=history,
        seconds={},
    )
    beside = {"published": (theirs, "9.1f"), "apart": ([*difference[:2], None], "7.2f")}
    assert report.loss_lines(".3f", 10, beside) == [
        "  step        loss  published    apart",
        "     0       0.500        0.4     0.25",
        "     5       0.250",
        "    10  not finite        0.1",
    ]
    assert report.divergence() == []
