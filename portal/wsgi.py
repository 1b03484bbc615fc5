"""The WSGI entry point."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
application = get_wsgi_application()
# What was imported lives as long as the process: the collector need not walk through it again and again.
gc.freeze()
gc.set_threshold(10_000, 10, 10)
