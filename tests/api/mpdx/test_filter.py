"""The filter of MPDX's exports: MPDX ignores what it does not know and exports everybody, so that is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailing_api.errors import ConfigurationError
from mailing_api.mpdx.filter import DEFAULT_EXPORT_FILTER, EXPORT_FILTERS, export_filter

AN_ID = "7d0c3c5e-0b1f-4a57-9a52-2f6f3f1f8a11"
FREE_TEXT = {
    *("tags", "exclude_tags", "city", "state", "country", "region", "metro_area", "church", "locale", "timezone"),
    *("name_like", "wildcard_search"),
}


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (DEFAULT_EXPORT_FILTER, DEFAULT_EXPORT_FILTER),
        ({"newsletter": " both "}, {"newsletter": "both"}),
        ({"newsletter": ["none"]}, {"newsletter": "none"}),
        ({"status": "active, null,Partner - Pray"}, {"status": "active,null,Partner - Pray"}),
        ({"ids": [AN_ID, AN_ID.upper()]}, {"ids": f"{AN_ID},{AN_ID.upper()}"}),
        ({"any_tags": True, "tags": ["a", "b"]}, {"any_tags": "true", "tags": "a,b"}),
        ({"any_tags": False}, {"any_tags": "false"}),
        ({"tags": 2024}, {"tags": "2024"}),
        ({"updated_at": "2024-03-01..2024-03-31"}, {"updated_at": "2024-03-01..2024-03-31"}),
        (
            {"updated_at": "2024-03-01T00:00:00Z..2024-03-31T00:00:00Z"},
            {"updated_at": "2024-03-01T00:00:00Z..2024-03-31T00:00:00Z"},
        ),
        ({"wildcard_search": "Smith, J"}, {"wildcard_search": "Smith, J"}),
    ],
)
def test_what_mpdx_understands_is_sent_as_text(given, sent):
    assert export_filter(given) == sent


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"newsletter": "Physical"}, "'Physical', but must be one of: all, address, email"),
        ({"newsletter": "Address"}, "must be one of: all, address"),
        ({"newsletter": "address,email"}, "must be one of: all, address"),
        ({"newsletter": ["address", "email"]}, "takes a single value, not 2"),
        ({"newsletter": True}, "'true', but must be one of"),
        ({"newsletters": "address"}, "has 'newsletters'"),
        ({"Newsletter": "address"}, "Known filters: address_historic, address_valid, any_tags"),
        ({"newsletter ": "address"}, "has 'newsletter '"),
        ({"reverse_newsletter": "true", "newsletter": "email"}, "MPDX ignores it in exports"),
        ({"opt_out": "No"}, "it is not a known filter of MPDX"),
        ({"status": "Active"}, "must be one of: active, hidden, null"),
        ({"status": "active,"}, "not empty"),
        ({"ids": []}, "not empty"),
        ({"ids": ""}, "not empty"),
        ({"ids": "1,2"}, "must be an ID"),
        ({"not_ids": [7]}, "must be an ID"),
        ({"tags": " "}, "not empty"),
        ({"tags": ["a", ""]}, "not empty"),
        ({"any_tags": "yes"}, "must be one of: true, false"),
        ({"contact_info_addr": "yes"}, "must be one of: Yes, No"),
        ({"contact_type": "Person"}, "must be one of: person, company"),
        ({"address_valid": "true"}, "must be one of: false"),
        ({"updated_at": "2024-03-01"}, "two dates"),
        ({"updated_at": "2024-03-01T00:00:00.000Z..2024-03-31T00:00:00.000Z"}, "two dates"),
        ({"updated_at": "2024-02-30..2024-03-31"}, "two dates"),
        ({"newsletter": None}, "must be a string, or an array of strings"),
        ({"newsletter": {"address": True}}, "must be a string, or an array of strings"),
        ({"ids": [[AN_ID]]}, "must be a string, or an array of strings"),
        ({"account_list_id": AN_ID}, "use `mpdx_account_lists`"),
        ({}, "is empty"),
    ],
)
def test_p9_what_would_export_everybody_is_refused_with_what_is_known(given, told):
    with pytest.raises(ConfigurationError, match=r"^Setting `mpdx_export_filter`") as refusal:
        export_filter(given)
    assert told in str(refusal.value)


@pytest.mark.slow
@given(
    st.dictionaries(
        st.one_of(st.sampled_from(EXPORT_FILTERS), st.text()),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=3,
        ),
    )
)
def test_p5_no_filter_leaves_with_a_name_or_a_blank_that_mpdx_would_ignore(given):
    try:
        sent = export_filter(given)
    except ConfigurationError:
        return
    assert sent
    assert sent.keys() <= set(EXPORT_FILTERS)
    assert all(value == value.strip() and value.strip(", ") for value in sent.values())


def test_each_filter_without_free_text_refuses_an_unknown_word():
    for name in set(EXPORT_FILTERS) - FREE_TEXT:
        with pytest.raises(ConfigurationError):
            export_filter({name: "surely unknown"})
