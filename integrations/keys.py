"""Keys of the public API: made, rotated and revoked by staff; each request shows one and acts for its agency.

`qk_<id>_<secret>`: the id finds the row, the secret (256 bits) proves it. A hash without salt or stretching is enough
for a secret that nobody can guess.
"""

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from accounts.known import known
from accounts.models import User
from accounts.services import people
from accounts.tenancy import ALL_AGENCIES, acting_for
from integrations.models import ApiKey

PREFIX = "qk_"
SCOPES = {
    "accounts:read": "see accounts: status, balance, what is owed; nobody's identity",
    "accounts:write": "place accounts and replace their records",
    "consumers:read": "see who consumers are, their addresses masked, and what they agreed to",
    "consumers:write": "stop writing to an address, take one out of use, sign a consumer out",
    "consents:write": "write down what consumers agreed to and took back elsewhere",
    "arrangements:read": "see arrangements and post-dates",
    "arrangements:write": "change, pause and cancel arrangements and post-dates",
    "payments:read": "see payments, refunds, incidents, receipts and evidence",
    "payments:write": "stop an undecided payment, close incidents",
    "payments:record": "write down checks, cash and money orders, and which of them came back",
    "refunds:write": "ask for refunds",
    "refunds:approve": "approve and reject refunds that others asked for",
    "methods:read": "see kept ways to pay, masked, and authorizations",
    "methods:write": "remove ways to pay, revoke authorizations",
    "disputes:read": "see disputes and questions for the original creditor, in the consumer's words",
    "disputes:write": "open and resolve disputes, ask and answer who the original creditor is",
    "budgets:read": "see budgets and hardship pauses: sums, days and decisions, nothing that consumers said",
    "budgets:write": "fill in, submit and decide budgets, ask for and decide hardship pauses",
    "answers:read": "read what consumers said of their means: answers, causes, words, documents",
    "batches:read": "see payment batches",
    "batches:write": "collect, edit and post payment batches",
    "batches:approve": "approve payment batches that others made",
    "batches:export": "write the files of payment batches",
    "batchfiles:read": "get the files of payment batches, with bank numbers",
    "agency:read": "see the agency and its host connections",
    "agency:write": "change what consumers see of the agency, clients, set up and test connections, not their address",
    "staff:read": "see staff and roles",
    "staff:write": "invite staff, give roles, keep people out",
    "quotes:read": "see what is open to an account, and quotes",
    "quotes:write": "make quotes and accept them for the consumer",
    "offers:read": "see individual offers and the default offer",
    "offers:write": "make and withdraw individual offers, change the default offer",
    "offers:exceed": "make individual offers beyond the rules",
    "sessions:read": "see session links and what became of them",
    "sessions:write": "make links to the log-in of an account, take them back",
    "keys:read": "see this very key: its scopes, end and last use",
    "keys:write": "give this very key a new secret",
    "campaigns:read": "see campaigns and their results",
    "campaigns:write": "write campaigns and start them, which staff approve, pause and stop them",
    "templates:read": "see templates of messages, and what they will say",
    "templates:write": "write drafts of templates",
    "templates:publish": "publish templates that pass the linter",
    "texts:read": "see what consumers text, and the carrier of texts",
    "texts:write": "answer texts in approved words, write down who wants no more",
    "contact:write": "ask whether a consumer may be contacted, and say what became of it",
    "rules:read": "see rule sets and simulations, export them",
    "events:read": "read the event stream: every fact about every account",
    "webhooks:read": "see webhook endpoints, deliveries and their attempts",
    "webhooks:write": "make, change and remove webhook endpoints, tell again, skip",
    "rules:write": "write, publish, withdraw and import rule sets, run simulations",
}
NEEDS = {
    "accounts:read": "accounts.view_account accounts.view_client integrations.view_pastduecustomer",
    "accounts:write": "integrations.add_hostfile integrations.apply_hostfile integrations.place_pastduecustomer "
    "accounts.reopen_account",
    "consumers:read": "accounts.view_consumer accounts.view_contactpoint accounts.view_consent accounts.view_quiettime",
    "consumers:write": "accounts.add_quiettime accounts.change_quiettime campaigns.answer_conversation",
    "consents:write": "accounts.view_consent campaigns.answer_conversation",
    "arrangements:read": "payments.view_arrangement payments.view_postdate",
    "arrangements:write": "payments.rearrange_arrangement payments.cancel_postdate",
    "payments:read": "payments.view_payment payments.view_refund payments.view_incident payments.view_paylink "
    "payments.view_statement payments.export_payment payments.export_arrangement",
    "payments:write": "payments.void_payment payments.close_incident payments.revoke_paylink",
    "payments:record": "payments.record_payment payments.prove_statement",
    "refunds:write": "payments.add_refund",
    "refunds:approve": "payments.approve_refund",
    "methods:read": "payments.view_method payments.view_authorization",
    "methods:write": "payments.revoke_authorization",
    "disputes:read": "payments.resolve_dispute payments.view_creditorrequest",
    "disputes:write": "payments.resolve_dispute payments.answer_creditorrequest",
    "budgets:read": "settlements.view_affordability settlements.view_hardship settlements.view_evidence",
    "budgets:write": "settlements.decide_affordability settlements.decide_hardship",
    "answers:read": "settlements.decide_affordability settlements.decide_hardship",
    "batches:read": "payments.view_paymentbatch payments.view_batchitem",
    "batches:write": "payments.change_paymentbatch",
    "batches:approve": "payments.approve_paymentbatch",
    "batches:export": "payments.export_paymentbatch",
    "batchfiles:read": "payments.export_paymentbatch",
    "agency:read": "accounts.view_agency accounts.view_licence integrations.view_hostconnection "
    "integrations.view_fileformat",
    "agency:write": "accounts.change_agency accounts.change_client accounts.add_licence accounts.change_licence "
    "integrations.change_hostconnection integrations.test_hostconnection integrations.add_fileformat "
    "integrations.change_fileformat campaigns.add_textprovider campaigns.change_textprovider",
    "staff:read": "accounts.view_user",
    "staff:write": "accounts.add_user accounts.change_user",
    "quotes:read": "settlements.view_quote",
    "quotes:write": "payments.take_payment",
    "offers:read": "settlements.view_individualoffer settlements.view_globaloffer",
    "offers:write": "settlements.add_individualoffer settlements.change_individualoffer settlements.change_globaloffer",
    "offers:exceed": "settlements.exceed_individualoffer",
    "sessions:read": "accounts.view_sessionlink",
    "sessions:write": "accounts.view_sessionlink payments.take_payment",
    "keys:read": "integrations.view_apikey",
    "keys:write": "integrations.rotate_apikey",
    "campaigns:read": "campaigns.view_campaign campaigns.view_recipient",
    "campaigns:write": "campaigns.add_campaign campaigns.change_campaign campaigns.stop_campaign",
    "templates:read": "campaigns.view_messagetemplate",
    "templates:write": "campaigns.add_messagetemplate campaigns.change_messagetemplate",
    "templates:publish": "campaigns.change_messagetemplate",
    "texts:read": "campaigns.view_conversation campaigns.view_inboundmessage campaigns.view_textprovider",
    "texts:write": "campaigns.answer_conversation",
    "contact:write": "campaigns.view_contactdecision campaigns.answer_conversation",
    "rules:read": "settlements.view_ruleset settlements.view_simulation settlements.view_affordabilityform",
    "rules:write": "settlements.add_ruleset settlements.change_ruleset settlements.publish_ruleset "
    "settlements.import_ruleset settlements.add_simulation settlements.edit_affordabilityform",
    "events:read": "accounts.view_event campaigns.view_message",
    "webhooks:read": "integrations.view_webhookendpoint integrations.view_delivery "
    "integrations.view_deliveryattempt integrations.view_redelivery",
    "webhooks:write": "integrations.add_webhookendpoint integrations.change_webhookendpoint "
    "integrations.test_webhookendpoint integrations.resume_webhookendpoint integrations.rotate_webhookendpoint "
    "integrations.remove_webhookendpoint integrations.replay_delivery integrations.skip_delivery",
}
"""What a person must be permitted on the pages to give a scope to a key: all that its operations do there."""
POWERS = frozenset(
    {"agency:write", "batches:approve", "offers:exceed", "refunds:approve", "rules:write", "staff:write"}
    | {"templates:publish"}
)
"""Scopes that decide about money, rules and people: they count only while whoever made the key may do so too."""
SEEN_EVERY = timedelta(minutes=1)
"""`last_used_at` is not written more often: a key in use would be one hot row."""
_NO_HASH = "0" * 64


