"""Where carriers report on texts and hand in what people write, under /hooks/texts/ of the portal's own host."""

from django.urls import path

from campaigns import api

urlpatterns = [
    path("<uuid:provider_id>", api.text_webhook, name="texts-inbound"),
    path("<uuid:provider_id>/<uuid:message_id>", api.text_webhook, name="texts-report"),
]
