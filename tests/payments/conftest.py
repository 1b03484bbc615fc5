"""The sandbox processor as a program, and what a consumer does on the way to a payment."""

import datetime as dt
import itertools

import pytest
from django.utils import timezone

from accounts.models import Visit
from accounts.tenancy import acting_for
from payments.models import Checkout, ProcessorAccount
from payments.rules import routing
from payments.services import checkout as checkouts
from payments.services import pay, route
from tests.conftest import NOW, make_account, make_agency
from tests.payments.sandbox_program import Program

VISA_DEBIT, VISA_CREDIT, MASTERCARD = "4000056655665556", "4242424242424242", "5555555555554444"
DECLINED_MASTERCARD = "5200828282829994"
names = (f"pay{number}" for number in itertools.count(1))


@pytest.fixture(scope="session")
def processor_program(tmp_path_factory):
    running = Program(tmp_path_factory.mktemp("sandbox-processor"))
    yield running
    running.kill()


@pytest.fixture
def processor(processor_program, settings):
    """The sandbox processor, without faults left over and with a short patience."""
    settings.PROCESSOR_TIMEOUT = 3.0
    processor_program.control("DELETE", "faults")
    return processor_program


@pytest.fixture(autouse=True)
def _scollect_routes(monkeypatch):
    monkeypatch.setattr(route, "table", lambda account: routing.SCOLLECT)


class Shop:
    """One agency with its own merchant account at the sandbox, and one consumer's account."""

    def __init__(self, program, slug: str, **values) -> None:
        self.program, self.name = program, next(names)
        self.merchant = program.merchant(self.name)
        self.agency = make_agency(slug)
        with acting_for(self.agency):
            ProcessorAccount.objects.update(
                account_ref=f"acct_{self.name}",
                publishable_key=f"pk_test_{self.name}",
                secret_key=f"sk_test_{self.name}_portal",
                webhook_secret=f"whsec_{self.name}",
                api_base=program.url,
            )
        self.account = make_account(self.agency, **{"sol_status": "live"} | values)

    def visit(self, *, level: int = 2) -> Visit:
        account = self.account
        return Visit.objects.create(
            consumer_id=account.consumer_id,
            account=account,
            level=level,
            started_at=NOW,
            seen_at=NOW,
            ip="127.0.0.1",
            user_agent="test",
        )

    def checkout(self, choice="amount", lines=None, *, level=2, paper=False, now=NOW, card=VISA_DEBIT, bank=None):
        """Choose and say how to pay; every step must pass."""
        found = checkouts.begin(visit=self.visit(level=level), account=self.account, now=now)
        if lines is None and choice == "amount":
            lines = [(today(now), 125_00)]
        assert checkouts.choose(checkout=found, choice=choice, lines=lines or (), now=now) == []
        if paper:
            checkouts.set_paper(checkout=found, paper=True)
        if bank:
            assert self.take_bank(found, bank, now=now) == []
        elif card:
            assert self.take_card(found, card, now=now) == []
        return found

    def take_card(self, checkout, number, *, now=NOW):
        token = self.merchant.token(number)
        return checkouts.take_card(checkout=checkout, confirmation_token=token, now=now)

    def take_bank(self, checkout, number="000123456789", *, routing="110000000", now=NOW):
        return checkouts.take_bank(
            checkout=checkout,
            routing=routing,
            number=number,
            account_type="checking",
            holder="Jane Doe",
            now=now,
        )

    def confirm(self, checkout, *, now=NOW, language="en"):
        seen = checkouts.review(checkout, language=language, now=now)
        return pay.confirm(
            checkout=checkout,
            text_sha256=seen.text_sha256,
            ip="127.0.0.1",
            user_agent="test",
            language=language,
            now=now,
        )

    def confirm_again(self, payment, *, now=NOW):
        """Send the same confirmation once more, as a reload or a retry after a crash does."""
        return pay.confirm(
            checkout=Checkout.objects.get(pk=payment.idempotency_key),
            text_sha256=payment.authorization.text_sha256,
            ip="127.0.0.1",
            user_agent="test",
            language="en",
            now=now,
        )

    def charged(self):
        return self.merchant.charged()


def today(now=NOW) -> dt.date:
    return timezone.localtime(now, dt.timezone(dt.timedelta(hours=-5))).date()


@pytest.fixture
def shop(processor, db):
    """The agency that acts during the test."""
    here = Shop(processor, "acme")
    with acting_for(here.agency):
        yield here


@pytest.fixture
def other_shop(processor, db):
    """The other agency in the room, with the same reference."""
    return Shop(processor, "birch")


@pytest.fixture
def open_shop(processor, transactional_db):
    """The agency that acts, with transactions that really commit: for threads and crashes."""
    here = Shop(processor, "acme")
    with acting_for(here.agency):
        yield here
