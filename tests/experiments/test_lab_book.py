"""The lab book: every page's command prints the figures that are recorded beside it."""

import importlib
import itertools
import math
import re
from pathlib import Path
from typing import NamedTuple

import pytest

BOOK = Path(__file__).parents[2] / "experiments"
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")


class Recorded(NamedTuple):
    """A command of a page, and what it printed."""

    page: str
    experiment: str
    arguments: tuple[str, ...]
    lines: list[str]


def recorded():
    """Every command of every page that has its output below it."""
    for page in sorted(BOOK.glob("*/README.md")):
        _, *blocks = re.split(r"^```", page.read_text(), flags=re.MULTILINE)
        # Every second part is text between two blocks.
        for command, output in itertools.pairwise(blocks[::2]):
            found = re.fullmatch(r"sh\npython -m jaxnets\.experiments\.(\w+)(.*)\n", command)
            if found:
                # Pictures have their own tests.
                arguments = re.sub(r" --plot( \S+)?", "", found[2]).split()
                lines = [line for line in output.splitlines() if line.strip()]
                yield Recorded(page.parent.name, found[1], tuple(arguments), lines)


PAGES = list(recorded())


class Open(NamedTuple):
    """What a page says that rounding leaves open on another processor.

    Attributes:
      says: The sentence of the page.
      lines: A pattern of the lines that it is about.
      absolute: How far their numbers may be from the recorded ones.
      relative: The same, as a share of the recorded one.
    """

    says: str
    lines: str
    absolute: float
    relative: float = 0.0


OPEN = {
    "activations": [
        Open(
            "the shares of units move by up to 10 points, the losses by a factor of 3", " +[01]", 10
        ),
        Open("the gradient norms keep their first digit", "(torch|he) ", 0, 0.1),
        Open("with N(0, 1) weights only their order of magnitude", "normal ", 0, 0.9),
    ],
    "digits": [
        Open("the losses keep their first two digits", r" *\d+ ", 0.01, 0.05),
        Open("the accuracy moves by up to a point", "test", 3.6, 0.01),
        Open("another image may be the most confident mistake", " +test", 360),
    ],
    "initialization": [
        Open("shares move by up to a point", r"\w+ .*%", 1),
        Open("the largest differences by a third", r"[a-z]\w+ +\d+(\.\d+)?$", 0, 1 / 3),
        Open("the spreads keep their first digit", "[a-z]", 0, 0.1),
    ],
    "linear_regression": [
        Open("1e-7 of the loss in float32, 1e-16 in float64", ".*", 1e-6, 1e-6),
    ],
    "losses": [Open("gradients agree to their sixth decimal", " ", 1.5e-6)],
    "perceptron": [Open("the weights of XOR are rounding errors of 0", "XOR", 1e-3)],
    "two_layer": [
        Open(
            "In float64** every printed loss is PyTorch's to 1e-9",
            r" *\d+ +\S{13}|loss.*e-",
            1e-9,
            1e-9,
        ),
        Open(
            "prints losses that differ from those above by up to 4.3e-3",
            r" *\d+ |loss",
            4.3e-3,
            4.3e-3,
        ),
    ],
    "xor": [
        Open("On other platforms the last digits of float32 arithmetic differ", "largest", 5e-2),
        Open("On other platforms the last digits of float32 arithmetic differ", "hypo", 1e-5),
        Open("On other platforms the last digits of float32 arithmetic differ", "solved", 10),
    ],
}


def differences(lines, printed, rules=()):
    """Recorded lines that no line printed after the one before agrees with."""
    left, missing = list(printed), []
    for line in lines:
        rule = next((rule for rule in rules if re.match(rule.lines, line)), Open("", "", 0))
        place = next((i for i, other in enumerate(left) if _agrees(other, line, rule)), None)
        if place is None:
            missing.append(line)
        else:
            left = left[place + 1 :]
    return missing


def _agrees(printed, line, rule):
    """Whether a printed line has a recorded one's words and numbers, and then perhaps times."""
    ours, theirs = line.split(), printed.split()
    return len(theirs) >= len(ours) and all(map(_same, theirs, ours, itertools.repeat(rule)))


def _same(printed, word, rule):
    if NUMBER.sub("#", printed) != NUMBER.sub("#", word):
        return False
    pairs = zip(NUMBER.findall(printed), NUMBER.findall(word), strict=True)
    return all(
        ours == theirs
        or math.isclose(float(ours), float(theirs), rel_tol=rule.relative, abs_tol=rule.absolute)
        for ours, theirs in pairs
    )


@pytest.mark.slow
@pytest.mark.parametrize("run", PAGES, ids=lambda run: " ".join((run.experiment, *run.arguments)))
def test_a_page_shows_what_its_command_prints(run, capsys, request):
    mnist = "path/to/mnist"
    there = str(request.getfixturevalue("mnist")) if mnist in run.arguments else mnist
    arguments = [there if argument == mnist else argument for argument in run.arguments]
    main = importlib.import_module(f"jaxnets.experiments.{run.experiment}.__main__").main
    assert main([*arguments, "--no-progress"]) == 0
    printed = capsys.readouterr().out.replace(there, mnist).splitlines()
    assert differences(run.lines, printed, OPEN[run.page]) == []


@pytest.mark.parametrize("page", OPEN)
def test_a_page_says_what_is_left_open(page):
    text = " ".join((BOOK / page / "README.md").read_text().split())
    for rule in OPEN[page]:
        assert rule.says in text


def test_every_page_has_a_command_with_its_output():
    assert {run.page for run in PAGES} == set(OPEN)
    assert len(PAGES) == 16


def test_another_number_or_word_is_found():
    page, rules = ["loss 0.50", "of 3 units"], [Open("", "loss", 0.01)]
    assert differences(page, ["title", "loss 0.505 0.3 s", "of 3 units"], rules) == []
    assert differences(page, ["loss 0.52", "of 3 units"], rules) == ["loss 0.50"]
    assert differences(page, ["loss 0.50", "of 4 units"], rules) == ["of 3 units"]
    assert differences(page, ["of 3 units", "loss 0.50"], rules) == ["of 3 units"]
    assert differences(page, ["loss 0.50", "of 3 things"], rules) == ["of 3 units"]
