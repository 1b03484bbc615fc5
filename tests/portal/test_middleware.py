"""The edge names the request, the agency and the visitor, once and strictly."""

import uuid

import pytest
from django.test import Client, RequestFactory
from django.urls import reverse

from accounts.models import Event, Visit
from accounts.tenancy import ALL_AGENCIES, acting, acting_for
from portal.middleware import client_ip
from tests.staff import member, signed_in
from tests.visitor import Visitor

REQUEST_ID = "0192f3c4-7b1a-7def-8123-456789abcdef"


def test_an_agencys_host_name_shows_that_agency(client, agency, other_agency):
    assert b"Acme Recovery" in client.get("/", HTTP_HOST="acme.localhost").content
    page = client.get("/", HTTP_HOST="BIRCH.localhost:8000")
    assert page.status_code == 200
    assert b"Birch Recovery" in page.content
    assert b"Acme" not in page.content


@pytest.mark.parametrize("host", ["nobody.localhost", "x.acme.localhost", "acme.birch.localhost"])
def test_an_unknown_agency_is_not_found(client, agency, other_agency, host):
    assert client.get("/", HTTP_HOST=host).status_code == 404


def test_an_inactive_agency_is_not_found(client, agency):
    agency.is_active = False
    agency.save()
    assert client.get("/", HTTP_HOST="acme.localhost").status_code == 404


@pytest.mark.parametrize("host", ["evil.example.com", "acme.localhost.example.com", "localhost.example.com"])
def test_a_host_name_that_is_not_ours_is_refused(client, agency, host):
    assert client.get("/", HTTP_HOST=host).status_code == 400


@pytest.mark.parametrize("path", ["/admin/", "/staff/login/", "/api/v1/docs/", "/metrics", "/hooks/mail/x"])
def test_consumers_hosts_have_no_page_of_the_site(client, agency, path):
    assert client.get(path, HTTP_HOST="acme.localhost").status_code == 404


@pytest.mark.parametrize("path", ["/home/", "/code/", "/help/", "/accounts/", "/nothing"])
def test_the_portals_own_host_has_no_consumer_page(client, agency, path):
    assert client.get(path, HTTP_HOST="localhost").status_code == 404


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "localhost."])
def test_the_front_of_the_portals_own_host_leads_to_the_staff_pages(client, agency, host):
    for ask in (client.get, client.post):
        answer = ask("/", HTTP_HOST=host)
        assert (answer.status_code, answer["Location"]) == (302, "/admin/")


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("localhost", "/api/v1/rule-sets"),
        ("localhost", "/hooks/mail/x"),
        ("localhost", "/hooks/processor/x"),
        ("localhost", "/staff/login/"),
        ("acme.localhost", "/"),
    ],
)
def test_a_body_in_chunks_is_refused_before_anything_reads_it_as_empty(client, agency, host, path):
    answer = client.post(path, {"last_name": "Doe"}, headers={"Host": host, "Transfer-Encoding": "chunked"})
    assert (answer.status_code, answer.json()["code"]) == (411, "length_required")
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_host_name_written_to_its_root_is_the_same_host(client, agency, other_agency):
    page = client.get("/", HTTP_HOST="acme.localhost.:8000")
    assert page.status_code == 200
    assert b"Acme Recovery" in page.content
    assert client.get("/admin/", HTTP_HOST="acme.localhost.").status_code == 404
    assert client.get("/home/", HTTP_HOST="localhost.").status_code == 404


def test_the_scope_ends_with_the_request(agency, account):
    Visitor(agency).sign_in(account).get("/home/")
    assert acting() == ""


def test_a_session_of_one_agency_is_nobody_at_another(agency, account, other_agency, others_account):
    mine = Visitor(agency).sign_in(account)
    elsewhere = Visitor(other_agency)
    elsewhere.cookies = mine.cookies
    assert elsewhere.get("/home/").status_code == 302
    with acting_for(ALL_AGENCIES):
        assert Visit.objects.get().ended_at is None


@pytest.mark.parametrize("sent", [REQUEST_ID, REQUEST_ID.upper(), f"{{{REQUEST_ID}}}"])
def test_the_callers_request_id_is_echoed_in_one_form(client, agency, sent):
    assert client.get("/", HTTP_HOST="acme.localhost", HTTP_X_REQUEST_ID=sent)["X-Request-ID"] == REQUEST_ID


