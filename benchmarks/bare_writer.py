"""The least that can write: msgspec lines in, httpx bulk calls out, jobs followed; nothing checked or remembered.

Batches of 5,000, four connections, up to twenty jobs at a time, each looked at after 0.1 s and then every 0.1 s.
"""

from __future__ import annotations

import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import msgspec

CONNECTIONS, JOBS, BATCH_ROWS, INTERVAL = 4, 20, 5000, 0.1

url, api_key, secret_key, list_id = sys.argv[1:]
path = f"/v3/REST/contactslist/{list_id}/managemanycontacts"
decode = msgspec.json.Decoder().decode
#: One client and so one connection for each thread that calls: httpx may close one that several threads wait for.
own = threading.local()


def connect() -> None:
    """Make the client of a thread that calls."""
    own.client = httpx.Client(base_url=url, auth=(api_key, secret_key), timeout=60)


def call(method: str, path: str, body: bytes | None = None) -> dict:
    """The first object of an answer."""
    return own.client.request(method, path, content=body).json()["Data"][0]


def deliver(contacts: list[dict]) -> None:
    """Post a batch and follow its job."""
    body = msgspec.json.encode({"Action": "addnoforce", "Contacts": contacts})
    job = calls.submit(call, "POST", path, body).result()["JobID"]
    time.sleep(INTERVAL)
    while calls.submit(call, "GET", f"{path}/{job}").result()["Status"] != "Completed":
        time.sleep(INTERVAL)


with ThreadPoolExecutor(CONNECTIONS, initializer=connect) as calls, ThreadPoolExecutor(JOBS) as pool:
    jobs: list[Future[None]] = []
    batch: list[dict] = []
    for line in sys.stdin.buffer:
        message = decode(line)
        if message["type"] != "RECORD":
            continue
        record = message["record"]
        properties = {name: record[name] for name in ("city", "visits", "score")}
        batch.append({"Email": record["email"], "Name": record["name"], "Properties": properties})
        if len(batch) == BATCH_ROWS:
            jobs.append(pool.submit(deliver, batch))
            batch = []
    if batch:
        jobs.append(pool.submit(deliver, batch))
    for job in jobs:
        job.result()
