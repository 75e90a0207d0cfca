"""What stands before every operation: signature, region, permission. Import it late: it loads botocore."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailing_sandbox.ses.model import model
from mailing_sandbox.ses.refusal import Refusal
from mailing_sandbox.ses.signing import BadSignature, Signed, verify

if TYPE_CHECKING:
    from mailing_sandbox.provider import Call
    from mailing_sandbox.ses.credentials import Keyring
    from mailing_sandbox.ses.switches import Switches

SERVICE = "ses"
"""The signing name; neither ``sesv2`` nor ``email``."""

CODES = {
    "missing": "MissingAuthenticationTokenException",
    "incomplete": "IncompleteSignatureException",
    "unknown": "UnrecognizedClientException",
    "expired": "ExpiredTokenException",
}
"""Error codes by kind of bad signature; all others follow the switch `ses_signature_error`."""


class Door:
    """Lets requests in."""

    def __init__(self, keyring: Keyring) -> None:
        self.model = model()
        self._keyring = keyring

    def enter(self, call: Call, switches: Switches, now: float) -> Signed:
        """Return who calls, and for which region; Refusal when that is not in order."""
        try:
            signed = verify(call, SERVICE, self._keyring, now=now, skew=switches.ses_clock_skew_seconds)
        except BadSignature as bad:
            code = CODES.get(bad.kind, switches.ses_signature_error)
            raise Refusal(code, bad.message, 403) from bad
        named = {name.strip() for name in switches.ses_regions.split(",")}
        if signed.region not in (self.model.regions if "all" in named else named):
            message = f"Credential should be scoped to a valid region, not '{signed.region}'. "
            raise Refusal(switches.ses_signature_error, message, 403)
        return signed

    def permit(self, signed: Signed, operation: str) -> None:
        """Refuse an operation that the caller may not do, naming the action that is missing."""
        denial = self._keyring.denial(signed.key, f"ses:{operation}")
        if denial is not None:
            raise Refusal("AccessDeniedException", denial)
