"""The files of a report: whole or not there, and never in the place of another file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from mailing_api.errors import ConfigurationError
from mailing_api.settings import duration, positive
from mailing_api.storage.folders import delete_old, is_there, unmakable
from mailing_api.storage.result_files import begin_draft, beginning
from target_mailing.places import place_of
from target_mailing.run_identity import RUN_ID
from target_mailing.settings.declared_settings import value_of

__all__ = ["HTML_BEGINS", "MARKDOWN_BEGINS", "ReportFiles", "check_report", "report_keep"]

#: How the files begin, so that they are recognised.
HTML_BEGINS: Final = "<!doctype html>\n<!-- report of target-mailing -->"
MARKDOWN_BEGINS: Final = "<!-- report of target-mailing -->"


#: The names of the files of runs in a folder.
_PAGE: Final = re.compile(rf"(report|plan)-{RUN_ID}\.html")
_MARKDOWN: Final = re.compile(rf"(report|plan)-{RUN_ID}\.md")


class ReportFiles:
    """The page and its form in Markdown, for one run; only their owner may read them.

    A name that ends in `.html` or `.md` is that of the page, which each run replaces; any other is that of a folder, in
    which each run has its own. A plan has names of its own, so that it never replaces the page of a delivery.

    Attributes:
        html: the page.
        markdown: the same in Markdown.
    """

    def __init__(self, place: Path, run_id: str, *, is_plan: bool) -> None:
        """Choose the names.

        Raises:
            ConfigurationError: a file has such a name that is no report.
        """
        self._folder = None if _is_file(place) else place
        if not _is_file(place):
            page = place / f"{'plan' if is_plan else 'report'}-{run_id}.html"
        else:
            page = place.with_stem(f"{place.stem}-plan") if is_plan else place
        is_markdown = page.suffix.lower() == ".md"
        self.html = (page.with_suffix(".html") if is_markdown else page).absolute()
        self.markdown = (page if is_markdown else page.with_suffix(".md")).absolute()
        for path, begins in ((self.html, HTML_BEGINS), (self.markdown, MARKDOWN_BEGINS)):
            _check_replaceable(path, begins.encode())

    def delete_old(self, before: float) -> int:
        """Delete the reports of other runs and plans in the folder, if it is one, last written before this time.

        Args:
            before: Unix seconds.

        Returns:
            How many pages were deleted, each with its form in Markdown.
        """
        if self._folder is None:
            return 0
        delete_old(self._folder, _MARKDOWN, before)
        return delete_old(self._folder, _PAGE, before)

    def write(self, html: str, markdown: str) -> None:
        """Replace the files; each of them is whole at any time.

        Raises:
            OSError: one cannot be written.
        """
        for path, text in ((self.markdown, markdown), (self.html, html)):
            draft, file = begin_draft(path)
            try:
                with file:
                    file.write(text.encode(errors="backslashreplace"))
                draft.replace(path)
            except BaseException:
                with suppress(OSError):
                    draft.unlink(missing_ok=True)
                raise


def report_keep(config: Mapping[str, Any]) -> float | None:
    """How long reports in a folder are kept, in seconds; None for ever.

    Raises:
        ConfigurationError: it is no such time.
    """
    kept = value_of("report_keep", config)
    return None if kept is None else float(positive("report_keep", duration("report_keep", kept)))


def check_report(config: Mapping[str, Any]) -> str | None:
    """A sentence about the place of the reports; None for none. Nothing is made, and no run fails for want of it.

    Raises:
        ConfigurationError: no file can have its name, another file has it, or `report_keep` is no time.
    """
    report_keep(config)
    path = value_of("report_path", config)
    if path is None:
        return None
    place = place_of("report_path", path)
    files = ReportFiles(place, "check", is_plan=value_of("mode", config) == "plan")
    if reason := unmakable(files.html.with_name(f".{files.html.name}.check")):
        return f"{place} could not be written ({reason}): runs would have none"
    return f"{files.html if _is_file(place) else place} {'can be written' if is_there(place) else 'would be created'}"


def _is_file(place: Path) -> bool:
    return place.suffix.lower() in {".html", ".md"}


def _check_replaceable(path: Path, begins: bytes) -> None:
    """Check that a file is not there yet, or is a report.

    Raises:
        ConfigurationError: it may be anything.
    """
    try:
        is_report = beginning(path, len(begins)) in {None, begins}
    except OSError as exc:
        is_report = exc.errno is not None  # whatever that is shows when it is written; else it is no file
    if not is_report:
        raise ConfigurationError(f"Setting `report_path`: {path} is there and is no report. Choose another place.")
