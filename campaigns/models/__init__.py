"""The tables of messages and campaigns."""

from campaigns.models.campaign import AudienceLine, Campaign, Recipient
from campaigns.models.contact import ContactDecision, ContactPolicy
from campaigns.models.message import MailEvent, MailProvider, Message
from campaigns.models.template import MessageTemplate, TemplateVersion
from campaigns.models.text import Conversation, InboundMessage, TextEvent, TextProvider

__all__ = [
    "AudienceLine",
    "Campaign",
    "ContactDecision",
    "ContactPolicy",
    "Conversation",
    "InboundMessage",
    "MailEvent",
    "MailProvider",
    "Message",
    "MessageTemplate",
    "Recipient",
    "TemplateVersion",
    "TextEvent",
    "TextProvider",
]
