"""What a consumer's own words ask: stop, stop altogether, do not write at all, help, start again, a link to pay.

Revoking works by any reasonable means (SMS-01, RF-06): words are enough, in English and Spanish, whatever their case,
accents and punctuation. On doubt we stop and a person looks at it: "do not contact me" is plain, and with anything
behind it in the same sentence it may be.
"""

import re
import unicodedata
from dataclasses import dataclass

STOP, MEDIUM, CEASE, HELP, START, DOUBT, NOTHING = "stop", "medium", "cease", "help", "start", "doubt", "nothing"
PAY = "pay"
SILENCING = (STOP, MEDIUM, CEASE, DOUBT)
"""After these nothing more goes to the address; DOUBT is released only by a person."""

_WORDS = {
    STOP: """
        stop | stopall | stop all | quit | end | revoke | opt out | optout | cancel | unsubscribe | remove me | remove
        | take me off | take me off your list | no more | no more texts | no more messages | leave me alone
        | do not contact me by text | wrong number | wrong person | no longer this number
        | no more text messages | no more sms | delete my number | remove my number | lose my number
        | take my number off your list
        | alto | para | pare | parar | cancela | cancelar | basta | baja | dar de baja | deme de baja | no mas
        | no mas mensajes | no me escriba | no me escriban | dejeme en paz | quiteme | quiteme de su lista
        | numero equivocado | persona equivocada
        | no me escriba mas | no me escriban mas | no quiero mas mensajes | no quiero mas textos | dejenme en paz
        | deje de escribirme | dejen de escribirme | borre mi numero | quite mi numero de su lista
    """,
    HELP: "help | info | ayuda | informacion",
    START: "start | unstop | yes start | comenzar | reanudar | empezar",
    PAY: "pay | link | pay link | pagar | pago | enlace",
}
_MESSAGES = r"(texts?|text messages?|messages?|sms|e ?mails?|calls?|contact|communications?)"
_MENSAJES = r"(mensajes?|textos?|correos?|e ?mails?|sms|llamadas?)"
_MY_NUMBER = r"my (phone |cell )?(number|phone|e ?mail( address)?)"
_WRONG = r"(the |a )?wrong (number|person|e ?mail( address)?)"
_EQUIVOCADO = r"(el |un |la )?(numero|persona|correo) equivocad[oa]"
_DO_NOT = r"(?<!\bi )(?<!\bwe )(?<!\bthey )(?<!\bif you )(?<!\bwhy )(?<!^you )\bdo ?no?t (ever )?"
"""Not where it says what somebody does, or asks why they do not."""
_MAY_MEAN_IT = (
    r"\b(stop\w*|unsubscri\w+|remove\w*|quit\w*|cancel\w*|ceas\w+|alto|basta|baja|cesen?|lawyer|attorney|abogad[oa])\b",
    _DO_NOT + r"(contact|call|text|e ?mail|message|bother|harass|write( to)?)( (me|us|my|this|that|here|again)\b|$)",
    _DO_NOT + rf"send( me| us)?( any| more| anymore| these| those| your| an?)*( ({_MESSAGES}|anything)\b|$)",
    rf"\b(do ?no?t|no longer) want( to get| to receive)?( any| more| anymore| your| these| those)* {_MESSAGES}\b",
    r"\b(do ?no?t|no longer) want (to hear from you|to be (contacted|called|texted|e ?mailed|messaged)\b)",
    r"\b(do ?no?t|no longer) want you (to )?(contact|call|text|e ?mail|messag|writ)\w*",
    rf"\bno more {_MESSAGES}\b|\b(do ?no?t|no longer) consent\b|\bleave (me|us) alone\b",
    rf"\b(delete|lose) {_MY_NUMBER}\b|\btake {_MY_NUMBER} off\b",
    rf"\b(you|youve|u)( must)?( have| got| reached| texted| called| are texting| are calling)* {_WRONG}\b",
    rf"(\b(this is|its) |^){_WRONG}\b(?! of)|\bnot my (phone )?number\b",
    r"\bno me (escriba|llame|moleste|textee|hable|busque|contacte)[ns]?\b",
    rf"\bno (me )?(envie|mande)[ns]?( mas| estos| esos| sus)*( ({_MENSAJES}|nada)\b|$)",
    r"\bno (me |se )?vuelva[ns]? a (llamar|escribir|contactar|molestar|comunicar)",
    rf"\bno (quiero|deseo|autorizo)( recibir)?( mas| sus| estos| esos)* {_MENSAJES}\b|\bno mas {_MENSAJES}\b",
    r"\bno (quiero|deseo) que me (escriba|llame|moleste|contacte)[ns]?\b|\bno doy (mi )?(consentimiento|permiso)\b",
    r"\bdej[ae]n? de (escribir|llamar|textear|contactar|molestar|mandarme|enviarme)",
    r"\b(quite|borre|elimine|saque)n?me\b|\b(quit|borr|elimin|saqu)[ae]r?n? mi (numero|nombre|correo|telefono)\b",
    rf"(\b(tiene[ns]?|este es|ese es) |^){_EQUIVOCADO}\b(?! de)|\bequivoc\w+ de (numero|persona)\b",
    r"\bno soy (esa|la) persona\b|\bdej[ae]n?me (en paz|tranquil[oa])\b",
)
_PHRASES = (
    (
        CEASE,
        r"(stop|cease|quit)( and desist)?( all)? (contacting|communicat\w+ with|bothering|harassing) me"
        rf"|{_DO_NOT}(contact|communicate with) me( again| anymore| any more| in any way)?$|refuse to pay|will not pay"
        r"|wont pay|cease and desist|(stop|cease) (all |any |further )*(contact|communications?)\b"
        r"|dejen? de (contactarme|comunicarse|molestarme|acosarme)|no (me contacten?|se comuniquen?)"
        r"|cesen? (toda )?(la )?comunicacion|me niego a pagar|no voy a pagar",
    ),
    (
        MEDIUM,
        r"stop (all )?(e ?mails?|e ?mailing|texts?|texting)( me)?|no more e ?mails|do ?no?t (e ?mail|text) me"
        r"|^do ?no?t (e ?mail|text)$"
        r"|no (me )?(envien?|manden?) (mas )?(correos?|textos?|mensajes)"
        r"|dejen? de (enviarme|mandarme) (correos?|textos?|mensajes)",
    ),
    (STOP, r"\b(unsubscribe|opt(ed|ing)?( me)? ?out|remove me|take me off|stop (sending|messaging))\b"),
    (STOP, r"\b(revok\w+|withdr[ae]w\w*) (my )?consent\b|\b(revoco|retiro) mi consentimiento\b"),
    (STOP, r"\b(denme|deme|darme) de baja\b|\bquiteme\b|\bya no (me )?(escriban?|envien?|manden?)\b"),
    (STOP, rf"^(you have |you got |youve got |this is |its )?{_WRONG}$"),
    (STOP, rf"^((usted )?tienen? |este es )?{_EQUIVOCADO}$|^se equivoco de (numero|persona)$"),
    (DOUBT, "|".join(_MAY_MEAN_IT)),
)
"""Looked for in the whole text and in each of its sentences: a phrase that must begin or end there may do so in one."""
_LEADS = re.compile(
    r"^(please|pls|plz|por favor|favor de|just|ok|okay|hi|hello|hola)\s+"
    r"|\s+(please|pls|now|ya|por favor|gracias|thanks|thank you)$"
)
_SENTENCE_ENDS = re.compile(r"[.!?;\n]+")
_WRAPPED = re.compile(r"^(.{60,})\n(?=\S)", re.MULTILINE)
"""A line that a mail program ended because it was long, and not its writer."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Say what was asked and by which words."""

    wish: str
    words: str

    @property
    def silences(self) -> bool:
        return self.wish in SILENCING


