"""``python -m jaxnets.experiments``: the list, and every experiment on one page."""

import dataclasses
import html.parser
import json
import re
import subprocess
import sys
import time
from typing import Annotated

import pytest

from jaxnets.experiments import COURSE, run_all, summary_of
from jaxnets.experiments import __main__ as command
from jaxnets.experiments.harness.experiment import Experiment
from jaxnets.experiments.harness.flags import Flag, make_config
from jaxnets.experiments.harness.report import Report
from jaxnets.plots import new_figure

FIRST = ["perceptron", "xor"]


@dataclasses.dataclass(frozen=True)
class Config:
    """A run.

    Attributes:
      steps: So many.
    """

    steps: Annotated[int, Flag(int)] = 500


class Fake(Experiment):
    """An experiment without a folder."""

    @property
    def summary(self):
        return f"What {self.name} shows."

    def draw(self, report):
        return new_figure()[0]


class Slow(Fake):
    def draw(self, report):
        time.sleep(0.3)
        return new_figure()[0]


def make_experiment(name, *, success=True, error=None, kind=Fake):
    """An experiment that takes no time; its report names an entity, to see that it is escaped."""

    def run(config):
        if error is not None:
            raise error
        return Report(
            experiment=name,
            config=config,
            criterion="1 < 2",
            success=success,
            metrics={"loss": 0.25, "steps": config.steps},
            history={"step": [0], "loss": [0.25]},
            seconds={"compile": 0.0, "run": 1.0},
        )

    return kind(
        name=name,
        config=Config,
        run=run,
        show=lambda report: [f"{report.config.steps} steps & more"],
        runs={"": (), "short": ("--steps", "7")} if name == "two" else {"": ()},
    )


@pytest.fixture
def install(monkeypatch):
    """Puts experiments in place of the real ones."""

    def installed(*experiments):
        by_name = {experiment.name: experiment for experiment in experiments}
        monkeypatch.setattr(run_all, "COURSE", tuple(by_name))
        monkeypatch.setattr(run_all, "load", by_name.get)

    return installed


class Page(html.parser.HTMLParser):
    """What a page links to, and whether every element is closed."""

    def __init__(self, text):
        super().__init__()
        self.links, self.ids, self.open = [], set(), []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name in ("href", "src"):
                self.links.append(value)
            if name == "id":
                self.ids.add(value)
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_and_all_it_links_to_is_there(install, tmp_path, capsys):
    install(make_experiment("one"), make_experiment("two"))
    folder = tmp_path / "new" / "folder"
    assert command.main(["all", "--out", str(folder)]) == 0
    text = (folder / "index.html").read_text()
    page = Page(text)
    assert page.open == []
    assert page.ids == {"one", "two", "two-short"}
    assert page.links
    for link in page.links:
        assert link.removeprefix("#") in page.ids if link[0] == "#" else (folder / link).exists()
    assert "1 &lt; 2" in text
    assert "steps &amp; more" in text
    assert "3 of 3 runs met" in text
    assert capsys.readouterr().out.endswith(f"page: {folder / 'index.html'}\n")


def test_every_run_of_an_experiment_is_made_with_the_command_that_is_shown(install, tmp_path):
    install(make_experiment("one"), make_experiment("two"))
    run_all.main(["--out", str(tmp_path)])
    steps = {
        name: json.loads((tmp_path / name / "config.json").read_text())["steps"]
        for name in ("one", "two", "two-short")
    }
    assert steps == {"one": 500, "two": 500, "two-short": 7}
    text = (tmp_path / "index.html").read_text()
    assert text.count("python -m jaxnets.experiments.two --steps 7<") == 1


def test_the_time_of_a_run_is_that_of_all_of_it(install, tmp_path):
    install(make_experiment("one", kind=Slow))
    run_all.main(["--out", str(tmp_path)])
    shown = re.search(r"; ([\d.]+) s, picture included", (tmp_path / "index.html").read_text())
    assert float(shown[1]) >= 0.3


def test_one_that_misses_and_one_that_fails_are_shown_and_lose_no_other(install, tmp_path, capsys):
    install(
        make_experiment("missing", success=False),
        make_experiment("failing", error=RuntimeError("no <luck>")),
        make_experiment("fine"),
    )
    assert run_all.main(["--out", str(tmp_path)]) == 1
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in printed[:3]] == ["missed", "failed", "met"]
    text = (tmp_path / "index.html").read_text()
    assert "no &lt;luck&gt;" in text
    assert "1 of 3 runs met" in text
    assert Page(text).open == []
    assert not (tmp_path / "failing.png").exists()


REFUSED = {
    "no folder": ([], r"--out must name a folder; got none\. Pass --out runs/all"),
    "a file": (["--out", __file__], r"--out must name a folder that can be written; got .*a file"),
    "nothing": (["--out", ""], r"--out must name a place; got ''\. Pass runs/first"),
    "typo": (["--uot", "x"], r"arguments must be known; got --uot x"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_wrong_command_line_is_one_line_and_code_2(case, capsys):
    arguments, message = REFUSED[case]
    with pytest.raises(SystemExit, match="2"):
        command.main(["all", *arguments])
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert re.search(message, error)


def test_the_list_names_every_experiment_and_no_helper(capsys):
    assert command.main([]) == 0
    printed = capsys.readouterr().out
    names = [line.split()[0] for line in printed.splitlines() if line.startswith("  ")]
    assert names == list(COURSE)
    assert names[:2] == FIRST
    assert not {"all", "run_all", "harness", "catalogue", "published"} & set(names)
    assert all(summary.endswith(".") for summary in map(summary_of, COURSE))


NOT_ALL = {
    "xor": "To run one experiment, write python -m jaxnets.experiments.xor\n",
    "xro": "To run one experiment, write python -m jaxnets.experiments.xor\n",
    "alll": "Write python -m jaxnets.experiments all --out DIR\n",
    "nope": f"The experiments are {', '.join(COURSE)}.\n",
    "": f"The experiments are {', '.join(COURSE)}.\n",
}


@pytest.mark.parametrize("argument", NOT_ALL)
def test_only_a_command_that_there_is_is_suggested(argument, capsys):
    assert command.main([argument]) == 2
    got = argument or "''"
    expected = f"experiments: the argument must be 'all'; got {got}. {NOT_ALL[argument]}"
    assert capsys.readouterr().err == expected


def test_the_list_imports_no_experiment():
    code = """
import sys
from jaxnets.experiments import COURSE, summary_of
assert all(map(summary_of, COURSE))
print(any(name.endswith("__main__") for name in sys.modules if name.startswith("jaxnets.")))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("name", COURSE)
def test_every_run_is_a_command_line_of_its_experiment(name):
    experiment = run_all.load(name)
    assert experiment.name == name
    parser = experiment.parser()
    for arguments in experiment.runs.values():
        make_config(experiment.config, parser.parse(arguments))


def test_all_three_networks_of_xor_are_on_the_page():
    experiment = run_all.load("xor")
    parser = experiment.parser()
    configs = [
        make_config(experiment.config, parser.parse(arguments))
        for arguments in experiment.runs.values()
    ]
    assert [config.hidden for config in configs] == [(), (2,), (10, 10, 10)]


@pytest.mark.slow
def test_every_experiment_meets_its_criterion(tmp_path):
    assert run_all.main(["--out", str(tmp_path)]) == 0
    ids = Page((tmp_path / "index.html").read_text()).ids
    assert {name.partition("-")[0] for name in ids} == set(COURSE)
