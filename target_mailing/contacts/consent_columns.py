"""Names of columns that say who may be contacted, in common languages; pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from mailing_api.suggestions import column_meant
from target_mailing.contacts.deletion import looks_like_deletion, plain

__all__ = ["address_meant", "looks_like_consent", "tells_opt_outs"]

#: Names of columns in which "yes" means that the person must not be contacted.
_OPT_OUT_NAMES: Final = re.compile(
    r"(?<!not)(?:unsub|opt(?:ed)?out|donot|dont|nomail|noemail|nocontact|nomarketing|nonewsletter|suppress|exclu(?:ded?|sion)|"
    r"blocked|blocklist|blacklist|bounced|complain|spam|objected|objection|withdrew|withdrawn|revoked|cancell?ed|declined)|"
    r"\A(?:is|has|on|e?mail)?dnc(?:flag|list|status|date|at)?\Z|\Adnm\Z"
)
#: The same in other languages.
_TRANSLATED: Final = re.compile(
    r"abgemeldet|abmeldung|abmeldedatum|abmeldeam|abbestell|ausgetragen|widerruf|widerspr(?:uch|ochen)|gesperrt|"
    r"(?:werbe|mail|kontakt)sperre|keine?(?:werbung|e?mails?|newsletter|kontakt)|"
    r"desabonn|desinscri|nep(?:as|lus)(?:contacter|envoyer|ecrire|solliciter|e?mail)|"
    r"dess?uscri|descadastr|cancelad[oa]|revocad[oa]|bloquead[oa]|(?:no|nao)(?:contactar|contatar|enviar|molestar)|"
    r"\A(?:fecha|motivo|es|esta|dad[oa])?(?:de)?baja(?:at|date|email|mail|correo|newsletter|boletin)?\Z|"
    r"disiscri|revocat[oa]|noncontattare|noninviare|"
    r"uitgeschreven|uitschrijv|afgemeld|afmeld|opgezegd|"
    r"avregistr|afregistr|avanmal|avprenumer|avmeld|frameld|framald|"
    r"wypisan|rezygnacj|zrezygnowa|odsubskry|"
    r"\Astopp?\Z|\A(?:e?mail|mailing|sms|newsletter)stopp?\Z|\Astopp?(?:e?mails?|mailings?|newsletter|contact|marketing|sms|pub)\Z"
)
#: What separates the values of a line in files.
_DELIMITER: Final = re.compile(r"[;,|\t]")
#: Words that, right before one of them, reverse its meaning.
_NEGATIONS: Final = frozenset(["not", "nicht", "niet", "non", "pas", "nie", "inte", "ej", "ikke", "nao", "no"])
_CONSENT_NAMES: Final = re.compile(
    r"subscri|opt(?:ed)?in|consent|permission|newsletter|marketing|gdpr|"
    r"(?:mail|contact|member|list|customer|lead)status\Z|\Astatus\Z|mailable|contactable|"
    r"(?:allow|accept|receive|send)s?e?mail|mail(?:s|ing|ings)?(?:allowed|accepted|permitted|ok)|\Awants|"
    r"einwillig|zustimmung|einverstand|(?:mails?|kontakt|werbung|post)(?:ist)?erlaubt|werbeerlaubnis|"
    r"consenso|consens\Z|toestemming|samtykke|samtycke|\Azgod[ay]|dsgvo|rgpd|\Arodo\Z|abonniert|suscrit|suscripc"
)
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W_A-Za-z]+")


def tells_opt_outs(column: str) -> bool:
    """Whether a column is named after opt-outs, so that "yes" in it means that the person must not be contacted."""
    name = "".join(_words(column))
    if _OPT_OUT_NAMES.search(name):
        return True
    negated = _ends_of_negations(column)
    return any(found.start() not in negated for found in _TRANSLATED.finditer(name))


def looks_like_consent(column: str) -> bool:
    """Whether a column's name suggests that it says who may be contacted."""
    name = "".join(_words(column))
    return any(names.search(name) for names in (_CONSENT_NAMES, _OPT_OUT_NAMES, _TRANSLATED))


def address_meant(name: str, columns: Iterable[str], mapping: Mapping[str, str]) -> str:
    """The question of `column_meant` for a column of addresses; columns of opt-outs and deletions are not suggested.

    For a single column whose name has a delimiter in it, a hint at that: its name may be any text, and is not quoted.
    """
    names = [*columns]
    own = [one for one in names if not one.startswith("_sdc_")]
    if len(own) == 1 and (found := _DELIMITER.search(own[0])) is not None:
        shown = "a tab" if found[0] == "\t" else f"`{found[0]}`"
        return (
            f" The name of its only column has {shown} in it, as if a file had been read with another delimiter: check "
            "the tap's setting for that."
        )
    return column_meant(
        name, [one for one in names if not tells_opt_outs(one) and not looks_like_deletion(one)], mapping
    )


def _ends_of_negations(column: str) -> set[int]:
    ends, at = set(), 0
    for word in _words(column):
        at += len(word)
        if word in _NEGATIONS:
            ends.add(at)
    return ends


def _words(column: str) -> list[str]:
    """A name's words: letters and digits in lower case, without accents."""
    # Accents are removed first, since words are split at capital letters.
    bare = "".join(one if one.isascii() else plain(one).upper() if one.isupper() else plain(one) for one in column)
    return [word.lower() for word in _WORD.findall(bare)]
