"""Templates of messages: written by key as staff write them, held against the same linter, published as versions."""

from uuid import UUID

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from accounts.services import writing
from integrations.api.accounts import PageQuery
from integrations.api.base import Endpoint, answer, made, one
from integrations.api.bodies import Flag, Form, Id, Refuse, Text, Word
from integrations.api.document import example, operation
from integrations.api.terms import Shown, page_of
from integrations.api.webhooks import Nothing

KINDS = ("settlement_offer", "plan_offer", "reminder", "broken_plan", "welcome", "reply", "other")
KINDS += ("receipt", "plan_confirmed", "authorization_copy", "predebit", "payment_failed", "code")
"""Those of the second line word notices of ours: they hold our blocks, as `{details}`, and no campaign sends them."""
CHANNELS = ("email", "text")
LANGUAGES = ("en", "es")
MOST_SUBJECT, MOST_BODY = 500, 20_000
"""Characters; the linter's own limits are smaller and say so."""

WORDS = {
    "en": {
        "subject": "{first_name}, a reminder from {agency}",
        "preheader": "It takes about two minutes.",
        "body": "# A short reminder\n\nHello {first_name}, {balance} with {creditor} is open.\n\n[See my account]",
    },
    "es": {
        "subject": "{first_name}, un recordatorio de {agency}",
        "preheader": "Toma unos dos minutos.",
        "body": "# Un recordatorio\n\nHola, {first_name}: {balance} con {creditor} sigue abierto.\n\n[Ver mi cuenta]",
    },
}


def port(slot):
    """Give what fills a port.

    :raises Refuse: 503, nothing does.
    """
    if slot is None:
        raise Refuse(503, "campaigns_unavailable", "Nobody sends campaigns here.")
    return slot


class SaidForm(Form):
    """What a template says in one language, with fields as {first_name}; a text message has a body only."""

    subject = Text(max_length=MOST_SUBJECT, required=False, allow_blank=True)
    preheader = Text(max_length=MOST_SUBJECT, required=False, allow_blank=True)
    body = Text(max_length=MOST_BODY, allow_blank=True, help_text="`# ` title, `- ` list, `= ` figure, `[button]`.")


class WordsForm(Form):
    """Both languages; a draft may still lack one."""

    en = SaidForm(required=False)
    es = SaidForm(required=False)


class TemplateForm(Form):
    """A template with its first draft: a ready one's words, or your own."""

    name = Text(max_length=80)
    ready = Text(max_length=40, required=False, help_text="A key of the library; then no kind, channel and words.")
    kind = Word(KINDS, unknown="kind_unknown", required=False, help_text="Left out: other.")
    channel = Word(CHANNELS, unknown="channel_unknown", required=False, help_text="Left out: email.")
    words = WordsForm(required=False)
    client = Id(required=False, help_text="Left out: for every client.")
    litigation = Flag(required=False, help_text="It speaks of a suit: never sent about a debt too old for one (RF-25).")

    def validate(self, said):
        wrong = {
            name: [serializers.ErrorDetail("The ready one says it.", "not_for_this_choice")]
            for name in ("kind", "channel", "words")
            if name in said and "ready" in said
        }
        if not {"ready", "words"} & said.keys():
            wrong["words"] = [serializers.ErrorDetail("Say it, or begin with a ready one.", "required")]
        if wrong:
            raise serializers.ValidationError(wrong)
        return said


class TemplateDraftForm(Form):
    """What the next version says."""

    words = WordsForm()


class RetireForm(Form):
    """Whether it is out of use."""

    retired = Flag(help_text="False: it is used again.")


class SaidShown(Shown):
    subject = serializers.CharField(allow_blank=True)
    preheader = serializers.CharField(allow_blank=True)
    body = serializers.CharField(allow_blank=True)


class VersionShown(Shown):
    number = serializers.IntegerField()
    status = serializers.ChoiceField(("draft", "published", "superseded"))
    words = serializers.DictField(child=SaidShown(), help_text="By language.")
    made_by = serializers.CharField()
    made_at = serializers.DateTimeField()
    published_by = serializers.CharField(allow_blank=True)
    published_at = serializers.DateTimeField(allow_null=True)


class TemplateShown(Shown):
    id = serializers.UUIDField()
    name = serializers.CharField()
    kind = serializers.CharField()
    channel = serializers.ChoiceField(CHANNELS)
    client = serializers.UUIDField(allow_null=True)
    litigation = serializers.BooleanField()
    made_by = serializers.CharField()
    made_at = serializers.DateTimeField()
    retired_at = serializers.DateTimeField(allow_null=True)
    published = serializers.IntegerField(allow_null=True, help_text="The version that is sent now.")
    versions = VersionShown(many=True, help_text="The newest first.")


class ReadyTemplateShown(Shown):
    key = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.CharField()
    channel = serializers.ChoiceField(CHANNELS)
    words = serializers.DictField(child=SaidShown(), help_text="By language.")


class TemplateLibrary(Shown):
    items = ReadyTemplateShown(many=True)


class TemplatePreviewShown(Shown):
    version = serializers.IntegerField()
    language = serializers.ChoiceField(LANGUAGES)
    subject = serializers.CharField(allow_blank=True)
    preheader = serializers.CharField(allow_blank=True)
    text = serializers.CharField()
    html = serializers.CharField(allow_blank=True, help_text="Empty for a text message.")
    segments = serializers.IntegerField(allow_null=True, help_text="Of a text message (SMS-09).")


class TemplateQuery(PageQuery):
    """Ask for templates."""

    channel = serializers.ChoiceField(CHANNELS, required=False)
    kind = serializers.CharField(required=False, max_length=20)


