from __future__ import annotations

import os
import signal
import threading

import pytest

from birddask.commands.brake import brake


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_once_it_is_known_asked_twice_it_interrupts(number: int, capfd: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(number)
    with brake() as stopping:
        assert not stopping()
        os.kill(os.getpid(), number)
        assert stopping()
        assert "^C again stops at once" in capfd.readouterr().err
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) == before


def test_a_gentle_and_a_hard_signal_may_differ(capfd: pytest.CaptureFixture[str]) -> None:
    with brake() as stopping:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stopping()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_in_another_thread_nobody_can_ask() -> None:
    answers: list[bool] = []

    def work() -> None:
        with brake() as stopping:
            answers.append(stopping())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert answers == [False]
