"""Normal forms: what is stored in a key column and compared with =, since row-level security spares no other index."""

import re
import unicodedata

_ODD = re.compile(r"[^0-9A-Z]").sub
_NO_LETTER = re.compile(r"[^A-Z]").sub
_NO_DIGIT = re.compile(r"\D", re.ASCII).sub


def reference_key(text: str) -> str:
    """`ab-100 234` -> `AB100234`: letters and digits only, in capitals."""
    return _ODD("", _plain(text))[:60]


def name_key(text: str) -> str:
    """`O'Brien-Núñez Jr.` -> `OBRIENNUNEZ`: letters only, without accents or a trailing Jr, Sr, II to IV."""
    words = [word if word.isascii() and word.isalpha() else _NO_LETTER("", word) for word in _plain(text).split()]
    while len(words) > 1 and words[-1] in ("JR", "SR", "II", "III", "IV"):
        words.pop()
    return "".join(words)[:80]


def digits(text: str) -> str:
    """Keep the digits."""
    return _NO_DIGIT("", text or "")


def zip_key(text: str) -> str:
    """`12207-1234` -> `12207`."""
    return digits(text)[:5]


def email_key(text: str) -> str:
    """Fold the case; the part before @ is case-sensitive only on paper."""
    return text.strip().lower()


def _plain(text: str) -> str:
    if text and text.isascii():
        return text.upper()  # nothing to take apart: names and numbers of a file are mostly so
    folded = unicodedata.normalize("NFKD", text or "")
    return "".join(letter for letter in folded if not unicodedata.combining(letter)).upper()
