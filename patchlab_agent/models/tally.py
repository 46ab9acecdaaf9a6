"""The outcomes of the answers that a patch was applied to."""

from __future__ import annotations

from pydantic import Field

from patchlab_agent.models.base import Frozen


class Tally(Frozen):
    """Counts over a store's traces.

    A save or harm counts for every patch that was applied; only leaving out one at a time could
    show which of several was responsible.
    """

    uses: int = Field(default=0, description="requests that it was applied to")
    saves: int = Field(default=0, description="of those, wrong without patches and right with them")
    harms: int = Field(default=0, description="of those, right without patches and wrong with them")

    @property
    def effect(self) -> int:
        """Saves minus harms; higher is better."""
        return self.saves - self.harms