class PreviewQuery(Form):
    """Whom to write it for."""

    language = serializers.ChoiceField(LANGUAGES, required=False, help_text="Left out: en.")
    account = serializers.UUIDField(required=False, help_text="Left out: sample values.")
    version = serializers.IntegerField(required=False, min_value=1, max_value=1_000_000, help_text="Else the newest.")


UNAVAILABLE = {503: "`campaigns_unavailable`."}


class Templates(Endpoint):
    """The list, and a new one."""

    @operation(
        "list_templates",
        "List templates of messages",
        scope="templates:read",
        answers=page_of(TemplateShown),
        query=[TemplateQuery],
        found=False,
        problems=UNAVAILABLE,
    )
    def get(self, request: Request) -> HttpResponse:
        return self.listed(TemplateQuery, port(writing.templates)(), port(writing.template))

    @operation(
        "make_template",
        "Begin a template of messages",
        scope="templates:write",
        said="It is a draft: nothing sends it before it is published.",
        form=TemplateForm,
        answers=TemplateShown,
        status=201,
        once=True,
        found=False,
        problems={422: "`refused`: `name_taken`, `ready_unknown`, `client_unknown`.", **UNAVAILABLE},
        examples=[
            example("With a ready one's words", {"name": "December offer", "ready": "settlement_offer"}),
            example("In your own words", {"name": "December reminder", "kind": "reminder", "words": WORDS}),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        given = self.read(TemplateForm)
        row = port(writing.make_template)(
            name=given["name"],
            ready=given.get("ready", ""),
            kind=given.get("kind", "other"),
            channel=given.get("channel", "email"),
            words=given.get("words", {}),
            client=given.get("client"),
            litigation=given.get("litigation", False),
            by=self.by,
            now=self.now,
        )
        return answer(made(row), status=201)


class ReadyTemplates(Endpoint):
    """The library."""

    @operation(
        "list_ready_templates",
        "List the ready templates to begin with",
        scope="templates:read",
        answers=TemplateLibrary,
        found=False,
        problems=UNAVAILABLE,
    )
    def get(self, request: Request) -> HttpResponse:
        self.asked()
        return answer({"items": port(writing.ready)()})


class OneTemplate(Endpoint):
    """One of them."""

    @operation("get_template", "Read a template and its versions", scope="templates:read", answers=TemplateShown)
    def get(self, request: Request, template_id: UUID) -> HttpResponse:
        self.asked()
        return answer(port(writing.template)(one(port(writing.templates)(), template_id)))


class TemplateDraft(Endpoint):
    """The next version."""

    @operation(
        "put_template_draft",
        "Write a template's next version",
        scope="templates:write",
        said="Into the draft; where the last version is published, a new draft begins. A published one never changes.",
        form=TemplateDraftForm,
        answers=VersionShown,
        examples=[example("Both languages", {"words": WORDS})],
    )
    def put(self, request: Request, template_id: UUID) -> HttpResponse:
        row = one(port(writing.templates)(), template_id)
        given = self.read(TemplateDraftForm)
        return answer(
            made(port(writing.save_words)(template_id=row.pk, words=given["words"], by=self.by, now=self.now))
        )


class PublishTemplate(Endpoint):
    """The draft becomes what is sent."""

    @operation(
        "publish_template",
        "Publish a template's draft",
        scope="templates:publish",
        said=(
            "The linter says everything that the law or the channel has against it, each with the place in the draft "
            "(`/words/en/subject`) and the id of the rule."
        ),
        form=Nothing,
        answers=VersionShown,
        once=True,
        problems={
            409: "`nothing_to_publish`: there is no draft.",
            422: "`refused`: `tells`, `field_tells` (RF-11), `banned` (RF-22), `litigation` (RF-25), `no_opt_out` ...",
        },
    )
    def post(self, request: Request, template_id: UUID) -> HttpResponse:
        row = one(port(writing.templates)(), template_id)
        self.read(Nothing)
        return answer(made(port(writing.publish)(template_id=row.pk, by=self.by, now=self.now)))


class RetireTemplate(Endpoint):
    """Out of use, or into it again."""

    @operation(
        "retire_template",
        "Take a template out of use, or into it again",
        scope="templates:publish",
        said="Out of use, no campaign is handed on with it, and a notice says our own words. What is approved goes on.",
        form=RetireForm,
        answers=TemplateShown,
        once=True,
        examples=[example("Out of use", {"retired": True})],
    )
    def post(self, request: Request, template_id: UUID) -> HttpResponse:
        row = one(port(writing.templates)(), template_id)
        given = self.read(RetireForm)
        return answer(port(writing.retire)(template_id=row.pk, retired=given["retired"], now=self.now))


class PreviewTemplate(Endpoint):
    """Look before it is sent."""

    @operation(
        "preview_template",
        "See what a template will say to a consumer",
        scope="templates:read",
        said="With `account`, its own values: for that the key needs `accounts:read` and `consumers:read` too.",
        answers=TemplatePreviewShown,
        query=[PreviewQuery],
        problems={
            409: "`not_written`: not in this language, or what shows outside would tell a stranger.",
            422: "`refused`: `version_unknown`, `account_unknown`.",
        },
    )
    def get(self, request: Request, template_id: UUID) -> HttpResponse:
        asked = self.asked(PreviewQuery)
        if "account" in asked:
            self.need("accounts:read")
            self.need("consumers:read")
        row = one(port(writing.templates)(), template_id)
        return answer(
            made(
                port(writing.preview)(
                    template_id=row.pk,
                    number=asked.get("version"),
                    language=asked.get("language", "en"),
                    account=asked.get("account"),
                )
            )
        )
