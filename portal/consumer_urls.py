"""Pages that show several floors."""

app_name = "portal"
urlpatterns: list = []
