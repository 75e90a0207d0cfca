"""What the PostGrid client writes: made once or twice, found for certain, refused for the wrong sort of data."""

from __future__ import annotations

import json

import httpx
import pytest

from mailing_api.errors import ConfigurationError, NotFound, ProviderFault, RequestRefused, UnreadableAnswer
from tests.api.postgrid.test_client import client, refusal

LIST = "mailing_list_1"


class Answers:
    """Gives one answer after the other, and keeps what was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def __call__(self, request):
        body = json.loads(request.content) if request.content else None
        self.asked.append((request.method, request.url.path.removeprefix("/print-mail/v1"), body))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)


def test_a_contact_whose_reply_was_lost_is_asked_for_again():
    answers = Answers(httpx.ReadTimeout("canary"), {"id": "contact_1"})
    assert client(answers).create_contact(b'{"firstName": "A"}')["id"] == "contact_1"
    assert answers.asked == [("POST", "/contacts", {"firstName": "A"})] * 2


def test_a_job_is_posted_once_whatever_comes():
    for answer, error in ((httpx.ReadTimeout("canary"), ProviderFault), (refusal(503, "x_error"), ProviderFault)):
        answers = Answers(answer)
        with pytest.raises(error) as raised:
            client(answers).submit_job(LIST, "addContacts", ["contact_1"])
        assert raised.value.maybe_done
        assert answers.asked == [("POST", f"/mailing_lists/{LIST}/jobs", {"addContacts": ["contact_1"]})]


@pytest.mark.parametrize("odd", [httpx.Response(302), httpx.Response(200, html="<p>canary</p>"), httpx.Response(200)])
def test_p1_an_odd_answer_to_a_job_or_a_mark_is_none(odd):
    with pytest.raises(UnreadableAnswer) as raised:
        client(Answers(odd)).submit_job(LIST, "addContacts", ["contact_1"])
    assert raised.value.maybe_done
    with pytest.raises(UnreadableAnswer):
        client(Answers(*[odd] * 9)).update_metadata(LIST, {})


@pytest.mark.parametrize("status", [400, 409, 422])
def test_a_busy_list_refuses(status):
    with pytest.raises(RequestRefused) as raised:
        client(Answers(refusal(status, "mailing_list_busy_error"))).submit_job(LIST, "addContacts", ["contact_1"])
    assert "canary" not in str(raised.value)


def test_a_search_taken_for_text_finds_nobody_else():
    rows = [
        {"id": "contact_1", "metadata": {"external_id": "7"}},
        {"id": "contact_2", "description": "7"},
        {"id": "contact_3", "metadata": {"external_id": "77"}},
    ]
    answers = Answers({"object": "list", "totalCount": 3, "skip": 0, "limit": 100, "data": rows})
    assert [row["id"] for row in client(answers).contacts_with("external_id", "7")] == ["contact_1"]


def test_a_search_is_read_to_its_end():
    rows = [{"id": f"contact_{n}", "metadata": {"external_id": "7"}} for n in range(250)]
    asked = []

    def answer(request):
        asked.append(request)
        skip, limit = (int(request.url.params[name]) for name in ("skip", "limit"))
        page = rows[skip : skip + limit]
        return httpx.Response(200, json={"object": "list", "totalCount": len(rows), "skip": skip, "data": page})

    assert len(client(answer).contacts_with("external_id", "7")) == 250
    del asked[:], rows[100:]
    assert len(client(answer).contacts_with("external_id", "7")) == 100
    assert len(asked) == 1


def test_a_contact_that_is_gone_is_deleted():
    client(Answers(refusal(404, "contact_not_found_error"))).delete_contact("contact_1")
    with pytest.raises(NotFound):
        client(Answers(refusal(404, "contact_not_found_error"))).contact("contact_1")


@pytest.mark.parametrize("status", ["creating_contacts", "something_new", None])
def test_a_list_is_busy_unless_it_is_known_to_be_done(status):
    found = client(Answers({"id": LIST, "status": status, "errors": None})).mailing_list(LIST)
    assert (found.busy, found.errors, found.metadata) == (True, [], {})


def test_errors_of_a_list_are_told_by_words_alone():
    errors = [{"type": "operational_error", "message": "canary"}, {"type": "Canary said so"}, "canary"]
    found = client(Answers({"id": LIST, "status": "completed", "errors": errors})).mailing_list(LIST)
    assert (found.busy, found.errors) == (False, ["operational_error", "error", "error"])


def test_live_data_is_refused_where_test_data_was_meant():
    with pytest.raises(ConfigurationError, match="postgrid_live"):
        client(Answers({"id": LIST, "live": True}), live=False).mailing_list(LIST)


def test_an_answer_without_an_id_is_unreadable():
    with pytest.raises(UnreadableAnswer):
        client(Answers(*[{"live": False}] * 9)).mailing_list(LIST)
