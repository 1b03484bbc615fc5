"""One way through every page that a consumer can see, the bad turns included.

`PAGES` names them in the order of the tour. English is spoken at Acme, Spanish at Birch: whatever both say is ours.
"""

import contextlib
import datetime as dt
import re
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation

from portal.local.stack import PASSWORD, call
from tests.browser.consumer import (
    MASTERCARD_DEBIT,
    MASTERCARD_DECLINED,
    VISA_CREDIT,
    VISA_DEBIT,
    Consumer,
    place,
    today_of,
)

PAGES = [
    *("start", "start_wrong", "start_unreadable"),
    *("help_outside", "not_found", "session_ended_idle", "broken"),
    *("home_unsure", "account_unsure", "choose_unsure", "method_unsure"),
    *("step_up", "code", "code_sent", "code_wrong"),
    *("help", "home", "account", "payments_none"),
    *("postdates_none", "choose", "choose_wrong", "schedule", "schedule_wrong", "dates", "dates_wrong"),
    *("documents", "documents_sent", "documents_wrong"),
    *("method_card", "method_bank", "method_bank_wrong", "refused"),
    *("review", "review_unsigned", "paid", "plan"),
    *("plan_pay", "plan_pay_wrong", "plan_pay_extra", "plan_pay_added"),
    *("change", "change_wrong", "change_preview", "change_method", "change_rhythm", "change_cancel"),
    *("payments", "postdates", "account_paid", "home_paid"),
    *("wallet", "wallet_add", "wallet_add_bank", "wallet_add_unsaid", "authorizations", "revoke", "remove_method"),
    *("times", "times_wrong", "times_kept"),
    *("details", "details_wrong", "details_sent", "details_added", "cancel", "cancelling"),
    *("promise", "promise_wrong", "agree", "promised", "card_stored_not"),
    *("declined", "bank_check", "review_bank", "handed_over", "finding_out", "review_blocked"),
    *("helper", "helper_wrong", "helper_made", "link", "link_review", "link_paid", "link_closed", "prepared"),
    *("session_link", "session_link_wrong", "session_link_in", "session_link_gone"),
    *("budget", "budget_section", "budget_wrong", "budget_above", "budget_review", "budget_result", "budget_again"),
    *("pause", "pause_wrong", "pause_asked", "pause_no_file", "pause_end"),
    *("creditor", "spanish", "spanish_asked", "wrong", "wrong_unsaid", "wrong_said"),
    *("age_of_debt", "account_old", "cards_off"),
    *("payments_many", "postdates_many", "home_two"),
    *("together", "together_wrong", "together_method", "together_review", "together_paid"),
    "account_disputed",
    *("link_gone", "verify", "verify_unknown", "verify_genuine"),
    *("stop", "stopped", "session_ended", "locked"),
]

CHALLENGED = "5454545454545454"  # a Mastercard whose bank asks, scripted: a Visa credit number would be refused

SILENT = {"path": "/v1/payment_intents", "mode": "error_500", "times": 1000}


