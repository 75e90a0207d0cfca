"""Where the objects of Amazon SES's import jobs are."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from mailing_api.errors import MailingError

if TYPE_CHECKING:
    from mailing_api.aws.s3 import Bucket

__all__ = ["Stage"]

logger = logging.getLogger("target-mailing.ses")


@dataclass(frozen=True)
class Stage:
    """Where the objects of import jobs are.

    Attributes:
        prefix: of their keys.
        keeps: objects are left there when their job has ended.
    """

    bucket: Bucket
    prefix: str
    keeps: bool = False

    def new_key(self) -> str:
        """A key that no other object has."""
        return f"{self.prefix}{uuid4().hex}.jsonl"

    def url(self, key: str, bucket: str = "") -> str:
        """As a job names its object."""
        return f"s3://{bucket or self.bucket.name}/{key}"

    def clear(self, key: str, bucket: str = "") -> None:
        """Delete an object. It holds contact data, but failing to do so tells nothing about the rows."""
        try:
            with self._holding(bucket) as found:
                found.delete(key)
        except MailingError as error:
            logger.warning("An object in the bucket of `ses_s3_bucket` could not be deleted: %s", error)

    def has(self, key: str, bucket: str = "") -> bool:
        """Whether an object is there; errors as `Bucket.has`."""
        with self._holding(bucket) as found:
            return found.has(key)

    def _holding(self, bucket: str) -> AbstractContextManager[Bucket]:
        """The bucket of an object, which an earlier run may have put into another one; "" for that of the settings."""
        own = bucket in {"", self.bucket.name}
        return nullcontext(self.bucket) if own else closing(self.bucket.sibling(bucket))
