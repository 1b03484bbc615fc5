"""The product's settings with one more page, one more middleware and, if asked, a processor that takes no time."""

from portal.settings import *  # noqa: F403
from portal.settings import MIDDLEWARE

ROOT_URLCONF = "tests.benchmarks.server_urls"
MIDDLEWARE = ["tests.benchmarks.server_urls.CountQueries", *MIDDLEWARE]
API_RATE = 10**9  # it is the product that is measured, not the limit that it keeps to
