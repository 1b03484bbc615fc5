"""The one settings module: every reader is strict, unsafe production values are system checks (portal/checks.py).

What the environment does not say is read from .local/env, which `python -m portal.local up` writes on a laptop and
which no server has. Nothing else differs between a laptop and production.
"""

import base64
import os
import sys
from ipaddress import ip_network
from pathlib import Path

import environ
from celery.schedules import crontab
from csp.constants import NONCE, NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

BASE_DIR = Path(__file__).resolve().parent.parent
LOCAL_DIR = Path(os.environ.get("LOCAL_HOME") or BASE_DIR / ".local")
TESTING = "pytest" in sys.modules

env = environ.Env()
if (LOCAL_DIR / "env").exists():  # never overrules the environment
    env.read_env(str(LOCAL_DIR / "env"))


def flag(name: str, *, default: bool) -> bool:
    """Read a switch that is exactly 1 or 0; anything else is refused, never guessed."""
    match os.environ.get(name, "1" if default else "0"):
        case "1":
            return True
        case "0":
            return False
        case other:
            raise ImproperlyConfigured(f"{name} must be 1 or 0, not {other!r}.")


def keyring(name: str) -> dict[int, bytes]:
    """Read `version:base64key,...` (32 bytes each, the first one seals)."""
    ring: dict[int, bytes] = {}
    for entry in env(name).split(","):
        version, _sep, text = entry.strip().partition(":")
        if not version.isdecimal():
            raise ImproperlyConfigured(f"{name}: each entry is version:base64 of 32 bytes.")
        if int(version) in ring:
            raise ImproperlyConfigured(f"{name}: version {version} stands there twice.")
        ring[int(version)] = secret_key(name, text)
    return ring


def secret_key(name: str, text: str) -> bytes:
    """Read base64 of exactly 32 bytes."""
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        key = b""
    if len(key) != 32:
        raise ImproperlyConfigured(f"{name}: a key is base64 of 32 bytes.")
    return key


# Where we are -------------------------------------------------------------------------------------------------
DEBUG = flag("DEBUG", default=False)
DEMO = flag("DEMO", default=False)  # the demonstration: sandboxes, plain http, no second factor for staff
CLOCK_FILE = env("CLOCK_FILE", default="")  # seconds by which the clock is ahead, for demonstrations and simulations
TLS = flag("TLS", default=not (DEMO or TESTING or DEBUG))
PORT = env.int("PORT", default=8000)
PORTAL_DOMAIN = env("PORTAL_DOMAIN", default=f"localhost:{PORT}")  # consumers live at <agency>.<this>
SECRET_KEY = env("SECRET_KEY")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])  # opt-out links in old mails are signed with them
FIELD_KEYS = keyring("FIELD_KEYS")
INDEX_KEY = secret_key("INDEX_KEY", env("INDEX_KEY"))
ALLOWED_HOSTS = [
    f".{PORTAL_DOMAIN.split(':')[0]}",
    *env.list("EXTRA_HOSTS", default=["testserver"] if TESTING else []),
]
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)  # how many X-Forwarded-For entries are ours

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "portal.apps.StaffPages",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "anymail",
    "csp",
    "django_htmx",
    "django_prometheus",
    "django_structlog",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "pgtrigger",
    "rest_framework",
    "accounts",
    "settlements",
    "payments",
    "campaigns",
    "integrations",
    "portal",
]

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "portal.middleware.RequestId",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "portal.middleware.KnownLength",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "portal.staff.StaffIdle",
    "portal.middleware.AgencyAtTheEdge",
    "portal.middleware.StaffSecondFactor",
    "django_structlog.middlewares.RequestMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "portal.branding.context",
            ],
        },
    },
]

