"""Contacts, their data, lists, properties and memberships."""

from __future__ import annotations

from urllib.parse import quote

import pytest


def create(api, email, **fields):
    return api.post("/v3/REST/contact", json={"Email": email, **fields}).json()["Data"][0]


@pytest.fixture
def list_id(sandbox):
    return sandbox.mailjet.add_list("News")


def test_a_new_contact(api):
    row = create(api, "Ada@Example.com", Name="Ada")
    assert (row["Email"], row["Name"], row["LastUpdateAt"]) == ("Ada@Example.com", "Ada", "")
    assert row["ExclusionFromCampaignsUpdatedAt"] == ""
    assert row["CreatedAt"].endswith("Z")


def test_the_exclusion_date_is_set_when_the_flag_is_sent_even_as_false(api):
    row = create(api, "a@example.com", IsExcludedFromCampaigns="false")
    assert (row["IsExcludedFromCampaigns"], row["ExclusionFromCampaignsUpdatedAt"] != "") == (False, True)
    changed = api.put("/v3/REST/contact/a@example.com", json={"IsExcludedFromCampaigns": True}).json()["Data"][0]
    assert changed["LastUpdateAt"] == changed["LastActivityAt"] != ""


def test_duplicates_are_found_whatever_the_case(sandbox, api):
    create(api, "Ada@example.com")
    answer = api.post("/v3/REST/contact", json={"Email": "aDA@EXAMPLE.com"})
    assert answer.status_code == 400
    expected = 'MJ18 A Contact resource with value "aDA@EXAMPLE.com" for Email already exists.'
    assert answer.json()["ErrorMessage"] == expected


@pytest.mark.parametrize(
    ("rule", "stored", "found"),
    [
        ("fold", "Ada@Example.com", 1),
        ("lower", "ada@example.com", 1),
        ("domain", "Ada@Example.com", 2),
        ("exact", "Ada@Example.com", 2),
    ],
)
def test_case_of_addresses(sandbox, api, rule, stored, found):
    sandbox.switches.change({"email_case": rule})
    assert create(api, "Ada@Example.com")["Email"] == stored
    api.post("/v3/REST/contact", json={"Email": "ada@example.com"})
    assert len(sandbox.mailjet.contacts()) == found


def test_changing_the_case_rule_reindexes(sandbox, api):
    create(api, "Ada@example.com")
    assert api.get("/v3/REST/contact/ada@example.com").status_code == 200
    sandbox.switches.change({"email_case": "exact"})
    assert api.get("/v3/REST/contact/ada@example.com").status_code == 404


def test_invalid_addresses(api):
    answer = api.post("/v3/REST/contact", json={"Email": "000"})
    assert (
        answer.json()["ErrorMessage"] == 'Internal error: Invalid email address "000", reason: "No @ character in mail"'
    )
    assert api.post("/v3/REST/contact", json={"Email": "a b@example.com"}).status_code == 400


LOOK_UPS = ["contact/{}", "contact/{}/getcontactslists", "contactdata/{}"]


@pytest.mark.parametrize("path", LOOK_UPS)
def test_looking_for_what_is_no_address_is_refused_and_not_unknown(sandbox, api, path):
    sandbox.mailjet.refuse(["odd@example.com"])
    for key, reason in [("nobody", "No @ character in mail"), ("odd@example.com", "Refused")]:
        answer = api.get("/v3/REST/" + path.format(key))
        said = f'Unexpected error during GET: Invalid email address "{key}", reason: "{reason}"'
        assert (answer.status_code, answer.json()["ErrorMessage"]) == (400, said)
    assert api.get("/v3/REST/" + path.format("ada@example.com")).status_code == 404
    assert api.get("/v3/REST/" + path.format("123")).status_code == 404


def test_changing_what_is_no_address_is_refused_without_the_method(api):
    for path in ("contact/nobody", "contactdata/nobody"):
        said = api.put(f"/v3/REST/{path}", json={}).json()["ErrorMessage"]
        assert said == 'Invalid email address "nobody", reason: "No @ character in mail"'


