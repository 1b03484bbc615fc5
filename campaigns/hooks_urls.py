"""Where e-mail providers report, under /hooks/mail/ of the portal's own host."""

from django.urls import path

from campaigns import api

urlpatterns = [
    path("<uuid:provider_id>", api.mail_webhook, name="mail-webhook"),
    path("<uuid:provider_id>/replies", api.mail_reply, name="mail-reply"),
]
