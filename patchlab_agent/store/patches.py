"""Patches in Chroma, found exactly by trigger, and by similarity."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from patchlab_agent.embedding import Distances
from patchlab_agent.errors import StoreError
from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.evidence import Standing
from patchlab_agent.models.patch import Fix, Origin, Patch, Status
from patchlab_agent.models.ranking import rank, rank_key
from patchlab_agent.models.trace import Retrieved
from patchlab_agent.store.active import ActiveIndex, Relation
from patchlab_agent.store.chroma import Records
from patchlab_agent.store.nearest import nearest
from patchlab_agent.store.patch_records import (
    describe,
    embedded,
    metadata_of,
    trigger_of,
    unreadable_patch,
)
from patchlab_agent.store.units import Units
from patchlab_agent.text import phrases

MAX_LOADED = 4096
MARGIN = 8
"""Number of records beyond 2 K to query, to make up for inactive ones among them."""
BATCH = 100


class _Entry(NamedTuple):
    """A patch that is not in the database yet as it is, and the metadata of its record."""

    patch: Patch
    metadata: Mapping[str, Any]


class PatchStore:
    """All patches, whatever their status; only active ones are ever retrieved.

    Each patch is one Chroma record: its document says in words what it teaches, its metadata hold
    the parts by name and the whole as JSON, its vector embeds the trigger.

    Args:
        collection: their records.
        distances: distances of the collection's embedder.
        parse_fix: the skill's function to read fixes back.
        units: the units of work of the store; a patch is in the database once its unit is.
        is_alone: nobody else writes to the collection, so that what was read once still holds.
        known: ids and metadata of the active ones, with their triggers; None reads them.

    Example:
        >>> lab.store.patches.count(), lab.store.patches.active_count
        (1, 1)
    """

    def __init__(
        self,
        collection: Records,
        distances: Distances,
        parse_fix: Callable[[JsonObject], Fix],
        units: Units,
        *,
        is_alone: bool = True,
        known: Iterable[tuple[str, Mapping[str, Any]]] | None = None,
    ) -> None:
        self._is_alone = is_alone
        self._collection = collection
        self._distances = distances
        self._parse_fix = parse_fix
        self._units = units
        self._load(known)

    def reload(self) -> None:
        """Forget whatever is not in the database."""
        self._load(None)

    def _load(self, known: Iterable[tuple[str, Mapping[str, Any]]] | None) -> None:
        self._fresh: dict[str, _Entry] = {}
        self._waiting: dict[str, _Entry] = {}
        self._gone: list[str] = []
        # As the database has them; None: it has none of that id.
        self._loaded: dict[str, Patch | None] = {}
        # Ids by conflict key, as a failure's candidates are compared with their rivals several
        # times before one is stored; whoever is not alone reads them each time.
        self._families: dict[str, frozenset[str]] = {}
        self._stored = self._collection.count()
        # Only ids and triggers of the active patches stay in memory: enough to find and rank
        # patches exactly, and small however many there are.
        self._active = ActiveIndex(self._distances)
        if known is None:
            known = self._collection.all({"status": str(Status.ACTIVE)})
        for patch_id, metadata in known:
            self._active.add(patch_id, trigger_of(metadata))

    def upsert(self, patch: Patch) -> None:
        """Store a patch; the same content again is the same record."""
        metadata = metadata_of(patch)
        with self._units.unit():
            self._units.note("patch", metadata["patch"])
            self._fresh[patch.id] = _Entry(patch, metadata)
            if metadata["conflict_key"] in self._families:
                self._families[metadata["conflict_key"]] |= {patch.id}
            if patch.status is Status.ACTIVE:
                self._active.add(patch.id, patch.trigger)
            else:
                self._active.discard(patch.id)

    def committed(self) -> None:
        """Take note that all changes until now count."""
        self._waiting |= self._fresh
        self._fresh.clear()

    def write_out(self) -> None:
        """Write all changes to the database."""
        self.committed()
        ids = list(self._waiting)
        if self._gone:
            self._collection.delete(self._gone)
        for start in range(0, len(ids), BATCH):
            part = [self._waiting[patch_id] for patch_id in ids[start : start + BATCH]]
            self._collection.upsert(
                ids=[entry.patch.id for entry in part],
                documents=[describe(entry.patch) for entry in part],
                embeddings=[
                    self._distances.vector(embedded(e.patch.trigger)).tolist() for e in part
                ],
                metadatas=[dict(entry.metadata) for entry in part],
            )
        if ids or self._gone:
            self.written_out()

    def written_out(self) -> None:
        """Take note that the database holds all changes until now, whoever wrote them."""
        for patch_id, entry in self._waiting.items():
            self._remember(patch_id, entry.patch)
        self._waiting.clear()
        self._gone = []
        self._stored = self._collection.count()

    def before(self) -> dict[str, Patch | None]:
        """Return what was changed in the present unit as it was before; None: it was not there."""
        return {
            patch_id: self._waiting[patch_id].patch
            if patch_id in self._waiting
            else self._in_database(patch_id)
            for patch_id in self._fresh
        }

    def remove(self, ids: Iterable[str]) -> None:
        """Take patches back, as if they had never been stored."""
        self._families.clear()
        for patch_id in ids:
            self._gone.append(patch_id)
            self._active.discard(patch_id)
            for held in (self._fresh, self._waiting, self._loaded):
                held.pop(patch_id, None)

    def get(self, patch_id: str) -> Patch | None:
        """Return the patch with an id, or None."""
        entry = self._fresh.get(patch_id) or self._waiting.get(patch_id)
        if entry is not None:
            return entry.patch
        return self._in_database(patch_id)

    def _in_database(self, patch_id: str) -> Patch | None:
        if patch_id not in self._loaded or not self._is_alone:
            found = self._collection.get(ids=[patch_id], include=["metadatas"])["metadatas"]
            self._remember(patch_id, self._parse(found[0]) if found else None)
        return self._loaded[patch_id]

    def _remember(self, patch_id: str, patch: Patch | None) -> None:
        if len(self._loaded) >= MAX_LOADED:
            self._loaded.clear()
        self._loaded[patch_id] = patch

    def _pending(self) -> dict[str, _Entry]:
        return {**self._waiting, **self._fresh}

    def _matching(self, wanted: Mapping[str, str | None]) -> Iterator[tuple[str, Any]]:
        """Yield ids and metadata of all patches whose metadata have these values; None is any."""
        values = {name: value for name, value in wanted.items() if value is not None}
        pending = self._pending()
        for patch_id, metadata in self._collection.all(_where(values)):
            if patch_id not in pending:
                yield patch_id, metadata
        for patch_id, entry in pending.items():
            if all(entry.metadata[name] == value for name, value in values.items()):
                yield patch_id, entry.metadata

    def _ids(self, values: Mapping[str, str]) -> Iterator[str]:
        """Yield the ids of all patches whose metadata have these values."""
        pending = self._pending()
        stored = self._collection.get(where=_where(values), include=[])["ids"]
        yield from (patch_id for patch_id in stored if patch_id not in pending)
        for patch_id, entry in pending.items():
            if all(entry.metadata[name] == value for name, value in values.items()):
                yield patch_id

    def find(self, prefix: str) -> list[str]:
        """Return the ids that start with a prefix, sorted."""
        ids = {*self._collection.get(include=[])["ids"], *self._pending()}
        return sorted(each for each in ids if each.startswith(prefix))

    def all(
        self,
        status: Status | None = None,
        *,
        label: str | None = None,
        kind: str | None = None,
        origin: Origin | None = None,
        standing: Standing | None = None,
    ) -> Iterator[Patch]:
        """Yield all patches, or those that match the arguments, sorted by trigger and id.

        Args:
            status: their status.
            label: label of the failure that taught them.
            kind: kind of their fixes.
            origin: their origin.
            standing: their standing; only active patches have one.
        """
        wanted = {
            "status": status and str(status),
            "label": label,
            "kind": kind,
            "origin": origin and str(origin),
            "standing": standing and str(standing),
        }
        # Thousands of whole patches would take much memory, so only these two are sorted.
        order = sorted((str(found["trigger"]), i) for i, found in self._matching(wanted))
        for start in range(0, len(order), BATCH):
            ids = [patch_id for _, patch_id in order[start : start + BATCH]]
            known = self._several(ids)
            yield from (known[patch_id] for patch_id in ids if patch_id in known)

    def _several(self, ids: Sequence[str]) -> dict[str, Patch]:
        page = self._collection.get(ids=list(ids), include=["metadatas"])
        pending = self._pending()
        return {
            **dict(zip(page["ids"], map(self._parse, page["metadatas"] or ()), strict=True)),
            **{i: pending[i].patch for i in ids if i in pending},
        }

    def statuses(self) -> dict[str, Status]:
        """Return the status of each patch, by id."""
        return {i: status for status in Status for i in self._ids({"status": str(status)})}

    def rivals(self, patch: Patch, status: Status | None = None) -> list[Patch]:
        """Return the other patches that contradict or repeat a patch, sorted by id.

        Args:
            patch: a patch, stored or not.
            status: the status of the others; None matches any.
        """
        ids = sorted(self._family(patch) - {patch.id})
        return [each for each in self._required(ids) if status in (None, each.status)]

    def _family(self, patch: Patch) -> frozenset[str]:
        """Return the ids of all patches with a patch's conflict key."""
        key = json.dumps(patch.conflict_key)
        if key in self._families and self._is_alone:
            return self._families[key]
        known = {i: self._parse(found) for i, found in self._matching({"conflict_key": key})}
        pending = self._pending()
        for patch_id, each in known.items():
            if patch_id not in pending:
                self._remember(patch_id, each)
        if patch.id not in known:
            # Whoever asks for its rivals asks for the patch itself next.
            self._remember(patch.id, None)
        if len(self._families) >= MAX_LOADED:
            self._families.clear()
        self._families[key] = frozenset(known)
        return self._families[key]

    def active_twin(self, patch: Patch) -> Patch | None:
        """Return another active patch that says the same thing, in whatever form, or None."""
        active = self.rivals(patch, Status.ACTIVE)
        return next((each for each in active if each.fix.repeats(patch.fix)), None)

    def active_among(self, ids: Iterable[str]) -> list[Patch]:
        """Return the patches with these ids that are active by now, in the order of the ids."""
        found = (self.get(patch_id) for patch_id in ids)
        return [patch for patch in found if patch is not None and patch.status is Status.ACTIVE]

    def active_about(self, trigger: str) -> list[Patch]:
        """Return the active patches with exactly this phrase as trigger, sorted by id."""
        return self._required(sorted(self._active.with_phrase(trigger)))

    def superseded_by(self, patch: Patch) -> list[Patch]:
        """Return the retired patches that a patch superseded, sorted by id."""
        return [
            each for each in self.rivals(patch, Status.RETIRED) if each.superseded_by == patch.id
        ]

    def look_up(self, text: str, n: int) -> tuple[Retrieved, ...]:
        """Return the `n` patches of any status that are most relevant to a text.

        Patches whose trigger occurs in the text come first, then those whose description contains
        the text literally, ignoring case, then those with similar triggers; each group by
        distance, ties by id.
        """
        tiers: tuple[Any, ...] = (
            {"where": {"trigger": {"$in": [*phrases(text), ""]}}},
            {"where_document": {"$regex": f"(?i){re.escape(text)}"}},
            {},
        )
        found: dict[str, Retrieved] = {}
        for tier, condition in enumerate(tiers):
            for near in nearest(self._collection, self._distances, text, n, _embedded, **condition):
                patch = self._parse(near.metadata)
                occurs = tier == 0 or (
                    not isinstance(patch.trigger, str)
                    and self._active.relation(patch.trigger, text).occurs
                )
                hit = Retrieved(patch=patch, distance=near.distance, occurs=occurs)
                found.setdefault(near.id, hit)
        return tuple(found.values())[:n]

    def count(self) -> int:
        """Return the number of patches, whatever their status."""
        stored = self._stored if self._is_alone else self._collection.count()
        pending = list(self._pending())
        if not pending:
            return stored
        return stored + len(pending) - len(self._collection.get(ids=pending, include=[])["ids"])

    @property
    def active_count(self) -> int:
        """The number of active patches."""
        if self._is_alone:
            return len(self._active)
        return sum(1 for _ in self._ids({"status": str(Status.ACTIVE)}))

    def count_standing(self, standing: Standing) -> int:
        """Return the number of active patches with this standing."""
        return sum(1 for _ in self._ids({"standing": str(standing)}))

    def search(
        self,
        request: str,
        k: int,
        *,
        similar: bool = True,
        fits: Callable[[Fix], bool] = lambda _: True,
    ) -> tuple[Retrieved, ...]:
        """Return the `k` active patches most relevant to a request whose fixes fit.

        Patches whose trigger occurs in the request, with at most one typing error, are looked up
        exactly, so none is missed however many others there are. Unless `similar` is false,
        similar ones fill the remaining places: they rank last, and none of them is applied.
        """
        if k == 0 or not self._active:
            return ()
        here = self._active.concerning(request)
        # Ranked by id and trigger, so that only the winners need to be loaded.
        always = {i for i, found in here.items() if found.is_always}
        # A vector search costs a millisecond, so it is made only where it could add something.
        is_short = similar and len(here) - len(always) < k
        others = self._similar(request, k) - here.keys() if is_short else set()
        found = {**here, **{i: self._active.unlike(i, request) for i in others}}
        order = sorted(
            found.keys() - always,
            key=lambda i: rank_key(found[i].occurs, found[i].misspelt, found[i].distance, i),
        )

        def fitting(ids: Sequence[str]) -> Iterator[Retrieved]:
            for start in range(0, len(ids), k):
                for patch in self._required(ids[start : start + k]):
                    if fits(patch.fix):
                        yield _retrieved(patch, found[patch.id])

        return rank((*islice(fitting(order), k), *fitting(sorted(always))), k)

    def hit(self, patch: Patch, request: str) -> Retrieved:
        """Return how a patch relates to a request, whether or not the patch is stored."""
        return _retrieved(patch, self._active.relation(patch.trigger, request))

    def _similar(self, request: str, k: int) -> set[str]:
        # Wider than `k`, as the index holds patches of every status; should a merely similar one
        # be missed all the same, no prompt changes.
        found: set[str] = set(self._pending())
        if self._stored:
            page = self._collection.query(
                query_embeddings=[self._distances.vector(request).tolist()],
                n_results=min(2 * k + MARGIN, self._stored),
                include=[],
            )
            found.update(page["ids"][0])
        return {patch_id for patch_id in found if patch_id in self._active}

    def _required(self, ids: Sequence[str]) -> list[Patch]:
        """Return the patches with these ids, in their order, which are read in one go."""
        pending = self._pending()
        found = {i: pending[i].patch for i in ids if i in pending}
        if self._is_alone:
            loaded = ((i, self._loaded.get(i)) for i in ids if i not in found)
            found |= {i: patch for i, patch in loaded if patch is not None}
        missing = [i for i in ids if i not in found]
        for patch_id, patch in self._several(missing).items() if missing else ():
            self._remember(patch_id, patch)
            found[patch_id] = patch
        for patch_id in ids:
            if patch_id not in found:
                raise StoreError(f"Patch {patch_id} was deleted by another program; start again.")
        return [found[patch_id] for patch_id in ids]

    def _parse(self, metadata: Any) -> Patch:
        try:
            data = json.loads(metadata["patch"])
            return Patch.model_validate({**data, "fix": self._parse_fix(data["fix"])})
        except (ValueError, KeyError, TypeError) as error:
            raise unreadable_patch() from error


def _where(values: Mapping[str, str]) -> Any:
    """Return Chroma's condition for metadata with these values; None if there are none."""
    given = [{name: value} for name, value in values.items()]
    return {"$and": given} if len(given) > 1 else next(iter(given), None)


def _embedded(_document: str, metadata: Any) -> str:
    return embedded(trigger_of(metadata))


def _retrieved(patch: Patch, relation: Relation) -> Retrieved:
    return Retrieved(
        patch=patch,
        distance=relation.distance,
        occurs=relation.occurs,
        misspelt=relation.misspelt,
    )
