"""The first steps of the way to a payment: what to pay, and how to be told before each later payment."""

from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import strip_tags
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from accounts.access import confirmed, identified, own_account, step_up_required
from accounts.known import known
from accounts.models import Account, Code, ContactPoint, Visit
from accounts.money import InvalidAmount, from_cents
from accounts.services import codes, consent, visits
from accounts.sight import shown
from accounts.views import local_path
from payments.forms import ChooseForm, PaperlessForm, read_cents
from payments.models import Checkout
from payments.rules.notices import check_letters, letter_send_by, notice_needed
from payments.services import age_notice as age_notices
from payments.services import checkout as services
from payments.services import gate
from payments.services.gate import Standing
from payments.sight import cannot_pay, language, proposed_parts
from payments.views.options import Asked, options_of
from payments.views.way import on_the_way, steps, to_age_notice, to_payment_of
from settlements.rules import quotes
from settlements.rules.quotes import Wish
from settlements.rules.schedules import Line

SERVICE_CHOICE = {
    "settlement": "settlement",
    "settlement_parts": "parts",
    "plan": "plan",
    "full": "full",
    "any": "amount",
}
PAGE_CHOICE = {service: page for page, service in SERVICE_CHOICE.items()}
NEEDS_CODE = ("settlement_parts", "plan")
"""Later payments are planned only by who confirmed with a code (AUTH-02)."""


