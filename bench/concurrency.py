"""How much faster a run is with more requests at a time, against a server that takes its time.

    python -m bench.concurrency

A server on loopback answers as the toy does, each call in 200 ms. The same run is made with
`--concurrency` 1 and 8, through litellm, HTTP and all.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from patchlab_agent.lab.opening import lab_of
from patchlab_agent.models.prompt import Message, Prompt
from patchlab_agent.runs.runner import Runner
from patchlab_agent.settings import RunSettings
from patchlab_agent.shipping.toy.backend import ToyBackend

SECONDS = 0.2
BAR = 6.0
TOY = ToyBackend(noise=0.0)


class Server(BaseHTTPRequestHandler):
    """An OpenAI-compatible server with a toy behind it."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        started = time.perf_counter()
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        messages = tuple(Message(**message) for message in body["messages"])
        prompt = Prompt(messages=messages, answer_schema={}, draw="0")
        answer = {
            "id": "1",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"],
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": TOY.complete(prompt).text},
                }
            ],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        }
        data = json.dumps(answer).encode()
        time.sleep(max(0.0, SECONDS - (time.perf_counter() - started)))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Be quiet."""


def seconds(api_base: str, concurrency: int, runs: int) -> float:
    """How long a run takes."""
    with tempfile.TemporaryDirectory() as folder:
        settings = RunSettings(
            backend="litellm",
            model="openai/toy",
            api_base=api_base,
            concurrency=concurrency,
            runs=runs,
            golden=runs // 2,
            examples=0,
            store=Path(folder) / "store",
        )
        with lab_of(settings) as lab:
            return Runner(lab, settings).run().timing.seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=80)
    options = parser.parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    server.daemon_threads = True
    # A process of its own, so that it takes nothing from the one that is measured.
    process = multiprocessing.get_context("fork").Process(target=server.serve_forever, daemon=True)
    process.start()
    api_base = f"http://127.0.0.1:{server.server_port}/v1"
    seconds(api_base, 8, 8)  # imports and first connections
    one, eight = (seconds(api_base, n, options.runs) for n in (1, 8))
    ratio = one / eight
    print(f"{options.runs} requests, {SECONDS * 1000:.0f} ms a call")
    print(f"--concurrency 1: {one:.1f} s; 8: {eight:.1f} s; ratio {ratio:.1f}, bar {BAR:g}")
    process.terminate()
    raise SystemExit(ratio < BAR)


if __name__ == "__main__":
    main()
