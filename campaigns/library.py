"""Ready templates in both languages: an agency starts from one of them and makes it its own."""

from collections.abc import Mapping
from dataclasses import dataclass

from campaigns.library_notices import NOTICES
from campaigns.rules.linter import Words


@dataclass(frozen=True, slots=True)
class Ready:
    """Hold a ready template."""

    name: str
    kind: str
    channel: str
    words: Mapping[str, Words]


READY: dict[str, Ready] = {
    "settlement_offer": Ready(
        "Settlement offer",
        "settlement_offer",
        "email",
        {
            "en": Words(
                subject="{first_name}, a message for you from {agency}",
                preheader="It has a date in it, so please look soon.",
                body=(
                    "# An offer for you\n\n"
                    "Hello {first_name}, your account with {creditor} has a balance of {balance}. We offer to settle "
                    "it for less:\n\n"
                    "= {offer_amount}\n\n"
                    "- You save {offer_saving}.\n"
                    "- You can pay in up to {offer_payments} payments.\n"
                    "- The offer holds until {offer_expires}.\n\n"
                    "[See my offer]\n\n"
                    "You can also pay in another way, ask a question or tell us that something is not right. "
                    "Call us on {agency_phone}, {agency_hours}."
                ),
            ),
            "es": Words(
                subject="{first_name}, un mensaje para usted de {agency}",
                preheader="Tiene una fecha; por favor véalo pronto.",
                body=(
                    "# Una oferta para usted\n\n"
                    "Hola, {first_name}: su cuenta con {creditor} tiene un saldo de {balance}. Le ofrecemos liquidarla "
                    "por menos:\n\n"
                    "= {offer_amount}\n\n"
                    "- Usted ahorra {offer_saving}.\n"
                    "- Puede pagar en hasta {offer_payments} pagos.\n"
                    "- La oferta vale hasta el {offer_expires}.\n\n"
                    "[Ver mi oferta]\n\n"
                    "También puede pagar de otra forma, hacer una pregunta o decirnos que algo no es correcto. "
                    "Llámenos al {agency_phone}, {agency_hours}."
                ),
            ),
        },
    ),
    "plan_offer": Ready(
        "Plan offer",
        "plan_offer",
        "email",
        {
            "en": Words(
                subject="{first_name}, smaller steps: a message from {agency}",
                preheader="You choose the days and the amounts.",
                body=(
                    "# Pay in smaller steps\n\n"
                    "Hello {first_name}, the balance with {creditor} is {balance}. You can pay it in parts that fit "
                    "your month: you choose the amount, the first day and how often.\n\n"
                    "[Choose my plan]\n\n"
                    "If money is very short just now, you can ask for a pause on the same page."
                ),
            ),
            "es": Words(
                subject="{first_name}, en pasos más pequeños: mensaje de {agency}",
                preheader="Usted elige los días y los montos.",
                body=(
                    "# Pague en pasos más pequeños\n\n"
                    "Hola, {first_name}: el saldo con {creditor} es de {balance}. Puede pagarlo en partes que se "
                    "ajusten a su mes: usted elige el monto, el primer día y cada cuánto.\n\n"
                    "[Elegir mi plan]\n\n"
                    "Si en este momento le falta dinero, puede pedir una pausa en la misma página."
                ),
            ),
        },
    ),
    "reminder": Ready(
        "Reminder",
        "reminder",
        "email",
        {
            "en": Words(
                subject="{first_name}, a reminder from {agency}",
                preheader="It takes about two minutes.",
                body=(
                    "# A short reminder\n\n"
                    "Hello {first_name}, the account {reference} with {creditor} is still open: {balance}.\n\n"
                    "[See my account]\n\n"
                    "Did you pay already, or is something not right? You can tell us on the same page."
                ),
            ),
            "es": Words(
                subject="{first_name}, un recordatorio de {agency}",
                preheader="Toma unos dos minutos.",
                body=(
                    "# Un breve recordatorio\n\n"
                    "Hola, {first_name}: la cuenta {reference} con {creditor} sigue abierta: {balance}.\n\n"
                    "[Ver mi cuenta]\n\n"
                    "¿Ya pagó, o algo no es correcto? Puede decírnoslo en la misma página."
                ),
            ),
        },
    ),
    "broken_plan": Ready(
        "Broken plan",
        "broken_plan",
        "email",
        {
            "en": Words(
                subject="{first_name}, let us put this right: {agency}",
                preheader="What you agreed to has stopped. You can start again.",
                body=(
                    "# Your plan has stopped\n\n"
                    "Hello {first_name}, payments of your plan with {creditor} did not go through, so it has stopped. "
                    "What you paid counts. The balance is {balance}.\n\n"
                    "[Start again]\n\n"
                    "You can choose smaller amounts or other days this time. If your situation changed, tell us: "
                    "{agency_phone}."
                ),
            ),
            "es": Words(
                subject="{first_name}, arreglemos esto: {agency}",
                preheader="Lo que usted acordó se detuvo. Puede comenzar de nuevo.",
                body=(
                    "# Su plan se detuvo\n\n"
                    "Hola, {first_name}: no se pudieron hacer pagos de su plan con {creditor}, así que se detuvo. "
                    "Lo que pagó cuenta. El saldo es de {balance}.\n\n"
                    "[Comenzar de nuevo]\n\n"
                    "Esta vez puede elegir montos más pequeños u otros días. Si su situación cambió, díganos: "
                    "{agency_phone}."
                ),
            ),
        },
    ),
    "welcome": Ready(
        "Welcome",
        "welcome",
        "email",
        {
            "en": Words(
                subject="{first_name}, your page with {agency} is ready",
                preheader="See everything in one place, at any hour.",
                body=(
                    "# Your own page\n\n"
                    "Hello {first_name}, {creditor} asked us to take care of account {reference}. On your page you see "
                    "what it is about, pay in the way that suits you, and tell us if something is not right.\n\n"
                    "[Open my page]\n\n"
                    "You need your reference number and one more detail that only you know."
                ),
            ),
            "es": Words(
                subject="{first_name}, su página con {agency} está lista",
                preheader="Vea todo en un solo lugar, a cualquier hora.",
                body=(
                    "# Su propia página\n\n"
                    "Hola, {first_name}: {creditor} nos pidió atender la cuenta {reference}. En su página ve de qué se "
                    "trata, paga de la forma que le convenga y nos dice si algo no es correcto.\n\n"
                    "[Abrir mi página]\n\n"
                    "Necesita su número de referencia y un dato más que solo usted conoce."
                ),
            ),
        },
    ),
    "settlement_text": Ready(
        "Settlement offer, text message",
        "settlement_offer",
        "text",
        {
            "en": Words(body="{first_name}, {agency} has a message for you: {link} Reply STOP to stop, HELP for help."),
            "es": Words(
                body=(
                    "{first_name}, {agency} tiene un mensaje para usted: {link} Responda ALTO para parar, AYUDA para "
                    "ayuda."
                )
            ),
        },
    ),
    "reminder_text": Ready(
        "Reminder, text message",
        "reminder",
        "text",
        {
            "en": Words(body="{first_name}, a reminder from {agency}: {link} Reply STOP to stop, HELP for help."),
            "es": Words(
                body="{first_name}, un recordatorio de {agency}: {link} Responda ALTO para parar, AYUDA para ayuda."
            ),
        },
    ),
    "plan_text": Ready(
        "Plan offer, text message",
        "plan_offer",
        "text",
        {
            "en": Words(
                body="{first_name}, {agency} here: smaller steps, and you choose the days: {link} Reply STOP to stop, "
                "HELP for help."
            ),
            "es": Words(
                body="{first_name}, le escribe {agency}: pasos más pequeños, y usted elige los días: {link} Responda "
                "ALTO para parar, AYUDA para ayuda."
            ),
        },
    ),
    "reply_call": Ready(
        "Reply: please call us",
        "reply",
        "text",
        {
            "en": Words(
                body="{first_name}, thank you for your text. {agency} would like to talk with you: {agency_phone}, "
                "{agency_hours}. Reply STOP to stop."
            ),
            "es": Words(
                body="{first_name}, gracias por su mensaje. {agency} quiere hablar con usted: {agency_phone}, "
                "{agency_hours}. Responda ALTO para parar."
            ),
        },
    ),
    "reply_link": Ready(
        "Reply: your page",
        "reply",
        "text",
        {
            "en": Words(
                body="{first_name}, thank you for your text. You find what you asked for on your page with {agency}: "
                "{link} Reply STOP to stop."
            ),
            "es": Words(
                body="{first_name}, gracias por su mensaje. Lo que pidió está en su página con {agency}: {link} "
                "Responda ALTO para parar."
            ),
        },
    ),
    "reply_looking": Ready(
        "Reply: we are looking into it",
        "reply",
        "text",
        {
            "en": Words(
                body="{first_name}, {agency} has your text and is looking into it. You will hear from us. Reply STOP "
                "to stop."
            ),
            "es": Words(
                body="{first_name}, {agency} recibió su mensaje y lo está revisando. Le avisaremos. Responda ALTO para "
                "parar."
            ),
        },
    ),
    "answer_call": Ready(
        "Answer: please call us",
        "reply",
        "email",
        {
            "en": Words(
                subject="{first_name}, an answer for you from {agency}",
                preheader="You wrote to us. Here is our answer.",
                body="Hello {first_name}, thank you for your message. We would like to talk with you about it. Please "
                "call us on {agency_phone}, {agency_hours}.",
            ),
            "es": Words(
                subject="{first_name}, una respuesta para usted de {agency}",
                preheader="Usted nos escribió. Aquí está nuestra respuesta.",
                body="Hola, {first_name}: gracias por su mensaje. Quisiéramos hablar con usted. Por favor llámenos al "
                "{agency_phone}, {agency_hours}.",
            ),
        },
    ),
    "answer_page": Ready(
        "Answer: your page",
        "reply",
        "email",
        {
            "en": Words(
                subject="{first_name}, an answer for you from {agency}",
                preheader="You wrote to us. Here is our answer.",
                body="Hello {first_name}, thank you for your message. You find what you asked for on your page.\n\n"
                "[Open my page]\n\nIf something is not right, call us on {agency_phone}, {agency_hours}.",
            ),
            "es": Words(
                subject="{first_name}, una respuesta para usted de {agency}",
                preheader="Usted nos escribió. Aquí está nuestra respuesta.",
                body="Hola, {first_name}: gracias por su mensaje. Lo que pidió está en su página.\n\n[Abrir mi página]"
                "\n\nSi algo no es correcto, llámenos al {agency_phone}, {agency_hours}.",
            ),
        },
    ),
    "answer_looking": Ready(
        "Answer: we are looking into it",
        "reply",
        "email",
        {
            "en": Words(
                subject="{first_name}, {agency} has your message",
                preheader="We are looking into it.",
                body="Hello {first_name}, we have your message and are looking into it. You will hear from us.",
            ),
            "es": Words(
                subject="{first_name}, {agency} recibió su mensaje",
                preheader="Lo estamos revisando.",
                body="Hola, {first_name}: recibimos su mensaje y lo estamos revisando. Le avisaremos.",
            ),
        },
    ),
}
READY = READY | {f"notice_{kind}": Ready(name, kind, "email", words) for kind, (name, words) in NOTICES.items()}
"""Of a notice the law says what must stand in it: that is in blocks of ours, and without them nothing is published. An
agency that publishes none of its own sends our files (campaigns/services/compose.py)."""
