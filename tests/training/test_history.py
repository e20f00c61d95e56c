"""What a run recorded, in memory and in files."""

import csv
import pickle

import numpy as np
import pytest

from jaxnets.training import History

HISTORY = History({"step": [0, 100], "loss": np.float32([1 / 3, 0.1])})


def test_a_history_is_a_mapping_of_arrays():
    assert list(HISTORY) == ["step", "loss"]
    assert len(HISTORY) == 2
    assert "loss" in HISTORY
    assert {name: column.tolist() for name, column in HISTORY.items()} == {
        "step": [0, 100],
        "loss": [np.float32(1 / 3), np.float32(0.1)],
    }
    assert repr(HISTORY) == "History(step, loss; 2 records)"
    with pytest.raises(KeyError, match="accuracy"):
        HISTORY["accuracy"]


def test_a_history_in_a_file_reads_back_exactly(tmp_path):
    HISTORY.to_csv(tmp_path / "history.csv")
    rows = list(csv.reader((tmp_path / "history.csv").read_text().splitlines()))
    assert rows[0] == ["step", "loss"]
    assert [int(row[0]) for row in rows[1:]] == [0, 100]
    np.testing.assert_array_equal(np.float32([row[1] for row in rows[1:]]), HISTORY["loss"])


def test_a_history_is_what_pandas_reads():
    """``pandas.DataFrame`` takes a dict of arrays of one axis and one length."""
    assert isinstance(HISTORY, dict)
    assert {column.shape for column in HISTORY.values()} == {(2,)}
    assert all(type(column) is np.ndarray for column in HISTORY.values())


def test_steps_epochs_and_losses_come_first():
    history = History({"accuracy": [1.0], "loss": [0.5], "epoch": [0], "step": [0]})
    assert list(history) == ["step", "epoch", "loss", "accuracy"]


def test_a_history_can_be_pickled():
    again = pickle.loads(pickle.dumps(HISTORY))
    assert type(again) is History
    assert repr(again) == repr(HISTORY)
    np.testing.assert_array_equal(again["loss"], HISTORY["loss"])


def test_a_history_of_members_in_a_file_has_a_row_per_member_and_record(tmp_path):
    losses = np.float32([[1 / 3, 0.1], [np.nan, 2.0]])
    History({"step": [0, 5], "epoch": [0, 1], "loss": losses}).to_csv(tmp_path / "many.csv")
    rows = list(csv.DictReader((tmp_path / "many.csv").read_text().splitlines()))
    assert list(rows[0]) == ["member", "step", "epoch", "loss"]
    places = [(int(row["member"]), int(row["step"]), int(row["epoch"])) for row in rows]
    assert places == [(0, 0, 0), (0, 5, 1), (1, 0, 0), (1, 5, 1)]
    read = np.float32([row["loss"] for row in rows]).reshape(2, 2)
    np.testing.assert_array_equal(read, losses)


def test_a_notebook_shows_a_history_as_a_table_without_its_middle():
    numbers = np.arange(1000)
    html = History({"step": numbers, "loss": numbers / 3})._repr_html_()
    assert html.startswith("<table>")
    assert "<th>step</th><th>loss</th>" in html
    assert "<td>999</td><td>333</td>" in html
    assert "1000 rows" in html
    assert html.count("<tr>") == 22
