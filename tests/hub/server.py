"""A Hub on loopback: the part of its protocol that downloads use, with faults to order and counters.

Served: the file list of a revision (`/api/models/…`), `resolve` with HEAD and GET, ranges, and large files
through a redirect to another host, as the real Hub does (127.0.0.1 is the Hub, localhost its store).
"""

import hashlib
import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

LARGE = (".safetensors", ".bin", "tokenizer.json")  # what the Hub keeps in LFS


@dataclass
class Fault:
    """What goes wrong with a file, the next `times` times it is asked for.

    Attributes:
        status: answer this instead; `code` is the Hub's own word for it.
        cut_after: close the connection after so many bytes of the body.
        silent: send no byte of the body until `released`.
        slow: wait for `released` after each piece of so many bytes.
        bytes_instead: serve this content, as if it were the file.
    """

    times: int = 1_000_000
    status: int = 0
    code: str = ""
    cut_after: int = -1
    silent: bool = False
    slow: int = 0
    bytes_instead: bytes | None = None
    no_ranges: bool = False
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Repository:
    """Files by name, at one commit; `branches` are other names for it."""

    files: dict[str, bytes]
    commit: str
    branches: tuple[str, ...] = ("main",)
    card: dict[str, str] = field(default_factory=dict)


class FakeHub:
    """The server's state: what it has, what goes wrong, what it was asked for."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.faults: dict[str, Fault] = {}  # by repository/file; "list" is the file list
        self.pages: dict[str, bytes] = {}  # answers of our own, by path
        self.requests: list[tuple[str, str, str]] = []  # method, path, range
        self.served: Counter[str] = Counter()  # bytes of bodies, by repository/file
        self.tokens: set[tuple[str, str]] = set()  # host and Authorization header
        self.connections = 0
        self.slow_down = threading.Event()  # set when a slow file has sent its first piece
        self.released = threading.Event()
        self.url = ""
        self.store = ""

    def fault(self, name: str) -> Fault | None:
        """The fault that strikes this time."""
        fault = self.faults.get(name)
        if fault is None or fault.times <= 0:
            return None
        fault.times -= 1
        return fault

    def names(self) -> set[str]:
        """Files that were asked for."""
        return {path.rpartition("/")[2] for _, path, _ in self.requests if "/resolve/" in path}


@cache
def digest(name: str, content: bytes) -> str:
    """SHA-256 of a large file, git's name of a small one."""
    if name.endswith(LARGE):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@contextmanager
def running() -> Iterator[FakeHub]:
    """A Hub that serves until the end of the block."""
    hub = FakeHub()
    server = _Server(("127.0.0.1", 0), _Handler)
    server.hub = hub
    port = server.server_address[1]
    hub.url, hub.store = f"http://127.0.0.1:{port}", f"http://localhost:{port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    hub: FakeHub
    daemon_threads = True

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        connection, address = super().get_request()
        # small buffers: what is counted as served has really left
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * 1024)
        self.hub.connections += 1
        return connection, address

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else every small answer waits 40 ms
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""

    def do_HEAD(self) -> None:
        self._serve(body=False)

    def do_GET(self) -> None:
        self._serve(body=True)

    def _serve(self, body: bool) -> None:
        hub, path = self.server.hub, unquote(urlsplit(self.path).path)
        hub.requests.append((self.command, path, self.headers.get("Range", "")))
        if token := self.headers.get("Authorization"):
            hub.tokens.add((self.headers["Host"].partition(":")[0], token))
        if path in hub.pages:
            return self._answer(200, hub.pages[path])
        if path == "/":
            return self._answer(200, b"the Hub")
        if path.startswith("/api/models/"):
            return self._list(path.removeprefix("/api/models/"))
        repository, _, rest = path.strip("/").partition("/resolve/")
        stored = repository.startswith("store/")
        repository = repository.removeprefix("store/")
        revision, _, name = rest.partition("/")
        known = hub.repositories.get(repository)
        if known is None:
            return self._refuse(401, "")
        if revision not in (known.commit, *known.branches):
            return self._refuse(404, "RevisionNotFound")
        if name not in known.files:
            return self._refuse(404, "EntryNotFound")
        self._file(known, repository, name, body, stored)
        return None

    def _list(self, rest: str) -> None:
        repository, _, revision = rest.partition("/revision/")
        known = self.server.hub.repositories.get(repository)
        fault = self.server.hub.fault("list")
        if fault is not None:
            return self._refuse(fault.status, fault.code, fault.headers)
        if known is None:
            return self._refuse(404, "RepoNotFound")
        if revision not in (known.commit, *known.branches):
            return self._refuse(404, "RevisionNotFound")
        siblings = []
        for name, content in known.files.items():
            entry = {"rfilename": name, "size": len(content), "blobId": "0" * 40}
            if name.endswith(LARGE):
                entry["lfs"] = {"sha256": digest(name, content), "size": len(content)}
            else:
                entry["blobId"] = digest(name, content)
            siblings.append(entry)
        told = {"id": repository, "sha": known.commit, "cardData": known.card, "siblings": siblings}
        return self._answer(200, json.dumps(told).encode())

    def _file(self, known: Repository, repository: str, name: str, body: bool, stored: bool) -> None:
        content, hub = known.files[name], self.server.hub
        large = name.endswith(LARGE)
        told = {"X-Repo-Commit": known.commit, "ETag": f'"{digest(name, content)}"'}
        if large and not stored:
            told |= {"X-Linked-Etag": told["ETag"], "X-Linked-Size": str(len(content))}
            told["Location"] = f"{hub.store}/store/{repository}/resolve/{known.commit}/{name}"
            return self._answer(302, b"", told)
        fault = hub.fault(f"{repository}/{name}") if body else None
        if fault is not None and fault.status:
            return self._refuse(fault.status, fault.code, fault.headers)
        if fault is not None and fault.bytes_instead is not None:
            content = fault.bytes_instead
        wanted = self.headers.get("Range", "") if not (fault and fault.no_ranges) else ""
        status = 200
        if wanted:
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            begin, end = int(first), min(int(last or len(content) - 1), len(content) - 1)
            if begin >= len(content):
                return self._refuse(416, "")
            told["Content-Range"] = f"bytes {begin}-{end}/{len(content)}"
            status, content = 206, content[begin : end + 1]
        return self._answer(status, content, told, f"{repository}/{name}", fault)

    def _refuse(self, status: int, code: str, more: dict[str, str] | None = None) -> None:
        self._answer(status, b"", ({"X-Error-Code": code} if code else {}) | (more or {}))

    def _answer(
        self,
        status: int,
        content: bytes,
        headers: dict[str, str] | None = None,
        name: str = "",
        fault: Fault | None = None,
    ) -> None:
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "HEAD":
            return
        hub, sent = self.server.hub, 0
        limit = fault.cut_after if fault and fault.cut_after >= 0 else len(content)
        piece = fault.slow if fault and fault.slow else 32 * 1024
        if fault and fault.silent:
            hub.released.wait(30)
        while sent < min(limit, len(content)):
            part = content[sent : min(sent + piece, limit)]
            self.wfile.write(part)
            sent += len(part)
            hub.served[name] += len(part)
            if fault and fault.slow:
                hub.slow_down.set()
                hub.released.wait(30)
        if sent < len(content):
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