def test_bad_addresses_may_be_imported_and_are_still_not_found(sandbox, api, list_id):
    sandbox.switches.change({"bad_addresses": "imported"})
    rows = [{"Email": "nobody"}, {"Email": ""}]
    api.post(f"/v3/REST/contactslist/{list_id}/managemanycontacts", json={"Action": "addnoforce", "Contacts": rows})
    assert list(sandbox.mailjet.members(list_id)) == ["nobody"]
    assert api.get("/v3/REST/contact/nobody").status_code == 400


def test_a_bulk_body_posted_to_contact(api):
    answer = api.post("/v3/REST/contact", json={"Contacts": []})
    assert answer.json()["ErrorMessage"] == 'Invalid json input: object ""->"TContact" has no property "Contacts"'


@pytest.mark.parametrize("field", ["LastActivityAt", "Email", "ID"])
def test_read_only_fields_are_refused_with_401(api, field):
    create(api, "a@example.com")
    answer = api.put("/v3/REST/contact/a@example.com", json={field: "x"})
    assert answer.status_code == 401
    assert answer.json()["ErrorMessage"] == f'MJ19 Setting a value for property "{field}" is not allowed'


def test_encoded_addresses_in_paths(api):
    for email in ("ada+news@example.com", "jürgen@example.com", "a/b@example.com"):
        number = create(api, email)["ID"]
        assert api.get(f"/v3/REST/contact/{quote(email, safe='')}").json()["Data"][0]["ID"] == number


def test_contacts_are_deleted_only_the_new_way(sandbox, api, list_id):
    (number,) = sandbox.mailjet.add_contacts([{"email": "a@example.com", "list": list_id}])
    assert api.delete(f"/v3/REST/contact/{number}").status_code == 401
    for _ in range(2):
        answer = api.delete(f"/v4/contacts/{number}")
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["x-mj-request-guid"]
    assert api.delete("/v4/contacts/999").status_code == 200
    assert api.get("/v3/REST/contact/a@example.com").status_code == 404
    assert api.get(f"/v3/REST/contactslist/{list_id}").json()["Data"][0]["SubscriberCount"] == 0
    assert create(api, "a@example.com")["ID"] > number


# property values


@pytest.fixture
def typed(sandbox):
    for datatype in ("str", "int", "float", "bool", "datetime"):
        sandbox.mailjet.add_property(f"a_{datatype}", datatype)
    sandbox.mailjet.add_contacts([{"email": "a@example.com"}])


def put(api, **values):
    items = [{"Name": name, "Value": value} for name, value in values.items()]
    return api.put("/v3/REST/contactdata/a@example.com", json={"Data": items})


def values(api):
    return {
        item["Name"]: item["Value"] for item in api.get("/v3/REST/contactdata/a@example.com").json()["Data"][0]["Data"]
    }


def test_values_come_back_as_text_in_the_order_of_their_definitions(api, typed):
    echo = put(api, a_datetime="2024-02-11T23:03:03.250Z", a_bool=True, a_float=30.39, a_int=12, a_str="Łódź")
    assert [item["Value"] for item in echo.json()["Data"][0]["Data"]] == [
        "2024-02-11T23:03:03.250Z", "true", "30.39", "12", "Łódź",
    ]  # fmt: skip
    assert list(values(api).items()) == [
        ("a_str", "Łódź"), ("a_int", "12"), ("a_float", "30.39"), ("a_bool", "true"),
        ("a_datetime", "2024-02-11T23:03:03Z"),
    ]  # fmt: skip
    assert api.get("/v3/REST/contact/a@example.com").json()["Data"][0]["LastUpdateAt"] == ""


