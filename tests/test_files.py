"""Files are replaced whole or stay as they were."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from patchlab_agent.files import full, no_room, write_whole

pytestmark = pytest.mark.quick


def names() -> list[str]:
    return [path.name for path in Path().iterdir()]


def cut_off() -> Iterator[str]:
    yield "half of "
    raise OSError(errno.ENOSPC, "No space left on device")


def test_parts_become_one_file() -> None:
    write_whole(Path("a"), ["é\r\n", b"\x00", "b\n"])
    assert Path("a").read_bytes() == "é\r\n\0b\n".encode()
    assert names() == ["a"]


@pytest.mark.parametrize("name", [None, "kept.new"])
def test_half_a_file_replaces_none(name: str | None) -> None:
    Path("a").write_text("good")
    with pytest.raises(OSError, match="No space"):
        write_whole(Path("a"), cut_off(), until_then=name)
    assert Path("a").read_text() == "good"
    assert names() == ["a"]


def test_a_file_that_only_syncing_finds_no_room_for_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: int) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="quota"):
        write_whole(Path("a"), ["text"])
    assert names() == []


def test_a_link_leads_to_the_file_that_is_replaced() -> None:
    Path("a").write_text("old")
    Path("a").chmod(0o640)
    Path("link").symlink_to("a")
    write_whole(Path("link"), ["new"])
    assert Path("link").is_symlink()
    assert (Path("a").read_text(), Path("a").stat().st_mode & 0o777) == ("new", 0o640)


def test_a_device_is_written_to_and_not_replaced() -> None:
    write_whole(Path(os.devnull), ["text"])
    assert not Path(os.devnull).is_file()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "its disk is full; make room"),
        (errno.EDQUOT, "quota of its disk is used up; make room"),
        (errno.EFBIG, "limit on the size of files is reached; raise it (ulimit -f)"),
    ],
)
def test_each_way_of_having_no_room_is_one_sentence(code: int, words: str) -> None:
    refused = no_room("p.html", OSError(code, os.strerror(code)))
    assert refused is not None
    assert str(refused).startswith("p.html cannot be written, as ")
    assert words in str(refused)
    assert refused.exit_code == 4


@pytest.mark.parametrize("error", [OSError(errno.EACCES, "no"), OSError("no code"), ValueError()])
def test_other_errors_are_about_something_else(error: Exception) -> None:
    assert full(error) is None
    assert no_room("a", error) is None
