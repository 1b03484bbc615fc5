"""After a reseal the old key can go: every sealed value opens without it, in every agency, staff's factors too."""

from io import StringIO

import pytest
from allauth.mfa.models import Authenticator
from django.apps import apps
from django.core.management import call_command
from django.db import connection

from accounts.crypto import SealedField, seal
from accounts.models import Consumer
from accounts.tenancy import ALL_AGENCIES, acting_for
from portal.management.commands import reseal
from portal.staff import SealedFactors
from tests.conftest import NOW, make_account, make_agency
from tests.staff import SECRET, furnish, member

OLD, NEW = bytes(32), bytes([1] * 32)


@pytest.fixture
def house(db, settings):
    """Two agencies with every sealed field filled, all under the old key; the new one has just come."""
    settings.FIELD_KEYS = {1: OLD}
    for slug in ("acme", "birch"):
        agency = make_agency(slug)
        make_account(agency)
        furnish(agency, NOW)
    user = member(agency)
    sealed = seal("JBSWY3DP", context=SealedFactors.CONTEXT)
    Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data={"secret": sealed})
    codes = {"migrated_codes": [sealed], "used_mask": 0, "note": "1:short"}
    Authenticator.objects.create(user=user, type=Authenticator.Type.RECOVERY_CODES, data=codes)
    settings.FIELD_KEYS = {2: NEW, 1: OLD}
    return settings


def resealed() -> dict[str, int]:
    """Run the command and read how many it sealed again, by place."""
    said = StringIO()
    call_command("reseal", stdout=said, stderr=StringIO())
    lines = [line.split(": ") for line in said.getvalue().splitlines()]
    return {place: int(count.split()[0]) for place, count in lines}


def versions() -> set[str]:
    """Return the key versions that stand in the database."""
    with acting_for(ALL_AGENCIES), connection.cursor() as cursor:
        found = set()
        for model in apps.get_models():
            for field in model._meta.local_fields:
                if isinstance(field, SealedField):
                    table = model._meta.db_table
                    cursor.execute(f'SELECT "{field.column}" FROM "{table}" WHERE "{field.column}" <> \'\'')
                    found |= {text.partition(":")[0] for (text,) in cursor.fetchall()}
        return found


@pytest.mark.parametrize("batch", [500, 1])
def test_every_sealed_value_opens_without_the_old_key(house, monkeypatch, batch):
    monkeypatch.setattr(reseal, "BATCH", batch)
    assert versions() == {"1"}
    counts = resealed()
    assert versions() == {"2"}
    assert counts["accounts_consumer.ssn"] == counts["integrations_hostconnection.outbound_key"] == 2
    assert counts["second factors"] == 2
    house.FIELD_KEYS = {2: NEW}
    with acting_for(ALL_AGENCIES):
        assert {consumer.ssn for consumer in Consumer.objects.all()} == {SECRET}
    factors = [row.data for row in Authenticator.objects.order_by("pk")]
    assert SealedFactors().decrypt(factors[0]["secret"]) == "JBSWY3DP"
    assert SealedFactors().decrypt(factors[1]["migrated_codes"][0]) == "JBSWY3DP"
    assert factors[1]["note"] == "1:short"


def test_a_second_run_finds_nothing_to_do(house):
    resealed()
    assert set(resealed().values()) == {0}


def test_a_value_that_no_key_opens_is_counted_and_the_others_are_sealed_again(house):
    with acting_for(ALL_AGENCIES), connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_consumer SET ssn = '1:rubbish' WHERE id = %s", [Consumer.objects.first().pk])
    told = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("reseal", stdout=StringIO(), stderr=told)
    assert ended.value.code == 1
    assert told.getvalue() == "1 values cannot be opened by any key of FIELD_KEYS\n"
    assert versions() == {"1", "2"}