@pytest.mark.parametrize(
    ("name", "sent", "kept"),
    [
        ("a_int", "7", "7"),
        ("a_int", 2**60, str(2**60)),
        ("a_float", "1.50", "1.50"),
        ("a_bool", "FALSE", "false"),
        ("a_bool", 1, "true"),
        ("a_datetime", 1707692583, "2024-02-11T23:03:03Z"),
        ("a_datetime", "2024-02-12T00:03:03+01:00", "2024-02-11T23:03:03Z"),
    ],
)
def test_accepted_values(api, typed, name, sent, kept):
    assert put(api, **{name: sent}).status_code == 200
    assert values(api) == {name: kept}


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("a_int", "x"), ("a_int", 1.5), ("a_int", True), ("a_float", "x"), ("a_float", "nan"), ("a_bool", "yes"),
        ("a_bool", 2),
        ("a_datetime", "soon"), ("a_datetime", "2024-02-11"), ("a_datetime", 10**18), ("a_str", 5), ("a_str", ["x"]),
        ("a_datetime", True), ("a_datetime", "2024-13-45T00:00:00Z"),
    ],
)  # fmt: skip
def test_refused_values(api, typed, name, sent):
    answer = put(api, **{name: sent})
    assert answer.status_code == 400
    assert f"for key {name}" in answer.json()["ErrorMessage"]
    assert values(api) == {}


def test_the_messages_of_contactdata(api, typed):
    wrong = put(api, a_datetime="soon").json()["ErrorMessage"]
    assert wrong == '[{ "a_datetime" : "CM09 "soon" is not a valid datetime value for key a_datetime" }]'
    assert put(api, shoe_size=1).json()["ErrorMessage"] == 'Invalid key name: "shoe_size"'


def test_numbers_as_text_where_switched_on(sandbox, api, typed):
    sandbox.switches.change({"str_accepts_numbers": True})
    assert put(api, a_str=5).status_code == 200
    assert values(api) == {"a_str": "5"}


def test_clearing_and_changing_nothing(api, typed):
    put(api, a_int=1, a_str="x")
    assert put(api, a_int=1).status_code == 304
    cleared = put(api, a_int=None, a_str="y").json()["Data"][0]["Data"]
    assert cleared == [{"Name": "a_str", "Value": "y"}]
    assert values(api) == {"a_str": "y"}
    assert api.put("/v3/REST/contactdata/a@example.com", json={"Data": [{"Name": "a_str"}]}).status_code == 200
    assert values(api) == {}
    put(api, a_str="z")
    assert api.delete("/v3/REST/contactdata/a@example.com").status_code == 204
    assert values(api) == {}


@pytest.mark.parametrize(
    ("text", "shown"), [("true", ["true", "false"]), ("True", ["True", "False"]), ("1", ["1", "0"])]
)
def test_rendering_of_booleans(sandbox, api, typed, text, shown):
    sandbox.switches.change({"bool_text": text})
    put(api, a_bool=True)
    first = values(api)["a_bool"]
    put(api, a_bool=False)
    assert [first, values(api)["a_bool"]] == shown


def test_fields_restricts_the_values(api, typed):
    put(api, a_int=1, a_str="x")
    row = api.get("/v3/REST/contactdata?Fields=a_int&ContactEmail=A@example.com").json()["Data"][0]
    assert row["Data"] == [{"Name": "a_int", "Value": "1"}]
    assert row["ID"] == row["ContactID"]


def test_a_new_property_may_take_a_while(sandbox, api, typed):
    sandbox.switches.change({"property_delay_seconds": 3})
    sandbox.clock.advance(10)
    api.post("/v3/REST/contactmetadata", json={"Name": "fresh", "Datatype": "int"})
    assert put(api, fresh=1).json()["ErrorMessage"] == 'Invalid key name: "fresh"'
    sandbox.clock.advance(4)
    assert put(api, fresh=1).status_code == 200


def test_property_definitions(sandbox, api):
    made = api.post("/v3/REST/contactmetadata", json={"Name": "age", "Datatype": "int"})
    assert made.json()["Data"][0] | {"ID": 0} == {"Datatype": "int", "ID": 0, "Name": "age", "NameSpace": "static"}
    number = made.json()["Data"][0]["ID"]
    assert api.post("/v3/REST/contactmetadata", json={"Name": "age"}).status_code == 400
    assert api.post("/v3/REST/contactmetadata", json={"Name": "x", "Datatype": "blob"}).status_code == 400
    assert api.get("/v3/REST/contactmetadata/static%7Cage").json()["Data"][0]["ID"] == number
    assert api.put(f"/v3/REST/contactmetadata/{number}", json={"Name": "years"}).status_code == 200
    assert api.get("/v3/REST/contactmetadata?DataType=int").json()["Count"] == 1
    sandbox.mailjet.add_contacts([{"email": "a@example.com", "properties": {"years": 3}}])
    assert api.delete(f"/v3/REST/contactmetadata/{number}").status_code == 204
    api.post("/v3/REST/contactmetadata", json={"Name": "years", "Datatype": "int"})
    assert values(api) == {}