# Data ---------------------------------------------------------------------------------------------------------
DATABASES = {"default": env.db("DATABASE_URL")}
_OPTIONS = DATABASES["default"].get("OPTIONS", {})
DATABASES["default"] |= {
    "ENGINE": "tests.postgresql" if TESTING else "portal.postgresql",
    "CONN_MAX_AGE": 300,
    "CONN_HEALTH_CHECKS": True,
    # Rows are found by id and joined along foreign keys: with more than six tables PostgreSQL weighs thousands of
    # orders, for 30 ms, and takes the same one.
    "OPTIONS": {
        **_OPTIONS,
        "connect_timeout": 5,
        "application_name": "quittance",
        "options": f"{_OPTIONS.get('options', '')} -c join_collapse_limit=6".strip(),
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
MIGRATION_LOCK_TIMEOUT = "5s"  # a migration that waits for a lock must not queue the site behind it

REDIS_URL = env("REDIS_URL")
if TESTING:  # every test worker empties a Redis database of its own
    REDIS_URL = f"{REDIS_URL.rpartition('/')[0]}/{8 + int(os.environ.get('PYTEST_XDIST_WORKER', 'gw0')[2:]) % 8}"
REDIS_TIMEOUT = 1.0  # seconds: Redis is a nudge and a counter, never the truth
CACHES = {"default": {"BACKEND": "portal.cache.OptionalRedis", "LOCATION": REDIS_URL, "KEY_PREFIX": "quittance"}}
SESSION_ENGINE = "portal.sessions"  # a lost Redis must not end anybody's session
SESSION_COOKIE_NAME = "__Host-session" if TLS else "session"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 8 * 3600  # absolute length of a session, AUTH-08; each request would move Django's own end of it
CSRF_COOKIE_NAME = "__Host-csrf" if TLS else "csrf"
CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = TLS
SECURE_REDIRECT_EXEMPT = [r"^health/"]
SECURE_HSTS_SECONDS = 365 * 86400 if TLS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = TLS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 20 * 2**20  # one push of 5,000 accounts
DATA_UPLOAD_MAX_NUMBER_FIELDS = 500

# Work ---------------------------------------------------------------------------------------------------------
CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 3600,  # far above the longest task: a shorter one ran tasks twice
    "socket_timeout": 30,
    "socket_connect_timeout": REDIS_TIMEOUT,
}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT = 600
CELERY_TASK_DEFAULT_QUEUE = "batch"
CELERY_TASK_PUBLISH_RETRY = False  # a request never waits for the broker; the poll finds the work
CELERY_TASK_ROUTES = {
    "integrations.tasks.pull_ledgers": {"queue": "batch"},
    "integrations.tasks.take_files": {"queue": "batch"},
    "integrations.tasks.visit_sites": {"queue": "batch"},
    "integrations.tasks.forget_files": {"queue": "batch"},
    "integrations.tasks.*": {"queue": "deliver"},
    "payments.tasks.*": {"queue": "charge"},
    "campaigns.tasks.launch_campaigns": {"queue": "batch"},  # a code never waits behind a campaign
    "campaigns.tasks.listen": {"queue": "batch"},  # nor behind a carrier that is asked and does not answer
    "campaigns.tasks.*": {"queue": "message"},
}
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 5.0
CELERY_DB_REUSE_MAX = 1000
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE_FILENAME = env("BEAT_SCHEDULE", default=str(LOCAL_DIR / "beat"))
CELERY_BEAT_SCHEDULE = {
    "route-and-drain": {"task": "integrations.tasks.poll", "schedule": 2.0},
    "pull-ledgers": {"task": "integrations.tasks.pull_ledgers", "schedule": 30.0},
    "files-of-hosts": {"task": "integrations.tasks.take_files", "schedule": 10.0},
    "sites-of-hosts": {"task": "integrations.tasks.visit_sites", "schedule": 30.0},
    "old-files": {"task": "integrations.tasks.forget_files", "schedule": 3600.0},
    "fulfil-messages": {"task": "campaigns.tasks.poll", "schedule": 2.0},
    "texts-not-told": {"task": "campaigns.tasks.listen", "schedule": 60.0},
    "run-campaigns": {"task": "campaigns.tasks.launch_campaigns", "schedule": 5.0},
    "settle-undecided": {"task": "payments.tasks.sweep", "schedule": 10.0},
    "due-payments": {"task": "payments.tasks.run_due", "schedule": 30.0},
    "forgotten-methods": {"task": "payments.tasks.forget_finished", "schedule": 3600.0},
    "statements-of-the-law": {"task": "payments.tasks.write_statements", "schedule": 21600.0},
    "reviewed-arrangements": {"task": "payments.tasks.review_arrangements", "schedule": 900.0},
    "go-on-simulating": {"task": "settlements.tasks.simulate", "schedule": 30.0},
    "expired-offers": {"task": "settlements.tasks.expire_offers", "schedule": 300.0},
    "ended-pauses": {"task": "settlements.tasks.end_pauses", "schedule": 300.0},
    "expired-budgets": {"task": "settlements.tasks.expire_budgets", "schedule": 3600.0},
    "compared-books": {"task": "portal.tasks.reconcile", "schedule": crontab(hour=3, minute=10)},
    "contacts-of-hosts": {"task": "portal.tasks.tell_contacts", "schedule": 300.0},  # and one mail at most in each
    "abandoned-visits": {"task": "portal.tasks.end_idle_visits", "schedule": 60.0},
}
# After an outage or behind long work one of each is enough: what came too late is dropped, the next one does it all.
for _entry in CELERY_BEAT_SCHEDULE.values():
    if isinstance(_entry["schedule"], float):
        _entry["options"] = {"expires": max(_entry["schedule"], 10.0)}

# Limits -------------------------------------------------------------------------------------------------------
PUSH_LIMIT = 5_000  # accounts in one request; a larger population is a file
PUSH_OBJECTS = 400_000  # in its JSON: 20 MB of accounts, their contacts and payments have fewer
PUSH_ERRORS = 1_000  # listed in its answer; more are counted
FILES_DIR = env("FILES_DIR", default=str(LOCAL_DIR / "files"))  # sealed; every machine of the site sees the same one
FILE_LIMIT = 2 * 2**30  # bytes of one file as it is sent
FILE_UNPACKED_LIMIT = 16 * 2**30  # bytes of one file unpacked
FILE_RATIO = 200  # how far gzip may unfold: JSON of accounts packs 10 to 25 times
FILE_RECORD_LIMIT = 256 * 2**10  # bytes of one record; the fullest one has a tenth of it
# How far a host's clock or zone may be ahead of ours; the hosts of a demonstration have clocks that are moved.
AS_OF_AHEAD_HOURS = 10 * 366 * 24 if DEMO else 24
FILE_READ_AHEAD = 5_000  # records compared at once with what is known
FILE_CHUNK = env.int(
    "FILE_CHUNK", default=1_000
)  # accounts in one transaction: a consumer who pays meanwhile waits a second at most
FILE_ERRORS_KEPT = 100_000  # line errors of one file; more are counted only
FILE_PREVIEW = 100  # changes that a dry run shows
FILE_SECONDS = 240.0  # of one task; the next one goes on where it stopped
FILE_CLAIM_HOURS = 24  # how long a file may be claimed again: a download that broke off would else lose it
FILE_KEEP_DAYS = 30  # how long the content stays after it was applied
FILE_ROOM = 1 * 2**30  # bytes that stay free on the disk; a file that would use them is refused
API_BODY_LIMIT = 1 * 2**20  # bytes of one request of the public API; the largest rule set has a tenth of it
API_RATE = 600  # requests a minute and key; a portfolio is a file, not a loop
API_PAGE, API_PAGE_MOST = 50, 200  # rows of a list
IDEMPOTENCY_HOURS = 48  # how long an answer is given again: a caller that was down for a weekend's day may still ask
QUOTE_HOURS = 24  # how long figures stand before they have to be asked for again
HOST_FRESH_TIMEOUT = 0.8  # seconds a consumer waits at login for the host's own figures
HOST_TIMEOUT = 10.0  # seconds for one delivery to a host
HOST_ANSWER_LIMIT = 1 * 2**20  # bytes read of a host's answer
PRIVATE_NETWORKS = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"]
HOST_NETWORKS = [  # of our own, that hosts may stand in: many a host is beside the portal; never link-local addresses
    ip_network(entry)
    for entry in env.list("HOST_NETWORKS", default=PRIVATE_NETWORKS + ([] if TLS else ["127.0.0.0/8", "::1/128"]))
]
HOST_PLAIN_HTTP = not TLS  # https only where consumers' pages are: keys and bank numbers go there
WEBHOOK_PLAIN_HTTP = not TLS  # https only where consumers' pages are
WEBHOOK_NETWORKS = [  # of our own, that webhooks may be sent into; everything else private is refused (SSRF)
    ip_network(entry) for entry in env.list("WEBHOOK_NETWORKS", default=["127.0.0.0/8"] if DEMO else [])
]
WEBHOOK_ANSWER_LIMIT = 64 * 2**10  # bytes read of an endpoint's answer: only its status counts
FEED_WAIT = 20  # seconds that a request for events may wait for some
FEED_WAITERS = 1  # requests that may wait at once in one web process of four threads; the next is answered at once
PROCESSOR_TIMEOUT = 20.0  # seconds; then the outcome is unknown and the sweep asks
INTENT_LIFE = 15 * 60  # seconds an undecided intent may live before it is voided at the processor and released
DUE_SECONDS = 25.0  # of one due run: the next one goes on where it stopped; a sweep waits no longer behind it
DUE_CONNECTIONS, DUE_CONNECTIONS_PER_MERCHANT = 16, 8  # of one due run to processors, far below what Stripe allows
IDLE_SECONDS = 15 * 60  # AUTH-08, A11Y-08
IDLE_WARNING_SECONDS = 14 * 60
CODE_SECONDS = 600  # AUTH-07
CODE_TRIES = 5
CODE_RESEND_SECONDS = 30

# Pages --------------------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("es", _("Spanish"))]
LANGUAGE_COOKIE_NAME = "language"
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
STATIC_ROOT = Path(env("STATIC_ROOT", default=str(BASE_DIR / "staticfiles")))
WHITENOISE_AUTOREFRESH = TESTING or DEBUG  # no test client reads the whole folder, which a demonstration may be filling
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if TESTING or DEBUG
        # The demonstration starts in seconds: compressing everything takes most of a minute.
        else "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
        if DEMO
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "manifest-src": [SELF],
    }
}
# The theme's Alpine evaluates strings and sets inline styles; the relaxation ends with the staff's pages and the API's.
STAFF_CONTENT_SECURITY_POLICY = {
    "script-src": ["'unsafe-eval'"],
    "style-src": ["'unsafe-inline'"],
}

