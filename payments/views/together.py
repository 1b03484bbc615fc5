"""Several accounts in one go: an amount for each, one way to pay, one confirmation, one answer for each."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.access import identified, own_accounts, step_up_required
from accounts.known import known
from accounts.models import Account, Visit
from accounts.money import InvalidAmount
from accounts.refusals import Refusal
from accounts.sight import shown
from payments.forms import AgreeForm, BankForm, RefusableForm, StoredForm, read_cents
from payments.models import Checkout, Method, Payment
from payments.services import age_notice, ask, gate, methods, together
from payments.services.gate import Standing
from payments.services.means import card_policy, means_of_method
from payments.services.sign import Refused
from payments.services.together import Share
from payments.sight import cannot_pay, language, local, method_label, problems, say
from payments.views.outcome import state_of
from payments.views.own import of_own
from payments.views.paying import CONFIRMED_WAYS, with_processor

CHOICES = ("none", "settlement", "full", "amount")
MOST_SHOWN = 50


@require_http_methods(["GET", "POST"])
@identified
def choose(request: HttpRequest) -> HttpResponse:
    """Ask for each account what it gets today; accounts that cannot be paid say why (RF-32: a disputed one never)."""
    standings = gate.standings(list(own_accounts(request)[:MOST_SHOWN]), now=request.now)
    rows = [_row(at, request) for at in standings]
    open_rows = [row for row in rows if row["available"]]
    wrong: list[dict[str, str]] = []
    if request.method == "POST":
        shares = [share for row in open_rows if (share := _share(request, row)) is not None]
        if not any(row.get("error") for row in open_rows):
            if len(shares) == 1:
                return _alone(request, shares[0])
            found = together.choose(visit=request.visit, shares=shares, now=request.now)
            if isinstance(found, UUID):
                return redirect("payments:together_method", found)
            for row in open_rows:
                if refused := found.get(row["id"]):
                    row["error"], row["code"] = say(refused[0]), refused[0].code
            wrong = problems(found.get(None, []))
        wrong += [
            {"message": row["error"], "code": row["code"], "target": f"amount_{row['id']}"}
            for row in open_rows
            if row.get("error")
        ]
    context = {"rows": rows, "problems": wrong, "several": len(open_rows) > 1, "step": 1, "steps": 3}
    return render(request, "payments/together.html", context, status=422 if wrong else 200)


def _row(at: Standing, request: HttpRequest) -> dict[str, Any]:
    """Show one account with what it may get, or why it gets nothing now."""
    account = at.account
    row = shown(account, level=request.visit.level) | {
        "balance_cents": at.owed.cents,
        "most_cents": at.owed.single_most_cents,
        "available": True,
        "chosen": request.POST.get(f"choice_{account.pk}", "none"),
        "amount": request.POST.get(f"amount_{account.pk}", "")[:20],
        "account": account,
    }
    if cause := cannot_pay(at, now=request.now):
        return row | {"available": False, "cause": cause}
    if gate.sol_needed(at) and not age_notice.was_read(request.visit.pk, account):
        return row | {"available": False, "cause": "age"}
    if at.terms is not None and at.terms.saving_cents:
        row |= {"settlement_cents": at.terms.amount_cents, "saving_cents": at.terms.saving_cents}
    row["full_cents"] = 0 if at.owed.scheduled_cents else at.owed.cents
    return row


def _share(request: HttpRequest, row: dict[str, Any]) -> Share | None:
    """Read what one account gets; what cannot be read stands beside it."""
    choice = row["chosen"]
    if choice == "none" or choice not in CHOICES:
        return None
    if choice != "amount":
        return Share(account=row["account"], choice=choice)
    try:
        cents = read_cents(row["amount"])
    except InvalidAmount:
        row["error"], row["code"] = _("Enter an amount, for example 50.00."), "amount_unreadable"
        return None
    return Share(account=row["account"], choice="amount", amount_cents=cents)


def _alone(request: HttpRequest, share: Share) -> HttpResponse:
    """Lead somebody who chose one account only to its own way, the choice made."""
    page = "any" if share.choice == "amount" else share.choice
    amount = request.POST.get(f"amount_{share.account.pk}", "")[:20]
    query = f"?choice={page}" + (f"&amount={amount}" if page == "any" else "")
    response = redirect("payments:choose", share.account.pk)
    response["Location"] += query.replace("$", "").replace(",", "").replace(" ", "")
    return response


def _begun(request: HttpRequest, group: UUID) -> list[Checkout]:
    """Open the group of this visit; of anybody else's there is none."""
    mine = together.load(group=group, visit=request.visit)
    own = set(own_accounts(request).order_by().values_list("pk", flat=True))
    if not mine or any(one.account_id not in own for one in mine):
        raise Http404
    for one in mine:
        one.visit, one.consumer = request.visit, one.account.consumer
    return mine