def test_property_names_are_kept_in_lower_case_unless_a_switch_says_otherwise(sandbox, api):
    made = api.post("/v3/REST/contactmetadata", json={"Name": "City"}).json()["Data"][0]
    assert made["Name"] == "city"
    again = api.post("/v3/REST/contactmetadata", json={"Name": "CITY"})
    assert (again.status_code, again.json()["ErrorMessage"]) == (400, 'CM01 Property "city" already exists')
    create(api, "a@example.com")
    api.put("/v3/REST/contactdata/a@example.com", json={"Data": [{"Name": "CITY", "Value": "Lyon"}]})
    assert values(api) == {"city": "Lyon"}
    sandbox.switches.change({"property_case": "exact", "old_error_codes": False})
    assert api.post("/v3/REST/contactmetadata", json={"Name": "CITY"}).json()["Data"][0]["Name"] == "CITY"
    assert api.post("/v3/REST/contactmetadata", json={"Name": "CITY"}).json()["ErrorMessage"].startswith("MJ18")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"NameSpace": "odd"}, "CM02 Unknown namespace : odd"),
        ({"Datatype": "blob"}, 'CM08 "blob" is not a valid datatype'),
        ({"Name": ""}, "MJ08 Property name is invalid: MJ04 Value must have at least length 1"),
        ({"Name": "n" * 21}, "MJ08 Property name is invalid: MJ05 Value may have at most length 20"),
    ],
)
def test_refused_definitions_have_the_codes_of_the_old_client(sandbox, api, fields, message):
    sandbox.switches.change({"max_name_length": 20})
    answer = api.post("/v3/REST/contactmetadata", json={"Name": "age"} | fields)
    assert (answer.status_code, answer.json()["ErrorMessage"]) == (400, message)


@pytest.mark.parametrize(("datatype", "code"), [("int", "CM03"), ("bool", "CM04"), ("float", "CM05")])
def test_values_that_do_not_fit_have_the_code_of_their_type(api, typed, datatype, code):
    assert f'"{code} "soon" is not a valid' in put(api, **{f"a_{datatype}": "soon"}).json()["ErrorMessage"]


def test_values_may_be_too_long(sandbox, api, typed):
    sandbox.switches.change({"max_value_bytes": 3})
    assert "CM06 Length of value (4 bytes)" in put(api, a_str="long").json()["ErrorMessage"]


def test_values_without_their_envelope_are_an_unknown_key(api, typed):
    for body in ({"Data": {"a_str": "x"}}, {"a_str": "x"}):
        answer = api.put("/v3/REST/contactdata/A@example.com", json=body)
        assert (answer.status_code, answer.json()["ErrorMessage"]) == (400, 'Invalid key name: "a_str"')


def test_properties_as_json_text_are_accepted_and_ignored(sandbox, api, list_id):
    sandbox.mailjet.add_property("city")
    row = {"Email": "a@example.com", "Properties": '{"city": "Lyon"}'}
    path = f"/v3/REST/contactslist/{list_id}"
    assert api.post(f"{path}/managecontact", json=row | {"Action": "addnoforce"}).status_code == 201
    assert api.post(f"{path}/managemanycontacts", json={"Action": "addnoforce", "Contacts": [row]}).status_code == 201
    assert sandbox.mailjet.members(list_id)["a@example.com"]["properties"] == {}


def test_property_names_can_be_strict(sandbox, api):
    assert api.post("/v3/REST/contactmetadata", json={"Name": "Shoe Size"}).status_code == 201
    sandbox.switches.change({"property_names": "lowercase"})
    assert api.post("/v3/REST/contactmetadata", json={"Name": "Hat Size"}).status_code == 400


