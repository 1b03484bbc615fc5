"""A write that is asked for twice happens once, with the same answer; nothing of it is kept when it is refused."""

import datetime as dt
import threading
import time

import pytest
from django.db import connection, transaction
from django.test import Client

from accounts.models import Account
from accounts.tenancy import acting_for
from integrations.api import again
from integrations.models import IdempotencyKey
from integrations.services import receive
from settlements.models import IndividualOffer
from tests.conftest import NOW, make_account, make_agency
from tests.integrations.api_caller import Caller, codes, counts, refusal
from tests.payments.test_due_races import in_thread

OFFER = {"percent_bps": 8000, "reason": "Asked by telephone."}


@pytest.fixture
def caller(account) -> Caller:
    return Caller(account.agency)


def offers(agency) -> int:
    with acting_for(agency):
        return IndividualOffer.objects.count()


@pytest.mark.django_db
def test_the_same_request_again_is_the_same_answer_byte_for_byte_and_one_offer(caller, account):
    path = f"accounts/{account.pk}/offers"
    first = caller.post(path, OFFER, Idempotency_Key="one")
    second = caller.post(path, OFFER, Idempotency_Key="one")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert offers(account.agency) == 1


@pytest.mark.django_db
def test_a_replay_keeps_the_address_of_what_was_made(caller):
    first, second = (caller.post("rule-sets", {"client": None}, Idempotency_Key="one") for _ in range(2))
    assert first.headers["Location"] == f"/api/v1/rule-sets/{first.json()['id']}"
    assert second.headers["Location"] == first.headers["Location"]


@pytest.mark.django_db
@pytest.mark.parametrize("change", ["body", "address"])
def test_the_same_key_for_another_request_is_refused(caller, account, agency, change):
    other = make_account(agency, reference="200", consumer=account.consumer)
    caller.post(f"accounts/{account.pk}/offers", OFFER, Idempotency_Key="one")
    path = f"accounts/{(other if change == 'address' else account).pk}/offers"
    body = OFFER | {"percent_bps": 7900} if change == "body" else OFFER
    before = counts()
    assert refusal(caller.post(path, body, Idempotency_Key="one")) == (422, "idempotency_mismatch")
    assert counts() == before


@pytest.mark.django_db
def test_two_keys_of_one_agency_and_two_agencies_never_share_an_answer(caller, account, others_account):
    path = f"accounts/{account.pk}/offers"
    caller.post(path, OFFER, Idempotency_Key="one")
    assert "Idempotent-Replayed" not in Caller(account.agency).post(path, OFFER, Idempotency_Key="one").headers
    other = Caller(others_account.agency)
    assert refusal(other.post(path, OFFER, Idempotency_Key="one")) == (404, "not_found")


@pytest.mark.django_db
def test_what_is_refused_leaves_its_key_free(caller, account):
    path = f"accounts/{account.pk}/offers"
    before = counts()
    assert caller.post(path, OFFER | {"percent_bps": 1}, Idempotency_Key="one").status_code == 422
    assert counts() == before
    assert caller.post(path, OFFER, Idempotency_Key="one").status_code == 201


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "code"),
    [
        (None, "idempotency_key_missing"),
        ("", "idempotency_key_missing"),
        ("x" * 256, "idempotency_key_invalid"),
        ("tab\there", "idempotency_key_invalid"),
        ("caf\u00e9", "idempotency_key_invalid"),
    ],
)
def test_a_write_needs_a_key_that_can_be_kept(caller, account, name, code):
    before = counts()
    answer = caller.post(f"accounts/{account.pk}/offers", OFFER, Idempotency_Key=name)
    assert refusal(answer) == (400, code)
    assert counts() == before


@pytest.mark.django_db
def test_an_answer_is_kept_for_48_hours(caller, account):
    caller.post(f"accounts/{account.pk}/offers", OFFER, Idempotency_Key="one")
    with acting_for(account.agency):
        kept = IdempotencyKey.objects.get()
        assert kept.expires_at - kept.made_at == dt.timedelta(hours=48)
        IdempotencyKey.objects.update(expires_at=NOW - dt.timedelta(days=30))
    answer = caller.post(f"accounts/{account.pk}/offers", OFFER | {"percent_bps": 7900}, Idempotency_Key="one")
    assert answer.status_code == 201
    with acting_for(account.agency):
        assert IdempotencyKey.objects.count() == 1


@pytest.mark.django_db
def test_answers_whose_time_is_over_are_cleared_away_in_passing(caller, account):
    for name in ("one", "two", "three"):
        caller.post(f"accounts/{account.pk}/offers", OFFER, Idempotency_Key=name)
    with acting_for(account.agency):
        IdempotencyKey.objects.update(expires_at=NOW - dt.timedelta(days=30))
    caller.post(f"accounts/{account.pk}/offers", OFFER, Idempotency_Key="four")
    with acting_for(account.agency):
        assert list(IdempotencyKey.objects.values_list("key", flat=True)) == ["four"]


