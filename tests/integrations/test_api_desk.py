"""What an agency's own desk does by API: lets a consumer in, reads the notice of an old debt, writes down a check."""

import datetime as dt

import pytest
import time_machine

from accounts.models import Account, Consumer, Event, SessionLink, Visit
from accounts.services import session_links
from accounts.tenancy import acting_for
from integrations import keys
from integrations.models import IdempotencyKey
from payments.models import Payment
from tests.conftest import NOW, make_account
from tests.integrations.api_caller import Caller, codes, counts, refusal
from tests.visitor import Visitor, without_tokens

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def account(agency, others_account) -> Account:
    return make_account(agency, sol_status="live", validation_sent_on=dt.date(2026, 9, 1))


@pytest.fixture
def caller(account) -> Caller:
    return Caller(account.agency)


def told(account, kind: str) -> list[dict]:
    with acting_for(account.agency_id):
        return [event.data for event in Event.objects.filter(kind=kind).order_by("pk")]


# A link to the log-in ---------------------------------------------------------------------------------------------


def made(caller, account, **wish) -> dict:
    answer = caller.post(f"accounts/{account.pk}/session-links", wish)
    assert answer.status_code == 201, answer.content
    return answer.json()


def path_of(link: dict) -> str:
    site, path, token = link["url"].rpartition("/s/")
    assert site.startswith("http://acme."), link
    return path + token


def test_a_session_link_asks_one_fact_and_leads_to_the_payment_once(caller, account):
    link = made(caller, account, page="pay", minutes=30)
    assert (link["page"], link["made_by"]) == ("pay", f"key:{caller.key.pk}")
    assert (link["expires_at"], link["used_at"]) == ("2026-12-01T15:30:00Z", None)
    visitor, path = Visitor(account.agency), path_of(link)
    for _time in range(3):
        page = visitor.get(path)
        assert page.status_code == 200
    for word in ("jane", "doe", "harbor", "100234", "1,000", "debt"):
        assert word not in without_tokens(page, path).lower(), word
    assert visitor.post(path, {"factor": "0000"}).status_code == 422
    answer = visitor.post(path, {"factor": "1234"})
    assert (answer.status_code, answer["Location"]) == (302, f"/accounts/{account.pk}/pay/")
    with acting_for(account.agency):
        assert Visit.objects.get().level == Visit.Level.IDENTIFIED
    assert Visitor(account.agency).post(path, {"factor": "1234"}).status_code == 404
    assert caller.get("session-links").json()["items"][0]["used_at"] == "2026-12-01T15:00:00Z"
    assert [one["link"] for one in told(account, "session_link.used")] == [link["id"]]


def test_auth_03_no_lock_of_the_front_door_keeps_out_whoever_has_a_session_link(caller, account):
    path, stranger = path_of(made(caller, account)), Visitor(account.agency)
    for reference in (account.reference, "R1", "R2", "R3"):
        for _time in range(5):
            assert stranger.identify(account, reference=reference, factor="0000").status_code == 422
    assert stranger.identify(account, reference="R4").status_code == 429
    assert stranger.post(path, {"factor": "1234"}).status_code == 302


def test_auth_03_five_wrong_facts_lock_every_link_of_the_account_and_nothing_else(caller, account):
    with acting_for(account.agency):
        neighbour = make_account(account.agency, reference="200300", consumer=account.consumer)
    one, other, theirs = (path_of(made(caller, each)) for each in (account, account, neighbour))
    visitor = Visitor(account.agency)
    for _time in range(5):
        assert visitor.post(one, {"factor": "0000"}).status_code == 422
    for path in (one, other):
        assert visitor.post(path, {"factor": "1234"}).status_code == 429
    assert visitor.post(theirs, {"factor": "1234"}).status_code == 302
    assert visitor.identify(account).status_code == 302


def test_a_session_link_is_128_random_bits_of_which_only_a_hash_is_kept_and_a_replay_is_the_same_link(caller, account):
    at, key = f"accounts/{account.pk}/session-links", {"Idempotency_Key": "screen-7"}
    link = caller.post(at, {}, **key)
    token = link.json()["url"].strip("/").rpartition("/")[2]
    assert len(token) == 22
    assert caller.post(at, {}, **key).json() == link.json()
    with acting_for(account.agency):
        assert SessionLink.objects.get().token_hash == session_links.hash_of(token)
        assert token not in str(list(SessionLink.objects.values()) + list(Event.objects.values()))
        assert IdempotencyKey.objects.count() == 1


