"""The edge: name the request, the agency and the visitor, once."""

import contextlib
import ipaddress
import uuid

import structlog
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.db.models import QuerySet
from django.http import Http404, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone, translation

from accounts import clock, events
from accounts.known import known
from accounts.models import Agency
from accounts.services import visits
from accounts.tenancy import ALL_AGENCIES, acting_for
from portal.problems import plain_problem

STAFF_PATHS = ("/admin/", "/staff/")
SITE_PATHS = (*STAFF_PATHS, "/api/", "/health/", "/metrics", "/hooks/", "/static/")


class RequestId:
    """Give every request an id: the caller's if it is a UUID, else a new one; it stands in every event."""

    def __init__(self, get_response) -> None:
        self.get_response = get_response

    def __call__(self, request):
        try:
            request.id = str(uuid.UUID(request.META.get("HTTP_X_REQUEST_ID", "")))
        except ValueError:
            request.id = str(uuid.uuid4())
        request.META["HTTP_X_REQUEST_ID"] = request.id  # the request log reads it there and would make its own
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request.id)
        response = self.get_response(request)
        response["X-Request-ID"] = request.id
        return response


class KnownLength:
    """Refuse a body of unknown length (chunked): Django reads none of it, and no body may mean something else."""

    def __init__(self, get_response) -> None:
        self.get_response = get_response

    def __call__(self, request):
        if "HTTP_TRANSFER_ENCODING" in request.META:
            return plain_problem(411, "length_required", "Send the body whole, with its Content-Length.")
        return self.get_response(request)


def client_ip(request) -> str:
    """Return the visitor's address; believe X-Forwarded-For only as far as our own proxies wrote it."""
    if settings.TRUSTED_PROXIES:
        chain = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()]
        with contextlib.suppress(IndexError, ValueError):
            return str(ipaddress.ip_address(chain[-settings.TRUSTED_PROXIES]))
    return request.META.get("REMOTE_ADDR", "")  # a socket in the file system has none


@known
def _of_host(slug: str) -> QuerySet[Agency]:
    return Agency.objects.filter(slug=slug, is_active=True)


class AgencyAtTheEdge:
    """Find the agency by host name (consumers) or by the signed-in user (staff), and act for it.

    On an agency's host only consumer pages exist; on the portal's own host only staff pages, API, hooks and health.
    """

    def __init__(self, get_response) -> None:
        self.get_response = get_response
        self.domain = settings.PORTAL_DOMAIN.split(":")[0]

    def __call__(self, request):
        request.ip = client_ip(request)
        structlog.contextvars.bind_contextvars(ip=request.ip)
        request.now = clock.now()
        request.agency = request.visit = None
        host = request.get_host().split(":")[0].lower().removesuffix(".")  # a name may be written to its root
        slug = host.removesuffix(f".{self.domain}") if host != self.domain else ""
        if request.path.startswith(("/static/", "/health/")):
            return self.get_response(request)
        if slug and slug != host:
            return self._consumer(request, slug)
        if request.path == "/":
            return HttpResponseRedirect(reverse("admin:index"))
        if not request.path.startswith(SITE_PATHS):
            raise_not_found(request)
        return self._site(request)

    def _consumer(self, request, slug: str):
        request.agency = _of_host.first(slug)
        if request.agency is None or request.path.startswith(SITE_PATHS):
            raise_not_found(request)
        with acting_for(request.agency):
            request.visit = visits.current(request, now=request.now)
            actor = f"consumer:{request.visit.consumer_id}" if request.visit else "visitor"
            with events.context(actor=actor, request_id=request.id):
                return self.get_response(request)

    def _site(self, request):
        response = self._staff(request) if request.path.startswith(STAFF_PATHS) else self.get_response(request)
        if request.path.startswith((*STAFF_PATHS, "/api/v1/docs/")):
            # A page may allow more than all of them: the processor's own field, on the telephone.
            own = getattr(response, "_csp_update", None) or {}
            staff = settings.STAFF_CONTENT_SECURITY_POLICY
            response._csp_update = {name: [*staff.get(name, ()), *own.get(name, ())] for name in staff.keys() | own}
        return response

    def _staff(self, request):
        user = request.user
        if not (user.is_authenticated and user.is_staff):
            return self.get_response(request)
        # The staff's own pages are in the language of their profile only; consumers' cookies do not reach them.
        translation.activate(settings.LANGUAGE_CODE)
        scope = user.agency or (ALL_AGENCIES if user.is_superuser else None)
        if scope is None:
            return self.get_response(request)
        request.agency = user.agency
        zone = timezone.override(user.agency.time_zone if user.agency else None)
        with acting_for(scope), zone, events.context(actor=f"staff:{user.get_username()}", request_id=request.id):
            response = self.get_response(request)
            if hasattr(response, "render") and not response.is_rendered:
                response.render()
            return response


def raise_not_found(request) -> None:
    """Answer 404 for a page that is not of this host."""
    raise Http404(request.path)


class StaffSecondFactor:
    """Send staff without a second factor to set one up before anything else (settings.STAFF_SECOND_FACTOR)."""

    def __init__(self, get_response) -> None:
        self.get_response = get_response

    def __call__(self, request):
        needed = settings.STAFF_SECOND_FACTOR and request.path.startswith("/admin/")
        if needed and request.user.is_authenticated and not is_mfa_enabled(request.user):
            return HttpResponseRedirect(reverse("mfa_index"))
        return self.get_response(request)
