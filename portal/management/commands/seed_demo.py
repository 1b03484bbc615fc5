"""Fill an empty demonstration: two agencies, their staff, hosts, processor accounts, mail providers and carriers."""

import json
import sys

import asyncssh
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts import clock
from accounts.models import Agency, User
from accounts.tenancy import acting_for
from campaigns.library import READY
from campaigns.models import MailProvider, TextProvider
from campaigns.services import templates
from integrations import keys
from integrations.hosts import defaults
from integrations.models import HostConnection, HostSite
from integrations.services.receive import make_inbound_key
from payments.models import ProcessorAccount
from portal.local.stack import PASSWORD, call
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
        "hours_es": "Lun a vie, 8 a. m. a 6 p. m., hora del Este",
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
        "hours_es": "Lun a sáb, 9 a. m. a 7 p. m., hora del Centro",
        "licences": "Wisconsin licence 000000 (demonstration)",
        "brand": "#5b2a6e",
        "accent": "#0f6b4f",
        "factor": Agency.Factor.ZIP,
    },
}

STAFF = {"admin": "agency admin", "campaigns": "campaign manager", "approver": "campaign approver"}
"""Who works at each agency; nobody approves what they wrote, so a campaign takes two."""

NUMBERS = {"acme": "+15185550134", "birch": "+16085550178"}


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
        staff = {
            name: make_staff(agency=agency, username=f"{slug}-{name}", password=PASSWORD, role=role)
            for name, role in STAFF.items()
        }
        GlobalOffer.objects.create(percent_bps=75_00, max_payments=6, max_days=180)
        hosts = {"scollect": self._host(agency, "scollect", urls[f"host-{slug}"])}
        by = f"staff:{staff['admin'].pk}"
        _key, api_key = keys.make(name="Demonstration", scopes=tuple(keys.SCOPES), by=by, now=clock.now())
        for name, url in urls.items():
            if name.startswith(f"host-{slug}-"):
                style = name.rpartition("-")[2]
                hosts[style] = self._host(agency, style, url) | ({"api_key": api_key} if style == "intelec" else {})
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
        texts = self._carrier(agency, urls["carrier"])
        return {
            "hosts": hosts,
            "api_key": api_key,
            "connection": hosts["scollect"]["connection_id"],
            "inbound_key": hosts["scollect"]["inbound_key"],
            "outbound_key": hosts["scollect"]["outbound_key"],
            "processor_account": str(processor.pk),
            "webhook_secret": processor.webhook_secret,
            "text_provider": str(texts.pk),
            "carrier_account": texts.account,
            "carrier_token": texts.token,
            "carrier_number": texts.number,
            "mail_provider": str(mail.pk),
            "mail_domain": mail.domain,
            "mail_api_key": mail.api_key,
            "mail_signing_key": mail.signing_key,
        }

    def _carrier(self, agency: Agency, url: str) -> TextProvider:
        """Make the agency's account at the carrier, allowed and registered, and publish its texts."""
        token = f"token-{agency.slug}-{agency.pk.hex[-8:]}"
        for key in ("settlement_text", "reminder_text", "reply_call", "reply_link", "reply_looking"):
            name = READY[key].name
            version = templates.from_library(key=key, name=name, client=None, by="platform", now=clock.now())
            templates.publish(version=version, by="platform", now=clock.now())
        return TextProvider.objects.create(
            name="Sandbox carrier",
            account=f"AC{agency.pk.hex}",
            token=token,
            signing_key=token,
            number=NUMBERS[agency.slug],
            api_url=url,
            per_second=20,
            keywords=TextProvider.Keywords.PORTAL,
            permit="The sandbox allows it (demonstration)",
            registration="SANDBOX",
            approved_on=clock.now().date(),
            cents_per_thousand=790,
        )

    def _host(self, agency: Agency, style: str, url: str) -> dict[str, str]:
        """Make a connection with its style's own words; the creditor's ledger places by itself, so that all can see."""
        words = defaults(style)
        if style == "ledger":
            fee = {"place": "automatically", "fee_percent": "10", "fee_basis": "Service agreement, section 7"}
            words = words | {"terms": words["terms"] | fee}
        if style == "smartcollect":
            words = words | {"transport": HostConnection.Transport.MIXED}
        connection = HostConnection.objects.create(
            name=f"{HostConnection.Style(style).label} at {agency.name}",
            style=style,
            base_url=url,
            outbound_key=f"outbound-{style}-{agency.slug}-{agency.pk.hex[-8:]}",
            contacts=f"ops@{agency.slug}.example.com",
            **words,
        )
        told = {
            "connection_id": str(connection.pk),
            "inbound_key": make_inbound_key(connection),
            "outbound_key": connection.outbound_key,
        }
        return told | self._site(connection) if style == "smartcollect" else told

    def _site(self, connection: HostConnection) -> dict[str, str]:
        """Let us visit the host's SFTP site with a key of our own; return its public half, for the host."""
        key, site = asyncssh.generate_private_key("ssh-ed25519"), call(connection.base_url, "/_sandbox/site")
        HostSite.objects.create(
            connection=connection,
            host="127.0.0.1",
            port=site["port"],
            username="portal",
            private_key=key.export_private_key().decode(),
            host_key=site["host_key"],
            every_minutes=1,
            extract_minutes=1,
        )
        return {"portal_key": key.export_public_key().decode().strip()}
