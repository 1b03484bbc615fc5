"""Who staff are: their roles, how they are made, how they sign in and when they are signed out again."""

from typing import NamedTuple

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.contrib import admin
from django.contrib.auth import logout
from django.contrib.auth.models import Group, Permission
from django.contrib.auth.password_validation import validate_password
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django_htmx.http import HttpResponseClientRedirect

from accounts.crypto import seal, unseal
from accounts.models import Agency, User
from accounts.refusals import Refusal
from accounts.services.identify import line_of


class UnknownRole(LookupError):
    """Name one of ROLES."""


class Role(NamedTuple):
    """What a role sees, by `app.model`, and what else it may do, by permission."""

    sees: str
    may: str = ""


PEOPLE = (
    "accounts.account accounts.client accounts.consumer accounts.contactpoint accounts.consent "
    "accounts.quiettime accounts.event accounts.visit "
)
OFFERS = (
    "settlements.globaloffer settlements.individualoffer settlements.ruleset settlements.quote settlements.simulation "
)
CARE = (
    "settlements.affordability settlements.affordabilityform settlements.hardship settlements.hardshippolicy "
    "settlements.evidence "
)
MONEY = (
    "payments.arrangement payments.authorization payments.checkout payments.hostitem payments.ledgerentry "
    "payments.method payments.notice payments.payment payments.postdate payments.refund payments.incident "
    "payments.paymentbatch payments.batchitem payments.dispute payments.creditorrequest payments.paylink "
    "payments.statement "
)
MESSAGES = (
    "campaigns.message campaigns.contactdecision campaigns.campaign campaigns.recipient campaigns.messagetemplate "
    "campaigns.conversation campaigns.inboundmessage "
)
HOSTS = (
    "integrations.hostconnection integrations.delivery integrations.deliveryattempt integrations.apikey "
    "integrations.webhookendpoint integrations.redelivery "
    "integrations.pastduecustomer integrations.invoice integrations.allocation "
)
HOSTS += "integrations.hostfile integrations.hostfileerror integrations.fileformat integrations.hostsite "
INBOXES = (
    "payments.processorevent campaigns.mailevent campaigns.textevent accounts.identifyattempt accounts.sessionlink "
)
OFFICE = (
    "accounts.agency accounts.licence accounts.user admin.logentry payments.processoraccount payments.achorigin "
    "campaigns.mailprovider campaigns.contactpolicy campaigns.textprovider "
)

ACTIONS = {
    "integrations.replay_delivery": "Can deliver again",
    "integrations.skip_delivery": "Can skip a delivery",
    "integrations.test_hostconnection": "Can test a connection",
    "integrations.rekey_hostconnection": "Can make a new inbound key",
    "integrations.test_webhookendpoint": "Can send a test to a webhook endpoint",
    "integrations.resume_webhookendpoint": "Can tell a suspended webhook endpoint again",
    "integrations.rotate_webhookendpoint": "Can give a webhook endpoint a new secret",
    "integrations.remove_webhookendpoint": "Can remove a webhook endpoint",
    "integrations.place_pastduecustomer": "Can put past-due customers into collections and take them out",
    "integrations.apply_hostfile": "Can apply a checked file of a host, or stop one",
    "integrations.open_hostfile": "Can save a file of a host, with identity data",
    "integrations.rotate_apikey": "Can give an API key a new secret",
    "integrations.revoke_apikey": "Can revoke an API key",
    "accounts.reopen_account": "Can let a host collect a debt again that ended here",
    "accounts.reset_user": "Can remove a second factor",
    "payments.resolve_dispute": "Can read disputes and resolve them",
    "payments.answer_creditorrequest": "Can note that a question for the original creditor was answered",
    "payments.prove_statement": "Can note that the letter with a statement left",
    "payments.prove_notice": "Can note that the letter about a planned payment left",
    "payments.revoke_authorization": "Can revoke an authorization for the consumer",
    "payments.rearrange_arrangement": "Can change, pause, resume and cancel arrangements",
    "payments.advance_arrangement": "Can set how many days in advance a card or bank account is charged",
    "payments.cancel_postdate": "Can cancel planned payments for the consumer",
    "payments.export_payment": "Can save the evidence of a payment",
    "payments.export_arrangement": "Can save the evidence of an arrangement",
    "payments.approve_refund": "Can approve and reject refunds that others asked for",
    "payments.void_payment": "Can stop a payment that is undecided",
    "payments.take_payment": "Can prepare payments for consumers, and take them on the telephone",
    "payments.record_payment": "Can write down checks, cash and money orders that came",
    "payments.revoke_paylink": "Can take back links by which somebody pays",
    "payments.close_incident": "Can close what was found, with a note",
    "payments.approve_paymentbatch": "Can approve payment batches",
    "payments.export_paymentbatch": "Can save the files of payment batches, with bank numbers",
    "campaigns.approve_campaign": "Can approve campaigns that others wrote",
    "campaigns.stop_campaign": "Can pause and stop campaigns",
    "campaigns.answer_conversation": "Can answer texts, and write down who wants no more",
    "settlements.publish_ruleset": "Can publish, withdraw and roll back rule sets",
    "settlements.import_ruleset": "Can import rule sets",
    "settlements.exceed_individualoffer": "Can make an offer beyond the rules",
    "settlements.edit_affordabilityform": "Can write and publish budget forms",
    "settlements.decide_affordability": "Can read budgets and decide them, below the smallest payment too",
    "settlements.decide_hardship": "Can read hardship requests with their documents, and decide them",
}
"""Permissions for the actions of facts, beside Django's own four of each model."""

