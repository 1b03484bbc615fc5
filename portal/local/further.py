"""The further host styles: Intelec and a creditor's ledger at Acme, Collect! and SmartCollect at Birch."""

import contextlib
import http.client
import time
from urllib.parse import urlsplit

from .campaign import send_a_campaign
from .stack import Stack, call
from .walk import VISA_DEBIT, Walk, account_id, expect, until

RULES = (
    "Client Number,Enable Rules,Enable Overwrite,SIF Plan: Arrangement,SIF Plan: Full or Final,Band,Owing From,"
    "Owing To,Minimum Payment Dollar,Minimum Payment Percentage,Maximum Months Unsettled,"
    "Minimum Months Before Offering Settlement,Maximum Months To Offer Settlement,Minimum Settlement Percentage,"
    "Maximum Months Settled,Disable CC,Disable ACH\r\n"
    ",Y,,ARR,FIN,1,0.00,999999999.00,25.00,5.00,24,0,0,75.00,6,N,N\r\n"
)


def walk_on(it: Walk) -> None:
    """Show what each of the other hosts is told, and how fast."""
    arrange_at_intelec(it)
    answer_the_phone(it)
    settle_at_collect(it)
    live_by_files(it)
    collect_for_a_creditor(it)
    send_a_campaign(it)


def push(it: Walk, host: str) -> None:
    began = time.perf_counter()
    call(it.stack.urls[f"host-{host}"], "/_sandbox/push", {"FileNumbers": "all"}, timeout=60.0)
    it.step(f"{host} pushed its accounts in its own words", (time.perf_counter() - began) * 1000)


def arrange_at_intelec(it: Walk) -> None:
    """An arrangement by card at an Intelec host: the case leaves the collectors' queue at once."""
    host, reference = "acme-intelec", "I-100234"
    push(it, host)
    address = it.account(host, reference)["Emails"][0]["Address"]
    browser = it.log_in("acme", reference, host=host)
    account = account_id(browser, reference)
    it.confirm_identity(browser, address)
    page = it.choose(browser, account, "settlement_parts")
    browser.submit(page.form_with("count", "first_on"), action="continue", how="number", frequency="monthly")
    it.agree_to_mail(browser, address)
    it.pay_by_card(browser, "acme", VISA_DEBIT)
    it.told(host, "arrangement.created", reference)
    queue = call(it.stack.urls[f"host-{host}"], "/_sandbox/queues")["queues"][reference]
    expect(queue == "performing", f"the work queue of {reference} says {queue}")
    it.step("Intelec keeps the performing case out of its collectors' queue")


def answer_the_phone(it: Walk) -> None:
    """A caller promises $60.00 at the host's IVR, which agrees it by the public API."""
    host, reference = "acme-intelec", "I-100235"
    began = time.perf_counter()
    wish = {"choice": "promise", "amount_cents": 60_00}
    said = call(it.stack.urls[f"host-{host}"], "/_sandbox/ivr", {"Case": reference, "Wish": wish}, timeout=60.0)
    expect(said["status"] == 200, f"the IVR could not agree: {said}")
    it.step("the host's IVR agreed a promise of $60.00 by the API", (time.perf_counter() - began) * 1000)
    it.told(host, "promise.made", reference)


def settle_at_collect(it: Walk) -> None:
    """Rules come as Collect!'s own file; settled by one payment, contact plan B runs the day after."""
    host, reference = "birch-collect", "C-100234"
    push(it, host)
    taken = send(it.stack, "/api/v1/rule-sets/import?publish=1", RULES, it.stack.keys["birch"]["api_key"])
    expect(taken == 200, f"Collect!'s rules were not taken: {taken}")
    it.step("Collect!'s rules imported from its own file and in force")
    browser = it.log_in("birch", reference, host=host)
    account = account_id(browser, reference)
    it.choose(browser, account, "settlement")
    it.pay_by_card(browser, "birch", VISA_DEBIT)
    (told,) = it.told(host, "payment.succeeded", reference)
    expect(told["Wire"]["Transaction"]["Type"] == "102", f"not a card transaction: {told['Wire']}")
    it.told(host, "contact_plan.requested", reference)
    url = it.stack.urls[f"host-{host}"]
    ran = call(url, "/_sandbox/advance", {"days": 2}, timeout=60.0)["done"]
    expect(any(line["Amount"] == "FIN" for line in ran), f"contact plan FIN did not run: {ran}")
    it.step("the transaction is of type 102; contact plan FIN ran the day after it")