def test_at_most_200_properties_the_address_included(sandbox, api):
    for n in range(199):
        sandbox.mailjet.add_property(f"p{n}")
    assert api.post("/v3/REST/contactmetadata", json={"Name": "more"}).status_code == 400


# lists and memberships


def test_lists(api):
    row = api.post("/v3/REST/contactslist", json={"Name": "News"}).json()["Data"][0]
    assert len(row["Address"]) == 9
    assert api.get(f"/v3/REST/contactslist/{row['Address']}").json()["Data"][0] == row
    assert api.post("/v3/REST/contactslist", json={"Name": "News"}).status_code == 400
    assert api.post("/v3/REST/contactslist", json={}).status_code == 400
    assert api.put(f"/v3/REST/contactslist/{row['ID']}", json={"Name": "Old"}).json()["Data"][0]["Name"] == "Old"
    assert api.put(f"/v3/REST/contactslist/{row['ID']}", json={"Name": "Old"}).status_code == 304
    assert api.get("/v3/REST/contactslist/1").status_code == 404


def test_a_list_gets_its_address_from_mailjet(api, list_id):
    said = "Internal error: List address is automatically generated and can't be changed"
    for answer in (
        api.post("/v3/REST/contactslist", json={"Name": "Own", "Address": "own"}),
        api.put(f"/v3/REST/contactslist/{list_id}", json={"Address": "own"}),
    ):
        assert (answer.status_code, answer.json()["ErrorMessage"]) == (401, said)


def test_a_file_without_a_list_is_refused_in_json(api):
    answer = api.post("/v3/DATA/contactslist/CSVData/text:plain", content=b"email\n")
    assert (answer.status_code, answer.json()["StatusCode"]) == (400, 400)


@pytest.mark.parametrize(("limits", "query", "count"), [(True, "", 10), (True, "?Limit=1000", 12), (False, "", 12)])
def test_the_lists_of_a_contact_come_as_many_as_requested(sandbox, api, limits, query, count):
    sandbox.switches.change({"contact_lists_limit": limits, "contact_lists_dates": False})
    numbers = [sandbox.mailjet.add_list(f"List {n}") for n in range(12)]
    sandbox.mailjet.add_contacts([{"email": "a@example.com", "list": number} for number in numbers])
    rows = api.get(f"/v3/REST/contact/a@example.com/getcontactslists{query}").json()["Data"]
    assert (len(rows), {row["SubscribedAt"] for row in rows}) == (count, {""})


def manage(api, list_id, action, email="a@example.com", **fields):
    body = {"Email": email, "Action": action, **fields}
    return api.post(f"/v3/REST/contactslist/{list_id}/managecontact", json=body)


def only_membership(api):
    (row,) = api.get("/v3/REST/listrecipient").json()["Data"]
    return row


def test_managecontact_answers_what_results(sandbox, api, list_id):
    sandbox.mailjet.add_property("city")
    sandbox.mailjet.add_property("age", "int")
    manage(api, list_id, "addnoforce", Name="Ada", Properties={"city": "Lyon", "age": 3})
    answer = manage(api, list_id, "addforce", Properties={"city": None})
    assert answer.status_code == 201
    row = answer.json()["Data"][0]
    assert (row["Name"], row["Properties"], row["Action"]) == ("Ada", {"age": 3}, "addforce")


def test_removing_a_stranger_is_fine(api, list_id):
    assert manage(api, list_id, "remove").status_code == 201
    assert api.get("/v3/REST/contact/a@example.com").status_code == 200


def test_the_errors_of_managecontact_are_objects(sandbox, api, list_id):
    empty = api.post(f"/v3/REST/contactslist/{list_id}/managecontact", json={})
    assert empty.status_code == 400
    assert empty.json()["ErrorMessage"] == "Object properties invalid"
    assert empty.json()["ErrorInfo"] == {
        "Email": "MJ08 Property email is invalid: MJ03 A non-empty value is required",
        "Action": "Invalid action: ",
    }
    sandbox.mailjet.add_property("visits", "int")
    wrong = manage(api, list_id, "addforce", Properties={"shoe_size": 1, "visits": "many"})
    assert wrong.json()["ErrorInfo"] == {
        "Properties": [{"shoe_size": "Property not defined"}, {"visits": "Property type does not match definition"}]
    }
    assert sandbox.mailjet.contacts() == {}
    assert manage(api, 1, "addforce").status_code == 404


