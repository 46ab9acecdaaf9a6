"""Options that several commands take, each with its range and its help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from patchlab_agent.settings import MAX_EXAMPLES, MAX_TOP_K

Store = Annotated[Path, typer.Option(help="Folder of patches and traces.", metavar="FOLDER")]
Skill = Annotated[str, typer.Option(help="Which installed skill to use.")]
Backend = Annotated[str, typer.Option(help="The model: toy is a noisy parser that needs none.")]
Seed = Annotated[int, typer.Option(help="Of the toy's mistakes and the generated requests.")]
Noise = Annotated[
    float, typer.Option(min=0, max=1, help="The toy's chance of a mistake per field.")
]
TopK = Annotated[int, typer.Option(min=0, max=MAX_TOP_K, help="Patches to retrieve per request.")]
Examples = Annotated[
    int, typer.Option(min=0, max=MAX_EXAMPLES, help="Similar successful requests to show.")
]
Embedder = Annotated[
    str | None,
    typer.Option(
        help="hashing, or wordllama (extra). A store keeps the one it was made with.",
        show_default="hashing",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