RUN_HOSTS = (
    "integrations.replay_delivery integrations.skip_delivery integrations.test_hostconnection "
    "integrations.rekey_hostconnection integrations.add_hostconnection integrations.change_hostconnection "
    "integrations.add_hostfile integrations.apply_hostfile integrations.open_hostfile integrations.add_fileformat "
    "integrations.change_fileformat integrations.add_hostsite integrations.change_hostsite "
    "integrations.add_apikey integrations.change_apikey integrations.rotate_apikey integrations.revoke_apikey "
    "integrations.add_webhookendpoint integrations.change_webhookendpoint integrations.test_webhookendpoint "
    "integrations.resume_webhookendpoint integrations.rotate_webhookendpoint integrations.remove_webhookendpoint "
    "integrations.place_pastduecustomer integrations.add_apikey integrations.change_apikey "
    "integrations.rotate_apikey integrations.revoke_apikey "
)
DRAFT_RULES = "settlements.add_ruleset settlements.change_ruleset settlements.add_simulation "
RULE = DRAFT_RULES + "settlements.publish_ruleset settlements.import_ruleset "
OFFER = "settlements.add_individualoffer settlements.change_individualoffer "
DECIDE = "settlements.decide_affordability settlements.decide_hardship "
ANSWER = (
    "payments.resolve_dispute payments.answer_creditorrequest payments.revoke_authorization payments.prove_statement "
    "payments.prove_notice "
)
REARRANGE = "payments.rearrange_arrangement payments.cancel_postdate "
EVIDENCE = "payments.export_payment payments.export_arrangement "
REFUND = "payments.add_refund payments.approve_refund payments.void_payment payments.close_incident "
TAKE = "payments.take_payment payments.revoke_paylink "
RECORD = "payments.record_payment accounts.reopen_account "
BATCH = "payments.change_paymentbatch payments.approve_paymentbatch payments.export_paymentbatch "
WRITE_CAMPAIGNS = (
    "campaigns.add_campaign campaigns.change_campaign campaigns.stop_campaign "
    "campaigns.add_messagetemplate campaigns.change_messagetemplate "
)
TALK = "campaigns.answer_conversation accounts.add_quiettime accounts.change_quiettime "
ROLES = {
    "agency admin": Role(
        PEOPLE + OFFERS + CARE + MONEY + MESSAGES + HOSTS + INBOXES + OFFICE,
        RUN_HOSTS
        + RULE
        + OFFER
        + DECIDE
        + ANSWER
        + EVIDENCE
        + REARRANGE
        + "payments.advance_arrangement "
        + REFUND
        + BATCH
        + WRITE_CAMPAIGNS
        + "campaigns.approve_campaign "
        + TAKE
        + RECORD
        + "payments.add_achorigin payments.change_achorigin "
        + "settlements.edit_affordabilityform settlements.add_hardshippolicy "
        "settlements.change_hardshippolicy "
        "settlements.exceed_individualoffer accounts.change_agency accounts.change_client "
        "accounts.add_licence accounts.change_licence "
        "accounts.add_user accounts.change_user "
        "accounts.reset_user settlements.add_globaloffer settlements.change_globaloffer "
        "payments.add_processoraccount payments.change_processoraccount "
        "campaigns.add_mailprovider campaigns.change_mailprovider "
        "campaigns.add_contactpolicy campaigns.change_contactpolicy "
        "campaigns.add_textprovider campaigns.change_textprovider " + TALK,
    ),
    "payments supervisor": Role(
        PEOPLE + OFFERS + CARE + MONEY + MESSAGES + "integrations.delivery integrations.deliveryattempt",
        RULE
        + OFFER
        + DECIDE
        + ANSWER
        + EVIDENCE
        + REARRANGE
        + "payments.advance_arrangement "
        + REFUND
        + BATCH
        + TAKE
        + RECORD
        + TALK
        + "settlements.exceed_individualoffer integrations.replay_delivery integrations.skip_delivery "
        "accounts.change_client settlements.change_globaloffer",
    ),
    "campaign manager": Role(
        PEOPLE + OFFERS + MESSAGES + "campaigns.mailevent campaigns.textevent", DRAFT_RULES + WRITE_CAMPAIGNS + TALK
    ),
    "campaign approver": Role(
        PEOPLE + OFFERS + MESSAGES + "campaigns.mailevent campaigns.textevent",
        "campaigns.approve_campaign campaigns.stop_campaign",
    ),
    "collector": Role(
        PEOPLE
        + OFFERS
        + CARE
        + MESSAGES
        + "payments.arrangement payments.authorization payments.hostitem payments.method "
        "payments.notice payments.payment payments.postdate payments.paylink",
        OFFER + REARRANGE + TAKE + TALK,
    ),
    "auditor": Role(PEOPLE + OFFERS + CARE + MONEY + MESSAGES + HOSTS + INBOXES + OFFICE, EVIDENCE),
    "integration engineer": Role(
        "accounts.account accounts.client accounts.event payments.hostitem payments.payment payments.postdate "
        + HOSTS
        + INBOXES,
        RUN_HOSTS,
    ),
}


