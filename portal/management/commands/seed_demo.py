"""Fill an empty demonstration: two agencies, their staff, hosts, processor accounts and mail providers."""

import json
import sys

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts.models import Agency, User
from accounts.tenancy import acting_for
from campaigns.models import MailProvider
from integrations.hosts import scollect
from integrations.models import HostConnection
from integrations.services.receive import make_inbound_key
from payments.models import ProcessorAccount
from portal.local.stack import PASSWORD
from portal.staff import make_staff
from settlements.models import GlobalOffer

AGENCIES = {
    "acme": {
        "name": "Acme Recovery",
        "legal_name": "Acme Recovery Services LLC",
        "address": "10 Main Street\nAlbany, NY 12207",
        "phone": "(518) 555-0134",
        "email": "help@acme.example.com",
        "hours": "Mon to Fri, 8 am to 6 pm Eastern",
        "licences": "New York City DCWP licence 0000000-DCA (demonstration)",
        "brand": "#1f4e5f",
        "accent": "#b5541c",
        "factor": Agency.Factor.SSN4,
    },
    "birch": {
        "name": "Birch Street Partners",
        "legal_name": "Birch Street Partners, Inc.",
        "address": "200 Lake Avenue\nMadison, WI 53703",
        "phone": "(608) 555-0178",
        "email": "hello@birch.example.com",
        "hours": "Mon to Sat, 9 am to 7 pm Central",
        "licences": "Wisconsin licence 000000 (demonstration)",
        "brand": "#5b2a6e",
        "accent": "#0f6b4f",
        "factor": Agency.Factor.ZIP,
    },
}


class Command(BaseCommand):
    """Read the sandboxes' addresses as JSON from standard input; print keys and ids as JSON."""

    help = __doc__

    def handle(self, *args, **options) -> None:
        if not settings.DEMO:
            raise CommandError("This is for the demonstration only: DEMO=1.")
        urls = json.load(sys.stdin)
        User.objects.create_superuser("platform", "", PASSWORD)
        made = {}
        for slug, values in AGENCIES.items():
            agency = Agency.objects.create(slug=slug, **values)
            with acting_for(agency):
                made[slug] = self._furnish(agency, urls)
        self.stdout.write(json.dumps(made))

    def _furnish(self, agency: Agency, urls: dict[str, str]) -> dict[str, str]:
        slug = agency.slug
        make_staff(agency=agency, username=f"{slug}-admin", password=PASSWORD, role="agency admin")
        GlobalOffer.objects.create(percent_bps=75_00, max_payments=6, max_days=180)
        connection = HostConnection.objects.create(
            name=f"SCollect at {agency.name}",
            style=HostConnection.Style.SCOLLECT,
            base_url=urls[f"host-{slug}"],
            outbound_key=f"outbound-{slug}-{agency.pk.hex[-8:]}",
            contacts=f"ops@{slug}.example.com",
            **scollect.DEFAULTS,
        )
        processor = ProcessorAccount.objects.create(
            name="Sandbox processor",
            account_ref=f"acct_{slug}",
            publishable_key=f"pk_test_{slug}",
            secret_key=f"sk_test_{slug}_portal",
            webhook_secret=f"whsec_{slug}_{agency.pk.hex[-8:]}",
            api_base=urls["processor"],
            script_url=urls["processor"] + "/field.js",
        )
        mail = MailProvider.objects.create(
            name="Sandbox mail",
            domain=f"mail.{slug}.example.com",
            from_name=agency.name,
            from_address=f"no-reply@mail.{slug}.example.com",
            api_key=f"key-{slug}-{agency.pk.hex[-8:]}",
            signing_key=f"sign-{slug}-{agency.pk.hex[-8:]}",
            api_url=urls["mail"] + "/v3",
        )
        return {
            "connection": str(connection.pk),
            "inbound_key": make_inbound_key(connection),
            "outbound_key": connection.outbound_key,
            "processor_account": str(processor.pk),
            "webhook_secret": processor.webhook_secret,
            "mail_provider": str(mail.pk),
            "mail_domain": mail.domain,
            "mail_api_key": mail.api_key,
            "mail_signing_key": mail.signing_key,
        }
