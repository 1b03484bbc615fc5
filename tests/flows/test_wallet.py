"""The wallet and the authorizations as a consumer sees them: what ends is said first, and ends at once (PDC-07)."""

import datetime as dt
import re
import uuid

import pytest

from accounts.models import Event
from payments.models import Authorization, HostItem, Incident, Method, Payment, Postdate
from payments.services import ask, keep, methods, wallet
from payments.services import checkout as checkouts
from tests.conftest import NOW
from tests.payments.conftest import DECLINED_MASTERCARD, VISA_CREDIT, VISA_DEBIT
from tests.payments.test_due_retries import number_of, script
from tests.payments.test_life import three_parts
from tests.visitor import Visitor, text


@pytest.fixture
def card(sure, shop) -> Method:
    three_parts(shop)
    return wallet.methods_of(shop.account.consumer_id).get()


def test_the_wallet_says_what_each_is_and_never_its_number(sure, card):
    page = sure.get("/wallet/")
    assert "visa debit ending 5556" in text(page).lower()
    assert re.search(r"Valid until \d\d/20\d\d", text(page))
    assert "4000056655665556" not in page.content.decode()
    page = sure.follow(sure.post("/wallet/", {"default": str(card.pk)}))
    assert "Shown first Yes" in text(page)


def test_a_card_is_removed_after_its_consequences_were_shown(sure, card):
    path = f"/wallet/{card.pk}/remove/"
    page = sure.get(path)
    assert "2 planned payments end with it: $500.00 together." in text(page)
    assert "They belong to a settlement." in text(page)
    assert set(Postdate.objects.values_list("status", flat=True)) == {"scheduled"}
    page = sure.follow(sure.post(path))
    assert "No card and no bank account is kept here." in text(page)
    assert set(Postdate.objects.values_list("status", flat=True)) == {"cancel_req"}


def test_an_authorization_is_read_word_for_word_copied_and_revoked_at_once(sure, shop, card):
    signed = Authorization.objects.get()
    page = sure.get("/authorizations/")
    for paragraph in signed.text.split("\n\n"):
        assert " ".join(paragraph.split()) in " ".join(text(page).replace("&#x27;", "'").split())
    assert f"/authorizations/{signed.pk}.pdf" in page.content.decode()
    path = f"/authorizations/{signed.pk}/revoke/"
    assert path in page.content.decode()
    assert "2 planned payments end with it: $500.00 together." in text(sure.get(path))
    page = sure.follow(sure.post(path))
    assert "This authorization is revoked" in text(page)
    assert "December 1, 2026" in text(page)
    signed.refresh_from_db()
    assert signed.revoked_by == f"consumer:{shop.account.consumer_id}"
    assert set(Postdate.objects.values_list("status", flat=True)) == {"cancel_req"}
    assert path not in sure.get("/authorizations/").content.decode()


def test_another_agencys_card_and_signature_are_not_found(card, other_shop, clock):
    stranger = Visitor(other_shop.agency).sign_in(other_shop.account, level=2)
    signed = card.authorizations.get()
    for path in (f"/wallet/{card.pk}/remove/", f"/authorizations/{signed.pk}/revoke/"):
        assert (stranger.get(path).status_code, stranger.post(path).status_code) == (404, 404)
    assert stranger.post("/wallet/", {"default": str(card.pk)}).status_code == 404
    assert Authorization.objects.get().revoked_at is None


def offered(sure, way):
    """Open the page to add one, and read its key and the hash of its words."""
    page = sure.get(f"/wallet/add/?way={way}")
    assert "Nothing is charged by it." in text(page)
    return page, {"key": page.context["key"], "text_sha256": page.context["text"]["sha256"], "agree": "on"}


BANK = {"holder": "Jane Doe", "routing_number": "110000000", "account_number": "000123456789"}
BANK |= {"account_type": "checking"}


def test_a_card_is_added_without_a_payment_once_and_by_consent(sure, shop):
    page, sent = offered(sure, "card")
    assert "I agree that Acme Recovery LLC keeps this card" in text(page)
    sent |= {"confirmation_token": shop.merchant.token(VISA_DEBIT)}
    assert sure.post("/wallet/add/?way=card", sent | {"agree": ""}).status_code == 422
    assert not Method.objects.exists()
    for _press in range(2):
        page = sure.follow(sure.post("/wallet/add/?way=card", sent))
    assert "visa debit ending 5556" in text(page).lower()
    row = Method.objects.get()
    assert (str(row.pk), row.stored, row.kind, shop.charged()) == (sent["key"], True, "card", [])
    assert (row.consent["sha256"], row.consent["version"], row.consent["level"]) == (
        sent["text_sha256"],
        keep.VERSION,
        2,
    )
    assert row.processor_method.startswith("pm_")
    told = Event.objects.get(kind="method.added").data
    assert (told["last4"], told["without_payment"], told["text_sha256"]) == ("5556", True, sent["text_sha256"])
    assert wallet.methods_of(shop.account.consumer_id).get() == row