@pytest.mark.parametrize("sent", ["", "1", "x" * 500, "line\tbreak", None])
def test_anything_else_gets_a_new_request_id(client, agency, sent):
    headers = {} if sent is None else {"HTTP_X_REQUEST_ID": sent}
    answered = client.get("/", HTTP_HOST="acme.localhost", **headers)["X-Request-ID"]
    assert answered != sent
    assert str(uuid.UUID(answered)) == answered


@pytest.mark.parametrize("path", ["/nothing", "/admin/"])
def test_a_refusal_has_a_request_id_too(client, agency, path):
    assert uuid.UUID(client.get(path, HTTP_HOST="acme.localhost")["X-Request-ID"])


@pytest.mark.parametrize("headers", [{}, {"HTTP_X_REQUEST_ID": "made\tup"}, {"HTTP_X_REQUEST_ID": REQUEST_ID}])
def test_answer_event_and_log_line_have_the_same_request_id(agency, account, caplog, headers):
    answer = Visitor(agency, **headers).identify(account)
    with acting_for(agency):
        told = Event.objects.get(kind="consumer.identified").request_id
    logged = {record.msg["request_id"] for record in caplog.records if record.name.startswith("django_structlog")}
    assert {answer["X-Request-ID"]} == {told} == logged


@pytest.mark.parametrize(
    ("proxies", "forwarded", "seen"),
    [
        (0, "198.51.100.7", "10.0.0.1"),
        (1, "", "10.0.0.1"),
        (1, "198.51.100.7", "198.51.100.7"),
        (1, "203.0.113.9, 198.51.100.7", "198.51.100.7"),
        (2, "203.0.113.9, 198.51.100.7", "203.0.113.9"),
        (2, "203.0.113.1, 203.0.113.9, 198.51.100.7", "203.0.113.9"),
        (2, "198.51.100.7", "10.0.0.1"),
        (1, "2001:db8::1", "2001:db8::1"),
        (1, "not an address", "10.0.0.1"),
        (1, "198.51.100.7:4711", "10.0.0.1"),
    ],
)
def test_forwarded_addresses_count_only_as_far_as_our_own_proxies_wrote_them(settings, proxies, forwarded, seen):
    settings.TRUSTED_PROXIES = proxies
    headers = {"HTTP_X_FORWARDED_FOR": forwarded} if forwarded else {}
    assert client_ip(RequestFactory().get("/", REMOTE_ADDR="10.0.0.1", **headers)) == seen


def test_a_caller_without_an_address_is_served(agency, account):
    request = RequestFactory().get("/")
    del request.META["REMOTE_ADDR"]
    assert client_ip(request) == ""
    visitor = Visitor(agency, REMOTE_ADDR="").sign_in(account)
    assert visitor.visit().ip is None


def test_the_log_names_the_address_we_trust(client, agency, caplog, settings):
    settings.TRUSTED_PROXIES = 1
    forwarded = "203.0.113.9, 198.51.100.7"
    client.get("/", HTTP_HOST="acme.localhost", HTTP_X_FORWARDED_FOR=forwarded, REMOTE_ADDR="10.0.0.1")
    assert {record.msg["ip"] for record in caplog.records if record.name.startswith("django_structlog")} == {
        "198.51.100.7"
    }


def test_staff_without_a_second_factor_are_sent_to_set_one_up(agency, settings):
    settings.STAFF_SECOND_FACTOR = True
    answer = signed_in(member(agency)).get("/admin/")
    assert (answer.status_code, answer["Location"]) == (302, reverse("mfa_index"))


def test_staff_without_a_second_factor_come_in_where_the_demonstration_says_so(agency, settings):
    settings.STAFF_SECOND_FACTOR = False
    assert signed_in(member(agency)).get("/admin/").status_code == 200


def test_only_staff_pages_and_the_apis_own_have_the_relaxed_policy(agency):
    relaxed = Client(HTTP_HOST="localhost").get("/api/v1/docs/")["Content-Security-Policy"]
    strict = Client(HTTP_HOST="acme.localhost").get("/")["Content-Security-Policy"]
    assert "'unsafe-inline'" in relaxed
    assert "unsafe" not in strict
    assert "default-src 'none'" in strict
