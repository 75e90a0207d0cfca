"""The help of the command line: every option is in it, once, and it fits a terminal."""

from __future__ import annotations

import re

from click.testing import CliRunner

from target_mailing.target import TargetMailing


def test_the_help_has_each_option_once_in_parts_and_examples():
    command = TargetMailing.get_singer_command()
    text = CliRunner().invoke(command, ["--help"], terminal_width=80).output
    options = re.findall(r"^  (--[a-z-]+)", text, re.MULTILINE)
    assert sorted(options) == sorted([*(param.opts[0] for param in command.params), "--help"])
    titles = [line for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert titles == [
        "What to do; without any of these, the input is delivered:",
        "Settings and input:",
        "With --plan:",
        "With --retry-rejects:",
        "With --erase:",
        "About this program:",
        "Examples:",
    ]
    assert max(map(len, text.splitlines())) <= 80
    for example in re.findall(r"^  target-mailing (.*)", text, re.MULTILINE):
        assert all(option in options for option in re.findall(r"--[a-z-]+", example))
