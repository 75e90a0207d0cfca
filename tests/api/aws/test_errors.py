"""The codes of AWS's services, held against what botocore tries again."""

from __future__ import annotations

import pytest
from botocore.loaders import Loader
from botocore.retries.standard import ThrottledRetryableChecker, TransientRetryableChecker

from mailing_api.aws.errors import CLOCK, PASSING, THROTTLED, error_code
from mailing_api.errors import ProviderFault, RateLimited, RequestRefused
from mailing_api.ses.answers import read_error
from tests.api.ses.test_client import refused


def codes_of(retry):
    """The error codes of a part of botocore's retry data."""
    if isinstance(retry, dict):
        named = {retry["service_error_code"]} if "service_error_code" in retry else set()
        return named.union(*map(codes_of, retry.values()))
    return set()


def test_what_botocore_tries_again_passes_here_too():
    data = Loader().load_data("_retry")
    theirs = codes_of(data["definitions"]) | codes_of(data["retry"]["s3"])
    theirs |= {*ThrottledRetryableChecker._THROTTLED_ERROR_CODES, *TransientRetryableChecker._TRANSIENT_ERROR_CODES}
    # Quotas are called the first at Amazon SES, which no waiting changes; the second is seen to by the bucket itself.
    assert theirs - {"LimitExceededException", "BadDigest"} <= THROTTLED | PASSING


@pytest.mark.parametrize("status", [400, 403, 409, 503])
@pytest.mark.parametrize(("codes", "kind"), [(THROTTLED, RateLimited), (PASSING, ProviderFault)])
def test_they_pass_at_amazon_ses_whatever_the_status(status, codes, kind):
    for code in codes:
        assert type(read_error("GET GetAccount", refused(code, status=status))) is kind


def test_a_clock_that_is_wrong_is_no_matter_of_credentials():
    for said in ("Signature expired: 2", "Signature not yet current: 3"):
        error = read_error("GET GetAccount", refused("InvalidSignatureException", said, 403))
        assert type(error) is RequestRefused
        assert CLOCK in str(error)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("SlowDown", "SlowDown"),
        ("KMS.DisabledException", "KMS.DisabledException"),
        ("ann@example.com", None),
        ("", None),
        (".", None),
        ("KMS.", None),
        ("a" * 81, None),
        ("two words", None),
    ],
)
def test_a_code_is_words_with_dots_between(text, code):
    assert error_code(text) == code
