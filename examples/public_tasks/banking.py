"""Make a task of NLU++ banking intents (PolyAI-LDN/task-specific-datasets, CC-BY-4.0).

python banking.py nlupp-banking banking
"""

import json
import sys
from pathlib import Path

TOML = """\
instruction = '''
You read what a caller says to a bank's phone service, and list the intents that its words express:
usually one to four, and none where nothing fits.
'''
facts = FACTS
answer.properties.intents = { type = "array", items = { enum = INTENTS } }
"""
# By fold, as in the paper; this was written down before anything was measured.
SPLITS = ["stream"] * 8 + ["regression"] * 6 + ["golden"] * 6


def main(data: Path, folder: Path) -> None:
    told = json.loads((data / "ontology.json").read_text("utf-8"))["intents"]
    intents = [name for name in told if {"general", "banking"} & set(told[name]["domain"])]
    about = {name: told[name]["description"].removeprefix("is the intent ") for name in intents}
    rows = {}
    for fold, split in enumerate(SPLITS):
        for said in json.loads((data / f"fold{fold}.json").read_text("utf-8")):
            row = {"request": said["text"], "answer": {"intents": said.get("intents", [])}}
            # What is said in several folds counts for the last of them.
            rows[" ".join(said["text"].casefold().split())] = json.dumps({**row, "split": split})
    facts = json.dumps([f"{name}: {text.rstrip('?')}" for name, text in about.items()])
    folder.mkdir(parents=True)
    toml = TOML.replace("FACTS", facts).replace("INTENTS", json.dumps(intents))
    (folder / "task.toml").write_text(toml, "utf-8")
    (folder / "rows.jsonl").write_text("\n".join(rows.values()) + "\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
