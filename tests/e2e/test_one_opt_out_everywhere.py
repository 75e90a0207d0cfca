"""One opt-out everywhere: the example's README is followed, with the published plugins and all four providers."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from mailing_api.addresses import fold_address
from mailing_sandbox.server import Sandbox
from tests.e2e.warehouse import Plugin, started

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[2] / "examples" / "one_opt_out_everywhere"
REGION = "?region=eu-west-1"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: Calls that change something at a provider, but for signing in.
WRITES = re.compile(r"(?!.*/contacts/list\Z)(?!.*/authenticate\Z)(?:POST|PUT|PATCH|DELETE) ")


class Example:
    """A copy of the example beside a sandbox that is as in the playground."""

    def __init__(self, folder, sandbox, warehouse, plugins):
        self.folder = folder / "my copy"
        shutil.copytree(EXAMPLE, self.folder)
        self.warehouse, self.sandbox = warehouse, sandbox
        self._url = sandbox.url
        programs = [sys.executable, *(plugin.python for plugin in plugins), warehouse.psql]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TAP_", "TARGET_", "AWS_"))}
        self._environment = {
            **kept,
            "PATH": os.pathsep.join([*(str(Path(program).parent) for program in programs), os.environ["PATH"]]),
            "SANDBOX_URL": sandbox.url,
            "SANDBOX_API_KEY": sandbox.api_key,
            "SANDBOX_SECRET_KEY": sandbox.secret_key,
            "SANDBOX_POSTGRID_KEY": "test_sk_sandbox",
            "SANDBOX_WAREHOUSE_URL": warehouse.url,
            "XDG_STATE_HOME": str(folder / "state"),
        }

    def control(self, method, path, body=None):
        answer = httpx.request(method, f"{self._url}/_sandbox/{path}", json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def follow(self, commands, status=0):
        """Run commands in the copy, and return what they said. Counters of calls begin with them."""
        self.control("DELETE", "counters")
        done = subprocess.run(
            ["bash", "-ec", f". ./sandbox.env\n{commands}"],
            cwd=self.folder, env=self._environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    @contextmanager
    def killed(self):
        """A cycle that is killed, with all of its processes, at the end of the block."""
        with subprocess.Popen(
            ["bash", "-ec", ". ./sandbox.env\n./cycle.sh"],
            cwd=self.folder, env=self._environment, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        ) as process:  # fmt: skip
            try:
                yield
            finally:
                os.killpg(process.pid, signal.SIGKILL)

    def writes(self):
        """Calls since then that changed something."""
        calls = self.control("GET", "counters")["calls"]
        return {call: count for call, count in calls.items() if WRITES.match(call)}

    def at_mailjet(self):
        """Addresses that are unsubscribed, and those that are not."""
        members = self.control("GET", "mailjet/lists/Customers/members")
        return {address: row["status"] for address, row in members.items()}

    def at_ses(self):
        contacts = self.control("GET", f"ses/contacts{REGION}")
        return {address.lower(): row["unsubscribed"] for address, row in contacts.items()}

    def print_households(self, name):
        """Let another pipeline, with a journal of its own, put all households on the print list, whatever they want."""
        catalog = json.loads((self.folder / "read.json").read_text(encoding="utf-8"))
        catalog["streams"] = [stream for stream in catalog["streams"] if stream["stream"] == "mpdx_contacts"]
        files = {
            "all.json": catalog,
            "print.json": {"list": name, "destination": "postgrid", "journal": "print.sqlite"},
        }
        for file, content in files.items():
            (self.folder / file).write_text(json.dumps(content), encoding="utf-8")
        self.follow("tap-mailing --config=ENV --catalog=all.json | target-mailing --config=ENV --config=print.json")

    def printed(self):
        """How many contacts are on the print list."""
        (number,) = self.control("GET", "postgrid/lists")
        return len(self.control("GET", f"postgrid/lists/{number}/members")["contacts"])


@pytest.fixture
def example(tmp_path, environments):
    plugins = [Plugin(name, tmp_path, environments) for name in ("tap-postgres", "target-postgres")]
    with Sandbox(contacts=0, job_seconds=0.1) as sandbox, started() as warehouse:
        found = Example(tmp_path, sandbox, warehouse, plugins)
        found.control("POST", f"ses/lists{REGION}", {"name": "Customers", "topics": {"Offers": "OPT_OUT"}})
        found.control("POST", "seed", {"contacts": 60, "providers": ["mpdx"]})
        yield found


def test_p5_the_readme_works_and_an_opt_out_comes_back_as_nothing_new(example):
    readme = (EXAMPLE / "README.md").read_text(encoding="utf-8")
    blocks = [text for language, text in FENCE.findall(readme) if not language]
    playground, _copy, opt_out, begin, look, again, subscribed = blocks
    assert playground == "make playground\n"
    register = "SELECT * FROM opt_outs.register ORDER BY address, source, kind"

    example.follow(opt_out)
    example.print_households("Christmas letter")
    households = example.control("GET", "mpdx/contacts").values()
    everybody = example.printed()
    said = example.follow(begin)
    assert "New: 1 ses bounce" in said
    example.follow(look)
    recorded = example.warehouse.rows(register)
    found = {row["address"]: (row["source"], row["kind"]) for row in recorded}
    four = {
        "ada@example.com": ("mailjet", "opt_out"),
        "ben@example.com": ("mailjet", "complaint"),
        "cleo@example.com": ("ses", "opt_out"),
        "dora@example.com": ("ses", "bounce"),
    }
    assert found.items() >= four.items()
    of_mpdx = {address for address, (source, _) in found.items() if source == "mpdx"}
    assert len(found) == len(recorded) == len(four) + len(of_mpdx) > 15
    assert example.at_mailjet() == dict.fromkeys(found, "unsubscribed")
    assert example.at_ses() == dict.fromkeys(found.keys() - {"dora@example.com"}, True)
    suppressed = {"dora@example.com": "BOUNCE", "ben@example.com": "COMPLAINT"}
    assert example.control("GET", f"ses/suppressions{REGION}") == suppressed

    no_letters = [row for row in households if row["send_newsletter"] in ("None", "Email") and row["addresses"]]
    assert example.printed() == everybody - len(no_letters) > 10

    said = example.follow(again)
    assert example.writes() == {}
    assert "New:" not in said
    assert said.count(" 0 rows") == 3
    assert re.search(r"(\d+) rows: \1 unchanged", said)

    # Ada subscribes again at Mailjet, and somebody opts out at MPDX; the cycle is killed while Mailjet works.
    resubscribe, cycle = subscribed.splitlines()
    assert cycle == "./cycle.sh"
    example.follow(resubscribe)
    readers = (row for row in households if row["send_newsletter"] == "Both")
    person = next(one["id"] for row in readers for one in row["people"] if one["emails"])
    example.control("POST", f"mpdx/people/{person}/mailchimp", {"subscribed": False})
    hold = example.sandbox.faults.add(kind="hold", method="POST", path="*/managemanycontacts", times=1)
    with example.killed():
        hold.wait_until_held(timeout=120)
    hold.release()
    example.follow(cycle)
    assert set(example.at_mailjet().values()) == {"unsubscribed"}
    received = [row["contact"]["Email"] for row in example.sandbox.mailjet.received() if row["action"] == "unsub"]
    assert received.count("ada@example.com") == 1, "the job was done when the cycle was killed"
    assert len(example.warehouse.rows(register)) > len(recorded)
    example.follow(cycle)
    assert example.writes() == {}


#: What the tap would have loaded, with columns that the records need.
READ = """
CREATE SCHEMA opt_outs_read;
SET search_path TO opt_outs_read;
CREATE TABLE mailjet_contacts (account text, id text, email text, is_excluded_from_campaigns boolean,
    exclusion_from_campaigns_updated_at timestamp, is_spam_complaining boolean);
