"""Files are written whole, with the manners of a Unix tool, and refused in the library's words."""

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from jaxnets.errors import ArgumentError, ArgumentFileError, ArgumentTypeError, ArgumentValueError
from jaxnets.files import whole as files
from jaxnets.files.whole import check_path, read_whole, write_whole


def hello(file: BinaryIO) -> None:
    file.write(b"hello")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PAUSE", 0)


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


# Manners.


def test_a_new_file_has_the_mode_that_the_umask_leaves(tmp_path: Path, umask: None) -> None:
    write_whole(tmp_path / "a", hello)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


@pytest.mark.parametrize("mode", [0o600, 0o664, 0o755])
def test_a_file_that_was_there_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "a"
    file.write_text("before")
    file.chmod(mode)
    write_whole(file, hello)
    assert file.read_text() == "hello"
    assert stat.S_IMODE(file.stat().st_mode) == mode


def test_a_link_is_followed_and_stays(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far" / "a", tmp_path / "link"
    link.symlink_to(target)
    for _ in ("to nothing yet", "to a file"):
        write_whole(link, hello)
        assert link.is_symlink()
        assert target.read_text() == "hello"
    assert names(tmp_path) == ["far", "link"]
    assert names(tmp_path / "far") == ["a"]


def test_the_home_of_the_user_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write_whole("~/a", hello)
    assert names(tmp_path) == ["a"]
    assert check_path("path", "~nobody-of-this-name/a", remedy="").parts[0][0] == "~"


def test_the_longest_name_can_be_written(tmp_path: Path) -> None:
    for name in ("x" * 255, "é" * 127):
        write_whole(tmp_path / name, hello)
        assert (tmp_path / name).read_text() == "hello"


# What cannot be a path of a file.


@pytest.mark.parametrize("path", [None, 3, 2.5, b"bytes", ["a"], "", object])
def test_what_is_no_path_is_refused(path: object) -> None:
    with pytest.raises(
        ArgumentTypeError, match=r'^path must be a path; got .+\. Pass "params\.safetensors", for'
    ):
        write_whole(path, hello)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["a\0b", "\ud800"])
def test_what_the_system_cannot_name_is_refused(path: str) -> None:
    with pytest.raises(ArgumentValueError, match=r"^path must be a path without null bytes; got '"):
        write_whole(path, hello)


@pytest.mark.parametrize("path", ["x" * 300, "x/" * 5000])
def test_a_path_too_long_is_refused(tmp_path: Path, path: str) -> None:
    message = r"^path must .+; got .+ \(File name too long\)\. Pass a shorter path\.$"
    with pytest.raises(ArgumentFileError, match=message) as caught:
        write_whole(tmp_path / path, hello)
    assert len(str(caught.value)) < 600


def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(ArgumentFileError, match=r"Pass a path whose links lead to a file\.$"):
        write_whole(tmp_path / "a", hello)


def make_fifo(folder: Path) -> Path:
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


@pytest.mark.parametrize(
    "place", [make_fifo, lambda _: Path("/dev/zero"), lambda _: Path("/dev/full")]
)
def test_a_pipe_or_a_device_is_not_waited_for(
    tmp_path: Path, place: Callable[[Path], Path]
) -> None:
    path = place(tmp_path)
    with pytest.raises(ArgumentValueError) as caught:
        write_whole(path, hello, example="a.csv")
    assert str(caught.value) == (
        f"path must name a file; got the pipe or device {str(path)!r}. Pass one in it, such as "
        f'"{path.parent}/a.csv".'
    )


# Faults.


def fault(number: int, times: int) -> Callable[..., None]:
    """Stands in for a call to the system that fails so many times."""
    calls = iter(range(times))
    original = os.fsync

    def failing(*args: int) -> None:
        if next(calls, None) is not None:
            raise OSError(number, os.strerror(number))
        original(*args)

    return failing


FAULTS = {
    errno.ENOSPC: "Make room on that disk, or pass another.",
    errno.EDQUOT: "Make room in your quota, or pass another.",
    errno.EFBIG: "Raise the limit of a file's size (ulimit -f).",
    errno.EMFILE: "Close some files, or raise their limit (ulimit -n).",
    errno.EROFS: "Pass a path on a file system that can be written.",
    errno.EACCES: "Change its permissions, or pass another.",
    errno.EIO: "Change its permissions, or pass another.",
}


@pytest.mark.parametrize("number", FAULTS)
def test_a_fault_is_told_in_words_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    file = tmp_path / "a"
    file.write_text("before")
    monkeypatch.setattr(os, "fsync", fault(number, times=2))
    with pytest.raises(ArgumentFileError) as caught:
        write_whole(file, hello)
    assert str(caught.value) == (
        f"path must name a file that can be written; got {file} ({os.strerror(number)}). "
        f"{FAULTS[number]}"
    )
    assert file.read_text() == "before"
    assert names(tmp_path) == ["a"]


def test_a_fault_of_a_moment_is_not_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", fault(errno.EIO, times=1))
    write_whole(tmp_path / "a", hello)
    assert (tmp_path / "a").read_text() == "hello"
    assert names(tmp_path) == ["a"]


def test_what_ends_the_writing_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    def interrupted(file: BinaryIO) -> None:
        file.write(b"hel")
        raise KeyboardInterrupt

    (tmp_path / "a").write_text("before")
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "a", interrupted)
    assert (tmp_path / "a").read_text() == "before"
    assert names(tmp_path) == ["a"]


def test_an_error_of_the_library_while_writing_keeps_its_words(tmp_path: Path) -> None:
    def refuse(_: BinaryIO) -> None:
        raise ArgumentFileError("of another kind")

    with pytest.raises(ArgumentError, match=r"^of another kind$"):
        write_whole(tmp_path / "a", refuse)


def test_a_write_protected_file_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_text("before")
    # Replaced because root, as which tests may run, can write anywhere.
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ArgumentFileError, match=r"\(Permission denied\)\. Change its permissions"):
        write_whole(tmp_path / "a", hello)
    assert (tmp_path / "a").read_text() == "before"


def limited(limit: str, program: str, folder: Path) -> str:
    """What a program says whose process may only so much."""
    code = f"""
import resource, sys
from pathlib import Path
from jaxnets.files.whole import read_whole, write_whole
folder = Path(sys.argv[1])
{limit}
try:
    {program}
except OSError as error:
    print(type(error).__name__, error)
"""
    command = [sys.executable, "-W", "error", "-c", code, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_real_limit_of_the_size_of_files(tmp_path: Path) -> None:
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))"
    write = 'write_whole(folder / "a", lambda file: file.write(bytes(10**6)))'
    said = limited(limit, write, tmp_path)
    assert said.startswith("ArgumentFileError path must name a file that can be written; got")
    assert "(File too large). Raise the limit of a file's size" in said
    assert names(tmp_path) == []


def test_a_real_limit_of_open_files(tmp_path: Path) -> None:
    limit = "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 100))"
    (tmp_path / "a").write_text("before")
    for act in ('write_whole(folder / "b", lambda file: None)', 'read_whole("path", folder / "a")'):
        said = limited(limit, act, tmp_path)
        assert "(Too many open files). Close some files, or raise their limit" in said
    assert names(tmp_path) == ["a"]


def test_reading_is_tried_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("whole")
    calls: list[Path] = []
    original = Path.read_bytes

    def failing(path: Path) -> bytes:
        calls.append(path)
        if len(calls) == 1:
            raise OSError(errno.ESTALE, "Stale file handle")
        return original(path)

    monkeypatch.setattr(Path, "read_bytes", failing)
    assert read_whole("path", tmp_path / "a") == b"whole"
