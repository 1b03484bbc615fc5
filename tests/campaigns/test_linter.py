"""The linter refuses what the law refuses, in both languages, and the ready templates pass it."""

import dataclasses

import pytest

from campaigns.library import READY
from campaigns.rules import fields
from campaigns.rules.linter import check
from campaigns.rules.markup import read
from campaigns.rules.segments import measure

GOOD = READY["reminder"].words
TEXT = READY["reminder_text"].words


def against(channel="email", litigation=False, language="en", **changes) -> list[tuple[str, str, str]]:
    """Give the refusals of a good template with some words changed: code, field, rule."""
    words = dict(GOOD if channel == "email" else TEXT)
    words[language] = dataclasses.replace(words[language], **changes)
    found = check(channel=channel, words=words, litigation=litigation)
    return [(one.code, one.field, one.params["rule"]) for one in found]


@pytest.mark.parametrize("key", READY)
def test_ready_templates_pass_in_both_languages(key):
    ready = READY[key]
    found = check(channel=ready.channel, words=ready.words, reply=ready.kind == "reply", kind=ready.kind)
    assert [one.sentence for one in found] == []
    assert set(ready.words) == {"en", "es"}


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        pytest.param({"subject": "Your debt"}, ("tells", "en.subject", "RF-11"), id="RF-11 the word"),
        pytest.param({"subject": "You owe us"}, ("tells", "en.subject", "RF-11"), id="RF-11 to owe"),
        pytest.param({"subject": "{first_name}, $50 off"}, ("tells", "en.subject", "RF-11"), id="RF-11 a sum"),
        pytest.param({"subject": "About {creditor}"}, ("field_tells", "en.subject", "RF-11"), id="RF-11 the creditor"),
        pytest.param({"preheader": "{balance}"}, ("field_tells", "en.preheader", "RF-11"), id="RF-11 preheader"),
        pytest.param({"subject": ""}, ("empty", "en.subject", ""), id="no subject"),
        pytest.param({"subject": "x" * 91}, ("too_long", "en.subject", ""), id="a long subject"),
        pytest.param({"body": "Final notice!\n\n[Pay]"}, ("banned", "en.body", "RF-22"), id="RF-22 false urgency"),
        pytest.param({"body": "The police will come\n\n[Pay]"}, ("banned", "en.body", "PDC-03"), id="PDC-03 threats"),
        pytest.param({"body": "We will sue you\n\n[Pay]"}, ("litigation", "en.body", "RF-25"), id="RF-25 a suit"),
        pytest.param({"body": "Go to https://bit.ly/x\n\n[Pay]"}, ("own_address", "en.body", "SMS-10"), id="SMS-10"),
        pytest.param({"body": "Hello {name}\n\n[Pay]"}, ("field_unknown", "en.body", ""), id="an unknown field"),
        pytest.param({"body": "Hello."}, ("no_link", "en.body", ""), id="no way to answer"),
        pytest.param({"body": ""}, ("language_missing", "en.body", "RF-21"), id="RF-21 one language only"),
        pytest.param(
            {"body": "Settle for {offer_amount}\n\n[See it]"},
            ("offer_without_end", "en.body", "RF-22"),
            id="RF-22 an offer without its last day",
        ),
    ],
)
def test_an_email_is_refused_with_the_rule(changes, refused):
    assert refused in against(**changes)


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        pytest.param({"body": "{agency}: {link}"}, ("no_opt_out", "en.body", "RF-17"), id="RF-17 no way to stop"),
        pytest.param({"body": "Hi: {link} Reply STOP"}, ("no_name", "en.body", "RF-23"), id="RF-23 nobody writes"),
        pytest.param(
            {"body": "{agency}: your balance {link} Reply STOP"}, ("tells", "en.body", "RF-11"), id="RF-11 lock screen"
        ),
        pytest.param(
            {"body": "{agency} {balance} {link} Reply STOP"}, ("field_tells", "en.body", "RF-11"), id="RF-11 a field"
        ),
        pytest.param(
            {"body": "{agency} {link} Reply STOP " + "ó" * 200},
            ("too_many_segments", "en.body", "SMS-09"),
            id="SMS-09 too long",
        ),
    ],
)
def test_a_text_message_is_refused_with_the_rule(changes, refused):
    assert refused in against("text", **changes)


def test_spanish_is_held_to_the_same():
    assert ("tells", "es.subject", "RF-11") in against(language="es", subject="Su deuda")
    assert ("litigation", "es.body", "RF-25") in against(language="es", body="Acción legal\n\n[Pagar]")


def test_a_template_marked_so_may_speak_of_a_suit():
    assert not [one for one in against(body=GOOD["en"].body + "\n\nThe court", litigation=True) if one[2] == "RF-25"]


def test_all_refusals_come_at_once():
    assert len(against(subject="Your debt", preheader="", body="We will sue you")) >= 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x" * 160, ("GSM-7", 160, 1)),
        ("x" * 161, ("GSM-7", 161, 2)),
        ("x" * 306, ("GSM-7", 306, 2)),
        ("€" * 80, ("GSM-7", 160, 1)),
        ("ñ" * 160, ("GSM-7", 160, 1)),
        ("ó" * 70, ("UCS-2", 70, 1)),
        ("ó" * 71, ("UCS-2", 71, 2)),
        ("😀" * 35, ("UCS-2", 70, 1)),
    ],
)
def test_sms_09_texts_are_measured_as_carriers_do(text, expected):
    found = measure(text)
    assert (found.alphabet, found.units, found.segments) == expected


def test_marks_become_blocks_and_nothing_else_does():
    blocks = read("# Hello\n\nOne\ntwo\n\n- a\n- b\n\n= {balance}\n\n[See <b>it</b>]\n\n<script>")
    assert [(block.kind, block.lines) for block in blocks] == [
        ("title", ("Hello",)),
        ("text", ("One", "two")),
        ("list", ("a", "b")),
        ("figure", ("{balance}",)),
        ("button", ("See <b>it</b>",)),
        ("text", ("<script>",)),
    ]


def test_fields_are_written_by_type_and_language():
    said = fields.samples("es")
    assert (said["balance"], said["offer_expires"]) == ("$1,000.00", "31 de diciembre de 2026")
