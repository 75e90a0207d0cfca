"""Which AWS account credentials are of, as far as they tell it themselves."""

from __future__ import annotations

import pytest

from mailing_api.aws.account_number import account_number
from mailing_api.aws.session import AwsSession


@pytest.mark.parametrize(
    ("key", "number"),
    [
        ("ASIAQNZGKIQY56JQ7WML", "029608264753"),
        ("AKIAY34FZKBOKMUTVV7A", "609629065308"),
        ("AKIAIOSFODNN7EXAMPLE", None),  # of before 2019
        ("AKIAJOSFODNN7EXAMPLE", None),
        ("AKIA77777777777777AA", None),  # no number has 13 digits
        ("AKIAQNZGKIQY56JQ7WM", None),
        ("akiaqnzgkiqy56jq7wml", None),
        ("sandbox-key", None),
        ("", None),
    ],
)
def test_a_key_tells_the_account(key, number):
    assert account_number(key) == number


@pytest.mark.parametrize(
    ("given", "account"),
    [
        (("ASIAQNZGKIQY56JQ7WML", "token", ""), "029608264753"),
        (("AKIAIOSFODNN7EXAMPLE", "", "111111111111"), "AKIAIOSFODNN7EXAMPLE"),
        (("ASIATEMPORARY", "token", "111111111111"), "111111111111"),
        (("ASIATEMPORARY", "token", ""), ""),
    ],
)
def test_credentials_that_change_with_each_run_count_by_account(monkeypatch, tmp_path, given, account):
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    key, token, number = given
    names = ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "ACCOUNT_ID")
    for name, value in zip(names, (key, "canary-secret", token, number), strict=True):
        monkeypatch.setenv(f"AWS_{name}", value)
    assert AwsSession(region="eu-west-1").account() == account
