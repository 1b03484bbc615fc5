"""Pages that show several floors, and the pages for when something is wrong."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Say that there is nothing here, in the agency's own clothes when there is one."""
    return render(request, "404.html", status=404)


def broken(request: HttpRequest) -> HttpResponse:
    """Say that something of ours broke; no context is asked of anything that may be broken too."""
    return render(request, "500.html", status=500)
