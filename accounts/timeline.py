"""Events as sentences: what happened, in words, newest first, with links to what it is about."""

from typing import Any

from django.urls import NoReverseMatch, reverse

from accounts.columns import plain_json
from accounts.models import Event
from accounts.money import format_cents

# A sentence in parts; a part whose values are missing is left out.
SENTENCES = {
    "account.placed": "Placed by {client}| with a balance of {balance}|, status {host_status}",
    "account.updated": "The host changed {changed}",
    "account.recalled": "Recalled by the host",
    "account.reopening_allowed": "Staff let the host collect it again: {reason}",
    "account.status_changed": "Status changed| from {before}| to {after}| (host: {host_status})",
    "account.card_disabled": "Card payments are off: the host left out {missing}",
    "account.paid_in_full": "Paid in full",
    "balance.changed": "Balance changed| from {before}| to {after}",
    "consumer.identified": "The consumer identified themselves",
    "consumer.identification_failed": "Somebody failed to identify themselves| from {ip}",
    "consumer.logged_in": "The consumer signed in| at level {level}",
    "consumer.stepped_up": "The consumer confirmed with a code",
    "consumer.contact_changed": "Contact data changed| ({change})|, from {old}|, to {new}",
    "language.set": "Language set to {language}",
    "session.started": "Visit began",
    "session.ended": "Visit ended| ({reason})",
    "session.abandoned": "Visit ended with a payment begun and not made",
    "page.viewed": "Looked at the page “{page}”",
    "consent.granted": "Agreed to messages| to {to}",
    "esign.granted": "Agreed to electronic documents",
    "esign.withdrawn": "Took back the agreement to electronic documents",
    "optout.address": "Opted this address out",
    "optout.medium": "Opted out of this medium",
    "optout.stream": "Opted this address out of the messages “{stream}”",
    "offer.made": "Settlement offer made: {amount}{percent}| in at most {max_payments} payments| by {origin}",
    "offer.viewed": "Saw the settlement offer| of {amount}",
    "offer.accepted": "Accepted the settlement offer| of {amount}",
    "offer.withdrawn": "Settlement offer withdrawn| ({amount}{percent})",
    "offer.declined": "Settlement offer declined| ({amount}{percent})",
    "offer.expired": "Settlement offer expired| ({amount}{percent})",
    "offer.completed": "Settlement offer kept| ({amount}{percent})",
    "offer.broken": "Settlement offer broken| ({amount}{percent})",
    "rule_set.published": "Rules published: version {version}| of client {client}|, in force from {effective_at}",
    "rule_set.withdrawn": "Rules withdrawn: version {version}| of client {client}| ({reason})",
    "affordability.submitted": "Sent a budget|: {surplus} left over a month|, share {share}| ({outcome})",
    "affordability.decided": "Budget {decision}|: {monthly} a month",
    "hardship.requested": "Asked for a pause of {asked_days} days",
    "hardship.granted": "Pause granted from {starts_on} to {ends_on}|, to be reviewed on {review_on}",
    "hardship.declined": "Pause declined",
    "hardship.ended": "Pause ended| ({how})",
    "document.uploaded": "Document {number} uploaded| ({kind})",
    "payment.started": "Began to pay| ({choice})",
    "payment.intended": "Payment of {amount} intended| with {brand} {funding}| ending {last4}",
    "payment.succeeded": "Payment of {amount} succeeded| with {brand} {funding}| ending {last4}",
    "payment.declined": "Payment of {amount} declined| with {brand} {funding}| ending {last4}|: {decline_code}",
    "payment.pending": "Payment of {amount} is on its way| from the account ending {last4}",
    "payment.returned": "Payment of {amount} came back",
    "payment.charged_back": "Payment of {amount} charged back",
    "payment.refunded": "Refund of {refunded}| for the payment of {amount}",
    "payment.refund_failed": "Refund of {refund} failed: the money came back|, {reason}",
    "payment.voided": "Payment of {amount} voided before it was taken",
    "payment.posted": "The host posted the payment of {amount}",
    "method.added": "Payment method added|: {brand} {funding}| ending {last4}",
    "method.refused": "Payment method not kept|: {brand} {funding}| ending {last4}| ({reason})",
    "method.removed": "Payment method removed|: {brand}| ending {last4}| ({reason})",
    "method.blocked": "Payment method ruled out by bank or network| ending {last4}| ({code})",
    "method.updated": "Payment method changed| ending {last4}| ({code})",
    "authorization.created": "Signed an authorization| over {total}",
    "authorization.revoked": "Revoked an authorization",
    "dispute.opened": "Disputed {amount}| ({reason})",
    "dispute.resolved": "Dispute resolved| ({reason})",
    "oc_request.opened": "Asked who the original creditor is",
    "oc_request.answered": "Name and address of the original creditor sent| on {sent_on}",
    "arrangement.created": "Arrangement made: {payments} payments| over {total}| (saves {saving})",
    "arrangement.changed": "Arrangement changed| ({change})|: {reason}",
    "arrangement.paused": "Arrangement paused| until {until}| ({reason})",
    "arrangement.suspended": "Arrangement suspended until a person has looked at it| (after {after} instalments)",
    "arrangement.completed": "Arrangement completed",
    "arrangement.broken": "Arrangement broken",
    "arrangement.cancelled": "Arrangement cancelled",
    "settlement.completed": "Settlement completed",
    "postdate.scheduled": "Post-date {number} of {of}: {amount} on {date}|, taken by the {executor}",
    "postdate.changed": "Post-date changed| ({reason})",
    "postdate.cancel_requested": "Asked to cancel a post-date| of {amount}| on {date}",
    "postdate.hold_requested": "Asked to hold a post-date| of {amount}| on {date}",
    "postdate.cancelled": "Post-date cancelled| ({amount} on {date})",
    "postdate.due": "Post-date of {amount} is due",
    "notice.due": "A notice is owed before {due_on}|, by {channel}, sent by the {owner}| no later than {send_by}",
    "notice.sent": "Notice sent| by {channel}| before {due_on}",
    "notice.failed": "Notice failed| by {channel}| ({reason})",
    "statement.due": "A statement is owed: {kind} up to {until}|, by {channel}, sent by the {owner}|, until {send_by}",
    "statement.sent": "Statement sent: {kind} up to {until}|, by {channel}",
    "letter.required": "A letter must leave| by {send_by}| ({reason})",
    "message.queued": "Message “{template}” queued| for {to}",
    "message.held": "Message “{template}” held back| for {to}| ({reason})",
    "message.sent": "Message “{template}” sent| to {to}",
    "message.delivered": "Message “{template}” delivered| to {to}",
    "message.opened": "Message “{template}” opened| by {to}",
    "message.clicked": "A link in message “{template}” clicked",
    "message.bounced": "Message “{template}” bounced| from {to}",
    "message.complained": "Message “{template}” reported as unwanted| by {to}",
    "message.failed": "Message “{template}” failed| ({reason})",
    "message.unsubscribed": "Unsubscribed through message “{template}”",
    "sol_notice.acknowledged": "Read the notice on the age of the debt",
    "incident.opened": "Incident: {what}",
    "host.unreachable": "The host is unreachable",
    "host.recovered": "The host answers again",
    "delivery.abandoned": "Delivery skipped| ({reason})",
    "webhook.unreachable": "Webhook {name} does not answer",
    "webhook.recovered": "Webhook {name} answers again",
    "webhook.suspended": "Webhook {name} is suspended| ({reason})",
    "webhook.resumed": "Webhook {name} is told again",
}
PLACES = {
    "payment": "payments_payment",
    "arrangement": "payments_arrangement",
    "postdate": "payments_postdate",
    "notice": "payments_notice",
    "statement": "payments_statement",
    "authorization": "payments_authorization",
    "method": "payments_method",
    "offer": "settlements_individualoffer",
    "rule_set": "settlements_ruleset",
    "message": "campaigns_message",
    "delivery": "integrations_delivery",
    "visit": "accounts_visit",
}
"""Where the things that events name have their page."""
ICONS = {
    "payment": "payments", "postdate": "event_upcoming", "arrangement": "handshake", "offer": "sell",
    "message": "mail", "notice": "outgoing_mail", "letter": "outgoing_mail", "account": "folder_shared",
    "balance": "account_balance_wallet", "consumer": "person", "session": "login", "page": "visibility",
    "authorization": "signature", "host": "hub", "delivery": "outbox", "esign": "draw", "method": "credit_card",
    "rule_set": "rule", "statement": "outgoing_mail",
}  # fmt: skip
BAD = ("declined", "returned", "charged_back", "failed", "bounced", "complained", "broken", "unreachable", "abandoned")
GOOD = ("succeeded", "posted", "completed", "paid_in_full", "recovered")


