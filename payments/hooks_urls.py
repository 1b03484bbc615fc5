"""Addresses the processors call, under /hooks/processor/."""

from django.urls import path

from payments import api

app_name = "processor-hooks"
urlpatterns = [path("<uuid:merchant_id>", api.webhook, name="webhook")]
