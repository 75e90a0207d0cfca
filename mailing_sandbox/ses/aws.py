"""moto, as the sandbox's S3 and STS. Import it late: it takes a second to load."""

from __future__ import annotations

from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

import msgspec
from moto.moto_server.werkzeug_app import create_backend_app
from moto.s3.models import FakeKey, s3_backends
from werkzeug.test import run_wsgi_app

from mailing_sandbox.ses.bucket_policy import is_conditional_denial, listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailing_sandbox.provider import Call

HOST = "localhost"
"""moto takes the bucket from the path, not from the host, at this name."""


class Answer(NamedTuple):
    """What moto answered. Names of headers are lower-case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Moto:
    """moto in this process, without a socket. Its data is the process's; each `account` sees its own."""

    def __init__(self, account: str) -> None:
        self._account = account
        self._apps = {service: create_backend_app(service) for service in ("s3", "sts")}

    def send(self, service: str, call: Call) -> Answer:
        """Do one request, by its raw path and query."""
        path, query = call.raw_path, call.raw_query
        environ: dict[str, Any] = {
            "REQUEST_METHOD": call.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(path).encode().decode("latin-1"),
            "RAW_URI": f"{path}?{query}" if query else path,
            "REQUEST_URI": f"{path}?{query}" if query else path,
            "QUERY_STRING": query,
            "SERVER_NAME": HOST,
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "CONTENT_LENGTH": str(len(call.body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(call.body),
            "wsgi.errors": BytesIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in call.headers.items():
            key = name.upper().replace("-", "_")
            if key == "CONTENT_TYPE":
                environ[key] = value
            elif key not in ("CONTENT_LENGTH", "TRANSFER_ENCODING", "EXPECT", "CONNECTION"):
                environ[f"HTTP_{key}"] = value
        environ["HTTP_HOST"] = HOST
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = self._account
        with self._without_conditions(call):
            parts, status, found = run_wsgi_app(self._apps[service], environ, buffered=True)
        return Answer(int(status.split()[0]), {name.lower(): value for name, value in found}, b"".join(parts))

    @contextmanager
    def _without_conditions(self, call: Call) -> Iterator[None]:
        """Hide what a bucket's policy denies on conditions: moto would deny it whatever they say."""
        name = call.raw_path.lstrip("/").partition("/")[0]
        bucket = s3_backends[self._account]["aws"].buckets.get(name)
        if bucket is None or bucket.policy is None or "policy" in call.query:
            yield
            return
        policy = bucket.policy
        found = msgspec.json.decode(policy)
        statements = [each for each in listed(found.get("Statement", [])) if not is_conditional_denial(each)]
        bucket.policy = msgspec.json.encode(found | {"Statement": statements})
        try:
            yield
        finally:
            bucket.policy = policy

    def clear(self) -> None:
        """Forget the account's buckets and objects. moto's own reset would take those of all accounts."""
        backend = s3_backends[self._account]["aws"]
        for name, bucket in list(backend.buckets.items()):
            for key in list(bucket.keys):
                for version in bucket.keys.getlist(key):
                    if isinstance(version, FakeKey):  # or it marks a deletion
                        version.dispose()
            del backend.buckets[name]
            s3_backends.bucket_accounts.pop(name, None)
