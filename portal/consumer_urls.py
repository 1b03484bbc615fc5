"""Pages that show several floors."""

from django.urls import path

from portal import views

app_name = "portal"
urlpatterns = [
    path("brand.css", views.brand, name="brand"),
    path("home/", views.home, name="home"),
    path("accounts/<uuid:account_id>/", views.account, name="account"),
]
