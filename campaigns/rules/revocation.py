"""What a consumer's own words ask: stop, stop altogether, do not write at all, help, start again, a link to pay.

Revoking works by any reasonable means (SMS-01, RF-06): words are enough, in English and Spanish, whatever their case,
accents and punctuation. On doubt we stop and a person looks at it.
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
        | alto | para | pare | parar | cancela | cancelar | basta | baja | dar de baja | deme de baja | no mas
        | no mas mensajes | no me escriba | no me escriban | dejeme en paz | quiteme | quiteme de su lista
        | numero equivocado | persona equivocada
    """,
    HELP: "help | info | ayuda | informacion",
    START: "start | unstop | yes start | comenzar | reanudar | empezar",
    PAY: "pay | link | pay link | pagar | pago | enlace",
}
_PHRASES = (
    (
        CEASE,
        r"(stop|cease|quit)( and desist)?( all)? (contacting|communicat\w+ with|bothering|harassing) me"
        r"|do ?no?t (contact|communicate with) me( again| anymore| any more)?$|refuse to pay|will not pay|wont pay"
        r"|cease and desist|dejen? de (contactarme|comunicarse|molestarme|acosarme)|no (me contacten?|se comuniquen?)"
        r"|me niego a pagar|no voy a pagar",
    ),
    (
        MEDIUM,
        r"stop (all )?(e ?mails?|e ?mailing|texts?|texting)( me)?|no more e ?mails|do ?no?t (e ?mail|text) me"
        r"|no (me )?(envien?|manden?) (mas )?(correos?|textos?|mensajes)"
        r"|dejen? de (enviarme|mandarme) (correos?|textos?|mensajes)",
    ),
    (STOP, r"\b(unsubscribe|opt(ing)? ?out|remove me|take me off|stop (sending|messaging)|revok\w+ (my )?consent)\b"),
    (STOP, r"\b(denme|deme|darme) de baja\b|\bquiteme\b|\bya no (me )?(escriban?|envien?|manden?)\b"),
    (DOUBT, r"\b(stop\w*|unsubscri\w+|remove\w*|quit\w*|cancel\w*|alto|basta|baja|lawyer|attorney|abogad[oa])\b"),
)
_LEADS = re.compile(
    r"^(please|pls|plz|por favor|favor de|just|ok|okay|hi|hello|hola)\s+"
    r"|\s+(please|pls|now|ya|por favor|gracias|thanks|thank you)$"
)


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
    for wish, pattern in _COMPILED:
        if match := pattern.search(said):
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