def _confirmed(request: HttpRequest, begun: list[Checkout], group: UUID) -> HttpResponse | None:
    """Lead on when it was confirmed before: a second press, the back button, a retry after a crash."""
    if begun[0].confirmed_at is None:
        return None
    if request.method == "POST":
        together.resume(group=group, now=request.now)
    return redirect("payments:together_result", group)


@require_http_methods(["GET", "POST"])
@identified
def method(request: HttpRequest, group: UUID) -> HttpResponse:
    """Take one card, bank account or kept card for all of these accounts."""
    begun = _begun(request, group)
    if (answer := _confirmed(request, begun, group)) is not None:
        return answer
    sure = request.visit.level >= Visit.Level.CONFIRMED
    first = begun[0]
    ways = _ways(begun, request)
    works = [way["code"] for way in ways if way["available"]]
    stored = list(methods.usable_for(first.account).filter(kind__in=works)[:10]) if sure else []
    ways += [{"code": "stored", "available": True}] if stored else []
    offered = [way["code"] for way in ways if way["available"]]
    selected = request.POST.get("way") or request.GET.get("way") or (offered[0] if offered else "")
    if selected in CONFIRMED_WAYS and not sure:
        return step_up_required(request, onward=f"{request.path}?way={selected}")
    if selected not in offered:
        selected = offered[0] if offered else ""
    form: RefusableForm = {"ach": BankForm, "stored": StoredForm}.get(selected, RefusableForm)()
    found: list[Refusal] = []
    if request.method == "POST" and selected:
        form, found = _taken(request, begun, selected)
        if not found and not form.errors:
            return redirect("payments:together_review", group)
    merchant = methods.active_processor(first.account) if selected == "card" else None
    total = sum(gate.lines_of(one)[0].amount_cents for one in begun)
    context = {
        "account": shown(first.account, level=request.visit.level),
        "checkout": first,
        "together": [_line(one, request) for one in begun],
        "today_cents": total,
        "later": [],
        "methods": ways,
        "several_ways": len(offered) > 1,
        "selected": selected,
        "form": form,
        "refusals": problems([one for one in found if form.where.get(one.field or "") is None]),
        "stored": [{"id": one.pk, "label": means_of_method(one).label(language())} for one in stored],
        "card": {
            "script_url": merchant.script_url,
            "publishable_key": merchant.publishable_key,
            "currency": first.account.currency,
            "locale": language(),
            "mode": "payment",
            "setup_future_usage": "on_session",
            "visa_credit_refused": any(not card_policy(one.account).visa_credit for one in begun),
        }
        if merchant
        else None,
        "step": 2,
        "steps": 3,
    }
    response = render(request, "payments/method.html", context, status=422 if found or form.errors else 200)
    return with_processor(response, merchant) if merchant else response


def _line(one: Checkout, request: HttpRequest) -> dict[str, Any]:
    return shown(one.account, level=request.visit.level) | {"amount_cents": gate.lines_of(one)[0].amount_cents}


def _ways(begun: list[Checkout], request: HttpRequest) -> list[dict[str, Any]]:
    sure = request.visit.level >= Visit.Level.CONFIRMED
    found = []
    for way in together.ways(checkouts=begun, now=request.now):
        line: dict[str, Any] = {"code": way.code, "available": way.available}
        if way.refusal is not None:
            line["reason"] = say(way.refusal)
        elif way.code in CONFIRMED_WAYS and not sure:
            line |= {"available": False, "needs_code": True}
        found.append(line)
    return found


def _taken(request: HttpRequest, begun: list[Checkout], way: str) -> tuple[RefusableForm, list[Refusal]]:
    form: RefusableForm
    if way == "card":
        form, token = RefusableForm(request.POST), request.POST.get("confirmation_token", "")[:80]
        if not token:
            form.add_error(
                None, _("The card form needs JavaScript. Without it you can pay from a bank account or call us.")
            )
            return form, []
        return form, together.take_card(checkouts=begun, confirmation_token=token, now=request.now)
    form = StoredForm(request.POST) if way == "stored" else BankForm(request.POST)
    if not form.is_valid():
        return form, []
    typed = form.cleaned_data
    if way == "stored":
        found = together.take_stored(checkouts=begun, method_id=typed["method_id"], now=request.now)
    else:
        found = together.take_bank(
            checkouts=begun,
            routing=typed["routing_number"],
            number=typed["account_number"],
            account_type=typed["account_type"],
            holder=typed["holder"],
            now=request.now,
        )
    form.refuse([one for one in found if form.where.get(one.field or "") is not None])
    return form, found


