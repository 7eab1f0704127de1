"""An HTTP endpoint: a POST a block, whose body has a JSON object for each detection on a line of its own (NDJSON).

A block without detections is sent, too, with an empty body: silence is a result. The ``Idempotency-Key`` (IETF draft
"The Idempotency-Key HTTP Header Field": https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header)
names model, block and content, so that the receiver can tell a request that it has already seen.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from dataclasses import dataclass
from urllib.parse import urlsplit

from birddask.detections.found import Part
from birddask.detections.query import Columns
from birddask.errors import ConfigError, StorageError
from birddask.fingerprint import sha256_hex
from birddask.formats.format import Context, Rows
from birddask.formats.kinds import ndjson
from birddask.outputs import Scans
from birddask.storage import Options
from birddask.storage.faults import patiently
from birddask.storage.options import resolve

_PATIENCE_S = 120.0
_TIMEOUT_S = 60.0
# Too slow, too early, too many: the same request may be taken later. All other 4xx are for good.
_MAY_PASS = frozenset({408, 425, 429})


@dataclass(frozen=True)
class HttpEndpoint:
    """A URL that takes blocks.

    Attributes:
        options: ``token``, a reference to the environment, is sent as ``Authorization: Bearer``.
    """

    url: str
    options: Options = ""

    @classmethod
    def at(cls, url: str, options: Options) -> HttpEndpoint:
        """The endpoint at a URL.

        Raises:
            ConfigError: it is no URL, it holds a password, or the options hold something else than a token.
        """
        try:
            parts = urlsplit(url)
            is_plain = bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
        except ValueError as error:
            raise ConfigError(f"the endpoint is no URL: {error}") from error
        if not is_plain:
            raise ConfigError(
                "the URL of an endpoint has the form https://host/path; a token goes into `storage_options`, as a "
                "reference to an environment variable"
            )
        others = sorted(resolve(options).keys() - {"token"})
        if others:
            raise ConfigError(
                f"{url}: `storage_options` of an HTTP endpoint know only `token`, not {', '.join(others)}"
            )
        return cls(url, options)

    def columns(self, context: Context) -> Columns:
        """The line of a detection."""
        return ndjson.FORMAT.columns(context)

    def know(self, scans: Scans) -> None:
        """Recordings are not told."""

    def take(self, model: str, part: Part, rows: Rows) -> None:
        """Post a block, again and again while the endpoint is away or busy.

        Raises:
            StorageError: the endpoint refuses it.
            TransientStorageError: the endpoint was away or busy for too long.
        """
        body = b"".join(f"{line}\n".encode() for batch in rows for line in batch["line"].to_pylist())
        headers = {
            "Content-Type": "application/x-ndjson",
            "Idempotency-Key": f'"{model}/block-{part.block:06d}/{sha256_hex(body)[:16]}"',
        }
        token = resolve(self.options).get("token")
        if token:
            headers["Authorization"] = f"Bearer {token}"
        request = urllib.request.Request(self.url, body, headers, method="POST")  # noqa: S310 - http or https
        patiently(lambda: _post(request), lambda error: f"{self.url}: {error}", _PATIENCE_S, local=False)


def _opener_without_redirects() -> urllib.request.OpenerDirector:
    """A redirected POST would become a GET, and its body would be lost without a word."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    return opener


def _post(request: urllib.request.Request) -> None:
    try:
        with _opener_without_redirects().open(request, timeout=_TIMEOUT_S) as answer:
            answer.read()
    except urllib.error.HTTPError as error:
        with error:
            said = error.read(500).decode(errors="replace").strip()
        message = f"{error.code} {error.reason}{f': {said}' if said else ''}"
        if error.code < 400:
            raise StorageError(
                f"{request.full_url} is at {error.headers['Location']} now: export to that URL"
            ) from error
        if error.code < 500 and error.code not in _MAY_PASS:
            raise StorageError(f"{request.full_url} refuses: {message}") from error
        raise ConnectionError(message) from error
