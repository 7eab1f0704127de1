"""A proxy between clients and an HTTP server that does to requests what networks and busy servers do.

Heads pass as they are, so that signatures stay valid, and bodies are streamed both ways. Each request has a connection
to the server of its own, so that one request's fault does no harm to the next.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import random
import socket
import struct
import threading
from asyncio import StreamReader, StreamWriter
from collections import Counter
from collections.abc import AsyncGenerator, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NoReturn
from urllib.parse import urlsplit

from tests.support.servers import HOST, free_ports

Fault = Literal[
    "delay", "403", "404", "429", "500", "503", "reset", "reset_midway", "cut_short", "stall", "lose_answer"
]
"""What can happen to a request.

``delay``: it goes on to the server ``seconds`` later.
``403`` to ``503``: it does not reach the server; the answer is the one that S3 gives with this status.
``reset``: it does not reach the server; the connection is reset.
``reset_midway``: the connection is reset in the middle of the request's body, or of the answer's if it has none.
``cut_short``: the connection is closed in the middle of the answer's body.
``stall``: after half of the answer's body, or instead of the answer if it has none, nothing comes for ``seconds``; then
a reset.
``lose_answer``: the server does what it is asked to, and the connection is reset instead of the answer.

Where there is no body to break, ``reset_midway`` and ``cut_short`` do nothing and don't count.
"""

_Framing = int | Literal["chunked"]
"""Where a body ends: after so many bytes, or where its chunks do."""
_Way = Literal["up", "down"]

_ANSWERS: Mapping[str, tuple[str, str, str]] = {
    "403": ("Forbidden", "AccessDenied", "Access Denied"),
    "404": ("Not Found", "NoSuchKey", "The specified key does not exist."),
    "429": ("Too Many Requests", "TooManyRequests", "Please reduce your request rate."),
    "500": ("Internal Server Error", "InternalError", "We encountered an internal error. Please try again."),
    "503": ("Slow Down", "SlowDown", "Please reduce your request rate."),
}
_PIECE_BYTES = 1 << 16
_RESET_WHEN_CLOSED = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Rule:
    """Which requests a fault happens to.

    Attributes:
        share: of the requests, 0 to 1.
        numbers: instead of a share, which of the requests with these methods, from 1 since the rules were set.
        methods: for example ``GET``; all if empty.
        seconds: of ``delay`` and ``stall``.
    """

    fault: Fault
    share: float = 1.0
    numbers: Collection[int] = ()
    methods: Collection[str] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Counts:
    """What passed since the proxy was started.

    Attributes:
        requests: by method, all that came.
        faults: by kind, those that happened.
        bytes_up: of the bodies of requests, as far as the proxy took them.
        bytes_down: of the bodies of the server's answers, as far as the proxy took them.
    """

    requests: Mapping[str, int]
    faults: Mapping[str, int]
    bytes_up: int
    bytes_down: int


@contextlib.contextmanager
def fault_proxy(server: str) -> Iterator[FaultProxy]:
    """A proxy for the HTTP server at this endpoint, in a thread of its own; without rules it does nothing."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="fault proxy")
    thread.start()
    proxy = FaultProxy(server, loop)
    try:
        proxy.come_back()
        yield proxy
    finally:
        try:
            proxy.go_away()
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


