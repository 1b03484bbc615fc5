"""An agency's staff change the default offer, try and publish rules for a client, and undo it all, by clicking."""

import os
import re

import pytest
from axe_playwright_python.sync_playwright import Axe

from portal.local.stack import PASSWORD
from portal.local.walk import until
from tests.browser.seen import DESK, PHONE, SCREENSHOTS

pytestmark = pytest.mark.browser

SLUG = "birch"
OURS = (".rules-card", ".rules-top", ".staff-ask", ".staff-timeline", ".staff-summary", ".staff-table", ".pairs")
WCAG = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}


class Staff:
    """One member of staff in one window, who finds things by what they are called."""

    def __init__(self, stack, context) -> None:
        self.stack, self.page = stack, context.new_page()

    def log_in(self, name: str = f"{SLUG}-admin") -> "Staff":
        self.page.goto(f"http://localhost:{self.stack.port}/admin/")
        self.page.fill("[name=login]", name)
        self.page.fill("[name=password]", PASSWORD)
        self.press("button[type=submit] >> nth=0")
        return self

    def press(self, selector: str) -> None:
        with self.page.expect_navigation():
            self.page.locator(selector).first.click()

    def click(self, name: str, role: str = "link") -> None:
        """Press what is called so in the content of the page."""
        # The theme's own buttons say the name of their icon first.
        called = re.compile(rf"^([a-z_]+ )?{re.escape(name)}$")
        with self.page.expect_navigation():
            self.page.locator("#main").get_by_role(role, name=called).first.click()

    def menu(self, name: str) -> None:
        """Follow an entry of the side bar."""
        with self.page.expect_navigation():
            self.page.locator("#nav-sidebar").get_by_role("link", name=re.compile(rf"{name}$")).first.click()

    def text(self) -> str:
        return " ".join(self.page.locator("#main").inner_text().split())

    def reads(self, words: str) -> None:
        """See words on the page, wherever they are."""
        assert words in self.text(), self.text()[-3000:]

    def fill(self, **values: str) -> None:
        for name, value in values.items():
            self.page.locator(f"[name='{name}']").fill(value)

    def look(self, name: str) -> list[str]:
        """Measure what is ours on a page, and photograph it where that is wanted."""
        here = [[part] for part in OURS if self.page.locator(part).count()]
        found = Axe().run(self.page, context={"include": here}, options=WCAG)
        wrong = [f"{one['id']}: {node['target']}" for one in found.response["violations"] for node in one["nodes"]]
        if os.environ.get("SCREENSHOTS"):
            SCREENSHOTS.mkdir(parents=True, exist_ok=True)
            for size in (PHONE, DESK):
                self.page.set_viewport_size({"width": size[0], "height": size[1]})
                self.page.screenshot(path=SCREENSHOTS / f"staff-{name}-{size[0]}.png", full_page=True)
        return [f"{name}: {line}" for line in wrong]

    def sideways(self) -> bool:
        """Tell whether a telephone would have to scroll the whole page sideways."""
        self.page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
        wide = self.page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
        self.page.set_viewport_size({"width": DESK[0], "height": DESK[1]})
        return wide


@pytest.fixture
def staff(stack, open_window) -> Staff:
    context = open_window(viewport={"width": DESK[0], "height": DESK[1]})
    return Staff(stack, context).log_in()


