"""The product's settings with one more page, one more middleware and, if asked, a processor that takes no time."""

from portal.settings import *  # noqa: F403
from portal.settings import MIDDLEWARE

ROOT_URLCONF = "tests.benchmarks.server_urls"
MIDDLEWARE = ["tests.benchmarks.server_urls.CountQueries", *MIDDLEWARE]