def sentence(event: Event) -> str:
    """Say an event in words; a kind without a sentence says its own name."""
    facts = _facts(event.data)
    written = SENTENCES.get(event.kind)
    if written is None:
        noun, _dot, verb = event.kind.partition(".")
        return f"{noun} {verb}".replace("_", " ").capitalize()
    first, *more = written.split("|")
    return _filled(first, facts, always=True) + "".join(_filled(part, facts) for part in more)


def _filled(part: str, facts: "_Facts", *, always: bool = False) -> str:
    facts.missed = False
    text = part.format_map(facts)
    return "" if facts.missed and not always else text


class _Facts(dict):
    missed = False

    def __missing__(self, name: str) -> str:
        self.missed = True
        return ""


def _facts(data: dict[str, Any]) -> _Facts:
    facts = _Facts()
    currency = data.get("currency") or "usd"
    for name, value in data.items():
        if value in (None, "", [], {}):
            continue
        if name.endswith("_cents") and isinstance(value, int):
            facts[name.removesuffix("_cents")] = format_cents(value, currency)
        elif name.endswith("_bps"):
            facts[name.removesuffix("_bps")] = f"{value / 100:g} %"
        elif isinstance(value, list):
            facts[name] = ", ".join(str(each).replace("_", " ") for each in value)
        else:
            facts[name] = str(value).replace("_", " ") if name in ("before", "after", "template", "reason") else value
    if facts.get("brand"):
        facts["brand"] = str(facts["brand"]).title()
    for either in ("amount", "percent"):
        facts.setdefault(either, "") if {"amount", "percent"} & facts.keys() else None
    return facts


def who(actor: str) -> str:
    """Name an actor without its id: the consumer, the host, or the member of staff by name."""
    kind, _colon, name = actor.partition(":")
    return name if kind == "staff" else kind


def line(event: Event) -> dict[str, Any]:
    """Give one line of the timeline as its template reads it."""
    noun, _dot, verb = event.kind.partition(".")
    return {
        "at": event.occurred_at,
        "sentence": sentence(event),
        "who": who(event.actor),
        "kind": event.kind,
        "icon": ICONS.get(noun, "circle"),
        "tone": "bad" if verb in BAD else "good" if verb in GOOD else "",
        "links": list(_links(event.data)),
        "data": plain_json({name: value for name, value in event.data.items() if name != "v"}),
        "address": reverse("admin:accounts_event_change", args=[event.pk]),
    }


def _links(data: dict[str, Any]):
    for name, place in PLACES.items():
        if value := data.get(name):
            try:
                yield name.replace("_", " "), reverse(f"admin:{place}_change", args=[value])
            except NoReverseMatch:
                continue


def lines(events) -> list[dict[str, Any]]:
    """Give the lines of events in the order they come."""
    return [line(event) for event in events]
