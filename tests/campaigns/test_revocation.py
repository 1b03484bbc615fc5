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
PLAIN = {
    "Do not contact me. This is not my debt.": "cease", "cease all communication": "cease",
    "Do not contact me again\nJane Doe": "cease", "Do not contact me again, Jane Doe": "doubt",
    "I have written to you about this twice already, please do not contact me\nat work, only at home": "doubt",
    "Don't contact me at this number": "doubt", "cease": "doubt",
    "You have the wrong number": "stop", "Wrong number, this is not Jane": "doubt",
    "I think you have the wrong person": "doubt", "Don't send me any more texts": "doubt",
    "No more text messages": "stop", "Do not text": "medium", "Don't text this number": "doubt", "Opt me out": "stop",
    "Take my number off your list": "stop", "Delete my number": "stop", "No more calls": "doubt",
    "I told you don't call me": "doubt", "I do not want any more e-mails from you": "doubt",
    "I no longer want to be contacted": "doubt", "I withdraw my consent": "stop",
    "No me escriba más": "stop", "No quiero más mensajes": "stop", "Déjenme en paz": "stop",
    "Dejen de escribirme": "stop", "Por favor dejen de escribirme a este número": "doubt", "No me llamen": "doubt",
    "No vuelvan a llamarme": "doubt", "No deseo recibir más correos": "doubt", "Borren mi número": "doubt",
    "Tiene el número equivocado": "stop", "Número equivocado, no soy Jane": "doubt", "Revoco mi consentimiento": "stop",
}  # fmt: skip
ORDINARY = [
    "I do not want to miss a payment", "Don't send me a letter, email is fine", "Can you text me more about it?",
    "What is the wrong number you mean?", "I typed the wrong number of my card", "Wrong number of payments on my plan",
    "I don't want to text my card number, may I call?", "Why don't you call me back?", "You do not call me back",
    "If you don't contact me I will come by", "If you don't contact me\nI will come by",
    "You do not contact me. When is it due?", "I don't text, call me", "I got no text messages about it",
    "I have no more questions", "No more than $50 a month, please", "Please do not charge my card twice",
    "Don't forget to email me the receipt", "At the end contact me again", "This is not the amount I owe",
    "No quiero perder un pago", "No me manden una carta, el correo está bien", "¿Me pueden escribir más sobre esto?",
    "¿Cuál es el número equivocado?", "Puse el número equivocado de la tarjeta", "Número equivocado de pagos",
    "No quiero que me cobren dos veces", "No me llegó el mensaje", "¿Por qué no me llamó nadie?",
    "No me llaman cuando lo pido", "No tengo más dinero", "No doy con la página",
]  # fmt: skip
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


@pytest.mark.parametrize(("text", "wish"), PLAIN.items())
def test_rf_07_plain_words_in_a_sentence_are_heard_and_on_doubt_it_is_silence(text, wish):
    heard = hear(text)
    assert (heard.wish, heard.silences) == (wish, True)


@pytest.mark.parametrize("text", ORDINARY)
def test_what_people_say_about_payments_messages_and_numbers_silences_nobody(text):
    assert hear(text).wish == "nothing"