@pytest.mark.parametrize(
    ("number", "code"), [(VISA_CREDIT, "visa_credit_not_accepted"), (DECLINED_MASTERCARD, "card_not_kept")]
)
def test_a_card_that_may_not_be_used_or_kept_is_refused(sure, shop, number, code):
    _page, sent = offered(sure, "card")
    page = sure.post("/wallet/add/?way=card", sent | {"confirmation_token": shop.merchant.token(number)})
    assert (page.status_code, f'data-code="{code}"' in page.content.decode()) == (422, True)
    assert not Method.objects.exists()
    assert not Event.objects.filter(kind="method.added").exists()


def add_card(sure, shop, number=DECLINED_MASTERCARD, **changed):
    """Add a card on a page of its own; give the answer."""
    _page, sent = offered(sure, "card")
    return sure.post("/wallet/add/?way=card", sent | {"confirmation_token": shop.merchant.token(number)} | changed)


def told_of(page, code) -> bool:
    return (page.status_code, f'data-code="{code}"' in page.content.decode()) == (422, True)


def asking(shop) -> str:
    """Make a card whose bank wants to see the consumer each time."""
    number = number_of()
    script(shop, number, outcome="challenge_always")
    return number


def asked(shop) -> int:
    """Count how often the processor was asked to keep a card."""
    return len(shop.merchant.v1.setup_intents.list({"limit": 100}).data)


def test_auth_16_after_three_cards_that_were_not_kept_no_card_of_the_visit_reaches_the_processor(
    sure, shop, other_shop, clock
):
    for _time in range(3):
        assert told_of(add_card(sure, shop), "card_not_kept")
    before = asked(shop)
    unknown = add_card(sure, shop, confirmation_token="ctoken_that_nobody_was_given")
    assert told_of(unknown, "too_many_declines"), "the processor would not know this token"
    assert told_of(add_card(sure, shop, VISA_DEBIT), "too_many_declines")
    assert (asked(shop), Method.objects.count()) == (before, 0)
    incident = Incident.objects.get()
    assert (incident.kind, incident.key) == ("card_testing_too_many_declines", f"visit:{sure.visit().pk}")
    # A payment of the same visit is asked to wait as well.
    page = sure.get(f"/accounts/{shop.account.pk}/pay/")
    page = sure.follow(sure.submit(page, having="choice", choice="any", amount="40"))
    assert "A card can be tried again from 10:10 AM." in text(page)
    stranger = Visitor(other_shop.agency).sign_in(other_shop.account, level=2)
    assert add_card(stranger, other_shop, VISA_DEBIT).status_code == 302
    clock.move_to(NOW + dt.timedelta(minutes=10))
    assert add_card(sure, shop, VISA_DEBIT).status_code == 302


def test_auth_16_a_form_sent_again_and_a_card_that_the_bank_asks_about_are_no_further_declines(sure, shop):
    _page, sent = offered(sure, "card")
    sent |= {"confirmation_token": shop.merchant.token(DECLINED_MASTERCARD)}
    for _press in range(3):
        assert sure.post("/wallet/add/?way=card", sent).status_code == 422
    for _time in range(3):
        assert told_of(add_card(sure, shop, asking(shop)), "bank_asks")
    reasons = Event.objects.filter(kind="method.refused").order_by("id").values_list("data__reason", flat=True)
    assert list(reasons) == ["insufficient_funds", "bank_asks", "bank_asks", "bank_asks"]
    assert add_card(sure, shop, VISA_DEBIT).status_code == 302


def kept_before(shop, count: int, ago: dt.timedelta) -> None:
    for number in range(count):
        Method.objects.create(
            consumer_id=shop.account.consumer_id, kind="card", fingerprint=f"{ago} {number}", last4="1111", stored=True,
            consent={"visit": str(uuid.uuid4())}, created_at=NOW - ago,
        )  # fmt: skip


def test_auth_16_the_eleventh_card_of_a_day_is_not_kept_whether_the_others_were_or_not(sure, shop):
    kept_before(shop, 10, dt.timedelta(days=1))
    kept_before(shop, 8, dt.timedelta(minutes=1))
    assert told_of(add_card(sure, shop), "card_not_kept")
    assert told_of(add_card(sure, shop, asking(shop)), "bank_asks")
    before = asked(shop)
    assert told_of(add_card(sure, shop, VISA_DEBIT), "too_many_cards")
    assert (asked(shop), Method.objects.count()) == (before, 18)
    assert Incident.objects.get().kind == "card_testing_too_many_cards"
    begun = shop.checkout()
    assert [one.code for one in checkouts.review(begun, language="en", now=NOW).refusals] == ["too_many_cards"]


def test_a_card_that_was_not_kept_is_told_without_anything_that_names_it(sure, shop):
    assert told_of(add_card(sure, shop), "card_not_kept")
    told = Event.objects.get(kind="method.refused")
    assert (told.consumer_id, told.data["last4"], told.data["brand"]) == (
        shop.account.consumer_id,
        "9994",
        "mastercard",
    )
    fingerprints = {one.payment_method for one in shop.merchant.v1.setup_intents.list({"limit": 1}).data}
    assert not fingerprints & set(map(str, told.data.values()))


