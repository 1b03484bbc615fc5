"""Addresses of this floor."""

app_name = "payments"
urlpatterns: list = []
