"""What whoever starts a verb holds in hand: the cluster, the progress, the brake."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from distributed import Client

from birddask.engine.events import Crew, Watch, unwatched
from birddask.errors import BirddaskError

Connect = Callable[[], Client]
"""Gives the client of the cluster that a verb runs on; starts it where need be."""


def never() -> bool:
    """Nobody asks to stop."""
    return False


@dataclass(frozen=True)
class Control:
    """How a verb runs.

    Attributes:
        connect: gives the cluster.
        watch: is told of the progress.
        stopping: whether somebody asked to stop; running tasks then end, and no more are started.
    """

    connect: Connect
    watch: Watch = unwatched
    stopping: Callable[[], bool] = never


@contextlib.contextmanager
def asking() -> Iterator[None]:
    """Whatever is asked of the scheduler meanwhile.

    Raises:
        BirddaskError: it does not answer.
    """
    try:
        yield
    except OSError as error:
        raise gone(error) from error


def gone(error: Exception) -> BirddaskError:
    """What is said when there is no scheduler any more."""
    return BirddaskError(f"the cluster is gone; start the same command again to go on: {error}")


def crew_of(client: Client) -> Crew:
    """The workers that there are at the moment.

    Raises:
        BirddaskError: the scheduler does not answer.
    """
    with asking():
        threads = client.nthreads()
    return Crew(len(threads), sum(threads.values()))


def threads_per_worker(client: Client) -> int:
    """How many tasks one worker process runs at a time, the least of all workers."""
    return int(min(client.nthreads().values(), default=1))


def dashboard_link(client: Client) -> str | None:
    """Where Dask's dashboard is served; None without the package ``bokeh``, which draws it."""
    return client.dashboard_link if importlib.util.find_spec("bokeh") else None