def test_what_the_actions_do_to_a_membership(sandbox, api, list_id):
    manage(api, list_id, "addnoforce")
    first = only_membership(api)
    sandbox.clock.advance(60)
    manage(api, list_id, "addnoforce")
    assert only_membership(api) == first
    manage(api, list_id, "unsub")
    gone = only_membership(api)
    assert gone["IsUnsubscribed"] is True
    assert gone["UnsubscribedAt"] > first["SubscribedAt"]
    manage(api, list_id, "addnoforce")
    assert only_membership(api) == gone
    sandbox.clock.advance(60)
    manage(api, list_id, "addforce")
    back = only_membership(api)
    assert (back["ID"], back["IsUnsubscribed"]) == (first["ID"], False)
    assert back["SubscribedAt"] > gone["UnsubscribedAt"]
    manage(api, list_id, "remove")
    assert api.get("/v3/REST/listrecipient").json()["Data"] == []
    sandbox.clock.advance(60)
    manage(api, list_id, "addnoforce")
    again = only_membership(api)
    assert again["ID"] > first["ID"]
    assert again["SubscribedAt"] > back["SubscribedAt"]


def test_resubscribing_may_keep_its_date(sandbox, api, list_id):
    sandbox.switches.change({"resubscribe_moves_subscribed_at": False})
    manage(api, list_id, "addnoforce")
    first = only_membership(api)["SubscribedAt"]
    manage(api, list_id, "unsub")
    sandbox.clock.advance(60)
    manage(api, list_id, "addforce")
    assert only_membership(api)["SubscribedAt"] == first


def test_unsubscribing_a_stranger(sandbox, api, list_id):
    manage(api, list_id, "unsub")
    assert only_membership(api)["IsUnsubscribed"] is True
    sandbox.switches.change({"unsub_creates_membership": False})
    manage(api, list_id, "unsub", email="b@example.com")
    assert api.get("/v3/REST/listrecipient").json()["Count"] == 1


def test_who_counts_as_subscriber(sandbox, api, list_id):
    sandbox.mailjet.add_contacts(
        [{"email": "a@example.com", "list": list_id}, {"email": "b@example.com", "list": list_id, "unsubscribed": True}]
    )
    assert api.get(f"/v3/REST/contactslist/{list_id}").json()["Data"][0]["SubscriberCount"] == 1
    sandbox.switches.change({"subscriber_count_includes_unsubscribed": True})
    assert api.get(f"/v3/REST/contactslist/{list_id}").json()["Data"][0]["SubscriberCount"] == 2


def test_managecontactslists(sandbox, api, list_id):
    other = sandbox.mailjet.add_list("Other")
    path = "/v3/REST/contact/a@example.com/managecontactslists"
    entries = [{"ListID": list_id, "Action": "addnoforce"}, {"ListID": str(other), "Action": "unsub"}]
    assert api.post(path, json={"ContactsLists": entries}).status_code == 404
    sandbox.mailjet.add_contacts([{"email": "a@example.com"}])
    assert api.post(path, json={"ContactsLists": entries}).json()["Data"] == [{"ContactsLists": entries}]
    rows = api.get("/v3/REST/contact/a@example.com/getcontactslists").json()["Data"]
    assert [(row["ListID"], row["IsUnsub"]) for row in rows] == [(list_id, False), (other, True)]


