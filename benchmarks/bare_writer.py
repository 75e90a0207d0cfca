"""The least that can write: msgspec lines in, httpx bulk calls out, jobs followed; nothing checked or remembered."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import msgspec

url, api_key, secret_key, list_id, in_flight, batch_rows = sys.argv[1:]
client = httpx.Client(base_url=url, auth=(api_key, secret_key), timeout=60)
path = f"/v3/REST/contactslist/{list_id}/managemanycontacts"
decode = msgspec.json.Decoder().decode


def deliver(contacts: list[dict]) -> None:
    """Post a batch and follow its job."""
    body = msgspec.json.encode({"Action": "addnoforce", "Contacts": contacts})
    job = client.post(path, content=body).json()["Data"][0]["JobID"]
    while client.get(f"{path}/{job}").json()["Data"][0]["Status"] != "Completed":
        time.sleep(0.1)


with ThreadPoolExecutor(int(in_flight)) as pool:
    batch: list[dict] = []
    for line in sys.stdin.buffer:
        message = decode(line)
        if message["type"] != "RECORD":
            continue
        record = message["record"]
        properties = {name: record[name] for name in ("city", "visits", "score")}
        batch.append({"Email": record["email"], "Name": record["name"], "Properties": properties})
        if len(batch) == int(batch_rows):
            pool.submit(deliver, batch)
            batch = []
    if batch:
        pool.submit(deliver, batch)