CREATE TABLE mailjet_list_members (account text, contact_id text, list_name text, is_unsubscribed boolean,
    unsubscribed_at timestamp);
CREATE TABLE ses_contacts (list_id text, email text, subscription_status text, updated_at timestamp);
CREATE TABLE ses_suppressions (email text, reason text, updated_at timestamp);
CREATE TABLE mpdx_people (account text, id text, email text, subscription_status text, contact_ids text[],
    optout_enewsletter boolean, email_addresses jsonb[]);
CREATE TABLE mpdx_contacts (account text, id text, name text, company text, address_line1 text, address_line2 text,
    address_city text, address_region text, address_postal_code text, address_country text, send_newsletter text);
"""


class Tables:
    """The example's tables, and what was read."""

    def __init__(self, warehouse):
        self.warehouse = warehouse
        warehouse.run((EXAMPLE / "opt_outs.sql").read_text(encoding="utf-8") + READ)

    def read(self, table, *rows):
        self.warehouse.run(f"TRUNCATE opt_outs_read.{table}")
        for row in rows:
            given = json.dumps(row).replace("'", "''")
            record = f"json_populate_record(NULL::opt_outs_read.{table}, '{given}')"
            self.warehouse.run(f"INSERT INTO opt_outs_read.{table} SELECT * FROM {record}")

    def record(self):
        return self.warehouse.run((EXAMPLE / "record.sql").read_text(encoding="utf-8")).split("\n")[:-1]

    def sent(self, place):
        return sorted(row["id"] for row in self.warehouse.rows(f"SELECT * FROM opt_outs.to_{place}"))


