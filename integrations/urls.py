"""Addresses of this floor."""

app_name = "integrations"
urlpatterns: list = []
