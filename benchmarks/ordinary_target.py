"""A Mailjet target as one would write it from the SDK's template: BatchSink, requests, 1000 contacts a call.

It validates as the SDK does by default, and stops at "accepted": no job is followed.
"""

from __future__ import annotations

import requests
from singer_sdk import Target
from singer_sdk import typing as th
from singer_sdk.sinks import BatchSink


class ContactSink(BatchSink):
    """Sends each batch to one list."""

    MAX_SIZE_DEFAULT = 1000

    def process_batch(self, context: dict) -> None:
        """Post a batch."""
        contacts = [
            {
                "Email": record["email"],
                "Name": record["name"],
                "Properties": {name: record[name] for name in ("city", "visits", "score")},
            }
            for record in context["records"]
        ]
        response = requests.post(
            f"{self.config['base_url']}/v3/REST/contactslist/{self.config['list']}/managemanycontacts",
            json={"Action": "addnoforce", "Contacts": contacts},
            auth=(self.config["api_key"], self.config["secret_key"]),
            timeout=60,
        )
        response.raise_for_status()


class OrdinaryTarget(Target):
    """An ordinary target."""

    name = "target-ordinary"
    default_sink_class = ContactSink
    config_jsonschema = th.PropertiesList(
        th.Property("base_url", th.StringType, required=True),
        th.Property("api_key", th.StringType, required=True),
        th.Property("secret_key", th.StringType, required=True),
        th.Property("list", th.IntegerType, required=True),
    ).to_dict()


if __name__ == "__main__":
    OrdinaryTarget.cli()
