"""The traces of a store as people use them: found, listed, exported."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice

from patchlab_agent.lab.naming import find_patch, find_trace, known_label
from patchlab_agent.models.listing import FoundTrace
from patchlab_agent.models.selection import Selection
from patchlab_agent.models.trace import LAST, Trace, named_run, run_name
from patchlab_agent.skill.seam import Labels
from patchlab_agent.store.store import Store
from patchlab_agent.text import MAX_REQUEST_CHARS, check_request


class Traces:
    """Finds, lists and exports traces; none of it needs a model.

    Args:
        store: where they are.
        labels: every error label of the skill.
        max_request_chars: characters of a text to search for.

    Example:
        >>> [trace.request for trace in lab.traces.select(label="hazmat_undeclared")]
        ['Ship 2 kg bleach box to US']
    """

    def __init__(
        self,
        store: Store,
        labels: Labels,
        max_request_chars: int = MAX_REQUEST_CHARS,
    ) -> None:
        self._store = store
        self._labels = labels
        self._max_request_chars = max_request_chars

    def get(self, named: str | int) -> Trace:
        """Return one trace by its id, as much of it as is unique, its number, or `last`.

        Raises:
            InputError: there is none, or several begin with it.

        Example:
            >>> lab.traces.get(0) == lab.traces.get("t-0000000")
            True
        """
        return find_trace(self._store.traces, named)

    def select(
        self,
        *,
        limit: int | None = None,
        label: str | None = None,
        failed: bool = False,
        better: bool = False,
        applied: str | None = None,
        run: str | int | None = None,
    ) -> Iterator[Trace]:
        """Yield the traces of which all that is given holds, the newest first.

        Args:
            limit: how many, at most; None: all.
            label: with this error label, or OK.
            failed: that were found wrong.
            better: right with what was learned and wrong without.
            applied: to which this patch was applied; as much of its id as is unique.
            run: of one run: `run-0001`, its number, `last`, or `answer`.

        Raises:
            InputError: there is no such label or patch.

        Example:
            >>> [trace.id for trace in lab.traces.select(failed=True, limit=10)]
            ['t-0000000']
        """
        return islice(
            self._store.traces.select(self._selection(label, failed, better, applied, run)), limit
        )

    def search(self, text: str, limit: int = 10) -> tuple[FoundTrace, ...]:
        """Find the traces whose requests are most like a text, the nearest first.

        Raises:
            InputError: the text is empty or too long.

        Example:
            >>> [found.trace.request for found in lab.traces.search("2 kg of bleach", limit=1)]
            ['Ship 2 kg bleach box to US']
        """
        check_request(text, self._max_request_chars)
        found = self._store.traces.look_up(text, limit)
        return tuple(FoundTrace(trace=trace, distance=distance) for trace, distance in found)

    def export(self, traces: Iterable[Trace], *, ascii_only: bool = False) -> Iterator[str]:
        """Yield traces as lines of JSON, without line ends.

        Args:
            traces: as `select` yields them.
            ascii_only: escape all other characters.

        Example:
            >>> lines = list(lab.traces.export(lab.traces.select(failed=True)))
            >>> Trace.model_validate_json(lines[0]).request
            'Ship 2 kg bleach box to US'
        """
        for trace in traces:
            yield json.dumps(trace.model_dump(mode="json"), ensure_ascii=ascii_only)

    def _selection(
        self,
        label: str | None,
        failed: bool,
        better: bool,
        applied: str | None,
        run: str | int | None,
    ) -> Selection:
        known = None if label is None else known_label(label, self._labels)
        patch = None if applied is None else find_patch(self._store.patches, applied)
        return Selection(
            label=known,
            failed=failed,
            better=better,
            applied=patch and patch.id,
            run=None if run is None else self._run(str(run)),
        )

    def _run(self, named: str) -> str:
        return run_name(self._store.info.runs) if named == LAST else named_run(named)
