"""A stand-in for Mailjet that costs almost nothing: bulk jobs that take their time side by side, and counts of calls.

python benchmarks/light_mailjet.py       listens on a free port, and prints its URL

It judges no contact and remembers none; the sandbox does. `POST /reset` takes its switches, `GET /counts` tells what
came since.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from typing import Any, cast

import msgspec

LIST = 7
PROPERTIES = {"city": "str", "visits": "int", "score": "float"}


class Switches(msgspec.Struct, frozen=True):
    """How it behaves.

    Attributes:
        job_seconds: that every job takes, from its submission on.
        late: seconds by which every answer is late.
    """

    job_seconds: float = 0.25
    late: float = 0.0


class Counts(msgspec.Struct):
    """What came since the last reset.

    Attributes:
        calls: by what they are for.
        rows: contacts in all jobs.
        at_once: jobs that ran at the same time, at most.
        submitted_within: seconds from the first call to the last submission.
    """

    calls: dict[str, int] = msgspec.field(default_factory=dict)
    rows: int = 0
    at_once: int = 0
    submitted_within: float = 0.0


class Job(msgspec.Struct, frozen=True):
    """A bulk job; its times are Unix seconds."""

    id: int
    method: str
    rows: int
    requested: float
    ends: float

    def status(self) -> str:
        return "Completed" if time.time() >= self.ends else "In Progress"


class Mailjet:
    """One account with one list."""

    def __init__(self) -> None:
        self._routes: tuple[tuple[str, re.Pattern[str], Callable[..., Any]], ...] = (
            ("jobs", re.compile(r"POST /v3/REST/contactslist/\d+/managemanycontacts"), self._submit),
            ("looks", re.compile(r"GET /v3/REST/contactslist/\d+/managemanycontacts/(\d+)"), self._job),
            ("listings", re.compile(r"GET /v3/REST/batchjob"), self._jobs),
            ("files", re.compile(r"POST /v3/DATA/contactslist/\d+/CSVData/text:plain"), self._upload),
            ("jobs", re.compile(r"POST /v3/REST/csvimport"), self._import),
            ("looks", re.compile(r"GET /v3/REST/csvimport/(\d+)"), self._csv_job),
            ("memberships", re.compile(r"GET /v3/REST/contact/[^/]+/getcontactslists"), self._memberships),
            ("others", re.compile(r"GET /v3/REST/contactslist/\d+"), self._list),
            ("others", re.compile(r"GET /v3/REST/contactmetadata"), self._properties),
            ("", re.compile(r"POST /reset"), self.reset),
            ("", re.compile(r"GET /counts"), self._counts),
        )
        self.reset(b"{}")

    def reset(self, body: bytes) -> Any:
        self.switches = msgspec.json.decode(body, type=Switches)
        self.counts = Counts()
        self._first = 0.0
        self._all: list[Job] = []
        self._files: list[int] = []
        return {}

    def answer(self, call: str, body: bytes) -> tuple[int, bytes, float]:
        """Status, content, and seconds to wait before these are sent."""
        path, _, _ = call.partition("?")
        for kind, pattern, respond in self._routes:
            if (found := pattern.fullmatch(path)) is None:
                continue
            if kind:
                self.counts.calls[kind] = self.counts.calls.get(kind, 0) + 1
                self._first = self._first or time.time()
            content = respond(body, *found.groups())
            if isinstance(content, list):
                offset = re.search(r"[?&]Offset=(\d+)", call)
                content = content[int(offset[1]) if offset else 0 :]
                content = {"Count": len(content), "Data": content, "Total": len(content)}
            status = 201 if path.startswith("POST") and kind else 200
            return status, msgspec.json.encode(content), self.switches.late if kind else 0.0
        return 404, b'{"ErrorMessage":"Object not found","StatusCode":404}', 0.0

    # Its routes

    def _begin(self, method: str, rows: int) -> int:
        now = time.time()
        job = Job(len(self._all) + 1, method, rows, now, now + self.switches.job_seconds)
        self._all.append(job)
        self.counts.rows += rows
        running = 0
        for one in reversed(self._all):  # they take the same time, so they end in order
            if one.ends <= now:
                break
            running += 1
        self.counts.at_once = max(self.counts.at_once, running)
        self.counts.submitted_within = now - self._first
        return job.id

    def _submit(self, body: bytes) -> Any:
        method = cast("re.Match[bytes]", re.search(rb'"Action": ?"([a-z]+)"', body))[1].decode()
        return [{"JobID": self._begin(method, body.count(b'"Email"'))}]

    def _job(self, _: bytes, number: str) -> Any:
        job = self._all[int(number) - 1]
        status = job.status()
        count = job.rows if status == "Completed" else 0
        return [{"Count": count, "Error": "", "ErrorFile": "", "JobStart": "", "JobEnd": "", "Status": status}]

    def _jobs(self, _: bytes) -> Any:
        return [self._shown(job) for job in self._all[:-101:-1]]

    @staticmethod
    def _shown(job: Job) -> dict[str, Any]:
        status = job.status()
        return {
            "AliveAt": int(job.requested),
            "Count": job.rows,
            "Current": job.rows if status == "Completed" else 0,
            "DataID": 0,
            "Errcount": 0,
            "ID": job.id,
            "JobEnd": int(job.ends) if status == "Completed" else 0,
            "JobStart": int(job.requested),
            "JobType": "Manage many contacts",
            "Method": job.method,
            "RefId": LIST,
            "RequestAt": int(job.requested),
            "Status": status,
        }

    def _upload(self, body: bytes) -> Any:
        self._files.append(body.count(b"\n") - 1)
        return {"ID": len(self._files)}

    def _import(self, body: bytes) -> Any:
        given = msgspec.json.decode(body)
        return [{"ID": self._begin(given["Method"], self._files[given["DataID"] - 1])}]

    def _csv_job(self, _: bytes, number: str) -> Any:
        job = self._all[int(number) - 1]
        return [{"ID": job.id, "Count": job.rows, "Errcount": 0, "Status": job.status()}]

    def _memberships(self, _: bytes) -> Any:
        return [{"ListID": LIST, "IsActive": True, "IsUnsub": False, "SubscribedAt": ""}]

    def _list(self, _: bytes) -> Any:
        return [{"ID": LIST, "Name": "People", "IsDeleted": False, "Address": "people", "SubscriberCount": 0}]

    def _properties(self, _: bytes) -> Any:
        kinds = enumerate(PROPERTIES.items(), 1)
        return [{"ID": at, "Name": name, "Datatype": kind, "NameSpace": "static"} for at, (name, kind) in kinds]

    def _counts(self, _: bytes) -> Any:
        return self.counts


class Connection(asyncio.Protocol):
    """HTTP/1.1 with bodies of a known length, one call after the other."""

    def __init__(self, mailjet: Mailjet) -> None:
        self._mailjet = mailjet
        self._head = b""
        self._body: list[bytes] = []
        self._missing = -1
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._missing < 0:
            self._head += data
            head, end, rest = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            self._head, self._missing, data = head, int(length[1]) if length else 0, rest
        self._body.append(data)
        self._missing -= len(data)
        if self._missing == 0:
            call = self._head.partition(b" HTTP/")[0].decode()
            status, content, late = self._mailjet.answer(call, b"".join(self._body))
            self._head, self._body, self._missing = b"", [], -1
            opening = f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
            answer = opening.encode() + content
            if late:
                asyncio.get_running_loop().call_later(late, self._transport.write, answer)
            else:
                self._transport.write(answer)


async def main() -> None:
    mailjet = Mailjet()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(mailjet), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
