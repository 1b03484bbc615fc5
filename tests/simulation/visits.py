"""What consumers do, as they do it: pages of the real site over HTTP, with the codes that come by mail."""

import re
import time
from datetime import date, timedelta
from urllib.parse import urlencode

from portal.local.browser import Broken, Browser, Page
from portal.local.stack import call
from portal.local.walk import download, read_code

from .cast import Person
from .world import PATIENCE, World

HALF_SECOND = 0.5
MOST_BETWEEN_LOOKS = 0.25
AT_ONCE = ("any", "settlement", "full")


class Refused(Exception):
    """The site said no, with these codes; nothing was agreed."""


class Visit:
    """One consumer at their browser, from the start page on."""

    def __init__(self, world: World, person: Person) -> None:
        self.world, self.person = world, person
        self.browser = Browser(world.site, person.agency, keeps=True)

    # Getting in -----------------------------------------------------------------------------------------------------

    def arrive(self, what: str) -> None:
        """Say who one is, and prove it by a code where what one comes for needs it (AUTH-02)."""
        person = self.person
        start = self.browser.get("/")
        factor = person.ssn[-4:] if person.agency == "acme" else person.home[1]
        form = start.form_with("reference", "last_name", "factor")
        page = self.browser.submit(form, reference=person.reference, last_name=person.last_name, factor=factor)
        if not page.path.startswith("/home/"):
            raise Refused(f"login: {page.path}")
        if not person.account:
            links = re.findall(r"/accounts/([0-9a-f-]{36})/", page.body.decode())
            if not links:
                raise Broken(f"the home page leads nowhere: {page.text[:300]}")
            person.account = links[0]
        if self.needs_code(what):
            self.confirm_identity(paying=what in ("pay", "extra", "agree") and self.person.choice != "promise")

    def confirm_identity(self, *, paying: bool) -> None:
        """Ask for a code, read it in the mail and type it; who came to pay goes on to that page."""
        asked, onward = self.world.now(), f"/accounts/{self.person.account}/pay/"
        page = self.browser.get(f"/code/?next={onward if paying else '/home/'}")
        contact = re.search(rb'name="contact"[^>]*value="([^"]+)"', page.body)
        if contact is None:
            raise Refused("no address for a code")
        page = self.browser.submit(page.form_with("contact"), contact=contact[1].decode(), action="send")
        code = re.search(r"\b(\d{6})\b", self.mail("code", asked)["text"])[1]
        page = self.browser.submit(page.form_with("code"), code=code, action="verify")
        if page.path.startswith("/code/"):
            raise Broken(f"the code was not taken: {page.text[:300]}")

    def mail(self, tag: str, asked) -> dict:
        """Wait for the newest mail with a tag."""
        deadline, pause = time.monotonic() + PATIENCE, 0.02
        query = urlencode({"to": self.person.email, "tag": tag, "limit": 1})
        while time.monotonic() < deadline:
            rows = call(self.world.site.urls["mail"], f"/_sandbox/messages?{query}", timeout=PATIENCE)
            if rows and rows[0]["accepted_at"] >= f"{asked - timedelta(seconds=1):%Y-%m-%dT%H:%M:%S}":
                return rows[0]
            time.sleep(pause)
            pause = min(pause * 1.5, MOST_BETWEEN_LOOKS)
        raise Broken(f"no mail tagged {tag} came to {self.person.email}")

    def needs_code(self, what: str) -> bool:
        """Tell whether what one comes for opens only with a code: nothing that is paid at once by card does."""
        at_once = what in ("pay", "extra") or (what == "agree" and self.person.choice in AT_ONCE)
        return self.person.by_bank or not at_once

    def leave(self) -> None:
        """Log out."""
        page = self.browser.get("/home/")
        self.browser._ask("POST", "/log-out/", _token(page))

    # Agreeing ---------------------------------------------------------------------------------------------------------

    def agree(self) -> str:
        """Agree to what this person wishes, and say what came of it."""
        choice = self.person.choice
        if choice == "promise":
            return self.promise()
        if choice in AT_ONCE:
            amount = f"{max(30_00, self.person.balance_cents // 7) / 100:.2f}"
            return self.finish(self.choose(choice, amount=amount))
        page = self.choose("settlement_parts" if choice == "settlement_parts" else "plan")
        page = self.own_dates(page) if choice == "own" else self.shape(page)
        page = self.documents(page)
        return self.by_hand(page) if choice == "by_hand" else self.finish(page)

    def choose(self, choice: str, **values: str) -> Page:
        page = self.browser.page
        if not page.path.startswith(f"/accounts/{self.person.account}/"):
            page = self.browser.get(f"/accounts/{self.person.account}/pay/")
        if "/age-of-debt/" in page.path:
            page = self.browser.submit(page.forms[-1])
        form = next((form for form in page.forms if "choice" in form["fields"]), None)
        if form is None:
            raise Refused(f"cannot pay: {page.path}")
        return self.ok(self.browser.submit(form, choice=choice, **values))

    def ok(self, page: Page) -> Page:
        """Go on unless the page refuses."""
        if page.status >= 500:
            raise Broken(f"{page.path} answered {page.status}")
        if page.status == 422:
            codes = re.findall(r'data-code="(\w+)"', page.body.decode())
            raise Refused(",".join(dict.fromkeys(codes)) or page.text[:200])
        return page

    def shape(self, page: Page) -> Page:
        """Say how many payments, how often, from when."""
        wish = {"how": "number", "count": str(self.person.count)}
        wish["frequency"] = self.person.frequency if self.person.frequency != "custom" else "monthly"
        if self.person.choice == "later":
            today = date.fromisoformat(page.form_with("count", "first_on")["fields"]["first_on"])
            wish["first_on"] = (today + timedelta(days=12)).isoformat()
        return self.ok(self.browser.submit(page.form_with("count", "first_on"), action="continue", **wish))

    def own_dates(self, page: Page) -> Page:
        """Write dates and amounts of one's own: much at first, little in the middle, the rest at the end."""
        form = page.form_with("count", "first_on")
        page = self.browser.submit(form, action="own", how="number", count="3", frequency="monthly")
        form = page.form_with("date_1", "amount_1")
        fields = form["fields"]
        rows = [name for name in fields if name.startswith("amount_") and fields[name]]
        total = sum(round(float(fields[name].replace(",", "")) * 100) for name in rows)
        first = date.fromisoformat(fields["date_1"])
        parts = [total // 2, total // 10]
        parts.append(total - sum(parts))
        wish = {name: "" for name in fields if re.match(r"(date|amount)_\d+$", name)}
        for number, (cents, later) in enumerate(zip(parts, (0, 17, 61), strict=True), start=1):
            wish[f"date_{number}"] = (first + timedelta(days=later)).isoformat()
            wish[f"amount_{number}"] = f"{cents / 100:.2f}"
        return self.ok(self.browser.submit(form, action="continue", **wish))

    def documents(self, page: Page) -> Page:
        """Say e-mail or letters, where it is asked."""
        if not page.path.endswith("/documents/"):
            return page
        if self.person.paper:
            page = self.ok(self.browser._ask("POST", page.path, _token(page) | {"action": "decline"}))
            if page.path.endswith("/dates/"):
                raise Refused("letter_too_late")
            return page
        asked = self.world.now()
        self.browser.submit(next(form for form in page.forms if "action" in form["fields"]), action="send")
        shown = self.mail("esign_code", asked)
        code = read_code(download(self.world.site.urls["mail"], shown["attachments"][0]["url"]))
        return self.ok(self.browser.submit(self.browser.page.form_with("code"), code=code, agree="on", action="agree"))

    def finish(self, page: Page) -> str:
        """Give a card or a bank account, review, confirm."""
        page = self.pay_with(page)
        page = self.browser.submit(page.form_with("idempotency_key"), agree="on")
        return self.outcome(self.ok(page))

    def pay_with(self, page: Page) -> Page:
        """Give the card by the processor's own field, or the numbers of the bank account."""
        if not page.path.split("?")[0].endswith("/method/"):
            raise Broken(f"no way to pay is asked for at {page.path}: {page.text[:200]}")
        if self.person.by_bank:
            page = self.browser.get(page.path.split("?")[0] + "?way=ach")
            form = page.form_with("routing_number", "account_number")
            typed = {"holder": f"Jo {self.person.last_name}", "routing_number": "110000000"}
            typed |= {"account_number": self.person.account_number, "account_type": "checking"}
            return self.ok(self.browser.submit(form, **typed))
        if not any("confirmation_token" in form["fields"] for form in page.forms):
            page = self.browser.get(page.path.split("?")[0] + "?way=card")
        form = page.form_with("confirmation_token")
        return self.ok(self.browser.submit(form, confirmation_token=self.card_token()))

    def card_token(self) -> str:
        """Type the card into the processor's field."""
        year = self.world.now().year + 4
        given = {"account": f"acct_{self.person.agency}", "number": self.person.card, "exp_month": 12}
        given |= {"exp_year": year, "cvc": "123"}
        return self.world.processor("confirmation_tokens", given)["id"]

    def outcome(self, page: Page) -> str:
        """Read the result page, waiting while the site is still finding out."""
        if page.path.startswith("/plan/"):
            return "planned"
        for _look in range(40):
            text = page.text.lower()
            if "not paid" in text or "declined" in text or "nothing was charged" in text:
                return "declined"
            if not page.path.startswith("/paid/"):
                return f"at {page.path}"
            if "finding out" not in text:
                return "paid"
            time.sleep(HALF_SECOND / 5)
            page = self.browser.get(page.path)
        return "undecided"

    def promise(self) -> str:
        """Promise a part for a later day of this month."""
        page = self.browser.get(f"/accounts/{self.person.account}/promise/")
        form = next((form for form in page.forms if "first_on" in form["fields"]), None)
        if form is None:
            raise Refused(f"cannot promise: {page.path}")
        low = re.search(rb'name="first_on"[^>]*min="([\d-]+)"|min="([\d-]+)"', page.body)
        today = date.fromisoformat((low[1] or low[2]).decode())
        amount = f"{max(30_00, self.person.balance_cents // 6) / 100:.2f}"
        page = self.ok(self.browser.submit(form, amount=amount, first_on=(today + timedelta(days=9)).isoformat()))
        self.ok(self.browser._ask("POST", page.path, _token(page)))
        return "promised"

    def by_hand(self, page: Page) -> str:
        """Agree without a way to pay: one pays by oneself."""
        checkout = re.search(r"/pay/([0-9a-f-]{36})/", page.path)[1]
        page = self.ok(self.browser._ask("POST", f"/pay/{checkout}/by-hand/", _token(page)))
        page = self.ok(self.browser._ask("POST", page.path, _token(page)))
        return "planned by hand" if page.path.startswith("/plan/") else f"at {page.path}"

    # Afterwards -------------------------------------------------------------------------------------------------------

    def pay(self, cents: int) -> str:
        """Pay a sum at once."""
        return self.finish(self.choose("any", amount=f"{cents / 100:.2f}"))

    def dispute(self) -> str:
        """Say that the debt is wrong."""
        page = self.browser.get(f"/accounts/{self.person.account}/wrong/")
        form = next((form for form in page.forms if "reason" in form["fields"]), None)
        if form is None:
            raise Refused("disputed already")
        self.ok(self.browser.submit(form, reason="not_mine"))
        return "disputed"

    def hardship(self) -> str:
        """Ask for a pause of a month."""
        page = self.browser.get(f"/accounts/{self.person.account}/hardship/")
        form = next((form for form in page.forms if "days" in form["fields"]), None)
        if form is None:
            raise Refused("asked already")
        self.ok(self.browser.submit(form, cause="income", days="30", consent="on"))
        return "paused"

    def revoke(self) -> str:
        """Withdraw the authorization that charges now."""
        page = self.browser.get("/authorizations/")
        for link in dict.fromkeys(re.findall(r"/authorizations/[0-9a-f-]{36}/revoke/", page.body.decode())):
            page = self.browser.get(link)
            self.ok(self.browser._ask("POST", link, _token(page)))
            return "revoked"
        raise Refused("nothing to revoke")

    def remove(self) -> str:
        """Remove the card or bank account from the wallet."""
        page = self.browser.get("/wallet/")
        for link in dict.fromkeys(re.findall(r"/wallet/[0-9a-f-]{36}/remove/", page.body.decode())):
            page = self.browser.get(link)
            self.ok(self.browser._ask("POST", link, _token(page)))
            return "removed"
        raise Refused("nothing to remove")

    def move(self) -> str:
        """Move the next planned payment to a day three weeks from now."""
        return self.change("move", to_on=f"{self.world.now() + timedelta(days=21):%Y-%m-%d}")

    def skip(self) -> str:
        """Let the next planned payment follow at the end."""
        return self.change("skip")

    def change(self, kind: str, **wish: str) -> str:
        """Say what is to change, read what it comes to, sign it."""
        page = self.browser.get(f"/accounts/{self.person.account}/")
        plan = re.search(r"/plan/[0-9a-f-]{36}/", page.body.decode())
        if plan is None:
            raise Refused("no plan to change")
        where = f"{plan[0]}change/{kind}/"
        page = self.browser.get(where)
        payment = re.search(rb'name="payment"[^>]*value="([0-9a-f-]{36})"', page.body)
        if payment is None:
            raise Refused("nothing to change")
        asked = urlencode({"preview": "1", "payment": payment[1].decode(), **wish})
        page = self.ok(self.browser.get(f"{where}?{asked}"))
        form = next((form for form in page.forms if "changes" in form["fields"]), None)
        if form is None:
            raise Refused(f"{kind}: " + ",".join(re.findall(r'data-code="(\w+)"', page.body.decode())))
        page = self.ok(self.browser.submit(form, agree="on"))
        return f"{kind} agreed" if page.path.startswith(plan[0]) else f"at {page.path}"

    def cancel_one(self) -> str:
        """Cancel one planned payment, the last of the list."""
        page = self.browser.get(f"/accounts/{self.person.account}/post-dates/")
        links = re.findall(r"/post-dates/[0-9a-f-]{36}/cancel/", page.body.decode())
        if not links:
            raise Refused("nothing to cancel")
        page = self.browser.get(links[-1])
        self.ok(self.browser._ask("POST", links[-1], _token(page)))
        return "cancelled one"


def _token(page: Page) -> dict[str, str]:
    """Give the hidden token of a page's forms and nothing else."""
    for form in page.forms:
        if token := form["fields"].get("csrfmiddlewaretoken"):
            return {"csrfmiddlewaretoken": token}
    raise Broken(f"{page.path} has no form: {page.text[:200]}")
