"""Hooks of mkdocs.yml: the site has the repository's own layout, so that links between its pages work in both."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
PAGES = ("*.md", "docs/*.md", "examples/*/README.md")
#: What a page links to, beside other pages.
LINKED = ("LICENSE", ".env.example", "meltano.yml", "examples/*/meltano.yml", "docs/*.svg", "docs/*.png")
EXTERNAL = re.compile(r"<(?:script|img|iframe|link)\b[^>]*\b(?:src|href)=\"?(?:https?:)?//(?!www\.w3\.org)[^>]*>")


def anchor(heading: str, separator: str) -> str:
    """Return the anchor that GitHub gives to a heading."""
    kept = (one for one in heading.lower() if one in " -_" or unicodedata.category(one)[0] in "LN")
    return "".join(kept).strip().replace(" ", separator)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Name the pages as the repository does, and add those that are not in docs/."""
    for file in list(files.documentation_pages()):
        files.remove(file)
    for pattern in (*PAGES, *LINKED):
        for path in sorted(ROOT.glob(pattern)):
            name = path.relative_to(ROOT).as_posix()
            files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:  # noqa: ARG001
    """Refuse a page that loads something from another host.

    Raises:
        PluginError: with what it loads.
    """
    loaded = EXTERNAL.findall(output)
    if loaded:
        raise PluginError(f"{page.file.src_uri} loads from another host: {loaded}")
    return output
