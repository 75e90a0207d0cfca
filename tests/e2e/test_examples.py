"""The example projects as their READMEs say: in the playground, by the real Meltano and the published tap-postgres."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.e2e.meltano import Run, until
from tests.e2e.test_contact_of_any_provider import extract
from tests.e2e.test_households_by_post import printed, records
from tests.e2e.warehouse import Warehouse
from tests.totals import meltano_logging, meltano_totals

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"

PLAYGROUND = (sys.executable, EXAMPLES / "demo" / "playground.py")
#: Tells the shell's variables, and stays until its input ends.
SHELL = "import json, os, sys; print(json.dumps(dict(os.environ)), flush=True); sys.stdin.read()"
REGION = "eu-west-1"
PRINT = "tap-mailing-to-target-mailing"

CHANGES = [
    "UPDATE crm.customers SET city = 'Oslo' WHERE id = 1",
    "UPDATE crm.customers SET deleted_at = now() WHERE id = 2",
    "UPDATE crm.customers SET newsletter = false WHERE id = 3",
    "UPDATE crm.customers SET email_address = 'moved4@example.com' WHERE id = 4",
    # 5 to 7 opted out at the providers meanwhile.
    "UPDATE crm.customers SET visits = 99 WHERE id = 5",
    "UPDATE crm.customers SET deleted_at = now() WHERE id = 6",
    "UPDATE crm.customers SET email_address = 'moved7@example.com' WHERE id = 7",
    # What nobody selected: the row comes, and is as it was.
    "UPDATE crm.customers SET notes = 'changed' WHERE id = 8",
    "UPDATE crm.customers SET email_address = 'no address' WHERE id = 9",
    # 10 declined the offers at Amazon SES meanwhile.
    "UPDATE crm.customers SET visits = 98 WHERE id = 10",
    "UPDATE crm.customers SET email_address = 'found11@example.com' WHERE id = 11",
    "UPDATE crm.customers SET newsletter = true WHERE id = 24",
    "INSERT INTO crm.customers VALUES (61, 'new61@example.com', 'New', NULL, 0, true)",
]
OPTED_OUT = ["customer5@example.com", "customer6@example.com", "customer7@example.com"]
DECLINED = "customer10@example.com"


class Example:
    """A copy of an example's folder, in the playground."""

    def __init__(self, name: str, folder: Path, variables: dict[str, str]) -> None:
        self._folder = folder / "my copy"
        # What is there to be read is there from the start, so catalogs may be kept; that saves a start of the tap. And
        # where Python is told to keep no bytecode, each start of a plugin would take seconds more.
        self._variables = variables | {"TAP_POSTGRES__USE_CACHED_CATALOG": "true", "PYTHONDONTWRITEBYTECODE": ""}
        #: What targets said at the end of the last run, by their names.
        self.sentences: dict[str, str] = {}
        #: What they warned of.
        self.warnings: list[str] = []
        self._readme = (EXAMPLES / name / "README.md").read_text(encoding="utf-8")
        shutil.copytree(EXAMPLES / name, self._folder, ignore=shutil.ignore_patterns(".meltano", "tap-target-mailing"))
        shutil.copytree(ROOT / "plugins", self._folder / "plugins")
        (self._folder / "tap-target-mailing").symlink_to(ROOT)
        self.sandbox = httpx.Client(
            base_url=f"{variables['SANDBOX_URL']}/_sandbox", timeout=60, trust_env=False, verify=False
        )
        psql = shutil.which("psql", path=variables["PATH"])
        assert psql
        self.warehouse = Warehouse(variables["SANDBOX_WAREHOUSE_URL"], psql)

    def follow_the_readme(self, first: str) -> dict[str, Any]:
        """Run the commands of the first block that begins so, and return what each target told."""
        blocks = re.findall(r"^```\n(.*?)^```$", self._readme, re.MULTILINE | re.DOTALL)
        block = next(one for one in blocks if one.startswith(first))
        config, lines = meltano_logging(self._folder, "readme")
        done = subprocess.run(
            ["bash", "-ec", block], cwd=self._folder, env=self._variables | {"MELTANO_CLI_LOG_CONFIG": str(config)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return self._outcomes(done.stdout + done.stderr, meltano_totals(lines))

    def meltano(self, *arguments: str) -> dict[str, Any]:
        """Run it, and return what each target told."""
        run = Run(self._folder, arguments, self._variables)
        try:
            assert run.end() == 0, run.said
        finally:
            run.kill()
        return self._outcomes(run.said, run.totals)

    def told_by_the_readme(self) -> list[str]:
        """The sentences of targets that it shows."""
        return re.findall(r"^\d+ rows: .*$", self._readme, re.MULTILINE)

    def bookmark(self, name: str, stream: str) -> str:
        """As Meltano keeps it."""
        text = Path(self._variables["SANDBOX_FOLDER"], "state", f"sandbox:{name}", "state.json").read_text()
        return json.loads(text)["completed"]["singer_state"]["bookmarks"][stream]["replication_key_value"]

    def rejects(self, folder: str = "") -> list[tuple[str, str]]:
        """Key and code of each reject; the rows' other columns are looked at, too."""
        files = sorted((self._folder / "rejects" / folder).glob("*.singer"))
        rows = [row for file in files for row in records(file.read_text(encoding="utf-8"))]
        assert not any("notes" in row for row in rows)
        return [(str(row["id"]), row["_reject_code"]) for row in rows]

    def see(self, path: str) -> Any:
        return self.sandbox.get(path).raise_for_status().json()

    def do(self, path: str, body: Any, method: str = "POST") -> Any:
        return self.sandbox.request(method, path, json=body).raise_for_status().json()

    def _outcomes(self, said: str, totals: dict[str, tuple[str, dict[str, Any]]]) -> dict[str, Any]:
        assert not re.search(r"@example\.|sandbox-secret", said), "nothing private is logged"
        self.warnings = re.findall(r"^.*\[warning *\] target-mailing.*$", said, re.MULTILINE)
        self.sentences = {name: sentence for name, (sentence, _) in totals.items()}
        return {name: fields for name, (_, fields) in totals.items()}


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("warehouse_to_mailing", "deliver"),
        ("mpdx_to_postgrid", "tap-mailing target-mailing"),
    ],
)
def test_outside_of_the_playground_its_environment_reaches_nobody(tmp_path, name, task):
    """Although the variables of real accounts are set."""
    shutil.copy(EXAMPLES / name / "meltano.yml", tmp_path)
    shutil.copytree(ROOT / "plugins", tmp_path / "plugins")
    text = (EXAMPLES / name / ".env.example").read_text(encoding="utf-8")
    mine = dict.fromkeys(re.findall(r"^#?(\w+)=", text, re.MULTILINE), "mine")
    run = Run(tmp_path, ("run", "--no-install", *task.split()), os.environ | mine)
    assert run.end() == 1
    assert re.search(r"Environment variable 'SANDBOX_\w+' referenced but not set", run.said), run.said