def codenames(role: Role) -> set[str]:
    """Give a role's permissions as `app.codename`."""
    seen = {".view_".join(label.split(".")) for label in role.sees.split()}
    return seen | set(role.may.split())


@transaction.atomic
def make_roles() -> None:
    """Make each role's group and give it exactly its permissions; runs after every migrate, changes nothing twice.

    A permission that is not there yet (a migration half-way) is given by the next run.
    """
    types = {f"{kind.app_label}.{kind.model}": kind for kind in ContentType.objects.all()}
    Permission.objects.bulk_create(
        [
            Permission(content_type=types[_model_of(name)], codename=name.split(".")[1], name=text)
            for name, text in ACTIONS.items()
            if _model_of(name) in types
        ],
        ignore_conflicts=True,
    )
    known = {
        f"{permission.content_type.app_label}.{permission.codename}": permission
        for permission in Permission.objects.select_related("content_type")
    }
    made = {group.name: group for group in Group.objects.prefetch_related("permissions")}
    for name, role in ROLES.items():
        group = made.get(name) or Group.objects.create(name=name)
        wanted = {known[codename] for codename in codenames(role) & known.keys()}
        if set(group.permissions.all()) != wanted:
            group.permissions.set(wanted)


def _model_of(permission: str) -> str:
    app, codename = permission.split(".")
    return f"{app}.{codename.split('_', 1)[1]}"


@transaction.atomic
def make_staff(*, agency: Agency, username: str, password: str, role: str) -> User:
    """Make a member of an agency's staff with one role.

    :raises UnknownRole: not one of ROLES.
    :raises django.core.exceptions.ValidationError: the password is too weak, or the name is taken.
    """
    if role not in ROLES:
        raise UnknownRole(role)
    user = User(agency=agency, username=username, is_staff=True)
    validate_password(password, user)
    user.set_password(password)
    user.full_clean()
    user.save()
    user.groups.add(Group.objects.get(name=role))
    return user