def test_a_session_link_ends_with_its_minutes_its_account_its_agency_and_by_being_taken_back(
    caller, account, other_agency, clock
):
    link = made(caller, account)
    path = path_of(link)
    assert Visitor(other_agency).get(path).status_code == 404
    clock.move_to(NOW + dt.timedelta(minutes=15))
    assert Visitor(account.agency).get(path).status_code == 404
    clock.move_to(NOW)
    assert caller.post(f"session-links/{link['id']}/revoke").json()["revoked_at"] == "2026-12-01T15:00:00Z"
    assert Visitor(account.agency).get(path).status_code == 404
    assert caller.post(f"session-links/{link['id']}/revoke").status_code == 200
    assert len(told(account, "session_link.revoked")) == 1
    with acting_for(account.agency):
        Account.objects.filter(pk=account.pk).update(status="recalled")
    before = counts()
    closed = caller.post(f"accounts/{account.pk}/session-links", {})
    assert refusal(closed) == (409, "account_closed_to_consumer")
    assert counts() == before


def test_no_more_than_five_session_links_of_an_account_wait(caller, account):
    for _time in range(5):
        made(caller, account)
    assert refusal(caller.post(f"accounts/{account.pk}/session-links", {})) == (409, "too_many_links")


def test_a_wrong_page_or_a_life_of_days_is_refused(caller, account):
    asked = caller.post(f"accounts/{account.pk}/session-links", {"page": "admin", "minutes": 1441})
    assert sorted(codes(asked)) == [("/minutes", "max_value"), ("/page", "page_unknown")]


# The notice of an old debt ------------------------------------------------------------------------------------------


@pytest.fixture
def old(account) -> Account:
    with acting_for(account.agency):
        Account.objects.filter(pk=account.pk).update(sol_status="expired", sol_on=dt.date(2025, 1, 1))
    return account


def test_sol_02_nothing_is_agreed_before_the_notice_was_read_and_then_for_a_day(caller, old, clock):
    at, wish = f"accounts/{old.pk}/age-notice", {"choice": "full"}
    assert refusal(caller.post(f"accounts/{old.pk}/quotes", wish)) == (409, "sol_notice_required")
    seen = caller.get(at).json()
    assert (seen["required"], seen["language"], seen["acknowledged_at"]) == (True, "en", None)
    assert "This information is NOT legal advice" in seen["text"]
    read = {"text_sha256": seen["text_sha256"], "language": "en", "medium": "phone", "note": "Recording 7712"}
    done = caller.post(at, read)
    assert done.status_code == 201
    assert done.json()["acknowledged_until"] == "2026-12-02T15:00:00Z"
    assert caller.post(f"accounts/{old.pk}/quotes", wish).status_code == 201
    (fact,) = told(old, "sol_notice.acknowledged")
    assert (fact["medium"], fact["note"], fact["by"]) == ("phone", "Recording 7712", f"key:{caller.key.pk}")
    assert fact["wording"].startswith("We are required by regulation of the New York State Department")
    clock.move_to(NOW + dt.timedelta(hours=24))
    assert caller.get(at).json()["acknowledged_at"] is None
    assert refusal(caller.post(f"accounts/{old.pk}/quotes", wish)) == (409, "sol_notice_required")


def test_sol_04_the_notice_opens_no_payments_in_parts(caller, old):
    seen = caller.get(f"accounts/{old.pk}/age-notice").json()
    read = {"text_sha256": seen["text_sha256"], "language": "en", "medium": "ivr"}
    assert caller.post(f"accounts/{old.pk}/age-notice", read).status_code == 201
    parts = caller.post(f"accounts/{old.pk}/quotes", {"choice": "parts", "parts": 3})
    assert refusal(parts)[0] in (409, 422)
    options = {one["choice"]: one["open"] for one in caller.get(f"accounts/{old.pk}/options").json()["options"]}
    assert (options["full"], options["parts"], options["plan"]) == (True, False, False)


