"""An agency's colours: how readable they are, and what is written on them (A11Y-12). No framework here."""

import re

PAPER = "#fffefb"
DESK = "#f4f1ea"
INKS = ("#ffffff", "#14181a")
"""What may be written on the brand colour; the better of the two always reaches 4.5 to 1."""
BRAND, ACCENT = "#1f4e5f", "#b5541c"
TEXT_CONTRAST, SHAPE_CONTRAST = 4.5, 3.0
_HEX = re.compile(r"#[0-9a-f]{6}", re.IGNORECASE)


class Unreadable(ValueError):
    """Choose a darker colour: consumers could not read it."""


def is_colour(text: str) -> bool:
    """Tell whether the text is exactly `#rrggbb`."""
    return bool(_HEX.fullmatch(text))


def luminance(colour: str) -> float:
    """Give the relative luminance of `#rrggbb` (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Give the contrast ratio of two colours, from 1 to 21 (A11Y-12)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def ink_on(colour: str) -> str:
    """Choose what is written on a colour."""
    return max(INKS, key=lambda ink: contrast(colour, ink))


def check(colour: str, *, needed: float) -> float:
    """Give the lower of a colour's contrasts with the paper and the desk it lies on.

    :raises Unreadable: it is not `#rrggbb`, or the contrast is below `needed`.
    """
    if not is_colour(colour):
        raise Unreadable("Write the colour as # and six digits, for example #1f4e5f.")
    reached = min(contrast(colour, PAPER), contrast(colour, DESK))
    if reached < needed:
        raise Unreadable(f"Contrast {reached:.1f} to 1 on our pages; {needed:.1f} to 1 is needed. Choose a darker one.")
    return reached
