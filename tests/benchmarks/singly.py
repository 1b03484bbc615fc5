"""The product's worker for a host that takes no lists: one event in a request, many requests at once."""

from celery.signals import worker_process_init

from portal.celery import app

__all__ = ["app"]


@worker_process_init.connect
def _one_by_one(**_kwargs) -> None:
    from integrations.services import drain

    drain.EVENTS_PER_REQUEST = 1
    drain.REQUESTS_PER_HOST = 32
