"""The server of the review page: who gets in, what it answers, and what survives its death."""

from __future__ import annotations

import contextlib
import csv
import http.client
import io
import itertools
import json
import signal
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import soundfile
from PIL import Image

from birddask.review.answers import read_answers
from birddask.safe_text import printable
from birddask.storage import Folder
from tests.support.program import birddask, birddask_here, start
from tests.support.reviewed import (
    HOSTILE_LABELS,
    HOSTILE_RECORDINGS,
    Served,
    copy_of,
    opener_with_cookie,
    scored_archive,
    served,
)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scored_archive(tmp_path_factory.mktemp("reviewed"))


@pytest.fixture(scope="module")
def page(job: Path) -> Iterator[Served]:
    with served(job, "--threshold", "0", "--per-band", "3", "--reviewer", "Ann <b>\U0001f426") as page:
        yield page


def asked(page: Served, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> tuple[int, bytes]:
    """One request, with exactly these headers."""
    place = urlsplit(page.base)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=30)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in {**headers, "Content-Length": str(len(body))}.items():
        connection.putheader(name, value)
    connection.endheaders(body)
    reply = connection.getresponse()
    content = reply.read()
    connection.close()
    return reply.status, content


def state(page: Served) -> dict[str, Any]:
    with opener_with_cookie(page).open(f"{page.base}state") as reply:
        found: dict[str, Any] = json.load(reply)
    return found


def say(page: Served, number: int, **said: object) -> tuple[int, bytes]:
    token = page.address.partition("token=")[2]
    place = urlsplit(page.base)
    headers = {
        "Host": place.netloc,
        "Origin": f"http://{place.netloc}",
        "Cookie": f"birddask_review_{place.port}={token}",
    }
    return asked(page, "POST", f"/items/{number}/answer", headers, json.dumps(said).encode())


@pytest.mark.parametrize("path", ["/", "/state", "/labels", "/review.js", "/items/0/picture/0", "/items/0/sound"])
def test_only_who_has_the_token_gets_in_and_only_by_the_name_of_this_machine(path: str, page: Served) -> None:
    token = page.address.partition("token=")[2]
    place = urlsplit(page.base)
    cookie = {"Cookie": f"birddask_review_{place.port}={token}"}
    ours, here = {"Host": place.netloc}, {"Host": f"localhost:{place.port}"}
    assert asked(page, "GET", path, {**ours, **cookie})[0] == 200
    assert asked(page, "GET", path, {**here, **cookie})[0] == 200
    for refused in (
        ours,
        {**ours, "Cookie": f"birddask_review_{place.port}={token[:-1]}"},
        {**ours, "Cookie": f"birddask_review_{place.port}="},
        {**cookie, "Host": f"evil.example:{place.port}"},
        {**cookie, "Host": f"127.0.0.1.evil.example:{place.port}"},
        {**cookie, "Host": f"[::ffff:127.0.0.1]:{place.port}"},
    ):
        status, content = asked(page, "GET", path, refused)
        assert status == 403
        assert token.encode() not in content


@pytest.mark.parametrize("origin", [None, "null", "http://evil.example", "http://127.0.0.1:1", "https://{}"])
def test_only_the_page_itself_can_answer(origin: str | None, page: Served) -> None:
    place = urlsplit(page.base)
    headers = {
        "Host": place.netloc,
        "Cookie": f"birddask_review_{place.port}={page.address.partition('token=')[2]}",
        **({} if origin is None else {"Origin": origin.format(place.netloc)}),
    }
    body = b'{"verdict": "yes"}'
    assert asked(page, "POST", "/items/0/answer", headers, body)[0] == 403
    assert asked(page, "GET", "/items/0/answer?verdict=yes", headers)[0] == 405
    assert all(item["verdict"] is None for item in state(page)["items"])


def test_pages_take_nothing_from_elsewhere(page: Served) -> None:
    with opener_with_cookie(page).open(page.base) as reply:
        content, headers = reply.read().decode(), reply.headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert (policy["default-src"], policy["script-src"], policy["frame-ancestors"]) == ("'none'", "'self'", "'none'")
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert "http" not in content


@pytest.mark.parametrize(
    ("number", "said", "status"),
    [
        (0, {"verdict": "maybe"}, 400),
        (0, {}, 400),
        (0, {"verdict": "other"}, 400),
        (0, {"verdict": "other", "other": "  "}, 400),
        (0, {"verdict": "other", "other": "x" * 301}, 400),
        (0, {"verdict": "other", "other": ["owl"]}, 400),
        (0, {"verdict": "yes", "other": "owl"}, 400),
        (0, {"verdict": ["yes"]}, 400),
        (999, {"verdict": "yes"}, 404),
        (10**10, {"verdict": "yes"}, 404),
    ],
)
def test_what_is_no_answer(number: int, said: dict[str, object], status: int, page: Served) -> None:
    assert say(page, number, **said)[0] == status
    assert all(item["verdict"] is None for item in state(page)["items"])


