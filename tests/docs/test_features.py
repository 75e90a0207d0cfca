"""The commands of examples/features do what its page says, in their order."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import httpx
import pytest

from mailing_sandbox.server import Sandbox
from tests.fork_server import FORKS

#: A dozen runs.
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "features"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PREFIX = re.compile(r"^[-0-9]+ [:,0-9]+ \| \w+ +\| [\w.-]+ +\| ", re.MULTILINE)
#: Of the target's environment; anything else would change its settings.
ENVIRONMENT = {"HOME": "/nonexistent", "XDG_STATE_HOME": "/nonexistent", "PATH": "/usr/bin:/bin"}


class Shell:
    """Runs what the page uses of a shell, against a sandbox at another port."""

    def __init__(self, folder, sandbox):
        self.folder = folder
        self.sandbox = sandbox
        self.codes = []

    def run(self, line):
        words = shlex.split(line)
        variables = {}
        while "=" in words[0]:
            name, _, value = words.pop(0).partition("=")
            variables[name] = value
        program, *arguments = words
        return getattr(self, f"_{program.replace('-', '_')}")(arguments, variables)

    def _cat(self, names, _):
        return "".join(path.read_text() for name in names for path in sorted(self.folder.glob(name)))

    def _curl(self, arguments, _):
        (url,) = (one for one in arguments if one.startswith("http"))
        user = tuple(arguments[arguments.index("-u") + 1].split(":"))
        data = arguments[arguments.index("-d") + 1]
        headers = {"Content-Type": "application/x-www-form-urlencoded"}  # as curl does
        answer = httpx.post(self.sandbox.url + httpx.URL(url).path, auth=user, content=data, headers=headers)
        assert answer.status_code == 201, answer.text
        return answer.text

    def _target_mailing(self, arguments, variables):
        env = ENVIRONMENT | variables
        done = FORKS.run("target_mailing", *arguments, cwd=self.folder, env=env, input="", text=True)
        self.codes.append(done.returncode)
        return done.stdout + done.stderr


def test_the_features_work_as_their_example_says(tmp_path):
    folder = tmp_path / "features"
    shutil.copytree(EXAMPLE, folder)
    with Sandbox(job_seconds=0.02, api_key="sandbox-key", secret_key="sandbox-secret") as sandbox:
        settings = folder / "target.json"
        settings.write_text(settings.read_text().replace("http://127.0.0.1:8025", sandbox.url))
        shell, output = Shell(folder, sandbox), ""
        _, *blocks = FENCE.findall((EXAMPLE / "README.md").read_text(encoding="utf-8"))
        for language, text in blocks:
            if language == "text":
                for expected in text.splitlines():
                    for part in expected.split("..."):
                        assert " ".join(part.split()) in output, (part, output)
            else:
                said = "".join(map(shell.run, text.splitlines()))
                output = " ".join(PREFIX.sub("", said).split())
    assert shell.codes == [0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0]
    assert (folder / "output" / "report.html").exists()


@pytest.mark.parametrize(
    "page", ["plan", "report", "history", "rejects", "explain", "reconcile", "mirror", "guards", "erase"]
)
def test_each_page_of_a_feature_says_where_to_try_it(page):
    assert "](../examples/features/README.md" in (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