@require_http_methods(["GET", "POST"])
@identified
def choose(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Offer everything that is open to the account today, the gentlest first, each with why it is offered."""
    account = own_account(request, account_id)
    begun = _begun(request, account)
    if begun is not None and begun.confirmed_at is not None:
        return to_payment_of(begun)
    at = gate.standing(account, now=request.now)
    if cannot_pay(at, now=request.now):
        return redirect("portal:account", account_id)
    if notice := to_age_notice(request, at):
        return notice
    asked = _asked(request, at)
    options = options_of(at, level=request.visit.level, asked=asked)
    form = ChooseForm(request.POST or None, options=options)
    if request.method == "POST" and form.is_valid():
        answer = _chosen(request, at, form, begun, asked)
        if answer is not None:
            return answer
    elif request.method == "GET" and at.terms is not None:
        visits.seen_page(visit=request.visit, account=account, page="offer", now=request.now)
    chosen = form["choice"].value() or request.GET.get("choice", "") or PAGE_CHOICE.get(begun.choice if begun else "")
    context = {
        "account": shown(account, level=request.visit.level) | {"balance_cents": at.owed.cents},
        "options": options,
        "form": form,
        "chosen": chosen or "",
        "amount": form["amount"].value() or (_amount_of(begun) if begun else request.GET.get("amount", "")[:20]),
        "begun": begun,
        "asked": f"?{request.GET.urlencode()}" if asked else "",
        **steps(begun, "choose"),
    }
    return render(request, "payments/choose.html", context, status=422 if form.errors else 200)


@known
def _of_visit(visit_id: UUID, account_id: UUID, checkout_id: UUID) -> QuerySet[Checkout]:
    return Checkout.objects.filter(pk=checkout_id, account=account_id, visit=visit_id)


def _begun(request: HttpRequest, account: Account) -> Checkout | None:
    """Find the checkout whose choice is being changed, if the page says so and it is of this visit."""
    named = request.POST.get("checkout") or request.GET.get("checkout") or ""
    try:
        key = UUID(named)
    except ValueError:
        return None
    return _of_visit.first(request.visit.pk, account.pk, key)


def _amount_of(checkout: Checkout) -> str:
    return f"{from_cents(checkout.lines[0][1])}" if checkout.choice == "amount" and checkout.lines else ""


def _asked(request: HttpRequest, at: Standing) -> Asked | None:
    """Work out the payments that a page named in the address, as a budget's does: they are what is agreed then."""
    page_choice, frequency = request.GET.get("choice", ""), request.GET.get("frequency", "monthly")
    if page_choice not in NEEDS_CODE or at.arrangement is not None:
        return None
    try:
        cents = read_cents(request.GET.get("amount", ""))
    except InvalidAmount:
        return None
    wish = Wish(SERVICE_CHOICE[page_choice], frequency=frequency, amount_cents=cents)
    found = quotes.answer(at.offered, wish, currency=at.account.currency)
    return None if found.refusals else Asked(page_choice, frequency, found.lines)


def _chosen(
    request: HttpRequest, at: Standing, form: ChooseForm, begun: Checkout | None, asked: Asked | None
) -> HttpResponse | None:
    """Write the choice down and lead on; None with the refusals in the form."""
    page_choice = form.cleaned_data["choice"]
    if page_choice == "promise":
        return redirect("payments:promise", at.account.pk)
    choice = SERVICE_CHOICE[page_choice]
    lines: tuple[Line, ...] = ()
    named = asked if asked is not None and asked.choice == page_choice else None
    if page_choice in NEEDS_CODE:
        if request.visit.level < Visit.Level.CONFIRMED:
            here = request.get_full_path() if named else f"{request.path}?choice={page_choice}"
            return step_up_required(request, onward=here)
        lines = named.lines if named else proposed_parts(at, choice=choice)
    elif page_choice == "any":
        lines = (Line(at.today, form.cleaned_data["amount_cents"]),)
    checkout = begun or services.begin(visit=request.visit, account=at.account, now=request.now)
    checkout.account, checkout.visit, checkout.consumer = at.account, request.visit, at.account.consumer
    how = {"by_amount": True, "frequency": named.frequency} if named else {}
    found = services.choose(checkout=checkout, choice=choice, lines=lines, now=request.now, **how)
    if found:
        form.refuse(found)
        return None
    return redirect("payments:schedule" if page_choice in NEEDS_CODE else "payments:method", checkout.pk)


@require_http_methods(["GET", "POST"])
@identified
def age_notice(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Say that the debt may be too old to sue for, before any payment page, once in each visit (SOL-02).

    Whoever has read it goes on where they were.
    """
    account = own_account(request, account_id)
    onward = local_path(request, fallback=reverse("payments:choose", args=[account_id]))
    if request.method == "POST":
        age_notices.read_in_visit(visit=request.visit, account=account, language=request.LANGUAGE_CODE, now=request.now)
        return redirect(onward)
    context = {"account": shown(account, level=request.visit.level), "next": onward}
    return render(request, "payments/age_notice.html", context)


@require_http_methods(["GET", "POST"])
@confirmed
@on_the_way
def paperless(request: HttpRequest, checkout: Checkout) -> HttpResponse:
    """Ask for consent to electronic documents on a page of its own; a code in a document shows it works (ES-02)."""
    at = gate.standing(checkout.account, now=request.now)
    lines = gate.lines_of(checkout)
    if not gate.needs_notice(lines, at.today):
        return redirect("payments:method", checkout.pk)
    contact = _address(request)
    form = PaperlessForm()
    match request.POST.get("action", "") if request.method == "POST" else "":
        case "decline":
            services.set_paper(checkout=checkout, paper=True)
            late = check_letters([line.due_on for line in lines], at.today)
            return redirect("payments:dates" if late else "payments:method", checkout.pk)
        case "send" if contact is not None:
            try:
                codes.send(visit=request.visit, contact_point=contact, purpose=Code.Purpose.ESIGN, now=request.now)
            except codes.TooSoon as early:
                form = PaperlessForm({})
                form.errors.clear()
                form.add_error(None, _wait(early.seconds))
            else:
                return redirect("payments:paperless", checkout.pk)
        case "agree":
            form = PaperlessForm(request.POST)
            if form.is_valid() and _agreed(request, checkout, form):
                return redirect("payments:method", checkout.pk)
    needed = [line for line in lines if notice_needed(at.today, line.due_on)]
    context = {
        "account": shown(checkout.account, level=request.visit.level),
        "checkout": checkout,
        "email": contact.masked if contact else "",
        "sent": _sent(request),
        "form": form,
        "letters": [{"on": line.due_on, "send_by": letter_send_by(line.due_on)} for line in needed],
        "text_version": consent.ESIGN_VERSION,
        **steps(checkout, "documents"),
    }
    return render(request, "payments/paperless.html", context, status=422 if form.errors else 200)


def _address(request: HttpRequest) -> ContactPoint | None:
    known = codes.contacts_for_codes(request.visit.consumer, now=request.now)
    return next((point for point in known if point.opted_out_at is None), None)


@known
def _live(visit_id: UUID, now: datetime) -> QuerySet[Code]:
    return Code.objects.filter(visit=visit_id, purpose=Code.Purpose.ESIGN, used_at=None, expires_at__gt=now)


def _sent(request: HttpRequest) -> bool:
    return _live.exists(request.visit.pk, request.now)


def _agreed(request: HttpRequest, checkout: Checkout, form: PaperlessForm) -> bool:
    """Check the code and record the consent with the wording shown; False with the reason in the form."""
    wording = strip_tags(render_to_string("payments/_paperless_terms.html", {}, request))

    def agree(code: Code) -> None:
        consent.grant_esign(
            visit=request.visit,
            code=code,
            wording=" ".join(wording.split()),
            version=consent.ESIGN_VERSION,
            language=language(),
            ip=request.ip,
            now=request.now,
        )
        services.set_paper(checkout=checkout, paper=False)

    try:
        codes.check(
            visit=request.visit,
            purpose=Code.Purpose.ESIGN,
            text=form.cleaned_data["code"],
            now=request.now,
            then=agree,
        )
    except codes.WrongCode as wrong:
        sentence = ngettext(
            "This is not the code in the document. You have %(count)d more try.",
            "This is not the code in the document. You have %(count)d more tries.",
            wrong.tries_left,
        )
        form.add_error("code", sentence % {"count": wrong.tries_left})
        return False
    except (codes.TooManyTries, codes.CodeExpired):
        form.add_error("code", _("This code no longer works. Send the document again."))
        return False
    return True


def _wait(seconds: int) -> str:
    return ngettext(
        "Please wait %(count)d second before you ask for it again.",
        "Please wait %(count)d seconds before you ask for it again.",
        seconds,
    ) % {"count": seconds}