class Tour:
    """Go from page to page and let somebody look at each."""

    def __init__(self, consumer_like: Callable[..., Consumer], look: Callable[[Consumer, str], None]) -> None:
        self.consumer_like, self.look = consumer_like, look

    def go(self) -> None:
        """Take the whole tour."""
        one = self.consumer_like()
        self.outside(one)
        one.log_in()
        self.unsure(one)
        self.confirmed(one)
        self.pay_in_parts(one)
        self.look_back(one)
        self.promise()
        self.other_outcomes()
        self.links()
        self.cannot_afford()
        self.rights()
        self.other_accounts()
        self.leave(one)

    def at(self, one: Consumer, name: str, path: str = "") -> None:
        """Open a page, if it is not open already, and look."""
        if path:
            one.go(path)
        self.look(one, name)

    def outside(self, one: Consumer) -> None:
        """See the pages before the log-in."""
        self.at(one, "start", "/")
        one.type_facts(last_name="Somebody")
        one.press("main button[type=submit]")
        self.at(one, "start_wrong")
        one.type_facts(factor="12")
        one.press("main button[type=submit]")
        self.at(one, "start_unreadable")
        self.at(one, "help_outside", "/help/")
        self.at(one, "not_found", "/nothing/here/")
        self.at(one, "session_ended_idle", "/session-ended/")
        with translation.override(one.language):
            html = render_to_string("500.html")
        one.page.route("**/broken/", lambda route: route.fulfill(body=html, content_type="text/html", status=500))
        self.at(one, "broken", "/broken/")

    def unsure(self, one: Consumer) -> None:
        """See what level 1 may see, and what it may not."""
        self.at(one, "home_unsure")
        self.at(one, "account_unsure", one.account)
        self.at(one, "choose_unsure", f"{one.account}pay/")
        one.choose("full")
        self.at(one, "method_unsure")
        self.at(one, "step_up", f"{one.account}payments/")
        asked = time.time()
        self.at(one, "code", "/code/?next=/home/")
        one.page.locator("[name=contact]").first.check()
        one.press("button[value=send]")
        self.at(one, "code_sent")
        code = one.mail_code("code", asked)
        one.page.fill("[name=code]", "000000" if code != "000000" else "000001")
        one.press("button[value=verify]")
        self.at(one, "code_wrong")
        one.page.fill("[name=code]", code)
        one.press("button[value=verify]")
        self.at(one, "help", "/help/")

    def confirmed(self, one: Consumer) -> None:
        """See the account, with nothing paid yet."""
        self.at(one, "home", "/home/")
        self.at(one, "account", one.account)
        self.at(one, "payments_none", f"{one.account}payments/")
        self.at(one, "postdates_none", f"{one.account}post-dates/")
        self.at(one, "choose", f"{one.account}pay/")
        one.page.check("[name=choice][value=any]")
        one.press("main form button[type=submit]")
        self.at(one, "choose_wrong")

    def pay_in_parts(self, one: Consumer) -> None:
        """Settle in parts, with every mistake on the way."""
        one.choose("settlement_parts")
        self.at(one, "schedule")
        one.page.fill("[name=count]", "40")
        one.page.fill("[name=first_on]", "2099-01-01")
        one.press("button[value=continue]")
        self.at(one, "schedule_wrong")
        one.choose("settlement_parts")
        one.press("button[value=own]")
        self.at(one, "dates")
        one.page.fill("[name=amount_2]", "1.00")
        one.page.fill("[name=date_3]", "2099-01-01")
        one.press("button[value=continue]")
        self.at(one, "dates_wrong")
        one.choose("settlement_parts")
        one.press("button[value=continue]")
        self.at(one, "documents")
        asked = time.time()
        one.press("button[value=send]")
        self.at(one, "documents_sent")
        one.page.fill("[name=code]", "12")
        one.press("button[value=agree]")
        self.at(one, "documents_wrong")
        one.page.fill("[name=code]", one.mail_code("esign_code", asked))
        one.page.check("[name=agree]")
        one.press("button[value=agree]")
        one.type_card(VISA_CREDIT)
        self.at(one, "method_card")
        here = one.path
        one.go(f"{here}?way=ach")
        self.at(one, "method_bank")
        one.type_bank(routing="123456789", number="12")
        one.press("form:has([name=routing_number]) button[type=submit]")
        self.at(one, "method_bank_wrong")
        one.go(f"{here}?way=card")
        one.give_card(VISA_CREDIT)
        self.at(one, "refused")
        one.go(f"{here}?way=card")
        one.give_card(VISA_DEBIT)
        self.at(one, "review")
        one.press("form:has([name=agree]) button[type=submit]")
        self.at(one, "review_unsigned")
        one.confirm()
        self.at(one, "paid")
        one.press("main a[href^='/plan/']")
        self.at(one, "plan")
        self.pay_more(one)
        self.think_again(one)

    def think_again(self, one: Consumer) -> None:
        """See what a change of the plan would come to; nothing is changed."""
        plan = one.path
        self.at(one, "change", f"{plan}change/move/")
        one.press("main form button[type=submit]")
        self.at(one, "change_wrong")
        one.page.check("[name=payment] >> nth=0")
        one.page.fill("[name=to_on]", (today_of(one) + dt.timedelta(days=20)).isoformat())
        one.press("main form button[type=submit]")
        self.at(one, "change_preview")
        self.at(one, "change_method", f"{plan}change/method/")
        self.at(one, "change_rhythm", f"{plan}change/frequency/")
        self.at(one, "change_cancel", f"{plan}change/cancel/")

    def look_back(self, one: Consumer) -> None:
        """See what the host shows of it, and ask it, while it is away, to cancel one payment."""
        one.reload_until(f"{one.account}payments/", ".ledger > li", 1)
        self.at(one, "payments")
        one.reload_until(f"{one.account}post-dates/", ".ledger > li", 5)
        self.at(one, "postdates")
        self.at(one, "account_paid", one.account)
        self.at(one, "home_paid", "/home/")
        self.keep_and_end(one)
        self.details(one)
        one.go(f"{one.account}post-dates/")
        one.press(".ledger a[href$='/cancel/'] >> nth=-1")
        self.at(one, "cancel")
        host = one.stack.urls[f"host-{one.slug}"]
        call(host, "/_sandbox/faults", {"path": "/events", "status": 503})
        try:
            one.press("main form button[type=submit]")
            self.at(one, "cancelling")
        finally:
            call(host, "/_sandbox/faults", method="DELETE")

    def keep_and_end(self, one: Consumer) -> None:
        """See what is kept and what was signed, and what would end with either; nothing is ended."""
        self.at(one, "wallet", "/wallet/")
        self.at(one, "wallet_add", "/wallet/add/")
        self.at(one, "wallet_add_bank", "/wallet/add/?way=ach")
        one.press("main form button[type=submit]")
        self.at(one, "wallet_add_unsaid")
        self.at(one, "authorizations", "/authorizations/")
        one.press("main a[href$='/revoke/'] >> nth=0")
        self.at(one, "revoke")
        one.go("/wallet/")
        one.press("main a[href$='/remove/'] >> nth=0")
        self.at(one, "remove_method")

    def rights(self) -> None:
        """Ask for the creditor and for the notice in Spanish, and say that it is wrong."""
        one = self.consumer_like().log_in()
        self.at(one, "creditor", f"{one.account}creditor/")
        self.at(one, "spanish", f"{one.account}spanish/")
        one.press("main form button[type=submit]")
        self.at(one, "spanish_asked")
        self.at(one, "wrong", f"{one.account}wrong/")
        one.press("main form button[type=submit]")
        self.at(one, "wrong_unsaid")
        one.page.check("[name=reason][value=paid]")
        one.press("main form button[type=submit]")
        self.at(one, "wrong_said")

    def details(self, one: Consumer) -> None:
        """Add an address, and confirm it by the code that came to it."""
        self.at(one, "times", "/preferences/")
        one.page.select_option("[name=starts]", "14:00")
        one.page.select_option("[name=ends]", "12:00")
        one.press("main form button[value=add]")
        self.at(one, "times_wrong")
        one.page.select_option("[name=ends]", "16:00")
        one.press("main form button[value=add]")
        self.at(one, "times_kept")
        self.at(one, "details", "/details/")
        one.press("button[value=add]")
        self.at(one, "details_wrong")
        address, asked = f"new.{one.address}", time.time()
        one.page.fill("[name=email]", address)
        one.press("button[value=add]")
        self.at(one, "details_sent")
        mail = one.walk.mail(address, tag="security", after=asked)
        one.page.fill("[name=code]", re.search(r"\b(\d{6})\b", mail["text"])[1])
        one.press("button[value=verify]")
        self.at(one, "details_added")

    def promise(self) -> None:
        """Promise a later day, and see what becomes of a card that cannot be stored."""
        one = self.consumer_like().log_in().step_up()
        one.choose("settlement_parts")
        one.page.fill("[name=first_on]", (today_of(one) + dt.timedelta(days=3)).isoformat())
        one.page.fill("[name=count]", "2")
        one.press("button[value=continue]")
        one.press("button[value=decline]")
        one.give_card(MASTERCARD_DECLINED)
        one.confirm()
        kept = one.path
        one.choose("promise")
        self.at(one, "promise")
        one.page.fill("[name=first_on]", "2099-01-01")
        one.press("main form button[type=submit]")
        self.at(one, "promise_wrong")
        one.page.fill("[name=first_on]", (today_of(one) + dt.timedelta(days=10)).isoformat())
        one.page.fill("[name=amount]", "150.00")
        one.press("main form button[type=submit]")
        self.at(one, "agree")
        one.press("main form button[type=submit]")
        self.at(one, "promised")
        self.at(one, "card_stored_not", kept)

    def other_outcomes(self) -> None:
        """See a payment declined, questioned by the bank, unknown, and handed to the host."""
        one = self.consumer_like().log_in().step_up()
        one.choose("any", "40.00")
        one.give_card(MASTERCARD_DECLINED)
        one.confirm()
        self.at(one, "declined")
        processor = one.stack.urls["processor"]
        call(processor, "/_sandbox/cards", {"number": CHALLENGED, "brand": "mastercard", "outcome": "challenge_always"})
        one.choose("any", "41.00")
        one.give_card(CHALLENGED)
        one.confirm()
        with self._quiet_dialog(one):
            self.at(one, "bank_check")
        one.choose("any", "43.00")
        one.go(f"{one.path}?way=ach")
        one.type_bank()
        one.press("main form button[type=submit]")
        self.at(one, "review_bank")
        one.confirm()
        self.at(one, "handed_over")
        one.choose("any", "42.00")
        one.give_card(MASTERCARD_DEBIT)
        call(processor, "/_sandbox/faults", SILENT | {"account": f"acct_{one.slug}"})
        one.confirm()
        one.page.locator("[data-reload-seconds]").wait_for()
        self.at(one, "finding_out")
        one.choose("any", "44.00")
        one.give_card(MASTERCARD_DEBIT)
        self.at(one, "review_blocked")
        call(processor, "/_sandbox/faults", method="DELETE")

    @contextlib.contextmanager
    def _quiet_dialog(self, one: Consumer):
        """Wait for the bank's question and answer it afterwards, so that nothing is left open."""
        one.page.locator("dialog iframe").wait_for()
        yield
        with one.page.expect_navigation():
            one.page.frame_locator("dialog iframe").locator("#complete").click()

    def cannot_afford(self) -> None:
        """Fill in a budget with a mistake and with more than is usual, see what follows, and ask for a pause."""
        one = self.consumer_like().log_in().step_up()
        self.at(one, "budget", f"{one.account}budget/")
        one.press(".slip a.button")
        self.at(one, "budget_section")
        for typed in (
            {"adults": "1", "dependants": "0"},
            {"pay": "-"},
            {"pay": "2000"},
            {"rent": "1100"},
            {"food": "900"},
        ):
            for name, value in typed.items():
                one.page.fill(f"[name={name}]", value)
            one.press("button[value=next]")
            if typed == {"pay": "-"}:
                self.at(one, "budget_wrong")
        self.at(one, "budget_above")
        for _section in ("living", "travel", "other", "debts"):
            one.press("button[value=next]")
        self.at(one, "budget_review")
        one.press("main form button[type=submit]")
        self.at(one, "budget_result")
        self.at(one, "budget_again", f"{one.account}budget/")
        self.at(one, "pause", f"{one.account}hardship/")
        one.press("main form button[type=submit]")
        self.at(one, "pause_wrong")
        one.page.check("[name=cause][value=costs]")
        one.page.check("[name=days] >> nth=0")
        one.page.check("[name=consent]")
        one.press("main form button[type=submit]")
        self.at(one, "pause_asked")
        one.press("form[enctype] button")
        self.at(one, "pause_no_file")
        self.at(one, "pause_end", f"{one.account}hardship/end/")

    def other_accounts(self) -> None:
        """See the accounts that are cases of their own."""
        old = self.consumer_like("100245").log_in()
        old.go(f"{old.account}pay/")
        self.at(old, "age_of_debt")
        self.at(old, "account_old", old.account)
        bare = self.consumer_like("100240").log_in()
        bare.choose("full")
        self.at(bare, "cards_off")
        busy = self.consumer_like("100244").log_in().step_up()
        self.at(busy, "payments_many", f"{busy.account}payments/")
        self.at(busy, "postdates_many", f"{busy.account}post-dates/")
        pair = self.consumer_like("100241")
        same = ("ConsumerID", "SSN", "FirstName", "LastName", "Emails", "Language", "AccountDescription")
        place(pair.stack, pair.slug, "100242", **{name: pair.record[name] for name in same})
        self.at(pair.log_in(), "home_two")
        self.together(pair)
        disputed = self.consumer_like(Status="DISPUTE").log_in()
        self.at(disputed, "account_disputed", disputed.account)

    def pay_more(self, one: Consumer) -> None:
        """See what paying more would change, and what would be signed for an added payment; nothing is paid."""
        here = one.path
        self.at(one, "plan_pay", f"{here}pay/")
        one.page.locator("form:has([value=extra]) [name=amount]").fill("99999")
        one.press("form:has([value=extra]) button")
        self.at(one, "plan_pay_wrong")
        one.page.locator("form:has([value=extra]) [name=amount]").fill("100")
        one.press("form:has([value=extra]) button")
        self.at(one, "plan_pay_extra")
        one.go(f"{here}pay/")
        one.page.locator("form:has([value=added]) [name=amount]").fill("100")
        one.page.fill("[name=on]", (today_of(one) + dt.timedelta(days=2)).isoformat())
        one.press("form:has([value=added]) button")
        self.at(one, "plan_pay_added")
        one.go(here)

    def links(self) -> None:
        """Make a link, pay by it as somebody who knows nothing, and see what an agent prepared."""
        one = self.consumer_like().log_in().step_up()
        self.at(one, "helper", f"{one.account}helper/")
        one.page.fill("[name=amount]", "999999")
        one.press("main form:has([name=amount]) button")
        self.at(one, "helper_wrong")
        one.page.fill("[name=amount]", "25")
        one.press("main form:has([name=amount]) button")
        self.at(one, "helper_made")
        path = urlsplit(one.page.locator("#link-address").input_value()).path
        one.go(path)
        one.page.fill("[name=payer]", "S. F.")
        one.type_card(MASTERCARD_DEBIT)
        self.at(one, "link")
        one.press("#card-form button[type=submit]")
        self.at(one, "link_review")
        one.confirm()
        self.at(one, "link_paid")
        self.at(one, "link_closed", path)
        self._prepare(one)
        one.go(one.account)
        one.press("main a[href^='/prepared/']")
        self.at(one, "prepared")
        self._by_session_link()

    def _by_session_link(self) -> None:
        """Come from the agency's own system: one fact, then straight to the account; once."""
        one = self.consumer_like().log_in()
        stack = one.stack
        made = call(
            stack.urls["web"],
            f"/api/v1{one.account}session-links",
            {"page": "account"},
            headers={
                "Host": stack.environment["PORTAL_DOMAIN"],
                "Authorization": f"Bearer {stack.keys[one.slug]['api_key']}",
                "Idempotency-Key": f"tour {one.reference}",
            },
        )
        path = urlsplit(made["url"]).path
        one.context.clear_cookies()
        self.at(one, "session_link", path)
        for fact, name in (("0000", "session_link_wrong"), (one.third_fact, "session_link_in")):
            one.page.fill("[name=factor]", fact)
            one.press("main form button[type=submit]")
            self.at(one, name)
        self.at(one, "session_link_gone", path)

    def _prepare(self, one: Consumer) -> None:
        """Be an agent for a moment, in a window of their own."""
        context = one.context.browser.new_context()
        staff = context.new_page()
        account = one.account.strip("/").split("/")[1]
        staff.goto(f"http://localhost:{one.stack.port}{reverse('admin:accounts_account_take_payment', args=[account])}")
        staff.fill("[name=login]", f"{one.slug}-admin")
        staff.fill("[name=password]", PASSWORD)
        staff.locator("button[type=submit]").first.click()
        staff.fill("[name=amount_cents]", "30.00")
        staff.fill("[name=reason]", "As agreed")
        staff.select_option("[name=how]", "keep")
        with staff.expect_navigation():
            staff.locator(".staff-ask button[type=submit]").first.click()
        context.close()

    def together(self, pair: Consumer) -> None:
        """Pay two accounts in one go, after asking for too much."""
        self.at(pair, "together", "/pay/together/")
        for place_of, cents in ((0, "9999"), (1, "10")):
            pair.page.locator("[value=amount]").nth(place_of).check()
            pair.page.locator("input[inputmode=decimal]").nth(place_of).fill(cents)
        pair.press("main form button[type=submit]")
        self.at(pair, "together_wrong")
        pair.page.locator("input[inputmode=decimal]").nth(0).fill("20.00")
        pair.press("main form button[type=submit]")
        self.at(pair, "together_method")
        pair.give_card(VISA_DEBIT)
        self.at(pair, "together_review")
        pair.confirm()
        self.at(pair, "together_paid")

    def leave(self, one: Consumer) -> None:
        """Stop the mail, log out, and be locked out."""
        mail = one.walk.mail(one.address, tag="receipts", after=0)
        self.at(one, "link_gone", "/m/nothing/")
        self.at(one, "verify", "/verify/")
        ours = re.search(r"\b[2-9A-Z]{4}-[2-9A-Z]{4}\b", mail["text"])[0]
        for name, code in (("unknown", "AAAA-AAAA"), ("genuine", ours)):
            one.page.fill("[name=code]", code)
            one.press("main form button[type=submit]")
            self.at(one, f"verify_{name}")
        self.at(one, "stop", re.search(r"/stop/[^\s>)\]]+", mail["text"])[0])
        one.press("main form button[type=submit] >> nth=0")
        self.at(one, "stopped")
        one.go("/home/")
        one.press("form[action='/log-out/'] button >> nth=0")
        self.at(one, "session_ended")
        for _try in range(6):
            one.go("/")
            one.type_facts(reference="NOBODY", last_name="Nobody")
            one.press("main button[type=submit]")
            if one.page.locator("[name=factor]").count() == 0:
                break
        self.at(one, "locked")
