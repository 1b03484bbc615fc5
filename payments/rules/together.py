"""The text for several accounts that are paid in one go: each account and amount by name, in one signature.

Pure. The clauses about payee, person and means are those of `rules.authorization`; these words too need the agency's
counsel and a reviewed translation (LANG-01).
"""

from collections.abc import Sequence

from accounts.money import format_cents
from payments.rules.authorization import IncompleteAuthorization, Parts, clauses, text_sha256

VERSION = "2026-11-29"
_WORDS = {
    "en": {
        "title": "Authorization for several payments made together",
        "card": "I authorize {agency}, and those who process payments for it, to charge my card once for each of the"
        " accounts listed here, today, and for nothing else.",
        "ach": "I authorize {agency}, and those who process payments for it, to take one electronic payment (a single"
        " ACH debit) from my bank account for each of the accounts listed here, today, and nothing else.",
        "amount": "{n}. {amount}. {debt}",
        "settles": "{agency} accepts it as settlement in full of the balance of {balance}.",
        "total": "Number of payments: {count}, each for its own account. Total: {total}. When: {day}, once. If one of"
        " them cannot be taken, the others stand.",
        "session": "The payment processor holds my card only until these payments are decided.",
    },
    "es": {
        "title": "Autorización de varios pagos hechos a la vez",
        "card": "Autorizo a {agency}, y a quienes procesan pagos en su nombre, a hacer hoy un solo cargo a mi tarjeta"
        " por cada una de las cuentas que aparecen aquí, y nada más.",
        "ach": "Autorizo a {agency}, y a quienes procesan pagos en su nombre, a tomar hoy un solo pago electrónico (un"
        " débito ACH único) de mi cuenta bancaria por cada una de las cuentas que aparecen aquí, y nada más.",
        "amount": "{n}. {amount}. {debt}",
        "settles": "{agency} lo acepta como liquidación total del saldo de {balance}.",
        "total": "Número de pagos: {count}, cada uno para su propia cuenta. Total: {total}. Cuándo: {day}, una sola"
        " vez. Si uno de ellos no se puede tomar, los demás siguen en pie.",
        "session": "El procesador de pagos conserva mi tarjeta solo hasta que estos pagos se decidan.",
    },
}


def compose(
    several: Sequence[Parts], *, settles: Sequence[int | None], day: str, session: bool, language: str = "en"
) -> tuple[str, str, str]:
    """Write one authorization of one payment for each account: its text, the SHA-256 and the version of the wording.

    :param settles: per account the balance that the payment settles in full, None for any other payment.
    :param day: today as the consumer reads it.
    :param session: a new card, which the first charge keeps for the others and for nobody else.
    :raises IncompleteAuthorization: a fact that must be said is blank.
    """
    code = "es" if language.startswith("es") else "en"
    words, first = _WORDS[code], several[0]
    said = [clauses(parts, code) for parts in several]
    needed = ("payee", "name", "account", "date", "revocation", "copy")
    missing = [slot for slot in needed if not said[0][slot]]
    missing += ["debt"] * any(not one["debt"] for one in said)
    if missing:
        raise IncompleteAuthorization(tuple(missing))
    lines = []
    for n, (parts, one, balance) in enumerate(zip(several, said, settles, strict=True), 1):
        amount = format_cents(parts.lines[0][1], parts.currency, code)
        line = words["amount"].format(n=n, amount=amount, debt=one["debt"])
        if balance is not None:
            sum_of = format_cents(balance, parts.currency, code)
            line += " " + words["settles"].format(agency=parts.agency_name, balance=sum_of)
        lines.append(line)
    total = format_cents(sum(parts.lines[0][1] for parts in several), first.currency, code)
    paragraphs = [
        words["title"],
        said[0]["payee"],
        said[0]["name"],
        said[0]["account"],
        said[0]["date"],
        words[first.method].format(agency=first.agency_name),
        "\n".join(lines),
        words["total"].format(count=len(several), total=total, day=day),
        *([words["session"]] if session else []),
        said[0]["revocation"],
        said[0]["copy"],
    ]
    text = "\n\n".join(paragraphs)
    return text, text_sha256(text), VERSION