def test_words_that_are_not_todays_are_acknowledged_by_nobody(caller, old):
    spanish = caller.get(f"accounts/{old.pk}/age-notice?language=es").json()
    assert "NO es asesoría legal" in spanish["text"] or "NO ES" in spanish["text"].upper()
    before = counts()
    read = {"text_sha256": spanish["text_sha256"], "language": "en", "medium": "web"}
    assert refusal(caller.post(f"accounts/{old.pk}/age-notice", read)) == (409, "notice_changed")
    assert counts() == before


def test_a_debt_that_is_not_old_needs_no_notice(caller, account):
    assert caller.get(f"accounts/{account.pk}/age-notice").json()["required"] is False


# Checks and cash ------------------------------------------------------------------------------------------------------

CHECK = {"kind": "check", "amount_cents": 125_00, "received_on": "2026-11-30", "paper_number": "1042"}


def test_a_check_is_written_down_once_lowers_what_is_owed_and_can_come_back(caller, account):
    at = f"accounts/{account.pk}/payments"
    came = caller.post(at, CHECK, Idempotency_Key="check-1042")
    assert came.status_code == 201
    payment = came.json()
    assert (payment["kind"], payment["executor"], payment["status"]) == ("check", "agency", "succeeded")
    assert came.headers["Location"] == f"/api/v1/payments/{payment['id']}"
    assert caller.post(at, CHECK, Idempotency_Key="check-1042").content == came.content
    assert codes(caller.post(at, CHECK)) == [("/paper_number", "recorded_already")]
    assert caller.get(f"accounts/{account.pk}").json()["owed_cents"] == 875_00
    (fact,) = told(account, "payment.succeeded")
    assert (fact["by"], fact["paper_number"]) == (f"key:{caller.key.pk}", "1042")
    back = caller.post(f"payments/{payment['id']}/return", {"reason": "Not sufficient funds."}).json()
    assert back["status"] == "returned"
    assert caller.post(f"payments/{payment['id']}/return", {"reason": "Again."}).json()["status"] == "returned"
    assert caller.get(f"accounts/{account.pk}").json()["owed_cents"] == 1_000_00
    assert len(told(account, "payment.returned")) == 1


def test_a_key_used_again_when_its_answer_is_forgotten_writes_what_it_says_then(caller, account):
    second = make_account(account.agency, reference="200", consumer=account.consumer)
    at, elsewhere = f"accounts/{account.pk}/payments", f"accounts/{second.pk}/payments"

    def four_days_later(path: str, **values) -> dict:
        with acting_for(account.agency):
            IdempotencyKey.objects.update(expires_at=NOW)
        answer = caller.post(path, CHECK | values, Idempotency_Key="check-1042")
        assert (answer.status_code, "Idempotent-Replayed" in answer.headers) == (201, False)
        return answer.json()

    first = caller.post(at, CHECK, Idempotency_Key="check-1042").json()
    less = four_days_later(at, amount_cents=80_00)
    assert (less["amount_cents"], less["account"]) == (80_00, str(account.pk))
    assert caller.get(f"accounts/{account.pk}").json()["owed_cents"] == 795_00
    there = four_days_later(elsewhere)
    assert (there["amount_cents"], there["account"]) == (125_00, str(second.pk))
    assert four_days_later(at) == caller.get(f"payments/{first['id']}").json(), "the very same is not written twice"
    assert caller.get(f"accounts/{account.pk}").json()["owed_cents"] == 795_00
    assert len(told(account, "payment.succeeded")) == 3


def test_cash_keeps_a_promise_and_does_not_come_back(caller, account):
    wish = {"choice": "parts", "parts": 3, "first_on": "2026-12-04"}
    quote = caller.post(f"accounts/{account.pk}/quotes", wish).json()["id"]
    plan = caller.post(f"quotes/{quote}/accept").json()["arrangement"]
    cash = {"kind": "cash", "amount_cents": 250_00, "received_on": "2026-12-01"}
    payment = caller.post(f"accounts/{account.pk}/payments", cash).json()
    with acting_for(account.agency):
        assert Payment.objects.get(pk=payment["id"]).received_on == dt.date(2026, 12, 1)
    assert caller.get(f"arrangements/{plan}").json()["status"] == "performing"
    planned = caller.get(f"post-dates?arrangement={plan}&status=scheduled").json()["items"]
    assert sum(one["amount_cents"] for one in planned) == 500_00
    answer = caller.post(f"payments/{payment['id']}/return", {"reason": "False note."})
    assert refusal(answer) == (409, "not_by_hand")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"received_on": "2026-12-02"}, ("/received_on", "received_day")),
        ({"received_on": "2026-09-01"}, ("/received_on", "received_day")),
        ({"paper_number": ""}, ("/paper_number", "number_missing")),
        ({"kind": "card"}, ("/kind", "kind_unknown")),
        ({"amount_cents": 0}, ("/amount_cents", "min_value")),
    ],
)
def test_a_paper_that_cannot_be_is_refused_and_nothing_is_written(caller, account, change, error):
    before = counts()
    assert error in codes(caller.post(f"accounts/{account.pk}/payments", CHECK | change))
    assert counts() == before


