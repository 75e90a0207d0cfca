"""The least that can read Mailjet contacts: httpx and msgspec, pages side by side, rows out as they came.

Of two resources, such as `contact,contactdata`, it reads both and writes the rows of both.
"""

from __future__ import annotations

import sys
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import httpx
import msgspec


def main(base_url: str, api_key: str, secret_key: str, resources: str, in_flight: int) -> None:
    encoder = msgspec.json.Encoder()
    client = httpx.Client(base_url=base_url, auth=(api_key, secret_key), timeout=60)

    def page(offset: int) -> list[list[dict[str, Any]]]:
        query = {"Limit": 1000, "Offset": offset, "Sort": "ID"}
        found = []
        for resource in resources.split(","):
            answer = client.get(f"/v3/REST/{resource}", params=query).raise_for_status()
            found.append(msgspec.json.decode(answer.content)["Data"])
        return found

    with ThreadPoolExecutor(in_flight) as pool:
        offsets = count(0, 1000)
        pending = deque(pool.submit(page, next(offsets)) for _ in range(in_flight))
        while any(pages := pending.popleft().result()):
            pending.append(pool.submit(page, next(offsets)))
            for rows in pages:
                sys.stdout.buffer.write(encoder.encode_lines({"type": "RECORD", "record": row} for row in rows))
            if len(pages[0]) < 1000:
                break


if __name__ == "__main__":
    main(*sys.argv[1:5], int(sys.argv[5]))
