"""``python -m jaxnets.experiments``: the list, and every experiment on one page."""

import dataclasses
import html.parser
import json
import re
import subprocess
import sys
import time

import pytest

from jaxnets.experiments import __main__ as command
from jaxnets.experiments import all as run_all
from jaxnets.experiments import catalogue, runner
from jaxnets.plots import new_figure

COURSE = ["perceptron", "xor"]


@dataclasses.dataclass(frozen=True)
class Config:
    steps: int = 1000


def make_experiment(name, *, success=True, error=None):
    """An experiment that takes no time; its report names an entity, to see that it is escaped."""

    def run(config, *, progress=False):
        if error is not None:
            raise error
        report = {
            "experiment": name,
            "config": dataclasses.asdict(config),
            "criterion": "1 < 2",
            "success": success,
            "metrics": {"loss": 0.25, "steps": config.steps},
            "history": {"step": [0], "loss": [0.25]},
            "seconds": {"compile": 0.0, "run": 1.0},
        }
        return runner.Result(report, {}, {})

    return runner.Experiment(
        name=name,
        summary=f"What {name} shows.",
        config=Config,
        add_flags=lambda parser: parser.add_argument("--steps", type=int, default=500),
        run=run,
        show=lambda report: f"{report['config']['steps']} steps & more",
        draw=lambda result: new_figure()[0],
        runs={"": (), "short": ("--steps", "7")} if name == "two" else {"": ()},
    )


@pytest.fixture
def install(monkeypatch):
    """Puts experiments in place of the real ones."""

    def installed(*experiments):
        by_name = {experiment.name: experiment for experiment in experiments}
        monkeypatch.setattr(run_all, "summaries", lambda: dict.fromkeys(by_name, ""))
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
    def draw(result):
        time.sleep(0.3)
        return new_figure()[0]

    install(dataclasses.replace(make_experiment("one"), draw=draw))
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
    assert names == list(catalogue.summaries())
    assert names[:2] == COURSE
    assert not {"all", "runner", "page", "catalogue", "digits_plots"} & set(names)
    assert all(summary.endswith(".") for summary in catalogue.summaries().values())


NOT_ALL = {
    "xor": "To run one experiment, write python -m jaxnets.experiments.xor\n",
    "xro": "To run one experiment, write python -m jaxnets.experiments.xor\n",
    "alll": "Write python -m jaxnets.experiments all --out DIR\n",
    "nope": f"The experiments are {', '.join(catalogue.summaries())}.\n",
    "": f"The experiments are {', '.join(catalogue.summaries())}.\n",
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
from jaxnets.experiments.catalogue import summaries
assert summaries()
print([name for name in sys.modules if name.startswith("jaxnets.experiments.")])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['jaxnets.experiments.catalogue']\n"


@pytest.mark.parametrize(
    ("ends", "code", "said"),
    [("0", 0, ""), ("1", 1, ""), ("exit(2)", 2, ""), ("stop()", 130, "interrupted\n")],
)
def test_a_process_ends_with_the_code_of_its_main(ends, code, said):
    program = f"""
from jaxnets.experiments.command_line import run_as_program
def stop():
    raise KeyboardInterrupt
run_as_program(lambda: {ends})
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (code, said)


def test_a_reader_that_stops_reading_is_no_error():
    program = """
from jaxnets.experiments.command_line import run_as_program
run_as_program(lambda: print("line\\n" * 100_000) or 0)
"""
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


@pytest.mark.parametrize("name", catalogue.summaries())
def test_every_run_is_a_command_line_of_its_experiment(name):
    experiment = run_all.load(name)
    assert experiment.name == name
    parser = runner.make_parser(experiment)
    for arguments in experiment.runs.values():
        runner.make_config(experiment, parser.parse_args(arguments))


def test_all_three_networks_of_xor_are_on_the_page():
    experiment = run_all.load("xor")
    parser = runner.make_parser(experiment)
    configs = [
        runner.make_config(experiment, parser.parse_args(arguments))
        for arguments in experiment.runs.values()
    ]
    assert [config.hidden for config in configs] == [(), (2,), (10, 10, 10)]


@pytest.mark.slow
def test_every_experiment_meets_its_criterion(tmp_path):
    assert run_all.main(["--out", str(tmp_path)]) == 0
    ids = Page((tmp_path / "index.html").read_text()).ids
    assert {name.partition("-")[0] for name in ids} == catalogue.summaries().keys()
