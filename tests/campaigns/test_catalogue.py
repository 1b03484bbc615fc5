"""LANG-01: what messages and their staff pages say is in the catalogue of this floor, or in the house's, translated."""

import ast
from pathlib import Path

import polib
from django.conf import settings
from django.utils.translation.template import templatize

from tests.portal.test_pages_spanish import CALLS, CATALOGUE, IN_TEMPLATE

OURS = settings.BASE_DIR / "campaigns/locale/es/LC_MESSAGES/django.po"


def said() -> set[str]:
    """Read every message of this floor's Python and templates."""
    found = set()
    for path in Path(settings.BASE_DIR / "campaigns").rglob("*.py"):
        if "sandbox" in path.parts or "migrations" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            called = isinstance(node, ast.Call) and getattr(node.func, "id", "") in CALLS and node.args
            text = getattr(node.args[0], "value", None) if called else None
            found |= {text} if isinstance(text, str) else set()
    for path in Path(settings.BASE_DIR / "templates").rglob("campaigns/**/*.html"):
        found |= {ast.literal_eval(text) for text in IN_TEMPLATE.findall(templatize(path.read_text()))}
    return found


def test_every_message_of_this_floor_has_its_spanish():
    known = {entry.msgid for name in (OURS, CATALOGUE) for entry in polib.pofile(str(name)) if entry.translated()}
    assert sorted(said() - known) == []


def test_the_compiled_catalogue_is_that_of_the_text():
    compiled = polib.mofile(str(OURS.with_suffix(".mo")))
    written = [entry for entry in polib.pofile(str(OURS)) if entry.translated()]
    spoken = {entry.msgid: entry.msgstr or entry.msgstr_plural for entry in written}
    assert {entry.msgid: entry.msgstr or entry.msgstr_plural for entry in compiled} == spoken
