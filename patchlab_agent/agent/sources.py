"""What an agent takes lessons and examples from."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from patchlab_agent.models.patch import Fix, Patch
from patchlab_agent.models.trace import Example, Retrieved


class PatchSource(Protocol):
    """A source of patches."""

    def search(
        self,
        request: str,
        k: int,
        *,
        similar: bool = True,
        fits: Callable[[Fix], bool] = lambda _: True,
    ) -> tuple[Retrieved, ...]:
        """Return the `k` active patches most relevant to a request whose fixes fit, ranked.

        Those whose trigger occurs come first; without `similar` there are no others.
        """
        ...

    def hit(self, patch: Patch, request: str) -> Retrieved:
        """Return how a patch relates to a request, whether or not the patch is stored."""
        ...


class ExampleSource(Protocol):
    """A source of few-shot examples."""

    def similar(self, request: str, n: int) -> tuple[Example, ...]:
        """Return the `n` right answers to requests most like this one, the nearest first."""
        ...

    def covering(self, request: str, covered: Collection[str], n: int) -> tuple[Example, ...]:
        """Return up to `n` right answers that together cover what is uncommon in a request.

        Args:
            request: what a person typed.
            covered: words that need no example.
            n: maximum number of examples.
        """
        ...