@pytest.fixture
def tables():
    with started() as warehouse:
        yield Tables(warehouse)


def test_p5_opt_outs_that_are_spelled_shared_or_nobodys_will(tables):
    spellings = [
        "Ada@Example.com", "ada@müller.example", "ada@xn--mller-kva.example", "ADA@MÜLLER.example.",
        "mailto:a@b.example", "Ada <ada@example.com>", "\u200bada@example.com ", "x@bücher.例え.example",
        "a@faß.example", "\uff41@\uff42.example", "e\u0301@example.com", "ada@mu\u0308ller.example", "a@ελλάδα.example",
    ]  # fmt: skip
    for spelling in spellings:
        assert tables.warehouse.rows(f"SELECT opt_outs.address('{spelling}')") == [{"address": fold_address(spelling)}]
    for one in ("ada@example.com;", "ada@example.com (Ada)", "Ada, ada@example.com"):
        assert tables.warehouse.rows(f"SELECT opt_outs.address('{one}')") == [{"address": "ada@example.com"}]
    longest = "a@" + "\U0010ffff" * 400 + ".example"
    for damaged in ("ask at reception", "", "@", "a@", "ada@example.com, bob@example.com", longest):
        assert tables.warehouse.rows(f"SELECT opt_outs.address('{damaged}')") == [{"address": None}]

    def email(address):
        return {"email": address}

    shared = "shared@example.com"
    tables.read(
        "mpdx_people",
        {"account": "m", "id": "1", "contact_ids": ["h1"], "email": shared, "optout_enewsletter": True,
         "email_addresses": [email(shared), email("ADA@müller.example")]},
        {"account": "m", "id": "2", "contact_ids": ["h2"], "email": shared, "email_addresses": [email(shared)]},
        {"account": "m", "id": "3", "contact_ids": ["h3"], "optout_enewsletter": True, "email_addresses": []},
        {"account": "m", "id": "6", "contact_ids": ["h3"], "optout_enewsletter": True, "email": None,
         "email_addresses": [email("ada@example.com or bob@example.com")]},
        {"account": "m", "id": "4", "contact_ids": ["h4"], "email": "none@example.com",
         "subscription_status": "excluded", "email_addresses": [email("none@example.com")]},
        {"account": "m", "id": "5", "contact_ids": ["h5"], "email": "post@example.com",
         "subscription_status": "excluded", "email_addresses": [email("post@example.com")]},
    )  # fmt: skip
    newsletters = {"h1": "Both", "h2": "Both", "h3": "Physical", "h4": "None", "h5": "Physical", "h6": "Email"}
    tables.read(
        "mpdx_contacts",
        *({"account": "m", "id": number, "send_newsletter": one} for number, one in newsletters.items()),
    )
    tables.read(
        "ses_suppressions", {"email": "gone@example.com", "reason": "BOUNCE"}, {"email": "ada@xn--mller-kva.example"}
    )
    assert tables.record() == [
        "New: 3 mpdx opt_out", "New: 1 ses bounce", "New: 1 ses complaint", "Unclear address: 1 mpdx",
    ]  # fmt: skip
    punycode = "ada@xn--mller-kva.example"
    assert tables.sent("mailjet") == [punycode, "gone@example.com", "none@example.com", shared]
    assert tables.sent("ses_contacts") == [punycode, "none@example.com", shared], "a bounce is nobody's will"
    assert tables.sent("ses_suppressions") == []
    assert tables.sent("postgrid") == ["h4", "h6"], "who opted out of e-mail has not opted out of letters"

    # Mailjet has them now, in another spelling; the bounce comes back as an unsubscribe, and is none.
    back = dict(
        enumerate([punycode.replace("xn--mller-kva", "müller"), "Gone@example.com", "none@example.com", shared])
    )
    tables.read("mailjet_contacts", *({"account": "j", "id": str(n), "email": one} for n, one in back.items()))
    member = {"account": "j", "list_name": "Customers", "is_unsubscribed": True}
    tables.read("mailjet_list_members", *({**member, "contact_id": str(n)} for n in back))
    assert tables.record() == ["Unclear address: 1 mpdx"]
    assert tables.sent("mailjet") == []
    assert "gone@example.com" not in tables.sent("ses_contacts")

    # A complaint is the person's own, wherever the address was sent; what a source takes back still stands.
    complaint = {"account": "j", "id": "3", "email": shared, "is_spam_complaining": True}
    tables.read("mailjet_contacts", complaint)
    for table in ("mpdx_people", "mailjet_list_members"):
        tables.read(table)
    assert tables.record() == ["New: 1 mailjet complaint"]
    assert tables.sent("ses_suppressions") == [shared]
    assert tables.sent("mailjet") == [punycode, "gone@example.com", "none@example.com", shared]

    tables.warehouse.run("UPDATE opt_outs.choices SET bounces_to_mailjet = false")
    assert "gone@example.com" not in tables.sent("mailjet")
    tables.warehouse.run(f"SELECT opt_outs.lift('{shared.upper()}')")
    assert shared not in tables.sent("mailjet")


