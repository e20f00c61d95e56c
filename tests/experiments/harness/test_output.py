"""What is written is whole or not there."""

import pytest

from jaxnets.experiments.harness.output import written


def test_files_are_moved_into_the_folder_at_the_end(tmp_path):
    folder = tmp_path / "new" / "folder"
    with written(folder) as stage:
        (stage / "a.txt").write_text("a")
        assert not folder.exists()
    assert (folder / "a.txt").read_text() == "a"
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def fail_while_writing(folder):
    with written(folder) as stage:
        (stage / "a.txt").write_text("new")
        raise OSError("full")


def test_an_error_leaves_what_was_there(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(OSError, match="full"):
        fail_while_writing(tmp_path)
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_nothing_written_makes_no_folder(tmp_path):
    with written(tmp_path / "folder"):
        pass
    assert list(tmp_path.iterdir()) == []
