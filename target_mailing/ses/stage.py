"""The folder in a bucket for the objects of Amazon SES's import jobs."""

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
    """The folder in a bucket for the objects of import jobs.

    Attributes:
        prefix: of the objects' keys.
        keeps: objects stay when their job has ended.
    """

    bucket: Bucket
    prefix: str
    keeps: bool = False

    def new_key(self) -> str:
        """A new key."""
        return f"{self.prefix}{uuid4().hex}.jsonl"

    def url(self, key: str, bucket: str = "") -> str:
        """An object's URL in an import job."""
        return f"s3://{bucket or self.bucket.name}/{key}"

    def clear(self, key: str, bucket: str = "") -> None:
        """Delete an object, which holds contact data. A failure is only logged: it does not concern the rows."""
        try:
            with self._bucket_named(bucket) as holder:
                holder.delete(key)
        except MailingError as error:
            logger.warning(
                "An object in the bucket of `ses_s3_bucket` could not be deleted; it holds contact data. %s", error
            )

    def has(self, key: str, bucket: str = "") -> bool:
        """Whether an object exists; raises what `Bucket.has` raises."""
        with self._bucket_named(bucket) as holder:
            return holder.has(key)

    def _bucket_named(self, bucket: str) -> AbstractContextManager[Bucket]:
        """The bucket of this name, which may be that of an earlier run; "" for that of the settings."""
        own = bucket in {"", self.bucket.name}
        return nullcontext(self.bucket) if own else closing(self.bucket.sibling(bucket))
