"""Addresses of the ground floor, all on the agency's own host."""

from django.urls import path

from accounts import details, preferences, session_link, views

app_name = "accounts"
urlpatterns = [
    path("", views.start, name="start"),
    path("code/", views.code, name="code"),
    path("details/", details.details, name="details"),
    path("help/", views.help_page, name="help"),
    path("language/", views.language, name="language"),
    path("log-out/", views.sign_out, name="sign_out"),
    path("preferences/", preferences.preferences, name="preferences"),
    path("session-ended/", views.session_ended, name="session_ended"),
    path("session/extend/", views.extend, name="extend"),
    path("s/<str:token>/", session_link.enter, name="session_link"),
    path("stop/<str:token>/", views.opt_out, name="opt_out"),
]
