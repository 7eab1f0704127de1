"""An HTTP endpoint that takes blocks, and fails now and then in ways of its own choice."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

Mishap = Literal["busy", "too many", "cut before", "cut after", "none"]
_ANSWERS: dict[Mishap, int] = {"busy": 503, "too many": 429, "none": 201}


@dataclass
class Endpoint:
    """What came in.

    Attributes:
        mishaps: what happens to the next requests, in order; then none.
        refusal: status and headers with which everything is refused.
        taken: bodies by idempotency key, as a receiver keeps them that honours it.
        requests: key and Authorization of each request, in order.
    """

    url: str = ""
    mishaps: list[Mishap] = field(default_factory=list)
    refusal: tuple[int, dict[str, str]] | None = None
    taken: dict[str, bytes] = field(default_factory=dict)
    requests: list[tuple[str, str | None]] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    state: Endpoint

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        key = self.headers["Idempotency-Key"]
        self.state.requests.append((key, self.headers["Authorization"]))
        if self.state.refusal is not None:
            self._answer(*self.state.refusal)
            return
        mishap = self.state.mishaps.pop(0) if self.state.mishaps else "none"
        if mishap in {"cut after", "none"}:
            # The same key with another body would be an error of the sender.
            assert self.state.taken.setdefault(key, body) == body
        if mishap in _ANSWERS:
            self._answer(_ANSWERS[mishap], {})
        else:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

    def _answer(self, code: int, headers: dict[str, str]) -> None:
        body = b"" if code < 300 else b"not like this"
        self.send_response(code)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextlib.contextmanager
def endpoint() -> Iterator[Endpoint]:
    """An endpoint on a free port of this machine."""
    state = Endpoint()
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"state": state})) as server:
        state.url = f"http://127.0.0.1:{server.server_port}/detections?station=7"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()
