"""Addresses of this floor, on the agency's own host."""

from django.urls import path

from campaigns import views

app_name = "campaigns"
urlpatterns = [
    path("m/<str:token>/", views.link, name="link"),
    path("verify/", views.verify, name="verify"),
]
