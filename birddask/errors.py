"""Errors, grouped by what a handler does with them."""

from __future__ import annotations


class BirddaskError(Exception):
    """The base of all errors that birddask raises on purpose; the message is for the user."""


class ConfigError(BirddaskError):
    """The user must change something before anything can run: exit code 2, nothing was done."""


class RecordingError(BirddaskError):
    """A recording, or a stretch of it, can't be used: quarantine it with the reason and go on.

    Attributes:
        reason: a stable reason code, for example ``truncated``.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(reason, message)
        self.reason = reason
        self.message = message

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


class StorageError(BirddaskError):
    """Storage refuses for good (forbidden, read-only, no such bucket): repeating won't help."""


class TransientStorageError(BirddaskError):
    """Storage failed in a way that may pass: repeat the task."""


class Stopped(BirddaskError):  # noqa: N818 - not an error, but it unwinds like one
    """Somebody asked to stop: what is done is kept, the same command goes on."""


class PoisonBlock(BirddaskError):  # noqa: N818 - named for what is wrong, as in the design
    """A block that ends the process of every worker that tries it, even alone."""


class MisalignedBlock(BirddaskError):  # noqa: N818 - named for what is wrong, as in the design
    """A write that is not a whole shard, or a block that is not of this store: a defect of birddask."""


class MelsLost(BirddaskError):  # noqa: N818 - named for what is wrong
    """Mels that the clip table calls computed can't be read back: compute the block again."""


class ModelError(BirddaskError):
    """The model or its runtime can't be trusted: stop the run."""
