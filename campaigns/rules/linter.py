"""Refuse templates that the law refuses, before anybody can send them: every reason at once, with its rule."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from accounts.refusals import Refusal, gettext_noop, refuse
from campaigns.rules import fields, markup, notice_words
from campaigns.rules.segments import measure

LANGUAGES = ("en", "es")
MOST_SEGMENTS = 3
"""Of a text message; longer ones arrive in pieces."""
MOST_SUBJECT = 90
MOST_BODY = 8_000

TELLING = re.compile(
    r"""debt|collect|\bow(?:e|ed|ing)\b|overdue|past[ ]due|delinquen|creditor|balance|settle
    |deuda|deudor|adeud|\bdeb(?:e|en|ido)\b|cobr[aoe]|cobranza|moros|vencid|acreedor|saldo
    |[$£€]|\d[\d.,]*[.,]\d\d\b""",
    re.IGNORECASE | re.VERBOSE,
)
"""What tells a stranger of a debt (RF-11)."""

BANNED = {
    "RF-22": r"final (notice|warning|demand)|last (chance|warning|notice)|act now|urgent|immediate(ly)? action"
    r"|government|federal law requires|credit (score|report)|ruin|[uú]ltim[oa] (aviso|oportunidad|advertencia)"
    r"|urgente|act[uú]e ya|gobierno|(historial|puntaje) de cr[eé]dito",
    "PDC-03": r"arrest|prosecut|criminal|police|jail|prison|c[aá]rcel|polic[ií]a|delito|pris[ioó]n",  # barred (PDC-03)
    "RF-25": r"legal action|lawsuit|\bsue\b|\bsuit\b|court|garnish|attorney|judg(e)?ment|acci[oó]n legal|demanda"
    r"|tribunal|embarg|abogad|juez",
}
_BANNED = {rule: re.compile(pattern, re.IGNORECASE) for rule, pattern in BANNED.items()}
SHORTENERS = re.compile(r"\b(bit\.ly|tinyurl\.com|goo\.gl|t\.co|ow\.ly|is\.gd|buff\.ly|rebrand\.ly|cutt\.ly)\b", re.I)
ADDRESS = re.compile(r"https?://|www\.", re.I)

_S = {
    "language_missing": gettext_noop("Write it in %(language)s too: disclosures match the language of the message."),
    "empty": gettext_noop("This is empty."),
    "too_long": gettext_noop("This has at most %(most)s characters."),
    "field_unknown": gettext_noop("There is no field {%(name)s}."),
    "field_tells": gettext_noop("{%(name)s} tells a stranger about a debt: not here, only inside."),
    "tells": gettext_noop("“%(words)s” tells a stranger about a debt: not here, only inside."),
    "banned": gettext_noop("“%(words)s” threatens or misleads."),
    "litigation": gettext_noop("“%(words)s” threatens a suit: only in templates marked so, never for a debt too old."),
    "own_address": gettext_noop("Write {link}: addresses in messages are made by the portal, on your own domain."),
    "block_missing": gettext_noop("This notice must hold {%(name)s}, on a line of its own between empty lines."),
    "block_alone": gettext_noop("{%(name)s} stands for a whole block: put it on a line of its own."),
    "no_link": gettext_noop("Add a button in brackets, or {link}."),
    "no_opt_out": gettext_noop("Say how to stop: “Reply STOP”."),
    "no_name": gettext_noop("Say who writes: {agency}."),
    "too_many_segments": gettext_noop("This makes %(segments)s text messages; at most %(most)s."),
    "offer_without_end": gettext_noop("Say until when the offer holds: {offer_expires}."),
    "fields_differ": gettext_noop("The languages name different fields: %(fields)s."),
}
_RULES = {
    "language_missing": "RF-21",
    "field_tells": "RF-11",
    "tells": "RF-11",
    "own_address": "SMS-10",
    "no_opt_out": "RF-17",
    "no_name": "RF-23",
    "too_many_segments": "SMS-09",
    "offer_without_end": "RF-22",
    "fields_differ": "RF-21",
}


@dataclass(frozen=True, slots=True)
class Words:
    """What a template says in one language."""

    body: str
    subject: str = ""
    preheader: str = ""


def lint(shown: str, *, names: Sequence[str] = ()) -> list[str]:
    """List what a text may not say where others can read it: debt words, sums, and names of creditors (RF-11)."""
    found = [match.group() for match in TELLING.finditer(shown)]
    return found + [name for name in names if name and re.search(rf"(?i)\b{re.escape(name)}\b", shown)]


def check(
    *, channel: str, words: Mapping[str, Words], litigation: bool = False, reply: bool = False, kind: str = ""
) -> list[Refusal]:
    """List everything the law or the channel has against a template; each names its field and carries its rule.

    :param reply: it answers a consumer, so it need not lead anywhere.
    :param kind: of a notice, which must hold its blocks (rules/notice_words.py); any other word, a campaign's.
    """
    found: list[Refusal] = []
    for language in LANGUAGES:
        said = words.get(language)
        if said is None or not said.body.strip():
            found.append(_no("language_missing", f"{language}.body", language=_NAMES[language]))
            continue
        found += _parts(channel, language, said, kind)
        found += _content(channel, language, said, litigation)
        if kind in notice_words.NOTICES:
            found += _notice(language, said, kind)
        else:
            found += _text(language, said, reply) if channel == "text" else _mail(language, said, reply)
    named = {language: set(fields.used(said.body)) for language, said in words.items()}
    if len(named) > 1 and (differ := set.union(*named.values()) - set.intersection(*named.values())):
        found.append(_no("fields_differ", "es.body", fields=", ".join(sorted(differ))))
    return found


_NAMES = {"en": gettext_noop("English"), "es": gettext_noop("Spanish")}


def _no(code: str, field: str, *, rule: str = "", **params: object) -> Refusal:
    return refuse(_S[code], code, field=field, rule=rule or _RULES.get(code, ""), **params)


def _parts(channel: str, language: str, said: Words, kind: str) -> list[Refusal]:
    found = []
    known = notice_words.fields_of(kind)
    blocks = notice_words.NOTICES[kind].blocks if kind in notice_words.NOTICES else {}
    parts = {"subject": said.subject, "preheader": said.preheader} if channel == "email" else {}
    for name, text in parts.items():
        if not text.strip():
            found.append(_no("empty", f"{language}.{name}"))
        if len(text) > MOST_SUBJECT:
            found.append(_no("too_long", f"{language}.{name}", most=MOST_SUBJECT))
    if len(said.body) > MOST_BODY:
        found.append(_no("too_long", f"{language}.body", most=MOST_BODY))
    for name, text in {**parts, "body": said.body}.items():
        found += [
            _no("field_unknown", f"{language}.{name}", name=one)
            for one in fields.used(text)
            if one not in known and not (name == "body" and one in blocks)
        ]
    return found


def _outside(channel: str, said: Words) -> dict[str, str]:
    """Give what a lock screen shows: a text message shows all of itself (RF-11)."""
    if channel == "text":
        return {"body": said.body}
    return {"subject": said.subject, "preheader": said.preheader}


def _content(channel: str, language: str, said: Words, litigation: bool) -> list[Refusal]:
    found = []
    for name, text in _outside(channel, said).items():
        where = f"{language}.{name}"
        bare = fields.FIELD.sub(" ", text)
        if channel == "text":
            # The collector's own sentence is wanted in a text (RF-20): it is set by us, not by the template.
            bare = bare.replace("{collector}", " ")
        found += [_no("tells", where, words=words) for words in dict.fromkeys(lint(bare))]
        found += [
            _no("field_tells", where, name=one)
            for one in fields.used(text)
            if (one in fields.FIELDS and fields.FIELDS[one].tells) or one in notice_words.OWN
        ]
    for name, text in {"subject": said.subject, "preheader": said.preheader, "body": said.body}.items():
        where = f"{language}.{name}"
        for rule, pattern in _BANNED.items():
            if rule == "RF-25" and litigation:
                continue
            code = "litigation" if rule == "RF-25" else "banned"
            found += [
                _no(code, where, rule=rule, words=words)
                for words in dict.fromkeys(match.group() for match in pattern.finditer(text))
            ]
        if ADDRESS.search(text) or SHORTENERS.search(text):
            found.append(_no("own_address", where))
    return found


def _mail(language: str, said: Words, reply: bool) -> list[Refusal]:
    """The frame adds who writes, the collector's sentence, the address and the way to stop; the rest is the body's."""
    found = []
    where = f"{language}.body"
    buttons = [block for block in markup.read(said.body) if block.kind == "button"]
    if not reply and not buttons and "link" not in fields.used(said.body):
        found.append(_no("no_link", where))
    named = set(fields.used(said.body))
    if named & set(fields.OFFER_FIELDS) and "offer_expires" not in named:
        found.append(_no("offer_without_end", where))
    return found


def _notice(language: str, said: Words, kind: str) -> list[Refusal]:
    """What the law wants in a notice is there, each on a line of its own; a code says nothing about any account."""
    where, rule = f"{language}.body", notice_words.NOTICES[kind].rule
    blocks = markup.read(said.body)
    found = [_no("block_missing", where, rule=rule, name=name) for name in notice_words.missing(kind, blocks)]
    inline = [block for block in blocks if not notice_words.block_of(kind, block)]
    within = {one for block in inline for line in block.lines for one in fields.used(line)}
    found += [
        _no("block_alone", where, rule=rule, name=name)
        for name in sorted(within & notice_words.NOTICES[kind].blocks.keys())
    ]
    if kind == "code":
        bare = fields.FIELD.sub(" ", said.body)
        found += [_no("tells", where, rule="AUTH-07", words=words) for words in dict.fromkeys(lint(bare))]
    return found


_STOPS = re.compile(r"\b(stop|alto)\b", re.IGNORECASE)


def _text(language: str, said: Words, reply: bool) -> list[Refusal]:
    found = []
    where = f"{language}.body"
    named = fields.used(said.body)
    if "agency" not in named:
        found.append(_no("no_name", where))
    if not _STOPS.search(said.body):
        found.append(_no("no_opt_out", where))
    if "link" not in named and not reply:
        found.append(_no("no_link", where))
    values = fields.samples(language)
    filled = fields.FIELD.sub(lambda match: values.get(match[1], ""), said.body)
    length = measure(f"{filled} {COLLECTOR[language]}")
    if length.segments > MOST_SEGMENTS:
        found.append(_no("too_many_segments", where, segments=length.segments, most=MOST_SEGMENTS))
    return found


COLLECTOR = {"en": "From a debt collector.", "es": "De un cobrador de deudas."}
"""The short sentence that every later text carries (RF-20)."""
