"""What others do with one event: a Celery task each, or pgqueuer (`python -m tests.benchmarks.peers`)."""

import asyncio
import json
import os
import sys
from urllib.parse import urlsplit

from portal.celery import app

app.set_default()


@app.task(name="bench.deliver_one", queue="peer")
def deliver_one(delivery_id: str) -> None:
    """Deliver one event the usual way: read it by the ORM, post it by a kept-alive session, write it down."""
    from django.utils import timezone

    from accounts.tenancy import ALL_AGENCIES, acting_for
    from integrations.models import Delivery

    with acting_for(ALL_AGENCIES):
        delivery = Delivery.objects.select_related("event", "account").get(pk=delivery_id)
        event = delivery.event
        message = {"EventID": str(event.pk), "Event": event.kind, "Data": event.data}
        body = json.dumps([message], separators=(",", ":"))
        answer = session().post(os.environ["SINK_URL"] + "/events", data=body, timeout=10)
        answer.raise_for_status()
        delivery.status, delivery.decided_at, delivery.attempts = Delivery.Status.DELIVERED, timezone.now(), 1
        delivery.save(update_fields=["status", "decided_at", "attempts"])


def session():
    """Give this process's kept-alive HTTP session."""
    global _session
    if _session is None:
        import requests

        _session = requests.Session()
        _session.trust_env = False
        _session.headers["Content-Type"] = "application/json"
    return _session


_session = None


async def pgqueuer(database: dict, sink: str, bodies: list[bytes]) -> None:
    """Queue every body as a job of pgqueuer and work until all are done, over 32 kept-alive connections."""
    import asyncpg
    from pgqueuer import AsyncpgPoolDriver, PgQueuer, Queries
    from pgqueuer.types import QueueExecutionMode

    async with asyncpg.create_pool(**database, min_size=2, max_size=8) as pool:
        driver = AsyncpgPoolDriver(pool)
        queries = Queries(driver)
        if not await queries.schema_is_installed():
            await queries.install()
        worker = PgQueuer(driver)
        idle = asyncio.Queue()
        parts = urlsplit(sink)
        for _ in range(32):
            idle.put_nowait(await asyncio.open_connection(parts.hostname, parts.port))
        head = f"POST /events HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\nContent-Length: "

        @worker.entrypoint("post")
        async def post(job) -> None:
            connection = await idle.get()
            reader, writer = connection
            writer.write(f"{head}{len(job.payload)}\r\n\r\n".encode() + job.payload)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = int(answer.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
            await reader.readexactly(length)
            idle.put_nowait(connection)

        await queries.enqueue(["post"] * len(bodies), bodies, [0] * len(bodies))
        print("go", flush=True)
        await worker.run(batch_size=500, mode=QueueExecutionMode.drain)


if __name__ == "__main__":
    given = json.load(sys.stdin)
    asyncio.run(pgqueuer(given["database"], given["sink"], [body.encode() for body in given["bodies"]]))
