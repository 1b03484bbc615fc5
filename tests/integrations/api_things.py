"""One of everything that the public API has an address for, so that walks over it find something."""

import uuid

from accounts.models import Client, Consumer, ContactPoint, Licence, QuietTime, SessionLink
from accounts.tenancy import acting_for
from campaigns.models import Conversation, MessageTemplate, TemplateVersion
from integrations.models import FileFormat, PastDueCustomer
from payments.models import (
    Arrangement,
    Authorization,
    BatchItem,
    CreditorRequest,
    Dispute,
    Incident,
    Method,
    PayLink,
    Payment,
    PaymentBatch,
    Postdate,
    Refund,
    Statement,
)
from settlements.models import Affordability, AffordabilityForm, Evidence, EvidencePart, Hardship
from tests.conftest import NOW
from tests.staff import furnish, member

MODELS = {
    "client_id": Client,
    "consumer_id": Consumer,
    "contact_point_id": ContactPoint,
    "method_id": Method,
    "authorization_id": Authorization,
    "arrangement_id": Arrangement,
    "postdate_id": Postdate,
    "payment_id": Payment,
    "refund_id": Refund,
    "incident_id": Incident,
    "dispute_id": Dispute,
    "creditor_request_id": CreditorRequest,
    "budget_id": Affordability,
    "form_id": AffordabilityForm,
    "hardship_id": Hardship,
    "document_id": Evidence,
    "batch_id": PaymentBatch,
    "item_id": BatchItem,
    "customer_id": PastDueCustomer,
    "link_id": PayLink,
    "mapping_id": FileFormat,
    "licence_id": Licence,
    "quiet_time_id": QuietTime,
    "session_link_id": SessionLink,
    "conversation_id": Conversation,
    "template_id": MessageTemplate,
    "statement_id": Statement,
}

SAYS = {"en": {"subject": "From {agency}", "preheader": "Soon.", "body": "Hello {first_name}.\n\n[Look]"}}


def everything(agency) -> dict[str, uuid.UUID | int]:
    """Make one of each for an agency that has an account; give their ids by the names of the addresses."""
    rows = furnish(agency, NOW)
    with acting_for(agency):
        Payment.objects.update(status="succeeded", decided_at=NOW)
        TemplateVersion.objects.create(
            template=rows[MessageTemplate], number=1, words=SAYS, made_by="key:1", made_at=NOW
        )
        EvidencePart.objects.create(evidence=rows[Evidence], number=0, content="JVBERi0=")
    found = {name: rows[model].pk for name, model in MODELS.items()}
    return found | {"user_id": member(agency, username=f"{agency.slug}-api").pk}