class FaultProxy:
    """A running proxy, to be told what to do from any thread; its coroutines belong to its loop.

    Attributes:
        endpoint: as ``http://host:port``.
    """

    def __init__(self, server: str, loop: asyncio.AbstractEventLoop) -> None:
        (self._port,) = free_ports(1)
        self.endpoint = f"http://{HOST}:{self._port}"
        self._server = urlsplit(server)
        self._loop = loop
        self._away = True
        self._listener: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._draws = _Draws((), 0)
        self._bytes_per_s: float | None = None
        self._next_at_s = 0.0
        self._requests: Counter[str] = Counter()
        self._faults: Counter[str] = Counter()
        self._bytes: Counter[_Way] = Counter()

    def set_rules(self, *rules: Rule, seed: int = 0) -> None:
        """Follow these rules instead of those before; none: let all pass.

        The delays that hit a request are added up, and of other faults it gets the first that hits. Whether a share
        hits depends on the seed, on the request's method, target and range, and on how often this same request came
        before: not on the order in which different requests come.
        """
        self._draws = _Draws(rules, seed)

    def limit_bandwidth(self, bytes_per_s: float | None) -> None:
        """Let bodies pass no faster, both ways of all connections together; None ends it."""
        self._bytes_per_s, self._next_at_s = bytes_per_s, 0.0

    def counts(self) -> Counts:
        """What passed so far."""
        return Counts(dict(self._requests), dict(self._faults), self._bytes["up"], self._bytes["down"])

    def go_away(self) -> None:
        """Reset all connections and refuse new ones.

        Raises:
            Exception: what went wrong in the proxy itself while it served one of them.
        """
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()

    def come_back(self) -> None:
        """Accept connections again, at the same endpoint."""
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()

    async def _listen(self) -> None:
        self._away = False
        self._listener = await asyncio.start_server(self._accept, HOST, self._port, limit=_PIECE_BYTES)

    async def _close(self) -> None:
        self._away = True
        if self._listener is not None:
            self._listener.close()
        for task in self._serving:
            task.cancel()
        for outcome in await asyncio.gather(*self._serving, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome

    def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        if self._away:  # it came just before
            _reset(writer)
            return
        task = self._loop.create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(functools.partial(self._served, writer))

    def _served(self, writer: StreamWriter, task: asyncio.Task[None]) -> None:
        _reset(writer)
        # What failed is kept until it can be raised.
        if task.cancelled() or not task.exception():
            self._serving.discard(task)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Serve the requests of one connection, one after the other."""
        try:
            while (head := await _read_head(reader)) and await self._serve_request(head, reader, writer):
                pass
            writer.close()
            await writer.wait_closed()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # a fault, or one side broke off: so does the other

    async def _serve_request(self, head: _Head, reader: StreamReader, writer: StreamWriter) -> bool:
        """Do with a request what the rules say; whether another one can follow on this connection.

        Raises:
            ConnectionError: the connection is to be reset.
        """
        method = head.words[0]
        self._requests[method] += 1
        delays, rule = self._draws.draw(head)
        for delay in delays:
            self._faults["delay"] += 1
            await asyncio.sleep(delay.seconds)
        if rule and rule.fault == "reset":
            self._break(rule.fault)
        if rule and rule.fault in _ANSWERS:
            self._faults[rule.fault] += 1
            # A client that asks whether it may has not sent its body yet.
            if "expect" not in head.fields:
                await self._pass(reader, _framing(head), None, "up")
            writer.write(_error(rule.fault, method))
            return False
        return await self._exchange(head, rule, reader, writer)

    async def _exchange(self, head: _Head, rule: Rule | None, reader: StreamReader, writer: StreamWriter) -> bool:
        """Pass a request to the server and its answer back; whether another one can follow."""
        host, port = self._server.hostname, self._server.port
        from_server, to_server = await asyncio.open_connection(host, port, limit=_PIECE_BYTES)
        to_server.write(head.raw)
        framing = _framing(head)
        break_upload = rule is not None and rule.fault == "reset_midway" and framing != 0
        # While the body goes up the server may ask for it, or answer before it has all of it.
        upload = asyncio.create_task(self._upload(reader, framing, to_server, half=break_upload))
        try:
            complete = await self._answer(head.words[0], None if break_upload else rule, from_server, writer)
            return complete and upload.done() and upload.result()
        finally:
            _reset(to_server)
            upload.cancel()
            await asyncio.wait([upload])

    async def _upload(self, reader: StreamReader, framing: _Framing, server: StreamWriter, *, half: bool) -> bool:
        """Pass a request's body on; whether all of it came. If not, the server sees a reset and does not answer."""
        try:
            await self._pass(reader, _half(framing) if half else framing, server, "up")
            if half:
                self._break("reset_midway")
        except (ConnectionError, asyncio.IncompleteReadError):
            _reset(server)
            return False
        return True

    async def _answer(self, method: str, rule: Rule | None, server: StreamReader, client: StreamWriter) -> bool:
        """Pass the server's answer on; whether it is complete."""
        while (answer := await _read_head(server)) and answer.words[1].startswith("1"):
            client.write(answer.raw)
        if answer is None:
            raise ConnectionResetError("the server has closed the connection")
        bodiless = method == "HEAD" or answer.words[1] in {"204", "304"}
        framing = 0 if bodiless else _framing(answer)
        if rule is None or (framing == 0 and rule.fault in {"reset_midway", "cut_short"}):
            client.write(answer.raw)
            await self._pass(server, framing, client, "down")
            return True
        if rule.fault == "lose_answer":
            await self._pass(server, framing, None, "down")
        elif framing != 0:
            client.write(answer.raw)
            await self._pass(server, _half(framing), client, "down")
        if rule.fault == "stall":
            await asyncio.sleep(rule.seconds)
        if rule.fault == "cut_short":
            self._faults[rule.fault] += 1
            return False
        return self._break(rule.fault)

    async def _pass(self, reader: StreamReader, framing: _Framing, writer: StreamWriter | None, way: _Way) -> None:
        """Pass a body on, or only take it in."""
        async with contextlib.aclosing(_pieces(reader, framing)) as pieces:
            async for piece in pieces:
                if self._bytes_per_s is not None:
                    now_s = self._loop.time()
                    self._next_at_s = max(self._next_at_s, now_s) + len(piece) / self._bytes_per_s
                    await asyncio.sleep(self._next_at_s - now_s)
                self._bytes[way] += len(piece)
                if writer is not None:
                    writer.write(piece)
                    await writer.drain()

    def _break(self, fault: Fault) -> NoReturn:
        self._faults[fault] += 1
        raise ConnectionResetError(fault)


@dataclass(frozen=True, slots=True)
class _Head:
    """What stands before a body.

    Attributes:
        words: of the first line; a request begins with its method and target, an answer with ``HTTP/`` and its status.
        fields: by name in lower case.
    """

    raw: bytes
    words: Sequence[str]
    fields: Mapping[str, str]


class _Draws:
    """Which requests the rules hit."""

    def __init__(self, rules: Sequence[Rule], seed: int) -> None:
        self._rules = rules
        self._seed = seed
        self._matched: Counter[int] = Counter()
        self._came: Counter[str] = Counter()

    def draw(self, head: _Head) -> tuple[list[Rule], Rule | None]:
        """The delays that hit the next request, and the first other fault."""
        method, target, *_ = head.words
        request = f"{method} {target} {head.fields.get('range', '')}"
        self._came[request] += 1
        hits = []
        for number, rule in enumerate(self._rules):
            if rule.methods and method not in rule.methods:
                continue
            self._matched[number] += 1
            lot = random.Random(f"{self._seed} {number} {request} {self._came[request]}").random()
            if self._matched[number] in rule.numbers if rule.numbers else lot < rule.share:
                hits.append(rule)
        others = [rule for rule in hits if rule.fault != "delay"]
        return [rule for rule in hits if rule.fault == "delay"], others[0] if others else None


async def _read_head(reader: StreamReader) -> _Head | None:
    """The next request or answer, None if the connection ended before it."""
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    first_line, *lines = raw.decode("latin-1").split("\r\n")
    fields = [line.partition(":") for line in lines]
    return _Head(raw, first_line.split(" "), {name.lower(): value.strip() for name, _, value in fields})


def _framing(head: _Head) -> _Framing:
    if head.fields.get("transfer-encoding", "").lower() == "chunked":
        return "chunked"
    if head.words[0].startswith("HTTP/"):
        # An answer that ends with its connection has neither; no S3 server gives one.
        return int(head.fields["content-length"])
    return int(head.fields.get("content-length", 0))


def _half(framing: _Framing) -> int:
    """Bytes to pass of a body that is to stay incomplete; one if its head does not say how long it is."""
    return framing // 2 if isinstance(framing, int) else 1


async def _pieces(reader: StreamReader, framing: _Framing) -> AsyncGenerator[bytes, None]:
    """A body as it comes, chunk by chunk with the marks around them if it is chunked."""
    if framing == "chunked":
        size = 1
        while size:
            line = await reader.readuntil(b"\r\n")
            size = int(line.partition(b";")[0], 16)
            yield line + (await reader.readexactly(size + 2) if size else b"")
        while line != b"\r\n":  # after the last chunk more fields may follow
            line = await reader.readuntil(b"\r\n")
            yield line
    else:
        left = framing
        while left:
            piece = await reader.read(min(left, _PIECE_BYTES))
            if not piece:
                raise asyncio.IncompleteReadError(piece, left)
            left -= len(piece)
            yield piece


def _error(status: str, method: str) -> bytes:
    """S3's answer for a status, after which the connection is closed."""
    reason, code, message = _ANSWERS[status]
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>'
    head = (
        f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/xml\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return f"{head}{'' if method == 'HEAD' else body}".encode()


def _reset(writer: StreamWriter) -> None:
    """Close a connection at once, so that the other side sees a reset; nothing happens if it is closed."""
    if not writer.is_closing():
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_WHEN_CLOSED)
    writer.transport.abort()
