"""A server that answers by bytes of the test's choice, at the pace of the test's choice."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress


class RawServer:
    """Calls `talk` with each connection, once the head of a request has arrived.

    Attributes:
        url: where it is.
        heads: of the requests.
    """

    def __init__(self, talk):
        self.heads = []
        self.stopped = threading.Event()
        self._talk = talk
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._threads = []
        self._start(self._accept)

    def _start(self, run, *args):
        thread = threading.Thread(target=run, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._start(self._serve, connection)

    def _serve(self, connection):
        with connection, suppress(OSError):
            connection.settimeout(10)
            head = b""
            while b"\r\n\r\n" not in head:
                piece = connection.recv(65536)
                if not piece:
                    return
                head += piece
            self.heads.append(head)
            self._talk(self, connection)

    def close(self):
        self.stopped.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join()


@contextmanager
def raw_server(talk):
    server = RawServer(talk)
    try:
        yield server
    finally:
        server.close()


def saying(content):
    """Answers with these bytes."""

    def talk(_, connection):
        connection.sendall(content)

    return talk


def dripping(start, *, every=0.02):
    """Answers with these bytes, and then with one more byte at a time for as long as anybody reads."""

    def talk(server, connection):
        connection.sendall(start)
        while not server.stopped.wait(every):
            connection.sendall(b"0")

    return talk


def answer(body, *headers, status=b"200 OK"):
    lines = [b"HTTP/1.1 " + status, b"Connection: close", b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
