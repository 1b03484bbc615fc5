"""What consumers write back by text and e-mail, answered in approved words; and the agency's carrier of texts."""

from uuid import UUID

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from accounts.services import talk
from integrations.api.accounts import PageQuery
from integrations.api.base import Endpoint, answer, one, refused
from integrations.api.bodies import Day, Flag, Form, Refuse, Text, Whole, Word
from integrations.api.document import example, operation
from integrations.api.terms import Shown, page_of

STATUSES = ("open", "closed")
MEDIA = ("text", "email")
WISHES = ("stop", "medium", "cease")
BACKENDS = ("twilio",)
KEYWORDS = ("portal", "carrier")


def _port(slot):
    """Give what fills a port.

    :raises Refuse: 503, nothing does.
    """
    if slot is None:
        raise Refuse(503, "texts_unavailable", "Nobody sends texts here.")
    return slot


class TextShown(Shown):
    id = serializers.UUIDField()
    at = serializers.DateTimeField()
    from_consumer = serializers.BooleanField()
    channel = serializers.ChoiceField(MEDIA)
    text = serializers.CharField(help_text="Card and social security numbers are taken out; links are marks.")
    status = serializers.CharField(help_text="Of theirs what was understood, of ours what became of it.")


class ConversationShown(Shown):
    id = serializers.UUIDField()
    consumer = serializers.UUIDField(allow_null=True, help_text="Null: nobody is known by this number.")
    account = serializers.UUIDField(allow_null=True, help_text="What it was last about.")
    number = serializers.CharField()
    status = serializers.ChoiceField(STATUSES)
    assigned_to = serializers.CharField(allow_blank=True)
    unread = serializers.IntegerField()
    last_at = serializers.DateTimeField()
    texts = TextShown(many=True)


class AgainstShown(Shown):
    code = serializers.CharField()
    rules = serializers.ListField(child=serializers.CharField())


class WayShown(Shown):
    channel = serializers.ChoiceField(MEDIA)
    open = serializers.BooleanField(help_text="False: no answer may go by it, and no waiting changes that.")
    not_before = serializers.DateTimeField(
        allow_null=True, help_text="An answer waits until then; null: no wait helps."
    )
    denials = AgainstShown(many=True, help_text="What is against it now, with the rules' ids.")


class ConversationInFull(ConversationShown):
    answers = WayShown(many=True, help_text="By which media the consumer can be answered.")


class ConversationQuery(PageQuery):
    """Ask for conversations."""

    status = serializers.ChoiceField(STATUSES, required=False)


class ConversationForm(Form):
    """Whose it is, and whether it waits for anybody."""

    status = Word(STATUSES, unknown="status_unknown")
    assigned_to = Text(max_length=80, allow_blank=True, help_text="Your own word, or empty.")


class ReplyForm(Form):
    """Approved words."""

    template = Text(max_length=80, help_text="Of a published template for texts, or an answer by e-mail.")
    channel = Word(MEDIA, unknown="channel_unknown", required=False, help_text="Left out: by text.")


class ReplyShown(Shown):
    message = serializers.UUIDField()
    status = serializers.CharField()
    text = serializers.CharField()


class RevocationForm(Form):
    """What the consumer asked."""

    wish = Word(
        WISHES,
        unknown="wish_unknown",
        help_text="The number or address they wrote from last; that medium; any contact (RF-06, RF-07).",
    )
    words = Text(max_length=1000, help_text="Their own words.")


class RevocationShown(Shown):
    new = serializers.BooleanField(help_text="False: everything was stopped so already.")


class CarrierForm(Form):
    """Everything about the agency's account at its carrier."""

    name = Text(max_length=80)
    backend = Word(BACKENDS, unknown="carrier_unknown")
    account = Text(max_length=80)
    token = Text(max_length=500, required=False, help_text="Left out: it stays.")
    signing_key = Text(max_length=500, required=False, help_text="Left out: it stays.")
    number = Text(max_length=16, help_text="+15185550100")
    api_url = serializers.URLField(required=False, allow_blank=True, max_length=200)
    per_second = Whole(min_value=1, max_value=500)
    keywords = Word(
        KEYWORDS, unknown="keywords_unknown", help_text="Who answers STOP, START and HELP: one only (RF-08)."
    )
    third_party = Flag(help_text="The agency collects for others (SMS-06).")
    permit = Text(max_length=200, required=False, allow_blank=True, help_text="The carrier's written exception.")
    registration = Text(max_length=80, required=False, allow_blank=True)
    approved_on = Day(required=False, help_text="Nothing is sent before (SMS-07).")
    cents_per_thousand = Whole(min_value=0, max_value=10_000_000, required=False)


