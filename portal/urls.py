"""Every address of the site. On an agency's host only consumer pages answer, on the portal's own only the rest."""

from allauth.account import views as door
from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from portal import health

admin.autodiscover()

# What allauth has beside these (sign-up, mail addresses, password by mail) is not for staff who are invited.
STAFF_DOOR = [
    path("login/", door.login, name="account_login"),
    path("logout/", door.logout, name="account_logout"),
    path("inactive/", door.account_inactive, name="account_inactive"),
    path("reauthenticate/", door.reauthenticate, name="account_reauthenticate"),
    path("password/change/", door.password_change, name="account_change_password"),
    path("2fa/", include("allauth.mfa.urls")),
]
urlpatterns = [
    path("", include("accounts.urls")),
    path("", include("settlements.urls")),
    path("", include("payments.urls")),
    path("", include("portal.consumer_urls")),
    path("", include("campaigns.urls")),
    path("hooks/processor/", include("payments.hooks_urls")),
    path("hooks/mail/", include("campaigns.hooks_urls")),
    path("hooks/texts/", include("campaigns.hooks_texts_urls")),
    path("api/v1/", include("integrations.urls")),
    path(
        "api/v1/schema/",
        SpectacularAPIView.as_view(authentication_classes=[], permission_classes=[]),
        name="schema",
    ),
    path(
        "api/v1/docs/",
        SpectacularSwaggerSplitView.as_view(url_name="schema", authentication_classes=[], permission_classes=[]),
        name="api-docs",
    ),
    path("staff/", include(STAFF_DOOR)),
    path("admin/", admin.site.urls),
    path("health/live", health.live, name="health-live"),
    path("health/ready", health.ready, name="health-ready"),
    path("metrics", health.metrics, name="metrics"),
]
handler404 = "portal.views.not_found"
handler500 = "portal.views.broken"
