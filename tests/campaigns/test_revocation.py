"""SMS-01, RF-06, RF-07: forty ways to say it in two languages, and what each one asks for."""

import pytest

from campaigns.rules.revocation import hear

STOP = [
    "STOP", "Stop!!", "STOP.", "stop", "Please stop", "stop please", "Stopall", "quit", "END", "Revoke", "opt out",
    "Opt-Out", "OPTOUT", "cancel", "Unsubscribe", "unsubscribe me please", "remove me", "Remove me from this list",
    "take me off your list", "no more texts", "leave me alone", "wrong number", "I revoke my consent",
    "I am opting out", "Stop sending me these", "Alto", "PARE", "parar", "Cancelar", "¡Basta!", "no más", "No mas",
    "baja", "Denme de baja", "deme de baja por favor", "No me escriban", "quíteme de su lista", "Ya no me manden nada",
    "número equivocado", "Déjeme en paz",
]  # fmt: skip
MEDIUM = ["stop emailing me", "Don't text me", "Do not email me", "No more e-mails", "no me envíen más correos",
          "Dejen de mandarme mensajes"]  # fmt: skip
CEASE = ["Stop contacting me", "Cease and desist.", "Do not contact me", "I refuse to pay this", "I won’t pay",
         "Dejen de molestarme", "Me niego a pagar", "no me contacten"]  # fmt: skip
DOUBT = [
    "I stopped by your office",
    "my lawyer says hello",
    "can I cancel the payment of Friday",
    "hable con mi abogado",
]
OTHER = {"HELP": "help", "ayuda": "help", "info": "help", "START": "start", "unstop": "start",
         "When is my next payment?": "nothing", "": "nothing", "ok thanks": "nothing"}  # fmt: skip


def test_there_are_at_least_forty():
    assert len({text.casefold() for text in STOP}) >= 38
    assert len(STOP) == 40


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        *((text, "stop") for text in STOP),
        *((text, "medium") for text in MEDIUM),
        *((text, "cease") for text in CEASE),
        *((text, "doubt") for text in DOUBT),
        *OTHER.items(),
    ],
)
def test_words_are_enough(text, wish):
    heard = hear(text)
    assert (heard.wish, heard.silences) == (wish, wish in ("stop", "medium", "cease", "doubt"))
