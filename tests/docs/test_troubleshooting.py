"""The messages that docs/troubleshooting.md quotes are those of the code, word for word."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "troubleshooting.md"
#: What stands for a value: of an f-string, of `%`, of `format`; the same as on the page.
VALUE = "…"
PLACEHOLDER = re.compile(r"%\.?\d*[sdrgf]|\{\w+\}")
QUOTE = re.compile(r"`` (.+?) ``")


def strings(source: str) -> Iterator[str]:
    """The strings of a module; a value within one is `VALUE`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else VALUE for part in node.values)
            yield "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield PLACEHOLDER.sub(VALUE, node.value)


def fragments(text: str) -> list[str]:
    """The parts of all quoted messages between values, without single words and signs."""
    parts = (part.strip(" .,:;()") for quote in QUOTE.findall(text) for part in quote.split(VALUE))
    return [part for part in parts if " " in part]


def missing(text: str, code: str) -> list[str]:
    return [part for part in fragments(text) if part not in code]


def test_a_message_that_is_not_in_the_code_would_be_found():
    code = "\n".join(strings('x = f"Setting `journal`: {name} is held "\nf"by {holder}."\ny = "The job %s has failed"'))
    held = "| `` Setting `journal`: … is held by … `` |"
    assert fragments(held) == ["Setting `journal`", "is held by"]
    assert missing(held, code.replace("is held ", "is locked ")) == ["is held by"]
    assert missing("`` The job … has failed: … ``", code) == []
    assert missing("`` The jobs … have failed ``", code) == ["The jobs", "have failed"]


@pytest.mark.slow
def test_the_messages_of_troubleshooting_are_those_of_the_code():
    rooms = (ROOT / name for name in ("mailing_api", "tap_mailing", "target_mailing"))
    modules = (path.read_text("utf-8") for room in rooms for path in room.rglob("*.py"))
    code = "\n".join(string for module in modules for string in strings(module))
    page = PAGE.read_text("utf-8")
    assert len(QUOTE.findall(page)) > 40
    assert missing(page, code) == []