# Staff --------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
STAFF_SECOND_FACTOR = flag("STAFF_SECOND_FACTOR", default=not (DEMO or TESTING))
PASSWORD_HASHERS = (
    ["django.contrib.auth.hashers.MD5PasswordHasher"]
    if TESTING
    else ["django.contrib.auth.hashers.Argon2PasswordHasher"]
)
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/admin/"
ACCOUNT_ADAPTER = "portal.staff.NoSignUp"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_RATE_LIMITS = {"login_failed": "20/m/ip,5/30m/key"}  # a lock of half an hour, also for the right password
STAFF_IDLE_SECONDS = 15 * 60  # PCI-08
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = DEMO or DEBUG or TESTING
MFA_TOTP_ISSUER = "Quittance"
MFA_ADAPTER = "portal.staff.SealedFactors"
UNFOLD = {
    "SITE_TITLE": "Quittance",
    "SITE_HEADER": "portal.dashboard.site_header",
    "SITE_SUBHEADER": "portal.dashboard.site_subheader",
    "SITE_SYMBOL": "receipt_long",
    "SITE_FAVICONS": [{"rel": "icon", "href": "portal.dashboard.icon"}],
    "SITE_URL": None,
    "SHOW_VIEW_ON_SITE": False,
    "ENVIRONMENT": "portal.dashboard.environment",
    "ACCOUNT": {"navigation": "portal.dashboard.own_links"},
    "DASHBOARD_CALLBACK": "portal.dashboard.dashboard",
    "STYLES": ["portal.dashboard.style_sheet"],
    "SCRIPTS": ["portal.dashboard.script"],
    "SIDEBAR": {"show_search": False, "navigation": "portal.dashboard.navigation"},
    "COLORS": {
        "primary": {  # the ink of the consumer pages, from paper to night
            "50": "oklch(97.5% .012 210)",
            "100": "oklch(94% .022 212)",
            "200": "oklch(88% .04 214)",
            "300": "oklch(79% .06 216)",
            "400": "oklch(66% .075 217)",
            "500": "oklch(53% .075 218)",
            "600": "oklch(45% .068 219)",
            "700": "oklch(39% .06 220)",
            "800": "oklch(34% .05 221)",
            "900": "oklch(29% .042 222)",
            "950": "oklch(22% .034 223)",
        },
    },
}