def test_pictures_and_sounds_of_names_that_break_things(page: Served) -> None:
    found = state(page)
    assert found["reviewer"] == "Ann <b>\U0001f426"
    assert {item["recording"] for item in found["items"]} == {printable(name) for name in HOSTILE_RECORDINGS}
    opener = opener_with_cookie(page)
    with opener.open(f"{page.base}labels") as reply:
        assert json.load(reply)["labels"] == list(HOSTILE_LABELS)
    for number in {item["recording"]: number for number, item in enumerate(found["items"])}.values():
        with opener.open(f"{page.base}items/{number}/picture/0") as reply:
            assert Image.open(io.BytesIO(reply.read())).size[1] == 16
        with opener.open(f"{page.base}items/{number}/sound") as reply:
            sound, rate_hz = soundfile.read(io.BytesIO(reply.read()))
        assert len(sound) == pytest.approx(rate_hz, abs=rate_hz / 20)
    with pytest.raises(urllib.error.HTTPError) as refused:
        opener.open(f"{page.base}items/0/picture/1")
    assert refused.value.code == 404
    refused.value.close()


def test_a_sound_that_is_not_there_is_said(page: Served, job: Path) -> None:
    archive = job.parent / "archive"
    archive.rename(job.parent / "unplugged")
    try:
        with pytest.raises(urllib.error.HTTPError) as refused:
            opener_with_cookie(page).open(f"{page.base}items/0/sound")
        assert refused.value.code == 503
        with refused.value as reply:
            assert "archive" in reply.read().decode()
    finally:
        (job.parent / "unplugged").rename(archive)


def test_no_answer_is_lost_when_the_server_is_killed(job: Path, tmp_path: Path) -> None:
    job = copy_of(job, tmp_path)
    said: dict[int, tuple[str, str | None]] = {}
    verdicts = itertools.cycle(
        [("other", "tawny owl"), ("other", "'=x,\n"), ("yes", None), ("no", None), ("unsure", None)]
    )
    numbers = itertools.count()

    def give(page: Served) -> None:
        number, (verdict, other) = next(numbers), next(verdicts)
        with contextlib.suppress(OSError, http.client.HTTPException):
            status, reply = say(page, number, **({"verdict": verdict} | ({"other": other} if other else {})))
            assert status == 200
            said[number] = verdict, json.loads(reply)["other"]

    for _ in range(3):
        with served(job, "--threshold", "0", "--per-band", "4") as page:
            items = state(page)["items"]
            assert {number: (items[number]["verdict"], items[number]["other"]) for number in said} == said
            for _ in range(4):
                give(page)
            # Killed while it takes one more: that answer may be there or not, unless somebody was told.
            last = threading.Thread(target=give, args=(page,))
            last.start()
            page.process.send_signal(signal.SIGKILL)
            last.join()
    with served(job, "--threshold", "0", "--per-band", "4") as page:
        items = state(page)["items"]
    assert len(said) >= 12
    assert {number: (items[number]["verdict"], items[number]["other"]) for number in said} == said
    assert {other for _, other in said.values()} == {None, "Strix aluco_Tawny Owl", "'=x,"}


def test_answers_become_thresholds_that_detections_take(job: Path, tmp_path: Path) -> None:
    job = copy_of(job, tmp_path)
    with served(job, "--threshold", "0", "--per-band", "30") as page:
        items = state(page)["items"]
        (results,) = [path.name.removeprefix("model=") for path in (tmp_path / "out/probabilities").iterdir()]
        for number in range(len(items)):
            # The page does not tell scores: every other one is right, and detections below say what came of it.
            assert say(page, number, verdict="yes" if number % 2 else "no")[0] == 200
    rows = read_answers(Folder(str(tmp_path / "out")), results)
    assert len(rows) == len(items)
    done = birddask_here("calibrate", job, "--probability", "0.4", "--output", tmp_path / "thresholds.csv")
    assert done.returncode == 0, done.stderr
    assert "precision 0." in done.stdout
    table = list(csv.DictReader(io.StringIO((tmp_path / "thresholds.csv").read_text(), newline="")))
    about = json.loads((tmp_path / "thresholds.csv.about.json").read_text())
    assert [each["label"] for each in about["labels"]] == sorted(HOSTILE_LABELS)
    given = {each["label"]: each["threshold"]["score"] for each in about["labels"] if each["threshold"]}
    assert len(table) == len(given) > 0
    done = birddask_here(
        "detections", job, "--thresholds", tmp_path / "thresholds.csv", "--output", tmp_path / "heard.csv"
    )
    assert done.returncode == 0, done.stderr
    assert "no label answers" not in done.stdout
    heard = list(csv.DictReader(io.StringIO((tmp_path / "heard.csv").read_text(), newline="")))
    assert {row["label"] for row in heard} == {row["label"] for row in table}


def test_a_user_s_mistakes(job: Path, tmp_path: Path) -> None:
    with served(job) as page:
        port = str(urlsplit(page.base).port)
        taken = birddask("review", job, "--port", port)
        assert taken.returncode == 2
        assert f"port {port} of this machine can't be used" in taken.stderr
    done = birddask_here("calibrate", copy_of(job, tmp_path))
    assert done.returncode == 2
    assert "nobody has reviewed" in done.stderr


def test_interrupted_from_the_keyboard_it_says_what_was_done(job: Path) -> None:
    process = start("review", job, "--threshold", "0.9")
    assert process.stdout is not None
    while "^C stops" not in process.stdout.readline():
        pass
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "stopped; 0 answers in this session" in out
    assert err == ""
