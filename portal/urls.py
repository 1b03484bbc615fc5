"""Every address of the site. On an agency's host only consumer pages answer, on the portal's own only the rest."""

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from portal import health

urlpatterns = [
    path("", include("accounts.urls")),
    path("", include("payments.urls")),
    path("", include("portal.consumer_urls")),
    path("", include("campaigns.urls")),
    path("hooks/processor/", include("payments.hooks_urls")),
    path("hooks/mail/", include("campaigns.hooks_urls")),
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
    path("staff/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("health/live", health.live, name="health-live"),
    path("health/ready", health.ready, name="health-ready"),
    path("metrics", health.metrics, name="metrics"),
]
handler404 = "portal.views.not_found"
handler500 = "portal.views.broken"
