"""What consumers said of their means, by API: told one by one to keys that may read it, and to no other (UK-13)."""

import pytest
import time_machine

from accounts.tenancy import acting_for
from settlements.services import evidence, hardship
from tests.conftest import NOW, make_account
from tests.integrations.api_caller import Caller, refusal

pytestmark = pytest.mark.django_db
ILL = {"cause": "health", "words": "I broke my leg.", "days": 30, "consent": "They may read it."}
PAY = {"pay": {"amount_cents": 2_345_67, "frequency": "month"}}
PDF = b"%PDF-1.7\n" + bytes(range(256)) * 4


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def account(agency, others_account):
    return make_account(agency)


@pytest.fixture
def looks(account) -> Caller:
    return Caller(account.agency, "budgets:read")


@pytest.fixture
def reads(account) -> Caller:
    return Caller(account.agency, "budgets:read", "answers:read")


def test_uk_13_a_cause_and_words_are_told_to_no_key_without_their_scope(account, looks, reads):
    with acting_for(account.agency):
        row = hardship.request(account=account, now=NOW, **ILL)
    told = looks.get(f"hardships/{row.pk}").json()
    assert (told["status"], told["asked_days"], told["cause"], told["words"]) == ("requested", 30, None, None)
    told = reads.get(f"hardships/{row.pk}").json()
    assert (told["cause"], told["words"]) == ("health", "I broke my leg.")


@pytest.mark.parametrize("cause", ["health", "income"])
def test_uk_13_no_list_tells_a_cause_so_none_tells_it_by_leaving_it_out(account, looks, reads, cause):
    with acting_for(account.agency):
        hardship.request(account=account, now=NOW, **ILL | {"cause": cause})
    for caller in (looks, reads):
        (told,) = caller.get("hardships").json()["items"]
        assert (told["cause"], told["words"], told["asked_days"]) == (None, None, 30)


def test_uk_13_whoever_decides_by_api_without_that_scope_is_told_none_either(account):
    caller = Caller(account.agency, "budgets:write")
    told = caller.post(f"accounts/{account.pk}/hardships", ILL).json()
    assert (told["status"], told["cause"], told["words"]) == ("requested", None, None)
    granted = caller.post(f"hardships/{told['id']}/grant").json()
    assert (granted["status"], granted["cause"]) == ("granted", None)


def test_uk_13_a_document_is_listed_to_who_looks_and_given_to_who_may_read_it(account, looks, reads):
    with acting_for(account.agency):
        row = hardship.request(account=account, now=NOW, **ILL)
        paper = evidence.add(hardship=row, content=PDF, name="letter.pdf", now=NOW)
    (listed,) = looks.get(f"hardships/{row.pk}/documents").json()["items"]
    assert (listed["kind"], listed["size_bytes"]) == ("pdf", len(PDF))
    assert refusal(looks.get(f"hardship-documents/{paper.pk}")) == (403, "scope_missing")
    assert reads.get(f"hardship-documents/{paper.pk}").content == PDF


def test_uk_13_a_budget_is_its_sums_to_who_looks_and_its_answers_to_who_may_read_them(account, looks, reads):
    writer = Caller(account.agency, "budgets:write")
    said = {"section": "income", "answers": PAY}
    made = writer.post(f"accounts/{account.pk}/budget", said).json()
    assert made["answers"] is None
    assert looks.get(f"budgets/{made['id']}").json()["answers"] is None
    assert reads.get(f"budgets/{made['id']}").json()["answers"] == PAY
    assert [one["answers"] for one in reads.get("budgets").json()["items"]] == [None]
    for paper in ("export", "paper"):
        assert refusal(looks.get(f"budgets/{made['id']}/{paper}")) == (403, "scope_missing")
        assert refusal(reads.get(f"budgets/{made['id']}/{paper}")) == (409, "budget_not_submitted")
