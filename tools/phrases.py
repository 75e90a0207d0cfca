"""Find phrases that are not plain English in code and documents: part of `make lint`.

`phrases.txt` lists them, each with a replacement, and the files that are not read yet.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
LIST = ROOT / "tools" / "phrases.txt"
TEXT_TOKENS = {tokenize.STRING, tokenize.COMMENT, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
#: Code fences, inline code and the targets of links.
MARKDOWN_CODE = re.compile(r"^```.*?^```$|`[^`\n]*`|\]\([^)\s]*\)", re.MULTILINE | re.DOTALL)


class Phrase(NamedTuple):
    """A phrase to avoid."""

    pattern: re.Pattern[str]
    replacement: str


class Hit(NamedTuple):
    """A phrase in a file."""

    line: int
    words: str
    replacement: str


def read_list(text: str) -> tuple[list[str], list[Phrase]]:
    """Return the exempt files and folders, and the phrases."""
    exempt: list[str] = []
    phrases: list[Phrase] = []
    for line in text.splitlines():
        if line.startswith("exempt "):
            exempt.append(line.removeprefix("exempt "))
        elif line and not line.startswith("#"):
            words, _, replacement = line.partition(" -> ")
            pattern = words.replace(" ", r"\s+")
            phrases.append(Phrase(re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE), replacement))
    return exempt, phrases


def is_exempt(path: str, exempt: Sequence[str]) -> bool:
    """Return whether a file, or the folder that holds it, is exempt."""
    folder = path.rpartition("/")[0]
    return any(one in {path, f"{folder}/*"} or (one.endswith("/") and path.startswith(one)) for one in exempt)


def python_prose(source: str) -> str:
    """Return a module's comments and strings, each on its own line, and everything else blank."""
    lines = [""] * (source.count("\n") + 1)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in TEXT_TOKENS:
            words = token.string.lstrip("#") if token.type == tokenize.COMMENT else token.string
            for offset, words_of_line in enumerate(words.split("\n")):
                lines[token.start[0] - 1 + offset] += f" {words_of_line}"
    return "\n".join(lines)


def markdown_prose(source: str) -> str:
    """Return a page without its code; the lines keep their numbers."""
    return MARKDOWN_CODE.sub(lambda code: "\n" * code[0].count("\n") or "|", source)


def hits(path: str, source: str, phrases: Sequence[Phrase]) -> Iterator[Hit]:
    """Find the phrases in a file."""
    prose = markdown_prose(source) if path.endswith(".md") else python_prose(source)
    for phrase in phrases:
        for found in phrase.pattern.finditer(prose):
            yield Hit(prose.count("\n", 0, found.start()) + 1, " ".join(found[0].split()), phrase.replacement)


def tracked_files() -> list[str]:
    """Return the Python modules and Markdown pages that git knows."""
    command = ["git", "ls-files", "-z", "*.py", "*.md"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [path for path in listed.split("\0") if path and (ROOT / path).exists()]


def report() -> list[str]:
    """Return a line for each phrase in a file that is not exempt."""
    exempt, phrases = read_list(LIST.read_text(encoding="utf-8"))
    return [
        f"{path}:{hit.line}: {hit.words} -> {hit.replacement}"
        for path in tracked_files()
        if not is_exempt(path, exempt)
        for hit in sorted(hits(path, (ROOT / path).read_text(encoding="utf-8"), phrases))
    ]


if __name__ == "__main__":
    lines = report()
    print("\n".join(lines), end="\n" if lines else "")
    sys.exit(bool(lines))
