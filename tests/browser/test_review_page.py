"""The page of ``birddask review`` in a real browser, by keyboard alone; the server is killed in the middle."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from birddask.review.answers import read_answers
from birddask.safe_text import printable
from birddask.storage import Folder
from tests.support.browser import complaints, screen
from tests.support.reviewed import HOSTILE_LABELS, HOSTILE_RECORDINGS, copy_of, scored_archive, served

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

ARGUMENTS = ("--threshold", "0", "--per-band", "4", "--reviewer", "Ann")


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scored_archive(tmp_path_factory.mktemp("reviewed"))


@pytest.fixture
def job(scored: Path, tmp_path: Path) -> Path:
    return copy_of(scored, tmp_path)


def press(browser: Chrome, *keys: str) -> None:
    from selenium.webdriver import ActionChains  # noqa: PLC0415

    ActionChains(browser).send_keys(*keys).perform()


def text(browser: Chrome, element: str) -> str:
    found: str = browser.execute_script("return document.getElementById(arguments[0]).innerText", element)
    return found


def until(browser: Chrome, condition: Callable[[], Any]) -> None:
    from selenium.webdriver.support.wait import WebDriverWait  # noqa: PLC0415

    WebDriverWait(browser, 20, poll_frequency=0.05).until(lambda _: condition())


def opened(browser: Chrome, address: str, answered: int) -> None:
    """Open the page and wait until it shows so many answers."""
    screen(browser, 1280)
    # What the page of the test before still asked for is none of this test's complaints.
    browser.get("about:blank")
    complaints(browser)
    browser.get(address)
    until(browser, lambda: text(browser, "count").startswith(f"{answered} of "))


def answers(job: Path) -> list[tuple[str, str | None]]:
    """What the table holds, in the order in which it was given."""
    (model,) = (path.name.removeprefix("model=") for path in (job.parent / "out/probabilities").iterdir())
    return [(each.verdict, each.other) for each in read_answers(Folder(str(job.parent / "out")), model)]


def give(browser: Chrome, number: int, *keys: str) -> None:
    """Press keys, and wait until the page says that so many are answered."""
    press(browser, *keys)
    until(browser, lambda: text(browser, "count").startswith(f"{number} of "))


def test_a_review_by_keyboard_alone_with_the_server_killed_in_the_middle(browser: Chrome, job: Path) -> None:
    from selenium.webdriver.common.keys import Keys  # noqa: PLC0415

    with served(job, *ARGUMENTS) as page:
        opened(browser, page.address, 0)
        # The token does not stay in the address, where it would be seen and copied.
        assert browser.current_url == page.base
        give(browser, 1, "y")
        give(browser, 2, "n")
        give(browser, 3, "u")
        # Letters are letters while somebody writes, and nothing is kept before Enter.
        press(browser, "a", "yn tawny", Keys.ESCAPE)
        assert text(browser, "count").startswith("3 of ")
        press(browser, "a", "tawny")
        until(
            browser,
            lambda: (
                browser.execute_script("return [...document.querySelectorAll('#names option')].map(o => o.value)")
                == [HOSTILE_LABELS[0]]
            ),
        )
        give(browser, 4, " owl", Keys.ENTER)
        give(browser, 5, "A", '<b>"griffin",', Keys.ENTER)
        said: list[tuple[str, str | None]] = [
            ("yes", None),
            ("no", None),
            ("unsure", None),
            ("other", HOSTILE_LABELS[0]),
            ("other", '<b>"griffin",'),
        ]
        assert answers(job) == said
        # Back, and another opinion: the table keeps both, the page the later one.
        press(browser, Keys.ARROW_LEFT)
        pressed = "return document.querySelector('[aria-pressed=true]')?.dataset.verdict"
        until(browser, lambda: browser.execute_script(pressed) == "other")
        press(browser, "n")
        until(browser, lambda: text(browser, "status").endswith(": no"))
        assert answers(job) == [*said, ("no", None)]
        browser.refresh()
        until(browser, lambda: text(browser, "count").startswith("5 of "))

        page.process.send_signal(signal.SIGKILL)
        page.process.wait()
        press(browser, "y")
        until(browser, lambda: "Not kept: the server does not answer" in text(browser, "trouble"))
        assert text(browser, "count").startswith("5 of ")
    with served(job, *ARGUMENTS) as page:
        opened(browser, page.address, 5)
        give(browser, 6, "y")
    assert answers(job) == [*said, ("no", None), ("yes", None)]
    complaints(browser)


def test_to_the_end_and_back(browser: Chrome, job: Path) -> None:
    from selenium.webdriver.common.keys import Keys  # noqa: PLC0415

    with served(job, "--threshold", "0.9", "--per-band", "1") as page:
        opened(browser, page.address, 0)
        count = int(text(browser, "count").split()[2])
        for number in range(1, count + 1):
            give(browser, number, "y")
        until(browser, lambda: "All answered" in browser.page_source and text(browser, "end"))
        press(browser, Keys.ARROW_LEFT)
        until(browser, lambda: text(browser, "common"))
        assert complaints(browser) == []


def test_sounds_play_and_the_buttons_can_be_reached_with_tab(browser: Chrome, job: Path) -> None:
    from selenium.webdriver.common.keys import Keys  # noqa: PLC0415

    with served(job, *ARGUMENTS) as page:
        opened(browser, page.address, 0)
        sound = "const s = document.getElementById('sound'); return [s.duration, s.currentTime]"
        until(browser, lambda: browser.execute_script(sound)[0])
        assert browser.execute_script(sound)[0] == pytest.approx(1, abs=0.05)
        press(browser, " ")
        until(browser, lambda: browser.execute_script(sound)[1] > 0.2)
        press(browser, Keys.TAB, Keys.TAB, Keys.TAB)
        assert browser.execute_script("return document.activeElement.dataset.verdict") == "unsure"
        give(browser, 1, " ")
    assert answers(job) == [("unsure", None)]


@pytest.fixture
def shown(browser: Chrome, scored: Path) -> Iterator[Chrome]:
    with served(scored, *ARGUMENTS) as page:
        opened(browser, page.address, 0)
        yield browser


def test_names_that_break_things_are_text(shown: Chrome) -> None:
    from selenium.webdriver.common.keys import Keys  # noqa: PLC0415

    seen, where = set(), ""
    count = int(text(shown, "count").split()[2])
    for _ in range(count):
        seen.add(text(shown, "common"))
        where += text(shown, "where")
        press(shown, Keys.ARROW_RIGHT)
    assert {printable(label.rpartition("_")[2]) for label in HOSTILE_LABELS} == seen
    assert all(printable(name) in where for name in HOSTILE_RECORDINGS)
    assert shown.title == "birddask review"
    assert complaints(shown) == []


@pytest.mark.parametrize("width", [1280, 800, 360])
def test_it_fits_on_any_screen(shown: Chrome, width: int) -> None:
    screen(shown, width, dark=width == 800)
    needed, there = shown.execute_script("const e = document.documentElement; return [e.scrollWidth, e.clientWidth]")
    assert needed <= there <= width
    pictures = "return [...document.querySelectorAll('#panels img')].map(i => [i.naturalWidth, i.naturalHeight])"
    until(shown, lambda: shown.execute_script(pictures) == [[63, 16]])


def test_scores_are_not_told(shown: Chrome) -> None:
    state = shown.execute_async_script("fetch('state').then(reply => reply.text()).then(arguments[0])")
    assert "probability" not in state
    assert "band" not in state