@require_http_methods(["GET", "POST"])
@identified
def review(request: HttpRequest, group: UUID) -> HttpResponse:
    """Show every account with what CARD-02 asks for, the amounts, and the one text to agree to."""
    begun = _begun(request, group)
    if (answer := _confirmed(request, begun, group)) is not None:
        return answer
    if begun[0].method_id is None and not begun[0].confirmation_token:
        return redirect("payments:together_method", group)
    form = AgreeForm(request.POST or None)
    refused: list[Refusal] = []
    if request.method == "POST" and form.is_valid():
        try:
            together.confirm(
                group=group,
                visit=request.visit,
                text_sha256=request.POST.get("authorization_sha256", ""),
                ip=request.ip,
                user_agent=request.headers.get("User-Agent", "")[:300],
                language=language(),
                now=request.now,
            )
        except Refused as error:
            refused = error.refusals
        else:
            return redirect("payments:together_result", group)
    seen = together.review(checkouts=begun, language=language(), now=request.now)
    title, *paragraphs = seen.text.split("\n\n")
    standing = problems(seen.refusals)
    context = {
        "group": group,
        "items": [
            # CARD-02 wants all of this before a charge, at any level.
            shown(item.checkout.account, level=Visit.Level.CONFIRMED)
            | {
                "amount_cents": item.amount_cents,
                "saving_cents": item.saving_cents,
                "problems": problems(item.refusals),
            }
            for item in seen.items
        ],
        "total_cents": seen.total_cents,
        "method": {"label": seen.means.label(language()), "kind": seen.means.kind},
        "bank_can_return": seen.means.kind == Method.Kind.ACH,
        "authorization": {
            "title": title,
            "paragraphs": [text.split("\n") for text in paragraphs],
            "sha256": seen.text_sha256,
        },
        "form": form,
        "refusals": _once([*problems([one for one in refused if one.code == "text_changed"]), *standing]),
        "step": 3,
        "steps": 3,
    }
    return render(request, "payments/together_review.html", context, status=422 if refused or form.errors else 200)


def _once(found: list[dict[str, str]]) -> list[dict[str, str]]:
    return list({one["code"]: one for one in reversed(found)}.values())[::-1]


@require_http_methods(["GET", "POST"])
@identified
def result(request: HttpRequest, group: UUID) -> HttpResponse:
    """Say plainly what became of each payment; what is still open is asked about and gone on with."""
    mine = _own_payments(request, group)
    if request.visit.level < Visit.Level.CONFIRMED and not together.load(group=group, visit=request.visit):
        return step_up_required(request)
    if request.method == "POST":
        for payment in mine:
            ask.look(payment_id=payment.pk, now=request.now)
        together.go_on(group=group, fresh=False, now=request.now)
        return redirect("payments:together_result", group)
    lines = [_outcome(payment, request) for payment in mine]
    made = [line for line in lines if line["stands"]]
    open_ = [line for line in lines if line["state"] in ("undecided", "action_required")]
    context = {
        "group": group,
        "lines": lines,
        "made": len(made),
        "open": len(open_),
        "failed": len(lines) - len(made) - len(open_),
        "taken_cents": sum(line["amount_cents"] for line in made),
        "method": method_label(mine[0]),
        "at": local(mine[0].intended_at, mine[0].account),
        "authorization_id": mine[0].authorization_id,
    }
    return render(request, "payments/together_result.html", context)


@known
def _of_group(consumer_id: UUID, group: UUID) -> QuerySet[Payment]:
    joined = ("account__client", "account__consumer", "account__agency", "method", "authorization")
    mine = Payment.objects.select_related(*joined).filter(group=group)
    return of_own(mine, consumer_id).order_by("account_id")


def _own_payments(request: HttpRequest, group: UUID) -> list[Payment]:
    found = _of_group(request.visit.consumer_id, group)
    if not found:
        raise Http404
    return found


def _outcome(payment: Payment, request: HttpRequest) -> dict[str, Any]:
    account: Account = payment.account
    state = state_of(payment)
    return shown(account, level=request.visit.level) | {
        "payment_id": payment.pk,
        "amount_cents": payment.amount_cents,
        "payment_reference": payment.reference,
        "state": state,
        "stands": state in ("succeeded", "processing", "handed_over"),
        "untried": state == "voided" and payment.reason == together.UNTRIED,
        "sentence": _(gate.explain(payment).sentence) if state == "declined" else "",
    }
