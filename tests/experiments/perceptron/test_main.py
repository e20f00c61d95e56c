"""The perceptron experiment: what the gates and Rosenblatt's rule must show, run short."""

import json
import math

import numpy as np
import pytest

from jaxnets.experiments.perceptron import __main__ as perceptron
from jaxnets.experiments.perceptron.rosenblatt import count_mistakes, mistake_bound, separable_data

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "float32")


@pytest.fixture(scope="module")
def result():
    return perceptron.run(perceptron.Config(steps=500, orders=3))


@pytest.mark.parametrize("gate", ["and", "or", "nand"])
def test_the_unit_learns_separable_gates(result, gate):
    assert result.gates[gate]["accuracy"] == 1.0
    # The definition of the gate by Python's own operators.
    operators = {
        "and": lambda a, b: a and b,
        "or": lambda a, b: a or b,
        "nand": lambda a, b: not (a and b),
    }
    expected = [bool(operators[gate](a, b)) for a, b in X.tolist()]
    assert [value > 0.5 for value in result.gates[gate]["outputs"]] == expected


def test_the_unit_does_not_learn_xor(result):
    assert result.metrics["accuracy_xor"] <= 0.75
    assert result.history["loss_xor"][-1] == pytest.approx(math.log(2), abs=1e-3)


def test_the_report_is_whole(result):
    report = result
    assert report.success
    assert len({len(column) for column in report.history.values()}) == 1
    assert set(report.as_json()) >= {"experiment", "config", "criterion", "metrics", "seconds"}
    for name in ("AND", "OR", "NAND", "XOR"):
        assert name in perceptron.EXPERIMENT.text(report)


def test_rosenblatts_rule_keeps_its_bound_and_never_rests_on_xor(result):
    for row in result.rosenblatt:
        if row["data"] == "xor":
            assert not row["came_to_rest"]
        else:
            assert row["came_to_rest"]
            assert row["mistakes"] <= row["bound"]


def test_mistakes_are_those_of_the_rule_written_as_a_loop():
    # One repeated example has one order, so the loop needs no permutation.
    x, t = np.tile(np.array([[-1.0, 0.5]], "float32"), (6, 1)), np.zeros(6, "float32")
    w, b, mistakes = np.zeros(2), 0.0, 0
    for row, target in zip(x, t, strict=True):
        answer = float(row @ w + b >= 0)
        mistakes += answer != target
        w, b = w + (target - answer) * row, b + (target - answer)
    made = count_mistakes(x, t, orders=2, seed=0, epochs=2)
    assert made == (mistakes, True)


def test_a_bound_that_is_too_small_would_be_seen():
    # Negative control: the real number of mistakes on AND exceeds a twentieth of its bound.
    t = np.array([0, 0, 0, 1], "float32")
    made = count_mistakes(X, t, orders=3, seed=777, epochs=50)
    assert made.most > mistake_bound(X, t, (1, 1, -1.5)) / 20


def test_the_bound_does_not_depend_on_the_scale_of_the_separator():
    t = np.array([0, 1, 1, 1])
    assert mistake_bound(X, t, (1, 1, -0.5)) == pytest.approx(27)  # 3 / (0.5 / 1.5)**2
    assert mistake_bound(X, t, (2, 2, -1)) == pytest.approx(27)
    assert mistake_bound(X, t, (1, 1, 0.5)) == math.inf


@pytest.mark.parametrize("margin", [0.02, 0.4])
def test_random_data_keep_their_margin(margin):
    x, t, line = separable_data(np.random.default_rng(0), 50, margin)
    distance = (2 * t - 1) * (x @ line[:2] + line[2])
    assert distance.min() >= margin
    assert len(x) == 50


@pytest.mark.slow
def test_a_run_too_short_to_learn_says_so(capsys):
    assert perceptron.main(["--steps", "1", "--lr", "1e-6", "--orders", "1", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["success"] is False


def test_the_picture_has_all_six_panels(result):
    pytest.importorskip("matplotlib")
    titles = [ax.get_title() for ax in perceptron.EXPERIMENT.draw(result).axes]
    assert [title for title in titles if "right" in title] == [
        "AND: 4 of 4 right",
        "OR: 4 of 4 right",
        "NAND: 4 of 4 right",
        f"XOR: {round(4 * result.metrics['accuracy_xor'])} of 4 right",
    ]
    assert "Mistakes of Rosenblatt's rule" in titles
