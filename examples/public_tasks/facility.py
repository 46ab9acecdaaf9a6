"""Make a task of facility-support e-mails (meta-llama/llama-prompt-ops, MIT).

python facility.py dataset.json facility
"""

import json
import sys
from pathlib import Path

TOML = """\
instruction = '''
You sort the e-mails that customers send to ProCare Facility Solutions, which cleans and maintains
buildings: how urgent an e-mail is, its tone, and all categories that it belongs to.
'''
answer.properties.urgency.enum = ["low", "medium", "high"]
answer.properties.sentiment.enum = ["negative", "neutral", "positive"]
answer.properties.categories = { type = "array", items = { enum = CATEGORIES } }
"""


def main(dataset: Path, folder: Path) -> None:
    categories: list[str] = []
    rows = []
    for mail in json.loads(dataset.read_text("utf-8")):
        answer = json.loads(mail["answer"])
        categories = list(answer["categories"])
        # Ten yes/no questions are a list of those with a yes. A hash of the mail splits the rows.
        answer["categories"] = [name for name, is_so in answer["categories"].items() if is_so]
        rows.append(json.dumps({"request": mail["fields"]["input"], "answer": answer}))
    folder.mkdir(parents=True)
    toml = TOML.replace("CATEGORIES", json.dumps(categories))
    (folder / "task.toml").write_text(toml, "utf-8")
    (folder / "rows.jsonl").write_text("\n".join(rows) + "\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