# API ----------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "portal.problems.handler",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Quittance",
    "DESCRIPTION": "What other systems say to the portal, and what the portal says back.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "POSTPROCESSING_HOOKS": [],  # the few words of a field stand with it: half of all fields are called status
}

DJANGO_STRUCTLOG_TRUST_UPSTREAM_REQUEST_ID = True  # portal.middleware.RequestId has put ours there
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False  # it believes any X-Forwarded-For; the edge binds the address it trusts
METRICS_FROM = [ip_network(entry) for entry in env.list("METRICS_FROM", default=["127.0.0.1", "::1"])]
METRICS_TIMEOUT = 2.0  # seconds a scrape may ask the database

# Operations ---------------------------------------------------------------------------------------------------
SILENCED_SYSTEM_CHECKS = [
    "security.W021" if not TLS else "security.W000",
]
if dsn := env("SENTRY_DSN", default=""):
    import sentry_sdk

    from portal.logs import scrub_sentry

    sentry_sdk.init(
        dsn=dsn,
        send_default_pii=False,
        before_send=scrub_sentry,
        max_request_body_size="never",
        include_local_variables=False,  # a code or the end of an SSN has no name there that tells it (AUTH-10)
    )

from portal.logs import LOGGING  # noqa: E402, F401 - the scrubber's own module