def test_p5_who_bounced_and_unsubscribes_by_another_list_or_during_a_plan_is_recorded(tables):
    gone, lost = "gone@example.com", "lost@example.com"
    tables.read("ses_suppressions", {"email": gone, "reason": "BOUNCE"})
    tables.read("mailjet_contacts", *({"account": "j", "id": one[0], "email": one} for one in (gone, lost)))
    unsubscribed = {"account": "j", "contact_id": gone[0], "is_unsubscribed": True}
    assert tables.record() == ["New: 1 ses bounce"]
    tables.read("mailjet_list_members", {**unsubscribed, "list_name": "Customers"})
    assert tables.record() == []
    tables.read("mailjet_list_members", {**unsubscribed, "list_name": "Other"})
    assert tables.record() == ["New: 1 mailjet opt_out"]
    assert tables.sent("ses_contacts") == [gone]

    tables.read("ses_suppressions", {"email": lost, "reason": "BOUNCE"})
    planned = f"SET opt_outs.mode = 'plan';{(EXAMPLE / 'record.sql').read_text(encoding='utf-8')}"
    assert tables.warehouse.run(planned).split("\n")[:-1] == ["New: 1 ses bounce"]
    tables.read("mailjet_list_members", {**unsubscribed, "contact_id": lost[0], "list_name": "Customers"})
    assert tables.record() == ["New: 1 mailjet opt_out"]


def test_p5_letters_follow_email_only_by_choice(tables):
    tables.read("mpdx_contacts", {"account": "m", "id": "h1", "send_newsletter": "Both"})
    person = {"account": "m", "id": "1", "contact_ids": ["h1"], "email_addresses": [{"email": "Ada@example.com"}]}
    tables.read("mpdx_people", person)
    tables.read("ses_contacts", {"list_id": "L", "email": "ada@example.com", "subscription_status": "unsubscribed"})
    tables.record()
    assert tables.sent("postgrid") == []
    tables.warehouse.run("UPDATE opt_outs.choices SET letters_follow_email = true")
    assert tables.sent("postgrid") == ["h1"]
