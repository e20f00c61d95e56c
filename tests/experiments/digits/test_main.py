"""The digits experiment: what its command promises, on the shipped digits and on MNIST."""

import json
import os
import struct
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

import jaxnets as jn
from jaxnets.experiments.digits import __main__ as digits

SHORT = digits.Config(epochs=3, hidden=(32,), dropout=0.0, batch_size=32)


@pytest.fixture(scope="module")
def result():
    return digits.run(SHORT)


def test_the_report_is_whole(result):
    report = result
    keys = {"experiment", "config", "criterion", "success", "metrics", "history", "seconds"}
    assert keys <= report.as_json().keys()
    assert report.criterion == "at least 97% of the test images are read right"
    assert json.loads(json.dumps(report.as_json()))["history"] == report.history
    assert report.history["epoch"] == [1, 2, 3]
    assert {len(column) for column in report.history.values()} == {3}


def test_accuracy_confusion_and_mistakes_tell_the_same(result):
    report = result
    x, y = jn.data.digits().test
    model = digits.build_model((32,), 0.0, 10)
    read = np.asarray(model.apply(result.params, x)).argmax(axis=1)
    assert report.test_accuracy == pytest.approx((read == y).mean())
    assert report.metrics["test_accuracy"] == report.test_accuracy
    confusion = np.zeros((10, 10), int)
    np.add.at(confusion, (y, read), 1)
    assert report.confusion_matrix == confusion.tolist()
    assert sorted(row["index"] for row in report.wrong) == np.flatnonzero(read != y).tolist()
    assert all(row["read"] == read[row["index"]] != row["label"] for row in report.wrong)
    confidence = [row["confidence"] for row in report.wrong]
    assert confidence == sorted(confidence, reverse=True)


def test_a_run_too_short_misses_its_criterion_and_says_so(capsys):
    arguments = ["--epochs", "3", "--hidden", "32", "--dropout", "0", "--batch-size", "32"]
    assert digits.main(arguments) == 1
    assert "criterion MISSED: at least 97%" in capsys.readouterr().out


def test_a_record_covers_the_epochs_since_the_last(result):
    config = replace(SHORT, epochs=2, log_every=2)
    history = digits.run(config).history
    assert history["epoch"] == [2]
    assert history["loss"][0] == pytest.approx(np.mean(result.history["loss"][:2]))


@pytest.mark.slow
def test_a_run_that_diverges_fails_and_names_the_step():
    config = replace(SHORT, epochs=2, lr=1e30, optimizer="sgd")
    report = digits.run(config)
    assert not report.success
    assert 0 <= report.diverged_at < 80
    assert "stopped being finite" in digits.EXPERIMENT.text(report)


def test_the_picture_is_drawn(result, tmp_path):
    from jaxnets.plots import save_figure

    figure = digits.EXPERIMENT.draw(result)
    assert "of 360 right" in figure.axes[2].get_title()
    assert save_figure(figure, tmp_path / "digits.png").stat().st_size > 10_000


def test_a_picture_without_mistakes_is_drawn_too(result):
    report = replace(result, wrong=[])
    figure = digits.EXPERIMENT.draw(report)
    assert "No test image" in figure.axes[3].get_title()


REFUSED = {
    "no folder": (
        ["--data", "no/such/folder"],
        "got no/such/folder, which does not exist.",
    ),
    "no name": (["--data", ""], "--data must be a folder of MNIST-format files; got ''. Pass the"),
    "a file": (["--data", __file__], f"got {__file__}, which is a file. Pass the folder"),
    "dropout": (["--dropout", "1"], "--dropout must be a number from 0 up to 1, not 1 itself"),
    "batch": (["--batch-size", "0"], "--batch-size must be a whole number from 1"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_wrong_command_line_is_one_line_and_code_2(case, capsys):
    arguments, message = REFUSED[case]
    with pytest.raises(SystemExit) as caught:
        digits.main(arguments)
    assert caught.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert message in printed.err


def test_a_damaged_file_is_named_on_the_command_line(tmp_path, capsys):
    (tmp_path / "train-images-idx3-ubyte").write_bytes(b"junk")
    with pytest.raises(SystemExit):
        digits.main(["--data", str(tmp_path)])
    assert "got 6a 75 6e 6b in" in capsys.readouterr().err


def write_set(folder, labels, test_labels):
    """A folder of blank images of 2 x 2 pixels with these labels."""
    for part, values in (("train", labels), ("t10k", test_labels)):
        sizes = struct.pack(">I", len(values))
        pixels = b"\0\0\x08\3" + sizes + struct.pack(">II", 2, 2) + bytes(4 * len(values))
        (folder / f"{part}-images-idx3-ubyte").write_bytes(pixels)
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(b"\0\0\x08\1" + sizes + bytes(values))
    return str(folder)


SETS = {
    "few": ([1] * 19, [1] * 2, "--data must hold at least 20 training and 2 test images; got 19"),
    "one to test on": ([1] * 20, [1], "--data must hold at least 20 training and 2 test images"),
    "label": (
        [1, 10] * 10,
        [1] * 2,
        "must hold labels from 0 to 9 in its train files; got ",
    ),
}


@pytest.mark.parametrize("case", SETS)
def test_a_set_that_cannot_be_learned_is_one_line_and_code_2(case, tmp_path, capsys):
    labels, test_labels, message = SETS[case]
    with pytest.raises(SystemExit, match="2"):
        digits.main(["--data", write_set(tmp_path, labels, test_labels)])
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert printed.count(str(tmp_path)) == 1
    assert message in printed


@pytest.mark.slow
def test_the_smallest_set_allowed_is_learned_from_and_drawn(tmp_path, capsys):
    folder = write_set(tmp_path, [0, 1] * 10, [0, 1])
    picture = tmp_path / "digits.png"
    assert digits.main(["--data", folder, "--epochs", "2", "--plot", str(picture)]) == 1
    printed = capsys.readouterr().out
    assert "18 to train on, 2 to test" in printed
    assert "batches of 18" in printed
    assert picture.stat().st_size > 10_000


def run_command(*arguments):
    """Runs the experiment as a user does; returns the report and the seconds it took."""
    command = [sys.executable, "-m", "jaxnets.experiments.digits", "--json", *arguments]
    started = time.perf_counter()
    done = subprocess.run(command, env={**os.environ}, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), seconds


def test_the_defaults_read_97_percent():
    report, _ = run_command()
    assert report["test_accuracy"] >= 0.97
    assert report["success"]


@pytest.mark.slow
def test_the_defaults_take_under_ten_seconds_whole_process():
    assert min(run_command()[1] for _ in range(3)) < 10


@pytest.mark.slow
def test_the_default_network_reads_98_percent_of_mnist(mnist):
    report, _ = run_command("--data", str(mnist))
    assert report["test_accuracy"] >= 0.98
    assert report["images"] == {"train": 54_000, "test": 10_000}


def test_a_batch_larger_than_the_data_is_refused_in_the_command_and_in_python(capsys):
    message = (
        "digits: batch_size must be at most the number of training images, 1294; got 5000. "
        "Pass 1294, for example."
    )
    with pytest.raises(ValueError, match="batch_size must be at most") as caught:
        digits.run(digits.Config(batch_size=5000))
    assert str(caught.value) == message
    assert digits.main(["--batch-size", "5000"]) == 2
    assert capsys.readouterr() == ("", f"{message}\n")