def live_by_files(it: Walk) -> None:
    """SmartCollect places and changes by files on its SFTP site, and gets all activity at once and as files."""
    host, reference = "birch-smartcollect", "S-100235"
    url = it.stack.urls[f"host-{host}"]
    placed = call(url, "/_sandbox/placement", {"messaging": True})
    result = came_back(it, url, placed["file"])["result"]
    expect(result["refused"] == 0, f"the placement file was not taken whole: {result}")
    it.step(f"a placement file came by SFTP: {result['accepted']} accounts; its result went back the same way")
    person = it.account(host, reference)
    call(url, f"/_sandbox/accounts/{reference}", {"CurrentBalance": "640.00", "LastName": "Not told"})
    changed = call(url, "/_sandbox/update", {"FileNumbers": [reference], "fields": ["balance"]})
    came_back(it, url, changed["file"])
    it.told(host, "balance.changed", reference)
    known = {row["name"] for row in call(url, "/_sandbox/files")["files"]}
    browser = it.log_in("birch", reference, facts=person)
    it.step("an update file changed the balance, which it names, and not the name, which it does not")
    it.choose(browser, account_id(browser, reference), "any", amount="64.00")
    it.pay_by_card(browser, "birch", VISA_DEBIT)
    it.told(host, "payment.succeeded", reference)
    activity = came_back(it, url, "activity", known)
    expect(len(it.received(host, "payment.succeeded", reference)) == 1, "the payment counts twice at the host")
    it.step(f"the same came by SFTP, {activity['lines']} lines of activity; what was told at once counts once")


def came_back(it: Walk, url: str, name: str, known: set[str] | None = None) -> dict:
    """Visit the site until the result of a file is there, or new activity; give its row at the host."""

    def found() -> dict | None:
        it.stack.manage("visit_sites", "--now")
        rows = [row for row in call(url, "/_sandbox/files")["files"] if row["name"].startswith(name)]
        return next((row for row in rows if row["result"] or (known is not None and row["name"] not in known)), None)

    return until(found, f"nothing came back about {name}")


def collect_for_a_creditor(it: Walk) -> None:
    """A creditor's past-due customer is placed and flagged; a payment is written back per invoice."""
    host, reference = "acme-ledger", "W-101"
    url = it.stack.urls[f"host-{host}"]
    began = time.time()
    it.stack.manage("pull_ledgers", "--now")

    def flagged() -> dict | None:
        rows = call(url, "/_sandbox/customers")["Customers"]
        return next((row for row in rows if row["Customer"] == reference and row["Flag"]), None)

    until(flagged, f"no flag was set on {reference}")
    it.step("pulled from the creditor's ledger, placed, and flagged there with a warning", (time.time() - began) * 1000)
    record = next(row for row in call(url, "/_sandbox/customers")["Customers"] if row["Customer"] == reference)
    browser = it.log_in("acme", reference, facts={"LastName": record["Contact"]["Last"], "SSN": record["SSN"]})
    account = account_id(browser, reference)
    it.choose(browser, account, "any", amount="200.00")
    it.pay_by_card(browser, "acme", VISA_DEBIT)
    (told,) = it.told(host, "payment.succeeded", reference)
    shares = ", ".join(f"{line['Invoice']} ${line['Amount']}" for line in told["Wire"]["Allocation"])
    it.step(f"$200.00 written back to the ledger, once: {shares}")


def send(stack: Stack, path: str, text: str, key: str) -> int:
    """Send a file to the API; return the status."""
    parts = urlsplit(stack.urls["web"])
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30.0)
    with contextlib.closing(connection):
        headers = {
            "Host": stack.environment["PORTAL_DOMAIN"],
            "Authorization": f"Bearer {key}",
            "Content-Type": "text/csv",
            "Idempotency-Key": "demonstration rules",
        }
        connection.request("POST", path, text.encode(), headers)
        return connection.getresponse().status