class WrongKey(PermissionError):
    """Answer 401: no such key or not its secret; which of the two is not told."""


class KeyExpired(PermissionError):
    """Answer 401: the secret is right, its time is over."""


class KeyRevoked(PermissionError):
    """Answer 401: the secret is right, the key was revoked."""


class WrongAddress(PermissionError):
    """Answer 403: the key is right, the caller's address is not on its list."""


def make(
    *,
    name: str,
    scopes: Sequence[str],
    by: str,
    now: datetime,
    ip_allow: Sequence[str] = (),
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """Make a key for the acting agency; return it with its text, which nobody can be shown again."""
    assert set(scopes) <= SCOPES.keys(), scopes
    secret = secrets.token_urlsafe(32)
    key = ApiKey.objects.create(
        name=name,
        scopes=sorted(scopes),
        ip_allow=list(ip_allow),
        expires_at=expires_at,
        secret_hash=_hash(secret),
        made_at=now,
        made_by=by,
    )
    return key, _text(key, secret)


def within(may: Callable[[str], bool]) -> list[str]:
    """Name the scopes that somebody may give: no key does more than a person may who gave it (AUTH-11)."""
    return [scope for scope, permissions in NEEDS.items() if all(may(one) for one in permissions.split())]


def counts(key: ApiKey, scope: str) -> bool:
    """Tell whether a scope of a key counts now (AUTH-11): a power ends with the role of whoever gave it.

    All others go on when an employee leaves: a host does not stop posting. A key that nobody known made has what it
    was given.
    """
    return scope in key.scopes and (scope not in POWERS or scope not in ended(key))


def ended(key: ApiKey) -> list[str]:
    """Name the scopes of a key that no longer count, since whoever made it may do them no more."""
    powers = sorted(POWERS.intersection(key.scopes))
    kind, _colon, pk = key.made_by.partition(":")
    maker = User.objects.filter(pk=int(pk)).first() if powers and kind == "staff" and pk.isdigit() else None
    if maker is None:
        return []
    if not maker.is_active or maker.agency_id not in (None, key.agency_id):
        return powers
    return [scope for scope in powers if not all(map(maker.has_perm, NEEDS[scope].split()))]


@transaction.atomic
def rotate(*, key: ApiKey, keep_old: timedelta, now: datetime) -> str:
    """Give the key a new secret and return its text; the one it had stays live for `keep_old`, older ones end now.

    :raises KeyRevoked: there is nothing to rotate.
    """
    row = ApiKey.objects.select_for_update().get(pk=key.pk)
    if row.revoked_at is not None:
        raise KeyRevoked(key.pk)
    secret = secrets.token_urlsafe(32)
    row.old_secret_hash, row.old_until = row.secret_hash, now + keep_old
    row.secret_hash, row.rotated_at = _hash(secret), now
    row.save(update_fields=["secret_hash", "old_secret_hash", "old_until", "rotated_at"])
    return _text(row, secret)


def revoke(*, key: ApiKey, by: str, now: datetime) -> None:
    """End the key for good, both secrets; again changes nothing."""
    ApiKey.objects.filter(pk=key.pk, revoked_at__isnull=True).update(revoked_at=now, revoked_by=by)


def makers(actors: Collection[str]) -> dict[str, str]:
    """Give who of the staff made each of these keys, by `key:<id>`; fills `accounts.services.people.makers`."""
    ids = [found for one in actors if (found := _uuid(one.removeprefix(people.KEY)))]
    made = ApiKey.objects.filter(pk__in=ids, made_by__startswith="staff:")
    return {f"{people.KEY}{pk}": by for pk, by in made.values_list("pk", "made_by")}


@known
def _shown(key_id: UUID) -> QuerySet[ApiKey]:
    return ApiKey.objects.filter(pk=key_id, agency__is_active=True)


def authenticate(*, text: str, ip: str, now: datetime) -> ApiKey:
    """Find the key that was shown, and note to the minute that it was used.

    :raises WrongKey: also for a key of an inactive agency.
    :raises KeyExpired: the key's end, or the end of the old secret after a rotation.
    :raises KeyRevoked: by staff.
    :raises WrongAddress: not on the key's list.
    """
    key_id, secret = _read(text)
    with acting_for(ALL_AGENCIES):
        key = _shown.first(key_id) if key_id else None
    shown = _hash(secret)
    newer = hmac.compare_digest(shown, key.secret_hash if key else _NO_HASH)
    older = hmac.compare_digest(shown, (key.old_secret_hash if key else "") or _NO_HASH)
    if key is None or not (newer or older):
        raise WrongKey
    if key.revoked_at is not None:
        raise KeyRevoked(key.pk)
    if (not newer and now >= key.old_until) or (key.expires_at is not None and now >= key.expires_at):
        raise KeyExpired(key.pk)
    if key.ip_allow and not _allowed(ip, key.ip_allow):
        raise WrongAddress(ip)
    _note_use(key, now)
    return key


def _note_use(key: ApiKey, now: datetime) -> None:
    if key.last_used_at is not None and key.last_used_at > now - SEEN_EVERY:
        return
    with acting_for(key.agency_id):
        stale = Q(last_used_at__isnull=True) | Q(last_used_at__lte=now - SEEN_EVERY)
        ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=now)


def _text(key: ApiKey, secret: str) -> str:
    return f"{PREFIX}{key.pk.hex}_{secret}"


def _read(text: str) -> tuple[UUID | None, str]:
    key_id, _sep, secret = text.removeprefix(PREFIX).partition("_")
    # Only the form we gave out: UUID() would also take braces, dashes and urn:.
    return _uuid(key_id) if text.startswith(PREFIX) and len(key_id) == 32 else None, secret


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _allowed(ip: str, allowed: Sequence[str]) -> bool:
    try:
        address = ipaddress.ip_address(ip)
        return any(address in ipaddress.ip_network(entry, strict=False) for entry in allowed)
    except ValueError:
        return False