def test_after_a_no_the_form_is_another_one_and_takes_another_card(sure, shop):
    page, sent = offered(sure, "card")
    page = sure.post("/wallet/add/?way=card", sent | {"confirmation_token": shop.merchant.token(DECLINED_MASTERCARD)})
    assert page.context["key"] != sent["key"]
    sent |= {"key": page.context["key"], "confirmation_token": shop.merchant.token(VISA_DEBIT)}
    assert sure.post("/wallet/add/?way=card", sent).status_code == 302
    wrong = sure.post("/wallet/add/?way=card", sent | {"agree": ""})
    assert wrong.context["key"] == sent["key"]


def test_a_bank_account_is_validated_before_its_first_debit_ach_02(sure, shop):
    _page, sent = offered(sure, "ach")
    page = sure.follow(sure.post("/wallet/add/?way=ach", sent | BANK))
    assert "checking account ending 6789" in text(page).lower()
    row = Method.objects.get()
    assert (row.validation, row.validated_at is not None, row.stored) == ("instant", True, True)
    assert "000123456789" not in page.content.decode()
    ask.sweep(now=NOW.replace(hour=16) + dt.timedelta(days=3))
    row.refresh_from_db()
    assert (row.wiped_at, row.removed_at) == (None, None)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"routing_number": "110000001"}, "routing_number_wrong"),
        ({"holder": " "}, "holder_missing"),
        ({"text_sha256": "0" * 64}, "text_changed"),
    ],
)
def test_a_bank_account_that_cannot_be_is_refused_and_not_kept(sure, shop, changed, code):
    _page, sent = offered(sure, "ach")
    page = sure.post("/wallet/add/?way=ach", sent | BANK | changed)
    assert page.status_code == 422
    if code != "routing_number_wrong":
        assert f'data-code="{code}"' in page.content.decode()
    assert "000123456789" not in page.content.decode()
    assert not Method.objects.exists()


def test_a_kept_bank_account_pays_by_a_signature_of_its_own_and_stays_kept_eft_01(sure, shop):
    _page, said = offered(sure, "ach")
    sure.post("/wallet/add/?way=ach", said | {"way": "ach"} | BANK)
    kept = Method.objects.get()
    page = sure.follow(
        sure.submit(sure.get(f"/accounts/{shop.account.pk}/pay/"), having="choice", choice="any", amount="40")
    )
    where = page.request["PATH_INFO"]
    page = sure.get(f"{where}?way=stored")
    assert "Checking account ending 6789" in text(page)
    review = sure.follow(sure.post(f"{where}?way=stored", {"way": "stored", "method_id": str(kept.pk)}))
    assert "checking account ending 6789" in text(review)
    sure.follow(sure.submit(review, having="agree", agree="on"))
    payment = Payment.objects.get()
    assert (payment.amount_cents, payment.status, payment.method_id) == (40_00, "pending", kept.pk)
    signed = payment.authorization
    assert (signed.sec_code, signed.total_cents, signed.kind) == ("WEB", 40_00, "single")
    assert "$40.00" in signed.text
    assert signed.text_sha256 != kept.consent["sha256"]
    # Shown by the host, a number that was not kept is wiped; what the consumer agreed to keep pays again.
    HostItem.objects.create(
        account=shop.account, kind="payment", host_id="H1", portal_id=payment.pk, on=NOW.date(), amount_cents=40_00,
        status="POSTED", updated_at=NOW, matched=True,
    )  # fmt: skip
    methods.wipe_acknowledged(method_id=kept.pk, now=NOW)
    kept.refresh_from_db()
    assert (kept.number, kept.wiped_at) == ("000123456789", None)
    wallet.remove(method=kept, by="consumer", now=NOW)
    kept.refresh_from_db()
    assert (kept.number, kept.stored) == ("", False)


def test_a_bank_account_that_is_ruled_out_or_whose_number_is_gone_is_not_proposed(sure, shop):
    _page, said = offered(sure, "ach")
    sure.post("/wallet/add/?way=ach", said | {"way": "ach"} | BANK)
    page = sure.follow(
        sure.submit(sure.get(f"/accounts/{shop.account.pk}/pay/"), having="choice", choice="any", amount="40")
    )
    where = f"{page.request['PATH_INFO']}?way=stored"
    for changed in (
        {"blocked_at": NOW},
        {"removed_at": NOW},
        {"number": "", "wiped_at": NOW},
    ):
        before = Method.objects.values(*changed).get()
        Method.objects.update(**changed)
        assert not sure.get(where).context["stored"], changed
        answer = sure.post(where, {"way": "stored", "method_id": str(Method.objects.get().pk)})
        assert answer.status_code in (200, 422), changed
        Method.objects.update(**before)
    assert sure.get(where).context["stored"]
    assert not Payment.objects.exists()


def test_the_same_key_at_another_agency_is_another_card(sure, shop, other_shop, clock):
    _page, sent = offered(sure, "card")
    sure.post("/wallet/add/?way=card", sent | {"confirmation_token": shop.merchant.token(VISA_DEBIT)})
    stranger = Visitor(other_shop.agency).sign_in(other_shop.account, level=2)
    assert "No card and no bank account is kept here." in text(stranger.get("/wallet/"))
