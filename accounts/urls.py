"""Addresses of this floor."""

app_name = "accounts"
urlpatterns: list = []
