"""What a running verb tells whoever watches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Begun:
    """Work of a known size begins.

    Attributes:
        activity: for example ``scan``.
        total: number of things to do, None where they are counted on the way.
        things: what they are, for example ``files``.
        dashboard: link to Dask's dashboard, None where it is not served.
        join: the command that adds a worker by hand, None where it would not pay.
    """

    activity: str
    total: int | None
    things: str
    dashboard: str | None
    join: str | None = None


@dataclass(frozen=True)
class Advanced:
    """More of it is done.

    Attributes:
        count: things done since the last event.
        audio_s: length of the clips in them, in seconds.
        quarantined: clips in them that could not be computed.
    """

    count: int
    audio_s: float = 0.0
    quarantined: int = 0


@dataclass(frozen=True)
class BlockFailed:
    """A block will not be done in this run."""

    block: int
    message: str


@dataclass(frozen=True)
class Crew:
    """The workers that there are, when their number has changed.

    Attributes:
        threads: of all workers; so many tasks run at a time.
    """

    workers: int
    threads: int


@dataclass(frozen=True)
class Stalled:
    """A task runs for much longer than tasks do; it is left running."""

    what: str
    worker: str
    running_s: float


Event = Begun | Advanced | BlockFailed | Crew | Stalled
Watch = Callable[[Event], None]


def unwatched(_event: Event) -> None:
    """Watch nothing."""
