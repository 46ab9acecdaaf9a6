"""Write a cassette without the requests, for data that is not to be published with it.

    python -m bench.answers_only CASSETTE FILE

An answer is found by a digest of its prompt. So whoever has the data plays it from such a file as
well: put in the cassette's place, it is gone on with, and there is nothing left to ask.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from patchlab_agent.backends.cassette import Cassette


def answers_only(source: Path) -> Iterator[str]:
    """The lines of a cassette that are its header or an answer, without any prompt.

    Raises:
        InputError: it is no cassette.
    """
    size = Cassette(source).size  # what a killed recording left of a last line does not count
    for line in source.read_bytes()[:size].decode("utf-8").split("\n")[:-1]:
        told = json.loads(line)
        if "key" in told:
            told = {**told, "after": "", "messages": []}
        if "key" in told or "cassette" in told:
            yield json.dumps(told, ensure_ascii=False) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cassette", type=Path)
    parser.add_argument("file", type=Path)
    options = parser.parse_args(arguments)
    options.file.write_text("".join(answers_only(options.cassette)), "utf-8")


if __name__ == "__main__":
    main()
