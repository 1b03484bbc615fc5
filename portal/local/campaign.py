"""A campaign in the demonstration: one of the staff writes it, another lets it go, a consumer reads it and pays."""

import datetime as dt
import html
import re
import time
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from .browser import Broken, Browser, Page
from .stack import PASSWORD, Stack, call
from .walk import VISA_DEBIT, Walk, expect, until

REFERENCE = "100290"
CAMPAIGNS, TEMPLATES = "/admin/campaigns/campaign/", "/admin/campaigns/messagetemplate/"


class Colleague(Browser):
    """A member of the agency's staff in a browser of their own."""

    def __init__(self, stack: Stack, slug: str, name: str) -> None:
        super().__init__(stack, slug)
        self.host = f"localhost:{stack.port}"
        self.submit(self.get("/admin/").form_with("login", "password"), login=f"{slug}-{name}", password=PASSWORD)
        expect(self.page.path.startswith("/admin"), f"{slug}-{name} could not sign in: {self.page.text[:300]}")

    def press(self, path: str, **values: str) -> Page:
        """Open the page of an action and confirm it."""
        page = self.get(path)
        # The side bar has forms too, which lead elsewhere.
        form = next((one for one in page.forms if not one["action"] and {*values} <= one["fields"].keys()), None)
        expect(form, f"{path} has no form to confirm: {page.text[:300]}")
        return self.submit(form, **values)


def send_a_campaign(it: Walk) -> None:
    """Two people of the agency send an offer; the consumer follows the link, confirms one fact and settles."""
    slug = "acme"
    record = newcomer(it, slug)
    author, approver = (Colleague(it.stack, slug, name) for name in ("campaigns", "approver"))
    page = author.press(f"{TEMPLATES}start/", key="settlement_offer", name="Year's end")
    said = {name: html.unescape(text).strip() for name, text in textareas(page)}
    author.submit(page.form_with("en.subject", "es.subject"), publish="", **said)
    page = author.get(f"{CAMPAIGNS}start/")
    version = re.search(r'<option value="([0-9a-f-]{36})"[^>]*>\s*Year&#x27;s end 1', page.body.decode())
    expect(version, "the published template cannot be chosen")
    ends_on = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=60)
    offer = {"percent_bps": "80", "max_payments": "2", "max_days": "45", "expires_on": ends_on.isoformat()}
    whom = {"states": record["Address"]["State"], "has_offer": ""}
    page = author.submit(
        page.form_with("version_a", "name"),
        name="Year's end",
        purpose="campaign",
        version_a=version[1],
        **offer,
        **whom,
    )
    address = page.path.removesuffix("change/")
    expect(address.count("/") == 5 and "Hand on" in page.text, f"the campaign was not saved: {page.text[:400]}")
    page = author.press(f"{address}submit/")
    expect("waits for approval" in page.text, f"the campaign was not handed on: {page.text[:400]}")
    it.step("a campaign for one state written and handed on", page.took_ms)
    refused = author.get(f"{address}approve/")
    expect(refused.status == 403, f"its author may approve it: {refused.status}")
    began = time.time()
    page = approver.press(f"{address}approve/")
    it.step("another person approved it", page.took_ms)
    mail = it.mail(record["Emails"][0]["Address"], tag="campaigns", after=began)
    it.step(f"the offer came by mail: {mail['subject']!r}")
    link = re.search(r"http://\S+/m/\w+/", mail["text"])
    expect(link and "$800.00" in mail["text"], f"the mail lacks link or offer: {mail['text'][:400]}")
    consumer = Browser(it.stack, slug)
    page = consumer.get(urlsplit(link[0]).path)
    expect("$" not in page.text, "the page behind the link says too much before one fact is confirmed")
    page = consumer.submit(page.form_with("factor"), factor=record["SSN"][-4:])
    expect("$800.00" in page.text, f"the portal shows another offer than the mail: {page.text[:400]}")
    it.step("the personal link, one fact, and the same offer of $800.00", page.took_ms)
    account = page.path.split("/")[2]
    it.choose(consumer, account, "settlement")
    page = it.pay_by_card(consumer, slug, VISA_DEBIT)
    expect("$800.00" in page.text and page.status == 200, f"the settlement was not paid: {page.text[:400]}")
    it.step("settled: $800.00 paid by Visa debit", page.took_ms)
    for kind in ("message.sent", "message.delivered", "offer.viewed", "payment.succeeded"):
        it.told(slug, kind, REFERENCE)
    until(
        lambda: "1 (100.0 %)" in author.get(f"{address}change/").text and "$800.00" in author.page.text,
        "the campaign's page does not count what was paid",
    )
    it.step("the campaign's page counts it: sent, identified, paid", author.page.took_ms)


def textareas(page: Page) -> list[tuple[str, str]]:
    """Read what stands in the large fields of a page."""
    found = re.findall(r'<textarea name="([^"]+)"[^>]*>(.*?)</textarea>', page.body.decode(), re.DOTALL)
    if not found:
        raise Broken(f"{page.path} has no large fields: {page.text[:300]}")
    return found


def newcomer(it: Walk, slug: str) -> dict:
    """Let the host push an account of somebody who is awake now: messages wait for the reader's hours (RF-01)."""
    # What the other one paid meanwhile is in its itemization: one that does not tie is refused (RF-29).
    others = ("AsOf", "Version", "Itemization")
    record = {name: value for name, value in it.account(slug, "100234").items() if name not in others}
    record |= {
        "FileNumber": REFERENCE,
        "ConsumerID": REFERENCE,
        "SSN": "900-97-0290",
        "FirstName": "Ines",
        "CurrentBalance": "1000.00",
        "Address": awake(),
        "Phones": [],
        "Emails": [record["Emails"][0] | {"Address": "ines.islander@example.com"}],
        "Payments": [],
        "PostDates": [],
    }
    host = it.stack.urls[f"host-{slug}"]
    call(host, "/_sandbox/accounts", record)
    call(host, "/_sandbox/push", {"FileNumbers": [REFERENCE]})
    return record


def awake() -> dict:
    """Give an address where it is between eight and nine now: Palau's day ends where Puerto Rico's begins."""
    if 8 <= dt.datetime.now(ZoneInfo("America/Puerto_Rico")).hour < 20:
        return {"Street1": "1 Calle Fortaleza", "Street2": "", "City": "San Juan", "State": "PR", "Zip": "00901"}
    return {"Street1": "1 Main Road", "Street2": "", "City": "Koror", "State": "PW", "Zip": "96940"}