@pytest.mark.django_db(transaction=True)
def test_while_the_first_runs_the_second_is_told_so_and_later_gets_the_same_answer(monkeypatch):
    account = make_account(make_agency("acme"))
    caller = Caller(account.agency)
    inside, go_on = threading.Event(), threading.Event()
    forget = again._forget

    def held(*args):
        inside.set()
        assert go_on.wait(20)
        forget(*args)

    monkeypatch.setattr(again, "_forget", held)
    answers = []

    def first() -> None:
        answers.append(caller.post(f"accounts/{account.pk}/offers", OFFER, Idempotency_Key="one"))
        connection.close()

    running = threading.Thread(target=first)
    running.start()
    assert inside.wait(20)
    second = caller.post(f"accounts/{account.pk}/offers", OFFER, Idempotency_Key="one")
    go_on.set()
    running.join(20)
    assert refusal(second) == (409, "idempotency_running")
    assert second.headers["Retry-After"] == "1"
    third = caller.post(f"accounts/{account.pk}/offers", OFFER, Idempotency_Key="one")
    assert (answers[0].status_code, third.content) == (201, answers[0].content)
    assert offers(account.agency) == 1


@pytest.mark.django_db(transaction=True)
def test_a_crash_after_the_write_leaves_neither_the_effect_nor_the_answer(monkeypatch):
    account = make_account(make_agency("acme"))
    caller = Caller(account.agency)
    before = counts()

    def crash(*_args):
        raise RuntimeError("power cut")

    with monkeypatch.context() as patched:
        patched.setattr(again, "_forget", crash)
        assert caller.post(f"accounts/{account.pk}/offers", OFFER, Idempotency_Key="one").status_code == 500
    assert counts() == before
    assert caller.post(f"accounts/{account.pk}/offers", OFFER, Idempotency_Key="one").status_code == 201


@pytest.mark.django_db(transaction=True)
def test_accounts_are_placed_in_pieces_that_let_others_in_and_the_same_request_goes_on(monkeypatch):
    """A piece of hosts' lists is one account here; the second one's piece waits for whoever has it."""
    monkeypatch.setattr(receive, "LISTED", 1)
    first = make_account(make_agency("acme"))
    second = make_account(first.agency, reference="200", consumer=first.consumer)
    caller = Caller(first.agency)
    record = {"Status": "ACTIVE", "CurrentBalance": "640.00", "LastName": "Doe", "ClientNumber": "C1"}
    record |= {"ClientName": "Harbor Medical", "AsOf": "2026-12-01T14:30:00Z"}
    paid = {"HostID": "H1", "Date": "2026-11-30", "Amount": "10.00", "Method": "CARD", "Status": "POSTED"}
    paid |= {"UpdatedAt": "2026-12-01T14:00:00Z"}
    records = [record | {"FileNumber": row.reference, "Payments": [paid]} for row in (first, second)]
    body = {"connection": str(first.connection_id), "records": records}

    def balance(row) -> int:
        return Account.objects.values_list("balance_cents", flat=True).get(pk=row.pk)

    with acting_for(first.agency), transaction.atomic():
        Account.objects.select_for_update().get(pk=second.pk)
        placing, answers = in_thread(lambda: caller.post("accounts", body, Idempotency_Key="one"))
        for _look in range(200):
            if balance(first) == 640_00:
                break
            time.sleep(0.05)
        assert (balance(first), balance(second)) == (640_00, 1_000_00)
        Account.objects.select_for_update(nowait=True).get(pk=first.pk)
    placing.join(20)
    assert answers[0].json()["accepted"] == 2
    with acting_for(first.agency):
        IdempotencyKey.objects.update(status=again.BEGUN, body="")  # as when the process dies before it answers
    later = caller.post("accounts", body, Idempotency_Key="one")
    assert (later.status_code, later.json()["unchanged"]) == (200, 2)


@pytest.mark.django_db
def test_reading_needs_no_key_and_keeps_nothing(caller, account):
    assert caller.get(f"accounts/{account.pk}/options", Idempotency_Key=None).status_code == 200
    with acting_for(account.agency):
        assert not IdempotencyKey.objects.exists()


@pytest.mark.django_db
def test_fields_that_are_wrong_are_named_all_at_once(caller, account):
    body = {"percent_bps": "8000", "max_payments": 0, "max_on": "2027-02-29", "methods": ["cash"], "colour": "red"}
    answer = caller.post(f"accounts/{account.pk}/offers", body | {"amount_cents": 10.5, "a/b~c": 1})
    assert refusal(answer) == (422, "invalid")
    assert sorted(codes(answer)) == [
        ("/amount_cents", "not_an_integer"),
        ("/a~1b~0c", "unknown_field"),
        ("/colour", "unknown_field"),
        ("/max_on", "invalid_date"),
        ("/max_payments", "min_value"),
        ("/methods/0", "method_unknown"),
        ("/percent_bps", "not_an_integer"),
    ]


@pytest.mark.django_db
def test_the_host_of_an_agency_has_no_api(caller):
    answer = Client().get("/api/v1/accounts", headers=caller.headers(Host="acme.localhost"))
    assert answer.status_code == 404
