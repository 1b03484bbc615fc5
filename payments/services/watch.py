"""Watch an agency's bank debits for what stands out, and remind of the yearly review of how that is done (ACH-03).

Both end in the exception queue. Closing the review's incident with a note is the review: the next one opens a year
later. Nothing is stopped by it; the networks' own limits are those of `meters`.
"""

from datetime import datetime

from django.db.models import Max, Min

from payments.models import Incident, Payment
from payments.rules import watch as rules
from payments.services import incidents

REVIEW = "fraud_review"


def run(*, now: datetime) -> list[rules.Unusual]:
    """Look at the acting agency's debits of the last weeks, whoever executes them; return what stands out."""
    sent = Payment.objects.filter(kind="ach", intended_at__lte=now)
    recent = sent.filter(intended_at__gt=now - rules.WINDOW, method__isnull=False)
    rows = recent.values_list("method__fingerprint", "consumer_id", "intended_at")
    found = rules.unusual([rules.Debit(account, str(who), at) for account, who, at in rows], now=now)
    for one in found:
        # The fingerprint is a keyed hash: it names the account and tells nothing of its number (ACH-04).
        data = {"count": one.count, "bank_account": one.fingerprint[:16]}
        incidents.open(kind=one.kind, key=one.fingerprint[:64], now=now, data=data)
    last = Incident.objects.filter(kind=REVIEW).aggregate(last=Max("closed_at"))["last"]
    since = sent.aggregate(since=Min("intended_at"))["since"]
    if rules.review_due(last=last, since=since, now=now):
        data = {"last_reviewed_at": last.isoformat() if last else None}
        incidents.open(kind=REVIEW, key="yearly", now=now, data=data)
    return found
