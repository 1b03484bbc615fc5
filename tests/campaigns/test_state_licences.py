"""A campaign's mails carry the licences of each reader's own state; none goes where there are none (ST-09)."""

import datetime as dt

import pytest

from accounts.models import Agency, Consumer, Licence
from campaigns.admin.messages import written_again
from campaigns.models import ContactDecision, Message, Recipient
from tests.campaigns.campaign_cast import approved, people, run

pytestmark = pytest.mark.django_db
TODAY = dt.date(2026, 12, 1)


@pytest.fixture
def crowd(acting, agency, provider, others_account):
    """Three people in three states, two of which the agency is licensed in."""
    made = people(agency, 3)
    for account, state, code in zip(made, ("PA", "OH", "TX"), ("19103", "43004", "75001"), strict=True):
        Consumer.objects.filter(pk=account.consumer_id).update(state=state, zip=code)
    for state in ("PA", "OH"):
        Licence.objects.create(state=state, line=f"{state} licence <1>", starts_on=TODAY)
    return made


def test_st_09_each_reader_s_mail_carries_the_line_of_their_own_state(crowd, mails):
    run(approved())
    said = {mail["to"].partition("@")[0]: mail for mail in mails()}
    for name, state, other in (("pat0", "PA", "OH"), ("pat1", "OH", "PA")):
        assert f"{state} licence <1>" in said[name]["text"]
        assert f"{state} licence &lt;1&gt;" in said[name]["html"]
        assert f"{other} licence" not in said[name]["text"]
    assert "licence <1>" not in said["pat2"]["text"]
    for recipient in Recipient.objects.select_related("message__consumer"):
        again = written_again(recipient.message)
        assert ("licence <1>" in again) is (recipient.message.consumer.state != "TX")
        assert "changed since" not in again


def test_st_09_where_we_are_not_licensed_no_campaign_goes_and_the_rule_is_named(crowd, mails):
    Agency.objects.update(licensed_only=True)
    run(approved())
    assert sorted(mail["to"].partition("@")[0] for mail in mails()) == ["pat0", "pat1"]
    decision = ContactDecision.objects.get(consumer_id=crowd[2].consumer_id)
    assert decision.allowed is False
    assert {"code": "not_licensed", "rules": ["ST-09"]} in decision.denials
    assert not Message.objects.filter(account=crowd[2], sent_at__isnull=False).exists()