def hear(text: str) -> Heard:
    """Read a reply; a message that says nothing of the kind is NOTHING, for a person to answer."""
    said = _plain(text)
    bare = said
    while (shorter := _LEADS.sub("", bare)) != bare:
        bare = shorter
    for wish, words in _KEYWORDS:
        if bare in words or said in words:
            return Heard(wish, bare)
    parts = [said, *(_plain(part) for part in _SENTENCE_ENDS.split(_WRAPPED.sub(r"\1 ", text)))]
    for wish, pattern in _COMPILED:
        for part in parts:
            if match := pattern.search(part):
                return Heard(wish, match.group())
    return Heard(NOTHING, "")


def _plain(text: str) -> str:
    """Fold case, accents, punctuation and repeated space; an apostrophe inside a word goes without a trace."""
    folded = unicodedata.normalize("NFKD", re.sub("['\N{RIGHT SINGLE QUOTATION MARK}]", "", text.casefold()))
    letters = "".join(sign for sign in folded if not unicodedata.combining(sign))
    return " ".join(re.sub(r"[^\w]+", " ", letters).split())


_KEYWORDS = tuple(
    (wish, frozenset(" ".join(word.split()) for word in words.split("|"))) for wish, words in _WORDS.items()
)
_COMPILED = tuple((wish, re.compile(pattern)) for wish, pattern in _PHRASES)
