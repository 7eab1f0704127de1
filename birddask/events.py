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
    """

    activity: str
    total: int | None
    things: str
    dashboard: str | None


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


Event = Begun | Advanced | BlockFailed
Watch = Callable[[Event], None]


def unwatched(_event: Event) -> None:
    """Watch nothing."""