@pytest.fixture
def playground(monkeypatch, request, tmp_path):
    """Makes the example that the test names; what is set on this machine must not matter."""
    for name in ("MJ_APIKEY_PUBLIC", "AWS_ACCESS_KEY_ID", "TARGET_MAILING_LIST", "MELTANO_ENVIRONMENT"):
        monkeypatch.setenv(name, "mine")
    with subprocess.Popen(
        [*PLAYGROUND, sys.executable, "-c", SHELL],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        variables = json.loads(process.stdout.readline())
        assert Path(variables["XDG_STATE_HOME"]).is_relative_to(variables["SANDBOX_FOLDER"])
        example = Example(request.param, tmp_path, variables)
        yield example
        example.sandbox.close()
        process.stdin.close()
        assert process.wait(60) == 0
    assert not Path(variables["SANDBOX_FOLDER"]).exists()


def counts(outcomes: dict[str, Any]) -> dict[str, int]:
    names = ("rows", "delivered", "unchanged", "withheld", "skipped", "rejected")
    return {name: outcomes[name] for name in names if outcomes[name]}


def wanted(example: Example) -> dict[str, dict[str, Any]]:
    """The customers that the table wants at a provider, by address."""
    rows = example.warehouse.rows(
        "SELECT * FROM crm.customers WHERE deleted_at IS NULL AND newsletter IS NOT NULL AND email_address LIKE '%@%'"
    )
    return {row["email_address"]: row for row in rows}


def given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def at_mailjet(row: dict[str, Any]) -> dict[str, Any]:
    """A customer as a member of the list."""
    properties = {name: row[name] for name in ("city", "visits", "wants_offers")}
    return {
        "status": "subscribed" if row["newsletter"] else "unsubscribed",
        "name": row["full_name"],
        "properties": {
            name: str(value).lower() if name != "city" else value for name, value in given(properties).items()
        },
        "excluded": False,
    }


def at_ses(row: dict[str, Any]) -> dict[str, Any]:
    """A customer as a contact."""
    attributes = {"name": row["full_name"], "city": row["city"], "visits": row["visits"]}
    topics = {} if row["wants_offers"] is None else {"Offers": "OPT_IN" if row["wants_offers"] else "OPT_OUT"}
    return {"unsubscribed": not row["newsletter"], "topics": topics, "attributes": given(attributes)}


def members(example: Example) -> dict[str, dict[str, Any]]:
    (number,) = {row["list"] for row in example.see("mailjet/received")}
    return example.see(f"mailjet/lists/{number}/members")


def contacts(example: Example) -> dict[str, dict[str, Any]]:
    found = example.see(f"ses/contacts?region={REGION}")
    names = ("unsubscribed", "topics")
    return {
        email: {name: one[name] for name in names} | {"attributes": json.loads(one["attributes"])}
        for email, one in found.items()
    }


def command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_the_playground_ends_with_its_shell_and_all_of_it_with_a_signal(tmp_path):
    variables = tmp_path / "variables"
    shell = ["bash", "--norc", "-ic", f'echo "$SANDBOX_FOLDER" > "{variables}"; cat; true']
    with subprocess.Popen([*PLAYGROUND, *shell], stdin=subprocess.PIPE, start_new_session=True) as process:
        folder = until(lambda: variables.exists() and variables.read_text().strip())
        until(lambda: "cat" in [one.name() for one in psutil.Process(process.pid).children(recursive=True)])
        running = psutil.Process(process.pid).children(recursive=True)
        # The server is nobody's child.
        running += [one for one in psutil.process_iter() if f"{folder}/pg" in command(one)]
        assert {"bash", "postgres", "cat"} <= {one.name() for one in running}
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 143
    _, left = psutil.wait_procs(running, 10)
    assert [one for one in left if one.status() != psutil.STATUS_ZOMBIE] == []
    assert not Path(folder).exists()


#: Whether a last run, of which nothing is sent, follows: it takes two starts of each plugin.
and_again = pytest.mark.parametrize(
    "and_again", [False, pytest.param(True, marks=pytest.mark.exhaustive)], ids=["changes", "changes and no changes"]
)


@and_again
@pytest.mark.parametrize("playground", ["warehouse_to_mailing"], indirect=True)
def test_a_warehouse_to_mailjet_and_ses(playground, and_again):
    example = playground
    example.follow_the_readme("meltano install")
    assert [*example.sentences.values()] == example.told_by_the_readme()
    table = wanted(example)
    assert members(example) == {email: at_mailjet(row) for email, row in table.items()}
    assert contacts(example) == {email: at_ses(row) for email, row in table.items()}
    refused = [("11", "bad_address"), ("12", "bad_address")]
    assert (example.rejects("mailjet"), example.rejects("ses")) == (refused, refused)
    pipelines = [f"tap-postgres-to-target-mailing--{name}" for name in ("mailjet", "ses")]
    assert {example.bookmark(one, "crm-customers") for one in pipelines} == {"2026-01-01T01:00:00.000000+00:00"}

    opt_out_at_the_providers(example)
    before = wanted(example)
    for change in CHANGES:
        example.warehouse.run(change)
    second = example.meltano("run", "deliver")
    # Besides these 13 the last row of the first run comes again.
    outcomes = {"rows": 14, "delivered": 9, "unchanged": 2, "withheld": 2, "rejected": 1}
    assert [counts(one) for one in second.values()] == [outcomes] * 2
    # Who opted out is not removed; who has no valid address any more is as before.
    stay = {f"customer{number}@example.com" for number in (6, 7, 9)}
    table = wanted(example) | {email: before[email] for email in stay}
    for email in {*OPTED_OUT, "moved7@example.com"}:
        table[email]["newsletter"] = False
    assert members(example) == {email: at_mailjet(row) for email, row in table.items()}
    table[DECLINED]["wants_offers"] = False
    assert contacts(example) == {email: at_ses(row) for email, row in table.items()}
    refused.append(("9", "bad_address"))
    assert (example.rejects("mailjet"), example.rejects("ses")) == (refused, refused)
    (row,) = example.warehouse.rows("SELECT extract(epoch FROM max(changed_at)) AS latest FROM crm.customers")
    moved = {example.bookmark(one, "crm-customers") for one in pipelines}
    assert {datetime.fromisoformat(one).timestamp() for one in moved} == {row["latest"]}

    if not and_again:
        return
    received = [example.see(f"{provider}/received") for provider in ("mailjet", "ses")]
    third = example.meltano("run", "deliver")
    assert [counts(one) for one in third.values()] == [{"rows": 1, "unchanged": 1}] * 2
    assert [example.see(f"{provider}/received") for provider in ("mailjet", "ses")] == received
    assert {example.bookmark(one, "crm-customers") for one in pipelines} == moved


def opt_out_at_the_providers(example: Example) -> None:
    (number,) = {row["list"] for row in example.see("mailjet/received")}
    example.do("mailjet/contacts", [{"email": one, "list": number, "unsubscribed": True} for one in OPTED_OUT])
    path = f"ses/contacts?region={REGION}"
    there = example.see(path)
    gone = [{"email": one, "unsubscribed": True} for one in OPTED_OUT]
    declined = {"email": DECLINED, "topics": {"Offers": "OPT_OUT"}}
    kept = {email: {name: there[email][name] for name in ("topics", "attributes")} for email in (*OPTED_OUT, DECLINED)}
    example.do(path, [kept[one["email"]] | one for one in (*gone, declined)])


@and_again
@pytest.mark.parametrize("playground", ["mpdx_to_postgrid"], indirect=True)
def test_mpdx_to_a_print_list(playground, and_again):
    example = playground
    example.follow_the_readme("meltano install")
    assert [*example.sentences.values()] == example.told_by_the_readme()
    assert all("(new: remembers nothing)" in warning for warning in example.warnings)
    expected = to_print(example)
    assert on_the_list(example) == expected
    assert len(expected) == 20
    assert example.rejects() == []
    bookmark = example.bookmark(PRINT, "mpdx_contacts")

    moves, changes_name, opts_out, is_gone, has_no_country, *_ = expected
    households = example.see("mpdx/contacts")
    (address,) = [one["id"] for one in households[moves]["addresses"] if one["primary_mailing_address"]]
    example.do(f"mpdx/addresses/{address}", {"street": "9 New St"}, "PATCH")
    example.do(f"mpdx/contacts/{changes_name}", {"envelope_greeting": "Another Name"}, "PATCH")
    example.do(f"mpdx/contacts/{opts_out}", {"send_newsletter": "None"}, "PATCH")
    example.do(f"mpdx/contacts/{is_gone}", None, "DELETE")
    for one in households[has_no_country]["addresses"]:
        example.do(f"mpdx/addresses/{one['id']}", {"country": "Atlantis"}, "PATCH")
    (second,) = example.meltano("run", "tap-mailing", "target-mailing").values()
    # The household that changed last comes again with each run.
    assert counts(second) == {"rows": 6, "delivered": 4, "unchanged": 1, "rejected": 1}
    wanted_now = to_print(example)
    assert expected.keys() - wanted_now.keys() == {opts_out, is_gone, has_no_country}
    # Without an address that could be written to, the contact that is there stays.
    assert on_the_list(example) == wanted_now | {has_no_country: expected[has_no_country]}
    assert wanted_now[moves]["addressLine1"] == "9 New St"
    assert wanted_now[changes_name]["firstName"] == "Another Name"
    assert example.rejects() == [(has_no_country, "bad_address")]
    moved = {stream: example.bookmark(PRINT, stream) for stream in ("mpdx_contacts", "mpdx_deleted_contacts")}
    assert min(moved.values()) > bookmark

    assert example.see("mpdx/exports") in ([], {}), "exports leave a log at MPDX"
    if not and_again:
        return
    received = example.see("postgrid/received")
    (third,) = example.meltano("run", "tap-mailing", "target-mailing").values()
    assert counts(third) == {"rows": 5, "unchanged": 4, "rejected": 1}
    assert example.see("postgrid/received") == received
    assert example.see("mpdx/exports") in ([], {}), "exports leave a log at MPDX"


def to_print(example: Example) -> dict[str, dict[str, Any]]:
    """The households that want letters and have an address, as contacts, by ID."""
    config = {"mpdx_base_url": str(example.sandbox.base_url.join("/")), "mpdx_access_token": "sandbox-secret"}
    rows = records(extract(config, "mpdx_contacts"))
    wants = [one for one in rows if one["subscription_status"] in {"subscribed", "unknown"}]
    return {one["id"]: printed(one) for one in wants if one["address_line1"] and one["address_country"]}


def on_the_list(example: Example) -> dict[str, dict[str, Any]]:
    """Who is on the list, by the household's ID."""
    (number,) = example.see("postgrid/lists")
    found = example.see(f"postgrid/lists/{number}/members")["contacts"].values()
    ids = [one["metadata"]["external_id"].rpartition("/")[2] for one in found]
    assert len(set(ids)) == len(ids), "nobody gets two letters"
    fields = [{name: value for name, value in one.items() if name != "metadata"} for one in found]
    return dict(zip(ids, fields, strict=True))