# Consumers, their times, and the key ----------------------------------------------------------------------------------


def test_a_consumer_is_found_by_the_hosts_id_and_by_their_account(caller, account, others_account):
    with acting_for(account.agency):
        Consumer.objects.update(host_consumer_id="P-1")
    (found,) = caller.get("consumers?host_consumer_id=P-1").json()["items"]
    assert found["accounts"] == [str(account.pk)]
    assert caller.get(f"accounts/{account.pk}").json()["consumer"] == found["id"]
    assert caller.get("consumers?host_consumer_id=P-2").json()["items"] == []
    assert caller.get(f"consumers?connection={account.connection_id}").json()["items"] == [found]
    assert caller.get(f"consumers?connection={others_account.connection_id}").json()["items"] == []


def test_rf_04_times_that_do_not_suit_are_kept_free_until_they_end(caller, account):
    at = f"consumers/{account.consumer_id}/quiet-times"
    said = {"weekdays": [1, 2], "starts": "09:00", "ends": "11:30"}
    tuesday, _wednesday = caller.post(at, said).json()["items"]
    assert (tuesday["weekday"], tuesday["starts"], tuesday["ends"]) == (1, "09:00:00", "11:30:00")
    assert caller.post(at, said).json()["items"] == []
    # Ten in the morning on a Tuesday in New York.
    ask = {"account": str(account.pk), "channel": "call", "purpose": "reminder"}
    refused = caller.post("contact-permission", ask).json()
    assert "RF-04" in str(refused["denials"])
    assert caller.post(f"quiet-times/{tuesday['id']}/end").json()["ended_at"] == "2026-12-01T15:00:00Z"
    assert caller.post(f"quiet-times/{tuesday['id']}/end").status_code == 200
    assert "RF-04" not in str(caller.post("contact-permission", ask).json()["denials"])
    assert len(told(account, "consumer.contact_changed")) == 3


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"ends": "09:00"}, ("/ends", "ends_too_early")),
        ({"ends": "24:00"}, ("/ends", "invalid_hour")),
        ({"ends": "11:30:00"}, ("/ends", "invalid_hour")),
        ({"weekdays": [7]}, ("/weekdays/0", "max_value")),
        ({"weekdays": []}, ("/weekdays", "min_length")),
    ],
)
def test_times_that_cannot_be_are_refused(caller, account, change, error):
    said = {"weekdays": [1], "starts": "09:00", "ends": "11:30"} | change
    assert codes(caller.post(f"consumers/{account.consumer_id}/quiet-times", said)) == [error]


def test_a_key_reads_itself_and_gives_itself_a_new_secret_while_the_old_one_still_works(caller, account, clock):
    seen = caller.get("key").json()
    assert (seen["name"], seen["last_used_at"], seen["rotated_at"]) == ("IVR", "2026-12-01T15:00:00Z", None)
    assert seen["scopes"] == sorted(keys.SCOPES)
    made = caller.post("key/rotate", {"keep_old_hours": 2}, Idempotency_Key="turn")
    fresh = made.json()
    assert fresh["old_until"] == "2026-12-01T17:00:00Z"
    assert caller.post("key/rotate", {"keep_old_hours": 2}, Idempotency_Key="turn").json() == fresh
    new = {"Authorization": f"Bearer {fresh['text']}"}
    assert (caller.get("key").status_code, caller.get("key", **new).status_code) == (200, 200)
    clock.move_to(NOW + dt.timedelta(hours=2))
    assert refusal(caller.get("key")) == (401, "key_expired")
    assert caller.get("key", **new).json()["scopes"] == seen["scopes"]
    assert refusal(Caller(account.agency, "keys:read").post("key/rotate")) == (403, "scope_missing")
