"""A model's server for the command line to ask."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import TypeAlias

Turn: TypeAlias = dict[str, str]
"""A message: its role and content."""


@contextmanager
def serving(reply: str | Callable[[list[Turn]], str]) -> Iterator[tuple[str, list[bytes]]]:
    """A server that answers any chat request: its address, and what it was sent.

    Args:
        reply: the text of every answer, or the messages to the text.
    """
    received: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["Content-Length"])))
            asked = json.loads(received[-1])["messages"]
            text = reply if isinstance(reply, str) else reply(asked)
            message = {"role": "assistant", "content": text}
            body = json.dumps(
                {
                    "id": "1",
                    "object": "chat.completion",
                    "created": 1,
                    "model": "some",
                    "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                }
            ).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            """Silent."""

    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = Thread(target=http.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_address[1]}/v1", received
        finally:
            http.shutdown()
            thread.join()