def test_an_agencys_staff_change_try_publish_and_undo_without_a_developer(staff):
    page, wrong, wide = staff.page, [], []

    def look(name: str) -> None:
        wrong.extend(staff.look(name))
        if staff.sideways():
            wide.append(name)

    # The default offer: a change is a version.
    staff.menu("Default offer")
    assert page.locator("[name=percent]").input_value() == "75.00"
    staff.fill(percent="62.5")
    staff.press("button[name=_save]")
    staff.menu("Default offer")
    assert page.locator("[name=percent]").input_value() == "62.50"
    look("default-offer")

    # A client's rules: drafted, refused, mended, seen.
    staff.menu("Rule sets")
    staff.click("Start a draft")
    client = page.locator("[name=client] option").nth(1)
    chosen = client.inner_text()
    page.locator("[name=client]").select_option(label=chosen)
    staff.click("Start", role="button")
    staff.reads(f"Rules of {chosen}, version 1")
    staff.click("Add a band", role="button")
    staff.fill(**{"bands-0-owing_from_cents": "0", "bands-0-owing_to_cents": "500", "bands-0-minimum_cents": "lots"})
    staff.click("Save the draft", role="button")
    staff.reads("Write a number such as 25 or 25.50.")
    look("draft-refused")
    staff.fill(**{"bands-0-minimum_cents": "25", "bands-0-minimum_settlement_bps": "60"})
    staff.click("Save the draft", role="button")
    staff.reads("No band covers $500.01 to $999,999,999.00.")
    staff.click("Add a band", role="button")
    staff.fill(**{"bands-1-owing_to_cents": "999999999", "bands-1-max_months_unsettled": "24"})
    staff.fill(**{"bands-1-minimum_settlement_bps": "50", "bands-1-months_before_settlement": "0"})
    staff.fill(**{"bands-1-months_until_settlement": "36", "note": "Spring rules"})
    staff.click("Save the draft", role="button")
    staff.reads("Every balance is in exactly one band.")
    look("draft")

    # Tried on the live portfolio: nothing changes, and it says what would.
    staff.click("Try on the live portfolio")
    staff.click("Start", role="button")
    until(lambda: "done" in page.locator(".rules-top .staff-label").inner_text(), "the simulation never ended")
    assert int(page.locator(".staff-summary strong").first.inner_text()) > 0
    look("simulation")
    staff.click("Back to the rules")

    # Published, changed again, and rolled back.
    staff.click("Publish")
    look("publish")
    staff.click("Publish", role="button")
    assert "in force" in page.locator(".rules-top").inner_text()
    look("published")
    staff.menu("Rule sets")
    look("levels")
    page.locator("tr", has_text=chosen).first.get_by_role("link", name="Start a draft").click()
    staff.click("Start", role="button")
    staff.fill(**{"bands-0-minimum_settlement_bps": "70"})
    staff.click("Save the draft", role="button")
    staff.click("Compare")
    staff.reads("60 %")
    look("compare")
    staff.click("Go back")
    staff.click("Publish")
    staff.click("Publish", role="button")
    staff.click("1")
    staff.click("Roll back to this")
    staff.click("Roll back", role="button")
    staff.reads(f"Rules of {chosen}, version 3")
    staff.reads("copy of 1")
    look("rolled-back")

    # Undone: each version withdrawn, the default offer as it was.
    for version in ("3", "2", "1"):
        staff.click(version)
        staff.click("Withdraw")
        staff.fill(reason="Undone.")
        staff.click("Withdraw", role="button")
        assert "withdrawn" in page.locator(".rules-top").inner_text()
    staff.menu("Default offer")
    staff.click("Use again")
    staff.click("Use it again", role="button")
    staff.menu("Default offer")
    assert page.locator("[name=percent]").input_value() == "75.00"

    assert wrong == []
    assert wide == []


def test_staff_make_an_offer_and_read_why(staff):
    page = staff.page
    staff.menu("Accounts")
    staff.press("#result_list tbody a[href*='/account/'] >> nth=0")
    staff.click("Why this offer")
    staff.reads("What stood then")
    found = staff.look("why")
    assert not staff.sideways()
    staff.click("Back to the account")
    staff.click("Make an offer")
    staff.fill(percent_bps="101")
    staff.click("Make the offer", role="button")
    staff.reads("at most 100")
    found += staff.look("offer")
    assert not staff.sideways()
    assert page.locator("[name=percent_bps]").input_value() == "101"
    assert found == []
