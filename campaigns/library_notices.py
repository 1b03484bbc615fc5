"""Ready words for notices that an agency may word itself; what the law wants in them stands in our blocks."""

from collections.abc import Mapping

from campaigns.rules.linter import Words

NOTICES: Mapping[str, tuple[str, Mapping[str, Words]]] = {
    "receipt": (
        "Receipt",
        {
            "en": Words(
                subject="Your receipt from {agency}",
                preheader="Please keep it with your records.",
                body=(
                    "# Payment received\n\nThank you, {first_name}. Here is your receipt; it is attached as a PDF "
                    "too.\n\n{amount}\n\n{details}\n\n[See your account]"
                ),
            ),
            "es": Words(
                subject="Su recibo de {agency}",
                preheader="Guárdelo con sus papeles.",
                body=(
                    "# Pago recibido\n\nGracias, {first_name}. Aquí está su recibo; también va adjunto en PDF.\n\n"
                    "{amount}\n\n{details}\n\n[Ver su cuenta]"
                ),
            ),
        },
    ),
    "plan_confirmed": (
        "Receipt with the dates of a plan",
        {
            "en": Words(
                subject="Your dates and your receipt from {agency}",
                preheader="Please keep them with your records.",
                body=(
                    "# Your plan is set\n\nThank you, {first_name}. We received your first payment. The receipt is "
                    "attached as a PDF.\n\n{amount}\n\n{details}\n\n{dates}\n\n{cancel}\n\n[See your account]"
                ),
            ),
            "es": Words(
                subject="Sus fechas y su recibo de {agency}",
                preheader="Guárdelos con sus papeles.",
                body=(
                    "# Su plan está listo\n\nGracias, {first_name}. Recibimos su primer pago. El recibo va adjunto en "
                    "PDF.\n\n{amount}\n\n{details}\n\n{dates}\n\n{cancel}\n\n[Ver su cuenta]"
                ),
            ),
        },
    ),
    "authorization_copy": (
        "Copy of an authorization",
        {
            "en": Words(
                subject="Your copy from {agency}",
                preheader="The document that you agreed to is attached. Please keep it.",
                body=(
                    "# Your copy of what you agreed to\n\nHello {first_name}, the attached PDF has the full text that "
                    "you agreed to, when, and how to cancel.\n\n{amount}\n\n{details}\n\n{dates}\n\n{disputed}\n\n"
                    "[See your account]"
                ),
            ),
            "es": Words(
                subject="Su copia de {agency}",
                preheader="El documento que aceptó va adjunto. Guárdelo.",
                body=(
                    "# Su copia de lo que aceptó\n\nHola, {first_name}: el PDF adjunto tiene el texto completo que "
                    "aceptó, cuándo lo hizo y cómo cancelar.\n\n{amount}\n\n{details}\n\n{dates}\n\n{disputed}\n\n"
                    "[Ver su cuenta]"
                ),
            ),
        },
    ),
    "predebit": (
        "Notice before a payment",
        {
            "en": Words(
                subject="A date to remember, from {agency}",
                preheader="Here is what you asked us to tell you before that day.",
                body="# Your payment on {day}\n\n{amount}\n\n{details}\n\n{cancel}\n\n[See your account]",
            ),
            "es": Words(
                subject="Una fecha para recordar, de {agency}",
                preheader="Aquí está lo que pidió que le dijéramos antes de ese día.",
                body="# Su pago del {day}\n\n{amount}\n\n{details}\n\n{cancel}\n\n[Ver su cuenta]",
            ),
        },
    ),
    "payment_failed": (
        "Failed payment",
        {
            "en": Words(
                subject="Please read this message from {agency}",
                preheader="Something did not go as planned. Here is what you can do.",
                body="{outcome}\n\n{amount}\n\n{details}\n\n{choices}\n\n[See your account]",
            ),
            "es": Words(
                subject="Lea este mensaje de {agency}",
                preheader="Algo no salió como estaba previsto. Esto es lo que puede hacer.",
                body="{outcome}\n\n{amount}\n\n{details}\n\n{choices}\n\n[Ver su cuenta]",
            ),
        },
    ),
    "code": (
        "Verification code",
        {
            "en": Words(
                subject="Your code from {agency}",
                preheader="It works for 10 minutes.",
                body="# Your code\n\nType it on the page where you asked for it.\n\n{digits}\n\n{warning}",
            ),
            "es": Words(
                subject="Su código de {agency}",
                preheader="Sirve durante 10 minutos.",
                body="# Su código\n\nEscríbalo en la página donde lo pidió.\n\n{digits}\n\n{warning}",
            ),
        },
    ),
}
