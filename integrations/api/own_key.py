"""The key that was shown: what it may, until when; and a new secret for it, while the old one still works."""

from datetime import timedelta

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from integrations import keys
from integrations.api.base import Endpoint, answer
from integrations.api.bodies import Form, Whole
from integrations.api.document import operation
from integrations.api.terms import Shown
from integrations.models import ApiKey

KEEP_HOURS, KEEP_MOST = 24, 30 * 24


class KeyShown(Shown):
    id = serializers.UUIDField()
    name = serializers.CharField()
    scopes = serializers.ListField(child=serializers.CharField())
    ip_allow = serializers.ListField(child=serializers.CharField(), help_text="Empty: from anywhere.")
    expires_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True, help_text="To the minute.")
    rotated_at = serializers.DateTimeField(allow_null=True)
    old_until = serializers.DateTimeField(allow_null=True, help_text="Until then the secret before it works too.")


class KeyRotated(KeyShown):
    text = serializers.CharField(help_text="The key with its new secret, shown to nobody again.")


class RotateKeyForm(Form):
    """For how long both work."""

    keep_old_hours = Whole(
        required=False, min_value=0, max_value=KEEP_MOST, help_text=f"Left out: {KEEP_HOURS}; older ones end at once."
    )


class OwnKey(Endpoint):
    """This one."""

    @operation(
        "get_key",
        "Read the key that is shown",
        scope="keys:read",
        said="Keys are made and revoked by staff, behind a second factor.",
        answers=KeyShown,
        found=False,
    )
    def get(self, request: Request) -> HttpResponse:
        self.asked()
        return answer(KeyShown.of(ApiKey.objects.get(pk=self.key.pk)))


class RotateKey(Endpoint):
    """A new secret."""

    @operation(
        "rotate_key",
        "Give the key that is shown a new secret",
        scope="keys:write",
        said="Scopes, addresses and end stay. Until `old_until` the old secret works too.",
        form=RotateKeyForm,
        answers=KeyRotated,
        once=True,
        found=False,
    )
    def post(self, request: Request) -> HttpResponse:
        keep = timedelta(hours=self.read(RotateKeyForm).get("keep_old_hours", KEEP_HOURS))
        text = keys.rotate(key=self.key, keep_old=keep, now=self.now)
        return answer(KeyRotated.of(ApiKey.objects.get(pk=self.key.pk), text=text))
