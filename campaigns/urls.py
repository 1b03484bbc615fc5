"""Addresses of this floor."""

app_name = "campaigns"
urlpatterns: list = []
