"""How long a text message is: GSM-7 where every sign has its place there, else UCS-2 (SMS-09)."""

from dataclasses import dataclass

_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = "^{}\\[~]|€\f"
"""Signs of GSM-7 that cost two."""

SINGLE, PART = {"GSM-7": 160, "UCS-2": 70}, {"GSM-7": 153, "UCS-2": 67}


@dataclass(frozen=True, slots=True)
class Length:
    """Say how a text is written, how many units it has and how many messages it makes."""

    alphabet: str
    units: int
    segments: int
    foreign: str
    """The signs that force UCS-2, each once."""


def measure(text: str) -> Length:
    """Measure a text as carriers count it."""
    foreign = "".join(dict.fromkeys(sign for sign in text if sign not in _BASIC and sign not in _EXTENDED))
    if foreign:
        units, alphabet = len(text.encode("utf-16-le")) // 2, "UCS-2"
    else:
        units, alphabet = sum(2 if sign in _EXTENDED else 1 for sign in text), "GSM-7"
    segments = 1 if units <= SINGLE[alphabet] else -(-units // PART[alphabet])
    return Length(alphabet, units, segments, foreign)
