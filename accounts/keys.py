"""Normal forms: what is stored in a key column and compared with =, since row-level security spares no other index."""

import re
import unicodedata


def reference_key(text: str) -> str:
    """`ab-100 234` -> `AB100234`: letters and digits only, in capitals."""
    return re.sub(r"[^0-9A-Z]", "", _plain(text))[:60]


def name_key(text: str) -> str:
    """`O'Brien-Núñez Jr.` -> `OBRIENNUNEZ`: letters only, without accents or a trailing Jr, Sr, II to IV."""
    words = [re.sub(r"[^A-Z]", "", word) for word in _plain(text).split()]
    while len(words) > 1 and words[-1] in ("JR", "SR", "II", "III", "IV"):
        words.pop()
    return "".join(words)[:80]


def digits(text: str) -> str:
    """Keep the digits."""
    return re.sub(r"\D", "", text or "", flags=re.ASCII)


def zip_key(text: str) -> str:
    """`12207-1234` -> `12207`."""
    return digits(text)[:5]


def email_key(text: str) -> str:
    """Fold the case; the part before @ is case-sensitive only on paper."""
    return text.strip().lower()


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKD", text or "")
    return "".join(letter for letter in folded if not unicodedata.combining(letter)).upper()
