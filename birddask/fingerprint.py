"""Short names for values that decide a result: canonical JSON, hashed."""

from __future__ import annotations

import hashlib
import json

_CHARACTERS = 10


def canonical_json(value: object) -> str:
    """The one JSON text of a value made of dicts, lists, strings, finite numbers, booleans and None.

    Raises:
        TypeError: the value holds something that JSON lacks.
        ValueError: a number is not finite.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def fingerprint(value: object) -> str:
    """The first ten hexadecimal digits of the SHA-256 of the canonical JSON of a value."""
    return sha256_hex(canonical_json(value).encode())[:_CHARACTERS]


def sha256_hex(content: bytes) -> str:
    """The SHA-256 of some bytes, as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
