"""The least that can write: msgspec lines in, httpx bulk calls out, jobs followed; nothing checked or remembered.

Batches of 5,000, four connections, up to twenty jobs at a time, each looked at after 0.1 s and then every 0.1 s.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import msgspec

CONNECTIONS, JOBS, BATCH_ROWS, INTERVAL = 4, 20, 5000, 0.1

url, api_key, secret_key, list_id = sys.argv[1:]
# None expires: another thread could be about to use it.
limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS, keepalive_expiry=None)
client = httpx.Client(base_url=url, auth=(api_key, secret_key), timeout=60, limits=limits)
path = f"/v3/REST/contactslist/{list_id}/managemanycontacts"
decode = msgspec.json.Decoder().decode


def deliver(contacts: list[dict]) -> None:
    """Post a batch and follow its job."""
    body = msgspec.json.encode({"Action": "addnoforce", "Contacts": contacts})
    job = client.post(path, content=body).json()["Data"][0]["JobID"]
    time.sleep(INTERVAL)
    while client.get(f"{path}/{job}").json()["Data"][0]["Status"] != "Completed":
        time.sleep(INTERVAL)


with ThreadPoolExecutor(JOBS) as pool:
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