class CarrierShown(Shown):
    name = serializers.CharField(allow_blank=True)
    backend = serializers.CharField()
    account = serializers.CharField(allow_blank=True)
    number = serializers.CharField(allow_blank=True)
    api_url = serializers.CharField(allow_blank=True)
    per_second = serializers.IntegerField()
    keywords = serializers.ChoiceField(KEYWORDS)
    third_party = serializers.BooleanField()
    permit = serializers.CharField(allow_blank=True)
    registration = serializers.CharField(allow_blank=True)
    approved_on = serializers.DateField(allow_null=True)
    cents_per_thousand = serializers.IntegerField()
    is_active = serializers.BooleanField()
    standing = serializers.ChoiceField(("none", "forbidden", "pending", "ready"))
    inbound_url = serializers.CharField(help_text="Where the carrier hands texts in.")


class Conversations(Endpoint):
    """The list."""

    @operation(
        "list_conversations",
        "List conversations by text and e-mail",
        scope="texts:read",
        answers=page_of(ConversationShown),
        query=[ConversationQuery],
        found=False,
        problems={503: "`texts_unavailable`."},
    )
    def get(self, request: Request) -> HttpResponse:
        return self.listed(ConversationQuery, _port(talk.conversations)(), show_all=_port(talk.all_shown))


class OneConversation(Endpoint):
    """One of them."""

    @operation("get_conversation", "Read a conversation", scope="texts:read", answers=ConversationInFull)
    def get(self, request: Request, conversation_id: UUID) -> HttpResponse:
        self.asked()
        row = one(_port(talk.conversations)(), conversation_id)
        return answer(_port(talk.shown)(row) | {"answers": _port(talk.ways)(row, now=self.now)})

    @operation(
        "put_conversation",
        "Close a conversation or open it again, say whose it is",
        scope="texts:write",
        form=ConversationForm,
        answers=ConversationShown,
    )
    def put(self, request: Request, conversation_id: UUID) -> HttpResponse:
        row = one(_port(talk.conversations)(), conversation_id)
        given = self.read(ConversationForm)
        _port(talk.settle)(conversation_id=row.pk, closed=given["status"] == "closed", assigned_to=given["assigned_to"])
        row.refresh_from_db()
        return answer(_port(talk.shown)(row))


class Reply(Endpoint):
    """Answer a consumer."""

    @operation(
        "reply_to_conversation",
        "Answer a text or an e-mail in approved words",
        scope="texts:write",
        said="The gate judges it now and once more when it leaves: opt-outs, status, hours, consent. An e-mail hangs "
        "in the consumer's own thread.",
        form=ReplyForm,
        answers=ReplyShown,
        status=201,
        once=True,
        problems={
            422: "`refused`: `template_unknown`, `number_unknown`, `no_mail`, `account_needed`, `contact_denied`, "
            "`too_old_for_suit`, `age_notice_no_room`."
        },
        examples=[
            example("Ask for a call", {"template": "Reply: please call us"}),
            example("Answer an e-mail", {"template": "Answer: please call us", "channel": "email"}),
        ],
    )
    def post(self, request: Request, conversation_id: UUID) -> HttpResponse:
        row = one(_port(talk.conversations)(), conversation_id)
        given = self.read(ReplyForm)
        made = _port(talk.reply)(
            conversation_id=row.pk,
            template=given["template"],
            channel=given.get("channel", "text"),
            key=self.asked_as.hex,
            by=self.by,
            now=self.now,
        )
        if isinstance(made, list):
            raise refused(made)
        return answer(made, status=201)


class Revocation(Endpoint):
    """A consumer wants no more."""

    @operation(
        "revoke_by_conversation",
        "Write down that a consumer wants no more messages",
        scope="texts:write",
        said="By any words and any way (SMS-01). It holds at once; one confirmation goes out, within five minutes.",
        form=RevocationForm,
        answers=RevocationShown,
        once=True,
        problems={422: "`refused`: `number_unknown`."},
        examples=[example("On the telephone", {"wish": "stop", "words": "Please do not text me any more."})],
    )
    def post(self, request: Request, conversation_id: UUID) -> HttpResponse:
        row = one(_port(talk.conversations)(), conversation_id)
        given = self.read(RevocationForm)
        made = _port(talk.revoke)(conversation_id=row.pk, **given, by=self.by, now=self.now)
        if isinstance(made, list):
            raise refused(made)
        return answer({"new": made})


class Carrier(Endpoint):
    """The agency's carrier of texts."""

    @operation(
        "get_text_provider",
        "Read the carrier of texts",
        scope="texts:read",
        said="Its keys are never told. Without one the standing is `none` and the rest is empty.",
        answers=CarrierShown,
        found=False,
    )
    def get(self, request: Request) -> HttpResponse:
        self.asked()
        return answer(_port(talk.carrier)())

    @operation(
        "put_text_provider",
        "Set up the carrier of texts, or change it",
        scope="agency:write",
        form=CarrierForm,
        answers=CarrierShown,
        found=False,
        problems={422: "`refused`: what the carrier's form has against it."},
    )
    def put(self, request: Request) -> HttpResponse:
        made = _port(talk.put_carrier)(self.read(CarrierForm))
        if isinstance(made, list):
            raise refused(made)
        return answer(made)
