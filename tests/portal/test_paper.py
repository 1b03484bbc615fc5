"""Promises of the consumer pages that hold before any view exists: money, dates, fields, and no inline code."""

import datetime as dt
import re
from pathlib import Path

import pytest
from django import forms
from django.conf import settings
from django.template import engines
from django.template.loader import get_template
from django.utils import translation

from portal.templatetags.portal import error_summary, field, longdate, moment, money, telephone

TEMPLATES = Path(settings.BASE_DIR) / "templates"
PAGES = sorted(
    str(page.relative_to(TEMPLATES))
    for folder in ("accounts", "portal", "payments", "includes", "forms", ".")
    for page in (TEMPLATES / folder).glob("*.html")
)


class Form(forms.Form):
    reference = forms.CharField(label="Reference", help_text="On our letter.", error_messages={"required": "Enter it."})
    kind = forms.ChoiceField(label="Kind", choices=[("a", "A"), ("b", "B")], widget=forms.RadioSelect)
    agree = forms.BooleanField(label="I agree.", error_messages={"required": "Tick the box."})


@pytest.mark.parametrize(
    ("cents", "written"),
    [(100_000, "$1,000.00"), (12_500, "$125.00"), (5, "$0.05"), (0, "$0.00"), (-20_003, "−$200.03"), (None, "")],
)
def test_money_is_written_to_the_cent(cents, written):
    assert money(cents) == written


def test_money_looks_the_same_in_us_spanish():
    with translation.override("es"):
        assert money(123_456_789) == "$1,234,567.89"


def test_another_currency_keeps_its_sign():
    assert money(1_000, "GBP") == "£10.00"
    assert money(1_000, "CHF") == "CHF 10.00"


def test_a_date_is_written_out_in_the_language_of_the_page():
    day = dt.date(2026, 12, 1)
    with translation.override("en"):
        assert longdate(day) == "December 1, 2026"
    with translation.override("es"):
        assert longdate(day) == "1 de diciembre de 2026"
    assert longdate(None) == ""


def test_a_moment_keeps_its_time_on_one_line():
    with translation.override("en"):
        assert moment(dt.datetime(2026, 12, 1, 15, 5, tzinfo=dt.UTC)) == "December 1, 2026, 3:05\u00a0PM"


def test_a_phone_number_becomes_a_link():
    assert telephone("(716) 555-0134") == "7165550134"


def test_an_error_is_tied_to_its_field():
    form = Form({"reference": "", "kind": "a"})
    assert not form.is_valid()
    html = field(form["reference"])
    assert 'aria-invalid="true"' in html
    assert 'aria-describedby="id_reference_helptext id_reference_error"' in html
    assert re.search(r'<ul class="wrong" id="id_reference_error">\s*<li>Enter it.</li>\s*</ul>', html)
    assert '<label for="id_reference">Reference</label>' in html


def test_a_tick_box_has_its_words_beside_it():
    html = field(Form()["agree"])
    assert re.search(
        r'<label class="tick" for="id_agree"><input type="checkbox"[^>]*><span>I agree.</span></label>', html
    )
    assert "checked" not in html


def test_radios_are_a_fieldset_with_a_legend():
    assert re.search(r"<fieldset>\s*<legend>Kind</legend>", field(Form()["kind"]))


def test_the_summary_leads_to_each_problem():
    form = Form({})
    form.is_valid()
    problems = error_summary(form, [{"message": "The sum is wrong.", "target": ""}])["problems"]
    assert [problem["target"] for problem in problems] == ["id_reference", "id_kind_0", "id_agree", ""]
    assert error_summary(Form())["problems"] == []


@pytest.mark.parametrize("template", PAGES)
def test_a_page_compiles_and_keeps_the_content_security_policy(template):
    get_template(template)
    source = (TEMPLATES / template).read_text()
    assert not re.search(r"\sstyle=|\son[a-z]+=|javascript:", source)
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style", source)


@pytest.mark.parametrize("template", PAGES)
def test_every_visible_word_can_be_translated(template):
    source = (TEMPLATES / template).read_text()
    for pattern in (
        r"\{#.*?#\}",
        r"\{% block layout %\}\w+\{% endblock %\}",
        r"(?s)\{% blocktranslate.*?endblocktranslate %\}",
        r"(?s)<svg.*?</svg>",
        r"""(?s)<(h1|a)\b[^>]*\blang="es".*?</\1>""",  # offered in Spanish whatever the page speaks (RF-34)
    ):
        source = re.sub(pattern, " ", source)
    text = re.sub(r"(?s)<[^>]*>|\{\{.*?\}\}|\{%.*?%\}|&nbsp;", " ", re.sub(r"\{%.*?%\}|\{\{.*?\}\}", " ", source))
    words = [word for word in re.findall(r"[^\W\d_]{2,}", text) if word not in {"PDF"}]
    assert words == []


def test_words_of_a_debt_are_not_on_the_page_before_login():
    html = (
        engines["django"]
        .from_string('{% include "accounts/start.html" %}')
        .render({"agency": {"name": "Lakeshore"}, "session": {"signed_in": False}, "form": Form()})
    )
    assert "debt" not in html.lower()
    assert "balance" not in html.lower()
    assert "pay" not in html.lower()
