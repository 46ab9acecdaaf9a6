"""The patches of a store as people use them: found, listed, moved, exported."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

from patchlab_agent.errors import UsageError
from patchlab_agent.lab.naming import find_patch, find_patches, known_label
from patchlab_agent.learning.lifecycle import Lifecycle
from patchlab_agent.learning.rollback import roll_back
from patchlab_agent.models.event import PatchEvent
from patchlab_agent.models.evidence import Standing
from patchlab_agent.models.history import Change, changes_of
from patchlab_agent.models.listing import FoundPatch, ListedPatch, PatchDetails
from patchlab_agent.models.patch import Origin, Patch, Status
from patchlab_agent.models.rollback import RollbackReport
from patchlab_agent.models.tally import Tally
from patchlab_agent.models.transfer import LessonText, TextFormat
from patchlab_agent.skill.optional import misfit
from patchlab_agent.skill.seam import Labels, SkillTask
from patchlab_agent.store.store import Store
from patchlab_agent.text import MAX_REQUEST_CHARS, check_request, phrases, words
from patchlab_agent.transfer.lines import export_lines
from patchlab_agent.transfer.texts import lesson_text

NO_USES = Tally()

SortKey = Literal["trigger", "uses", "effect"]


class Patches:
    """Finds, lists, moves and exports patches; none of it needs a model.

    A patch is named by its id, or by as much of it as is unique. Calls that move patches raise a
    `StoreError` where the store is open for reading only, or closed.

    Args:
        store: where they are; open for writing where they are to be moved.
        labels: every error label of the skill.
        lifecycle: moves patches as a person says.
        task: renders lessons as a prompt has them.
        max_request_chars: characters of a text to search for.

    Example:
        >>> lab.patches.get("3696").trigger
        'bleach'
    """

    def __init__(
        self,
        store: Store,
        labels: Labels,
        lifecycle: Lifecycle,
        task: SkillTask,
        max_request_chars: int = MAX_REQUEST_CHARS,
    ) -> None:
        self._store = store
        self._labels = labels
        self._lifecycle = lifecycle
        self._task = task
        self._max_request_chars = max_request_chars

    def get(self, patch_id: str) -> Patch:
        """Return one patch.

        Raises:
            InputError: no id begins with that, or several do.

        Example:
            >>> lab.patches.get("3696").id
            '3696d1e24fd83782'
        """
        return find_patch(self._store.patches, patch_id)

    def select(
        self,
        *,
        status: Status | None = None,
        label: str | None = None,
        kind: str | None = None,
        origin: Origin | None = None,
        standing: Standing | None = None,
        trigger: str | None = None,
        unused: bool = False,
        sort: SortKey = "trigger",
        limit: int | None = None,
    ) -> tuple[ListedPatch, ...]:
        """List the patches of which all that is given holds.

        Args:
            status: of one status.
            label: born of a failure with this label.
            kind: with this kind of fix.
            origin: brought by this one.
            standing: active ones that are on trial, or proven.
            trigger: with these words in their trigger.
            unused: applied in no stored trace.
            sort: by trigger, or the highest first: uses, or effect: saves minus harms.
            limit: how many, at most; None: all.

        Raises:
            InputError: there is no such label.

        Example:
            >>> chosen = lab.patches.select(status=Status.ACTIVE, kind="restriction", sort="effect")
            >>> [(listed.patch.trigger, listed.tally.saves) for listed in chosen]
            [('bleach', 0)]
        """
        known = None if label is None else known_label(label, self._labels, ok=False)
        tallies = self._store.traces.tallies()
        found = self._store.patches.all(
            status, label=known, kind=kind, origin=origin, standing=standing
        )
        chosen = [
            ListedPatch(**self._about(patch, tallies))
            for patch in found
            if (trigger is None or _has_words(patch, trigger))
            and not (unused and patch.id in tallies)
        ]
        if sort != "trigger":
            # Stable, so that equal ones stay sorted by trigger and id.
            chosen.sort(key=lambda listed: -int(getattr(listed.tally, sort)))
        return tuple(chosen[:limit])

    def show(self, patch_id: str) -> PatchDetails:
        """Return one patch with its uses, its rivals, and the failure that it was born of.

        Raises:
            InputError: no id begins with that, or several do.

        Example:
            >>> details = lab.patches.show("3696")
            >>> details.birth.id, details.rivals
            ('t-0000000', ())
        """
        patch = self.get(patch_id)
        born_of = patch.provenance.trace_id
        return PatchDetails(
            **self._about(patch, self._store.traces.tallies()),
            rivals=tuple(self._store.patches.rivals(patch)),
            birth=self._store.traces.get(born_of) if born_of else None,
        )

    def search(self, text: str, limit: int = 10) -> tuple[FoundPatch, ...]:
        """Find the patches, whatever their status, that a text is most about, the nearest first.

        Raises:
            InputError: the text is empty or too long.

        Example:
            >>> (found,) = lab.patches.search("bleach for the US")
            >>> found.patch.trigger, found.occurs
            ('bleach', True)
        """
        check_request(text, self._max_request_chars)
        tallies = self._store.traces.tallies()
        return tuple(
            FoundPatch(
                **self._about(hit.patch, tallies),
                distance=hit.distance,
                occurs=hit.occurs,
            )
            for hit in self._store.patches.look_up(text, limit)
        )

    def history(self, patch_id: str | None = None) -> tuple[Change, ...]:
        """Return every change of one patch, or of all, in order of time.

        Raises:
            InputError: no id begins with that, or several do.

        Example:
            >>> [(str(change.status), change.trace_id) for change in lab.patches.history("3696")]
            [('active', 't-0000000')]
        """
        chosen = self._store.patches.all() if patch_id is None else [self.get(patch_id)]
        return tuple(changes_of(chosen))

    def enable(self, *ids: str) -> tuple[PatchEvent, ...]:
        """Make patches active, whatever the gate said of them; all of them, or none.

        Raises:
            InputError: one is not there, or not unique.
            UsageError: one is active already.

        Example:
            >>> switched_off = lab.patches.disable("3696")
            >>> [str(event.kind) for event in lab.patches.enable("3696")]
            ['activated']
        """
        return self._move(ids, Status.ACTIVE, self._lifecycle.enable)

    def disable(self, *ids: str) -> tuple[PatchEvent, ...]:
        """Switch patches off until somebody enables them; raises what `enable` raises.

        Example:
            >>> [str(event.kind) for event in lab.patches.disable("3696")]
            ['disabled']
        """
        return self._move(ids, Status.DISABLED, self._lifecycle.disable)

    def retire(self, *ids: str) -> tuple[PatchEvent, ...]:
        """Take patches out of use until the gate lets them in again; raises as `enable` does.

        Example:
            >>> [str(event.kind) for event in lab.patches.retire("3696")]
            ['retired']
        """
        return self._move(ids, Status.RETIRED, self._lifecycle.retire)

    def rollback(self, run: str | int) -> RollbackReport:
        """Put patches and examples back to how they were at the end of a run.

        Args:
            run: its name or number: `run-0003`, or `3`.

        Raises:
            InputError: there is no such run.
            StoreError: it has no snapshot, or one that cannot be read; nothing was changed then.

        Example:
            >>> report = lab.run(RunSettings(runs=5, golden=2))
            >>> switched_off = lab.patches.disable("3696")
            >>> [str(put_back.after) for put_back in lab.patches.rollback(report.run).patches]
            ['active']
        """
        self._store.require_alone()
        return roll_back(self._store, self._lifecycle, str(run))

    def export(self, status: Status | None = None, *, ascii_only: bool = False) -> Iterator[str]:
        """Yield the lines of an export, without line ends: a header, then a patch per line.

        Args:
            status: of the patches to export; None: any.
            ascii_only: escape all other characters.

        Example:
            >>> header, patch = lab.patches.export(Status.ACTIVE)
            >>> header
            '{"format":1,"skill":"shipping"}'
        """
        patches = self._store.patches.all(status)
        return export_lines(self._store.info.skill, patches, ascii_only=ascii_only)

    def text(self, form: TextFormat, status: Status = Status.ACTIVE) -> LessonText:
        """Return lessons as text for elsewhere, where all of them stand at all times.

        They are worded as in a prompt of the lab's, each with the trigger for which it holds;
        those that are set aside are left out. The same lessons give the same text.

        Args:
            form: `prompt` for a static prompt, or `agents-md`: Markdown for coding agents.
            status: of the patches.

        Raises:
            PromptError: a template is missing, or has no words for a lesson.

        Example:
            >>> print(lab.patches.text("prompt").text.partition("says.")[2].strip())
            When a request says "bleach":
            - item "bleach": declare "hazmat"
        """
        patches = self._store.patches.all(status)
        fitting = (patch for patch in patches if not misfit(self._task, patch.fix))
        return lesson_text(self._store.info.skill, self._task, fitting, form)

    def _about(self, patch: Patch, tallies: Mapping[str, Tally]) -> dict[str, Any]:
        """Return what lists say of every patch, by the name of the field."""
        is_active = patch.status is Status.ACTIVE
        return {
            "patch": patch,
            "tally": tallies.get(patch.id, NO_USES),
            "set_aside": misfit(self._task, patch.fix) if is_active else "",
        }

    def _move(
        self,
        ids: Sequence[str],
        target: Status,
        move: Callable[[Patch], tuple[PatchEvent, ...]],
    ) -> tuple[PatchEvent, ...]:
        self._store.require_alone()
        chosen = find_patches(self._store.patches, ids)
        for patch in chosen:
            if patch.status is target:
                raise UsageError(f"Patch {patch.id} is {target} already; leave it out.")
        with self._store.unit():
            return tuple(event for patch in chosen for event in move(patch))


def _has_words(patch: Patch, wanted: str) -> bool:
    return " ".join(words(wanted)) in phrases(patch.trigger_text)