@pytest.mark.parametrize(("partial", "members"), [(False, 0), (True, 1)])
def test_faulty_entries_of_managecontactslists(sandbox, api, list_id, partial, members):
    sandbox.switches.change({"managecontactslists_partial": partial})
    sandbox.mailjet.add_contacts([{"email": "a@example.com"}])
    bad = [{"ListID": "abc", "Action": "addnoforce"}, {"ListID": list_id, "Action": "hug"}]
    answer = api.post(
        "/v3/REST/contact/a@example.com/managecontactslists",
        json={"ContactsLists": [{"ListID": list_id, "Action": "addforce"}, *bad]},
    )
    assert answer.status_code == 400
    assert answer.json()["ErrorMessage"] == {
        "ContactsLists": [
            bad[0] | {"Error": "listID missing or not valid"},
            bad[1] | {"Error": "action missing or not valid"},
        ]
    }
    assert len(sandbox.mailjet.members(list_id)) == members


def test_lists_of_a_contact(sandbox, api):
    assert api.get("/v3/REST/contact/a@example.com/getcontactslists").status_code == 404
    sandbox.mailjet.add_contacts([{"email": "a@example.com"}])
    assert api.get("/v3/REST/contact/a@example.com/getcontactslists").json()["Data"] == []


def test_listrecipient(sandbox, api, list_id):
    (contact,) = sandbox.mailjet.add_contacts([{"email": "a@example.com"}])
    row = api.post("/v3/REST/listrecipient", json={"ContactID": contact, "ListID": str(list_id)}).json()["Data"][0]
    assert (row["ListName"], row["IsActive"], row["UnsubscribedAt"]) == ("News", True, "")
    again = api.post("/v3/REST/listrecipient", json={"ContactAlt": "a@example.com", "ListAlt": "News"})
    assert again.json()["ErrorMessage"] == "A duplicate ListRecipient already exists."
    unknown = api.post("/v3/REST/listrecipient", json={"ContactAlt": "x@example.com", "ListID": list_id})
    message = 'Property "Contact", alternate key value "x@example.com" could not be resolved to an ID'
    assert unknown.json()["ErrorMessage"] == message
    changed = api.put(f"/v3/REST/listrecipient/{row['ID']}", json={"IsUnsubscribed": "true"}).json()["Data"][0]
    assert changed["UnsubscribedAt"] != ""
    assert api.put(f"/v3/REST/listrecipient/{row['ID']}", json={}).status_code == 304
    assert api.get(f"/v3/REST/listrecipient?Contact={contact}&IgnoreDeleted=true").json()["Count"] == 1
    assert api.get("/v3/REST/listrecipient?ListName=Nothing").json()["Count"] == 0
    assert api.delete(f"/v3/REST/listrecipient/{row['ID']}").status_code == 204
    assert api.get(f"/v3/REST/listrecipient/{row['ID']}").status_code == 404


def test_what_list_alt_means(sandbox, api, list_id):
    sandbox.mailjet.add_contacts([{"email": "a@example.com"}])
    address = api.get(f"/v3/REST/contactslist/{list_id}").json()["Data"][0]["Address"]
    body = {"ContactAlt": "a@example.com", "ListAlt": address}
    assert api.post("/v3/REST/listrecipient", json=body).status_code == 400
    sandbox.switches.change({"list_alt": "address"})
    assert api.post("/v3/REST/listrecipient", json=body).status_code == 201


def test_segments(api):
    made = api.post("/v3/REST/contactfilter", json={"Name": "Young", "Expression": "(age<35)"}).json()["Data"][0]
    assert made["Status"] == "unused"
    assert api.post("/v3/REST/contactfilter", json={"Name": "Young", "Expression": "x"}).status_code == 400
    assert api.post("/v3/REST/contactfilter", json={"Name": "No"}).status_code == 400
    assert api.get("/v3/REST/contactfilter/Young").json()["Data"][0] == made
    assert api.put("/v3/REST/contactfilter/Young", json={"Description": "d"}).status_code == 200
    assert api.put("/v3/REST/contactfilter/Young", json={"Description": "d"}).status_code == 304
    assert api.delete("/v3/REST/contactfilter/Young").status_code == 204
    assert api.get("/v3/REST/contactfilter").json()["Data"] == []
    assert api.get("/v3/REST/contactfilter?ShowDeleted=true").json()["Data"][0]["Status"] == "deleted"
    assert api.get("/v3/REST/contactfilter/Nobody").status_code == 404
