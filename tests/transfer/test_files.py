"""Files that a command line names: written whole or not at all, and nothing lost."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from patchlab_agent.errors import InputError, StoreError, UsageError
from patchlab_agent.transfer.files import ascii_only, check_target, read_lines, write_lines

pytestmark = pytest.mark.quick


def breaking() -> Iterator[str]:
    yield "new"
    raise StoreError("The store is gone; look for it.")


def test_a_text_for_an_ascii_stream_is_escaped_as_in_json() -> None:
    assert ascii_only('say "é"\n日🙂') == 'say "\\u00e9"\n\\u65e5\\ud83d\\ude42'


def test_a_file_is_written_whole_or_stays_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "f"
    assert write_lines(str(file), ["old", "\u2028é"]) == 2
    with pytest.raises(StoreError):
        write_lines(str(file), breaking())
    assert file.read_text("utf-8") == "old\n\u2028é\n"
    assert read_lines(str(file)) == ("f", ["old", "\u2028é", ""])
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_a_link_is_followed_and_stays_one(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("old", "utf-8")
    (tmp_path / "link").symlink_to("f")
    write_lines(str(tmp_path / "link"), ["new"])
    assert (tmp_path / "f").read_text("utf-8") == "new\n"
    assert (tmp_path / "link").is_symlink()


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(
        [sys.executable, "-c", f"print(open({str(pipe)!r}).read())"], stdout=subprocess.PIPE
    ) as reader:
        check_target(str(pipe), force=False)
        assert write_lines(str(pipe), ["a", "b"]) == 2
        assert reader.communicate()[0] == b"a\nb\n\n"
    assert pipe.is_fifo()


def test_no_line_is_none(tmp_path: Path) -> None:
    assert write_lines(str(tmp_path / "f"), []) == 0
    assert (tmp_path / "f").read_bytes() == b""


def test_what_cannot_be_written_or_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        check_target(str(tmp_path), force=True)
    with pytest.raises(UsageError, match="cannot be written"):
        write_lines(str(tmp_path / "no" / "f"), ["a"])
    for source in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(InputError, match="cannot be read"):
            read_lines(str(source))
