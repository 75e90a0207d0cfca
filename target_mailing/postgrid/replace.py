"""How a run that replaces a PostGrid list ends: imports of earlier runs are taken off it, ten at a time, and deleted.

What is left to do can be read from PostGrid at any time: the imports that are for this list, and not of this run.
"""

from __future__ import annotations

from dataclasses import dataclass

from mailing_api.errors import ProviderFault
from mailing_api.postgrid.client import PostgridClient
from target_mailing.destination import Again, Done, Finished, Progress, Step, Work
from target_mailing.postgrid.import_list import ImportList
from target_mailing.postgrid.import_route import LIST, MAX_IMPORTS, RUN, SubmitImports
from target_mailing.postgrid.list_job import Follow

__all__ = ["Collect", "DeleteOld", "FollowOldImports", "SubmitOldImports"]


@dataclass(frozen=True)
class Collect(Step):
    """Finds old imports; when there are none left, the list is replaced."""

    client: PostgridClient
    mailing_list: ImportList
    run_name: str
    name = "collect"

    def run(self, work: Work) -> Progress:
        """Read the imports."""
        found = self.client.imports_with(LIST, self.mailing_list.id)
        self.mailing_list.check_mark()  # after that, or another run's might be among them
        old = sorted(number for number, metadata in found.items() if metadata.get(RUN) != self.run_name)
        if not old:
            self.mailing_list.replaced(work.journal)
            return Finished()
        return Done({"ids": old[:MAX_IMPORTS]})


class SubmitOldImports(SubmitImports):
    """Takes them off the list."""

    name = "submit_old"


class FollowOldImports(Follow):
    """Looks at the list until they are off it."""

    name = "follow_old"
    after = "submit_old"


@dataclass(frozen=True)
class DeleteOld(Step):
    """Deletes them, and goes on with the next."""

    client: PostgridClient
    name = "delete_old"
    again_from = "collect"

    def run(self, work: Work) -> Progress:
        """Delete one after the other; only what is certainly on no list."""
        if trouble := work.evidence["follow_old"]["trouble"]:
            raise ProviderFault(
                "PostGrid: earlier imports could not be taken off the list, beside those of this run "
                f"({trouble}). Send no letters before a run has ended well."
            )
        for number in work.evidence["collect"]["ids"]:
            self.client.delete_import(number)
        return Again(0.0, rewind=True)
