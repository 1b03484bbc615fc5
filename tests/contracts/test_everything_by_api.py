"""Whatever consumers and staff can write on a page, a host can write by API, or it says here why not."""

from tests.contracts.writes import ROOT, pages, service_calls, through_ports, writes

VISIT = "a step of a consumer's own visit to the site: whoever uses the API has no visit and needs none"
PAYS = "a card number or a bank number is typed into the consumer's own page only (PCI); a quote is accepted by API"
SECRETS = "keys and passwords of other systems are typed by staff behind a second factor"

PERSON = "a person of the agency approves a campaign, another one than its author; a key is no person (AUTH-15)"
FILES = "a host's own file is decided upon by staff who saw its dry run; the host sends it again without one"
SECOND = "how much one person gives back alone is set by a person; a key that could set it would be the second one"
HELPER = "only the consumer lets somebody else pay, and only that person's own page takes the card"

EXEMPT = {
    "accounts.services.identify.confirm": VISIT,
    "campaigns.services.campaigns.approve": PERSON,
    "campaigns.services.inbox.seen": "a member of staff looked at it; a host that reads it is not one",
    "integrations.services.files.apply_checked": FILES,
    "integrations.services.files.stop": FILES,
    "payments.services.extra.add": PAYS,
    "payments.services.extra.begin": PAYS,
    "payments.services.keep.add_bank": PAYS,
    "payments.services.keep.add_card": PAYS,
    "payments.services.by_link.begin": HELPER,
    "payments.services.by_link.begin_prepared": HELPER,
    "payments.services.by_link.confirm": HELPER,
    "payments.services.methods.change": PAYS,
    "payments.services.pay_links.make_helper": HELPER,
    "payments.services.refunds.limit": SECOND,
    "accounts.services.codes.check": VISIT,
    "accounts.services.codes.send": VISIT,
    "accounts.services.consent.grant_esign": "only the consumer demonstrates it, by a code from the document (ES-02)",
    "accounts.services.identify.identify": VISIT,
    "accounts.services.contacts.confirm": "only the consumer adds their own address, by a code that was sent to it",
    "accounts.services.contacts.propose": "only the consumer adds their own address, by a code that was sent to it",
    "accounts.services.session_links.use": VISIT,
    "accounts.services.visits.begin": VISIT,
    "accounts.services.visits.end": VISIT,
    "accounts.services.visits.seen_page": VISIT,
    "accounts.services.visits.speak": VISIT,
    "accounts.services.visits.step_up": VISIT,
    "integrations.services.receive.make_inbound_key": SECRETS,
    "payments.services.age_notice.read_in_visit": VISIT,
    "payments.services.checkout.again": VISIT,
    "payments.services.checkout.begin": VISIT,
    "payments.services.checkout.choose": VISIT,
    "payments.services.later.look_setup": PAYS,
    "payments.services.pay.confirm": PAYS,
    "payments.services.together.choose": PAYS,
    "payments.services.together.confirm": PAYS,
    "payments.services.together.take_bank": PAYS,
    "payments.services.together.take_card": PAYS,
    "payments.services.together.take_stored": PAYS,
    "settlements.services.offers.view": "a consumer looked at an offer; whoever reads it by API is not the consumer",
}


def by_api() -> set[str]:
    """Give the services that the API reaches: those it calls, and those behind the ports it calls."""
    called = service_calls((ROOT / "integrations" / "api").glob("*.py"))
    return called.keys() | through_ports(called).keys()


def test_every_write_of_a_page_has_an_operation_or_a_written_exemption():
    on_pages = {name: files for name, files in service_calls(pages()).items() if writes(name)}
    missing = {name: sorted(on_pages[name]) for name in on_pages.keys() - by_api() - EXEMPT.keys()}
    assert missing == {}, "add an operation to integrations/api, or say in EXEMPT why there is none"
    assert len(on_pages) >= 60, "the pages are not read any more"


def test_no_exemption_outlives_its_reason():
    on_pages = service_calls(pages())
    assert sorted(name for name in EXEMPT if name not in on_pages) == [], "no page calls it any more"
    assert sorted(EXEMPT.keys() & by_api()) == [], "there is an operation now"
    assert all(len(why) > 20 for why in EXEMPT.values())


def test_a_port_is_followed_to_the_very_service_that_the_page_calls():
    found = through_ports({"accounts.services.writing.publish", "accounts.services.talk.reply"})
    assert found["campaigns.services.templates.publish"] == "accounts.services.writing.publish"
    assert found["campaigns.services.inbox.reply"] == "accounts.services.talk.reply"
    assert "campaigns.services.campaigns.approve" not in by_api(), "nobody but a person approves"
