"""The server of the review page (the only tornado import): on this machine alone, and only for who has the token.

* It listens on loopback. The ``Host`` of a request must be this machine, so that no page from elsewhere gets in by a
  name that it lets point here (DNS rebinding).
* The address that is printed holds a token; it becomes a cookie that no script can read. Tokens are compared in
  constant time. A request that changes something must come from the page itself (``Origin``).
* The page loads nothing from elsewhere and runs no script but its own (Content-Security-Policy).
"""

from __future__ import annotations

import asyncio
import hmac
import importlib.resources
import secrets
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from tornado.escape import json_decode
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError, RequestHandler

from birddask.clips import picture, sound
from birddask.clips.picture import Mark, time_marks
from birddask.detections.labels import names_of
from birddask.errors import BirddaskError
from birddask.review.answers import VERDICTS
from birddask.review.desk import Desk
from birddask.safe_text import printable

_LOOPBACK = "127.0.0.1"
_OUR_NAMES = frozenset({_LOOPBACK, "localhost"})
_COOKIE = "birddask_review"
_BODY_BYTES = 16 << 10
_OTHER_CHARACTERS = 300
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE = {"": "text/html", "review.css": "text/css", "review.js": "text/javascript"}


async def serve(desk: Desk, port: int, opened: Callable[[str], None]) -> None:
    """Serve the page until this is cancelled.

    Args:
        desk: the review.
        port: 0 for any that is free.
        opened: is called with the address of the page.

    Raises:
        OSError: the port is taken.
    """
    token = secrets.token_urlsafe(24)
    sockets = bind_sockets(port, _LOOPBACK)
    server = HTTPServer(_application(desk, token), max_body_size=_BODY_BYTES)
    server.add_sockets(sockets)
    opened(f"http://{_LOOPBACK}:{sockets[0].getsockname()[1]}/?token={token}")
    try:
        await asyncio.Event().wait()
    finally:
        server.stop()
        await server.close_all_connections()


def _application(desk: Desk, token: str) -> Application:
    given = {"desk": desk, "token": token}
    handlers = [
        (r"/(|review\.css|review\.js)", _Page, given),
        (r"/state", _State, given),
        (r"/labels", _Labels, given),
        (r"/items/(\d{1,9})/picture/(\d)", _Picture, given),
        (r"/items/(\d{1,9})/sound", _Sound, given),
        (r"/items/(\d{1,9})/answer", _Answer, given),
    ]
    return Application(handlers, log_function=lambda _: None)


class _Refusal(HTTPError):  # noqa: N818 - named for what it is
    """A request that can't be answered, and why, for whoever asked."""

    def __init__(self, status: HTTPStatus, said: str) -> None:
        super().__init__(status)
        self.said = said


class _Handler(RequestHandler):
    """What all requests have in common."""

    desk: Desk
    token: str

    def initialize(self, desk: Desk, token: str) -> None:
        self.desk, self.token = desk, token

    def set_default_headers(self) -> None:
        self.clear_header("Server")
        self.set_header("Content-Security-Policy", _POLICY)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Cross-Origin-Resource-Policy", "same-origin")
        self.set_header("Cache-Control", "no-store")

    def prepare(self) -> None:
        if urlsplit(f"//{self.request.host}").hostname not in _OUR_NAMES:
            raise _Refusal(HTTPStatus.FORBIDDEN, "not this machine")
        if self.request.method == "POST" and self.request.headers.get("Origin") != f"http://{self.request.host}":
            raise _Refusal(HTTPStatus.FORBIDDEN, "not from this page")
        given = self.get_cookie(self._cookie), self.get_query_argument("token", None)
        if not any(hmac.compare_digest((each or "").encode(), self.token.encode()) for each in given):
            raise _Refusal(HTTPStatus.FORBIDDEN, "open the address that `birddask review` printed last")

    def write_error(self, status_code: int, **settings: Any) -> None:  # noqa: ANN401 - as tornado has it
        error = settings["exc_info"][1]
        said = error.said if isinstance(error, _Refusal) else HTTPStatus(status_code).phrase
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"{said}\n")

    @property
    def _cookie(self) -> str:
        # Cookies know no ports: two reviews at a time would take each other's away.
        return f"{_COOKIE}_{urlsplit(f'//{self.request.host}').port}"

    def number(self, text: str) -> int:
        """The number of a detection."""
        if int(text) >= len(self.desk.drawn):
            raise _Refusal(HTTPStatus.NOT_FOUND, "no such detection")
        return int(text)

    async def aside(self, action: Callable[[], Any]) -> Any:  # noqa: ANN401 - what the action returns
        """The result of an action on storage, done in another thread."""
        try:
            return await asyncio.get_running_loop().run_in_executor(None, action)
        except (BirddaskError, FileNotFoundError) as error:
            raise _Refusal(HTTPStatus.SERVICE_UNAVAILABLE, str(error)) from error


