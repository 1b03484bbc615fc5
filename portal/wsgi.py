"""The WSGI entry point."""

import gc
import os
from importlib import import_module

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
application = get_wsgi_application()
import_module(settings.ROOT_URLCONF)  # now, and not while the first consumer waits
# What was imported lives as long as the process: the collector need not walk through it again and again.
gc.freeze()
gc.set_threshold(10_000, 10, 10)