def invite(*, agency: Agency, username: str, password: str, role: str) -> User | list[Refusal]:
    """Make a member of staff, or say why not; fills `accounts.services.desk.invite`."""
    try:
        return make_staff(agency=agency, username=username, password=password, role=role)
    except UnknownRole:
        return [Refusal("role_unknown", f"Write one of: {', '.join(ROLES)}.", "role")]
    except ValidationError as error:
        said = error.message_dict if hasattr(error, "error_dict") else {"password": error.messages}
        return [
            Refusal("invalid", " ".join(texts), name if name in ("username", "password") else None)
            for name, texts in said.items()
        ]


@transaction.atomic
def give_role(*, user: User, role: str) -> list[Refusal]:
    """Give a member of staff one role in place of those they have; fills `accounts.services.desk.give_role`."""
    if role not in ROLES:
        return [Refusal("role_unknown", f"Write one of: {', '.join(ROLES)}.", "role")]
    user.groups.set([Group.objects.get(name=role)])
    return []


# Signing in ---------------------------------------------------------------------------------------------------


def may_enter(request: HttpRequest) -> bool:
    """Let in active staff of an active agency, and the platform's superusers; nobody else has a scope."""
    user = request.user
    if not (user.is_active and user.is_staff):
        return False
    return user.agency.is_active if user.agency_id else user.is_superuser


def sign_in(request: HttpRequest, extra_context: dict | None = None) -> HttpResponse:
    """Send to the sign-in pages, which count wrong passwords and ask for the second factor.

    Replaces the admin's own login view: that one takes a posted password from whoever is signed in already.
    """
    asked = request.GET.get("next", "")
    safe = url_has_allowed_host_and_scheme(asked, {request.get_host()}, require_https=request.is_secure())
    wanted = asked if safe else resolve_url("admin:index")
    if not request.user.is_authenticated:
        return redirect(f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': wanted})}")
    if not may_enter(request):
        raise PermissionDenied
    return redirect(wanted)


def guard(site: admin.AdminSite) -> None:
    """Put our door into an admin site."""
    site.login = sign_in
    site.has_permission = may_enter


class NoSignUp(DefaultAccountAdapter):
    """Staff are invited by their agency's administrator; nobody signs up, and no mail is sent from here."""

    def is_open_for_signup(self, request) -> bool:
        return False

    def get_client_ip(self, request) -> str:
        """Give the line by which wrong passwords are counted, as consumers' tries are."""
        return line_of(request.ip)

    def send_mail(self, template_prefix, email, context) -> None:
        """Send nothing: a forgotten password is set anew by the agency's administrator."""


class SealedFactors(DefaultMFAAdapter):
    """Keep the secrets of authenticator apps and recovery codes sealed at rest."""

    CONTEXT = "mfa_authenticator.data"

    def encrypt(self, text: str) -> str:
        return seal(text, context=self.CONTEXT)

    def decrypt(self, encrypted_text: str) -> str:
        return unseal(encrypted_text, context=self.CONTEXT)


class StaffIdle:
    """Sign staff out after settings.STAFF_IDLE_SECONDS without a request of theirs (PCI-08), and at the latest after
    settings.SESSION_COOKIE_AGE, whatever they do (AUTH-08).

    A page that renews itself, as `?renewed` says, is nobody's request.
    """

    SINCE, SEEN = "staff_signed_in_at", "staff_seen_at"

    def __init__(self, get_response) -> None:
        self.get_response = get_response

    def __call__(self, request):
        if request.path.startswith(("/admin/", "/staff/")) and request.user.is_authenticated:
            now = timezone.now().timestamp()
            since, seen = (request.session.setdefault(name, now) for name in (self.SINCE, self.SEEN))
            if now - seen > settings.STAFF_IDLE_SECONDS or now - since > settings.SESSION_COOKIE_AGE:
                logout(request)
                door = f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': request.path})}"
                return HttpResponseClientRedirect(door) if request.htmx else redirect(door)
            if request.method != "GET" or "renewed" not in request.GET:
                request.session[self.SEEN] = now
        return self.get_response(request)