class _Page(_Handler):
    def get(self, name: str) -> None:
        if not name and self.get_query_argument("token", ""):
            self.set_cookie(self._cookie, self.token, httponly=True, samesite="Strict")
            self.redirect("/", status=HTTPStatus.SEE_OTHER)
            return
        self.set_header("Content-Type", f"{_PAGE[name]}; charset=utf-8")
        page = importlib.resources.files("birddask.review") / "page"
        self.finish((page / (name or "review.html")).read_bytes())


class _State(_Handler):
    def get(self) -> None:
        desk = self.desk
        self.finish(
            {
                "reviewer": desk.reviewer,
                "model": desk.found.title,
                "channels": [_marks(panel.marks) for panel in desk.views.blank()],
                "times": _marks(time_marks(desk.views.store.spec)),
                "items": list(self._items()),
            }
        )

    def _items(self) -> Iterator[dict[str, object]]:
        """The detections; without their scores, which would sway the answers."""
        for number, drawn in enumerate(self.desk.drawn):
            names, said = names_of(drawn.label), self.desk.said_about(number)
            yield {
                "scientific": printable(names.scientific),
                "common": printable(names.common),
                "site": printable(drawn.site),
                "recording": printable(drawn.recording),
                "start_us": drawn.start_us,
                "start_time_us": drawn.start_time_us,
                "verdict": said and said.verdict,
                "other": said and said.other,
            }


class _Labels(_Handler):
    def get(self) -> None:
        self.finish({"labels": list(self.desk.labels)})


class _Picture(_Handler):
    async def get(self, number: str, channel: str) -> None:
        which = self.number(number)
        shown = await self.aside(lambda: self.desk.pictures(which))
        if int(channel) >= len(shown):
            raise HTTPError(HTTPStatus.NOT_FOUND)
        self.set_header("Content-Type", picture.MEDIA_TYPE)
        self.finish(shown[int(channel)].webp())


class _Sound(_Handler):
    async def get(self, number: str) -> None:
        which = self.number(number)
        made = await self.aside(lambda: self.desk.sound(which))
        self.set_header("Content-Type", sound.MEDIA_TYPE)
        self.set_header("X-Slower", str(made.slower))
        self.finish(made.content)


class _Answer(_Handler):
    async def post(self, number: str) -> None:
        which = self.number(number)
        verdict, other = self._said()
        answer = await self.aside(lambda: self.desk.answer(which, verdict, other))
        self.finish({"verdict": answer.verdict, "other": answer.other})

    def _said(self) -> tuple[Any, str | None]:
        try:
            said = json_decode(self.request.body)
            verdict, other = said["verdict"], said.get("other")
        except (ValueError, TypeError, KeyError) as error:
            raise HTTPError(HTTPStatus.BAD_REQUEST) from error
        named = isinstance(other, str) and 0 < len(other.strip()) <= _OTHER_CHARACTERS
        if verdict not in VERDICTS or not (named if verdict == "other" else other is None):
            raise HTTPError(HTTPStatus.BAD_REQUEST)
        return verdict, other


def _marks(marks: tuple[Mark, ...]) -> list[dict[str, object]]:
    return [{"place": mark.place, "text": mark.text} for mark in marks]
