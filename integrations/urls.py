"""Addresses of this floor, under /api/v1/."""

from django.urls import path

from integrations import api

app_name = "integrations"
urlpatterns = [path("hosts/<uuid:connection_id>/accounts", api.PushAccounts.as_view(), name="push-accounts")]
