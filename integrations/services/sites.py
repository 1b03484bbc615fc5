"""Visit the hosts' sites when it is time: collect what they left, drop what is theirs, answer every file once."""

import fnmatch
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from django.db.models import F

from accounts.tenancy import ALL_AGENCIES, acting_for
from integrations import sftp, vault
from integrations.models import HostConnection, HostFile, HostSite
from integrations.services import extract, files
from integrations.services.alone import alone, disconnected

log = structlog.get_logger(__name__)
OVER = (HostFile.State.APPLIED, HostFile.State.CHECKED, HostFile.State.BROKEN, HostFile.State.STOPPED)
LONGEST_WAIT = timedelta(hours=6)
"""Between visits to a site that cannot be reached."""
NOT_EXTRACTED = "no activity could be extracted: "


def visit_due(*, clock: Callable[[], datetime]) -> int:
    """Extract and visit where it is time; return how many sites were visited."""
    visited = 0
    with acting_for(ALL_AGENCIES):
        active = HostSite.objects.filter(is_active=True, connection__is_active=True, agency__is_active=True)
        due = [site for site in active.order_by("next_at") if _is_due(site, clock())]
    for site in due:
        with acting_for(site.agency_id), alone(f"site:{site.pk}") as mine:
            if mine:
                visited += _turn(site.pk, clock)
    return visited


def _is_due(site: HostSite, now: datetime) -> bool:
    extracts = site.extract_minutes and (site.extract_at is None or site.extract_at <= now)
    return bool(extracts) or bool(site.host and (site.next_at is None or site.next_at <= now))


def _turn(site_id: UUID, clock: Callable[[], datetime]) -> int:
    now = clock()
    site = HostSite.objects.select_related("connection").get(pk=site_id)
    if not _is_due(site, now):
        return 0
    trouble = _still_not_extracted(site)
    if site.extract_minutes and (site.extract_at is None or site.extract_at <= now):
        trouble = _extract(site, now)
    if not site.host:
        HostSite.objects.filter(pk=site.pk).update(trouble=trouble)
        return 0
    try:
        with sftp.visit(_address(site)) as visit:
            collected = collect(site, visit, now)
            dropped = drop(site, visit, now)
    except (sftp.Unreachable, FileNotFoundError) as error:
        _put_off(site, str(error), trouble, now)
        log.warning("site_not_visited", site=str(site.pk), error=str(error)[:200])
        return 0
    except Exception as error:
        if disconnected():
            raise
        # One site's trouble is no other agency's: those behind it are visited.
        _put_off(site, f"unexpected: {type(error).__name__}", trouble, now)
        log.exception("site_not_visited", site=str(site.pk))
        return 0
    after = {"visited_at": now, "next_at": now + timedelta(minutes=site.every_minutes), "failures": 0}
    HostSite.objects.filter(pk=site.pk).update(**after, trouble=trouble)
    if collected or dropped:
        log.info("site_visited", site=str(site.pk), collected=collected, dropped=dropped)
    return 1


def _still_not_extracted(site: HostSite) -> str:
    """Give the trouble of the last extraction: a visit that goes well ends it no more than one that fails."""
    told = site.trouble.partition("; ")[0]
    return told if site.extract_minutes and told.startswith(NOT_EXTRACTED) else ""


def _put_off(site: HostSite, why: str, trouble: str, now: datetime) -> None:
    wait = min(timedelta(minutes=site.every_minutes) * 2 ** min(site.failures, 8), LONGEST_WAIT)
    told = {
        "trouble": "; ".join(filter(None, (trouble, why)))[:300],
        "failures": F("failures") + 1,
        "next_at": now + wait,
    }
    HostSite.objects.filter(pk=site.pk).update(**told)


def _address(site: HostSite) -> sftp.Address:
    return sftp.Address(site.host, site.port, site.username, site.private_key, site.host_key)


def _extract(site: HostSite, now: datetime) -> str:
    """Extract what is new, or say what the trouble is: files are collected all the same, and no other site waits."""
    trouble = ""
    try:
        if extract.has_news(connection=site.connection):
            extract.extract(connection=site.connection, by="schedule", now=now)
    except Exception as error:
        if disconnected():
            raise
        trouble = f"{NOT_EXTRACTED}{type(error).__name__}"
        log.exception("activity_not_extracted", site=str(site.pk))
    HostSite.objects.filter(pk=site.pk).update(extract_at=now + timedelta(minutes=site.extract_minutes))
    return trouble


def collect(site: HostSite, visit: sftp.Visit, now: datetime) -> int:
    """Take every finished file, and move it out of the way once it is kept; a kill in between takes it once."""
    taken = 0
    found = [(file, kind_of(file.name, site.update_names)) for file in visit.files(site.collect_from)]
    # Sites tell whole seconds: of two files of one second the placement is the older one.
    for file, kind in sorted(found, key=lambda one: (one[0].mtime, one[1], one[0].name)):
        try:
            files.receive(
                connection=site.connection,
                kind=kind,
                name=file.name,
                blocks=visit.blocks(file),
                source="sftp",
                by="schedule",
                now=now,
                length=file.size,
                written_at=datetime.fromtimestamp(file.mtime, UTC) if file.mtime else None,
            )
        except (sftp.Changed, files.Incomplete, FileNotFoundError) as error:
            log.info("file_left_for_later", name=file.name, error=str(error))
            continue
        except files.TooLarge:
            visit.move(file, f"{site.archive_to}/refused")
            visit.drop(site.drop_to, f"{file.name}.result.ndjson", [_too_large(file.name)])
            continue
        visit.move(file, site.archive_to)
        taken += 1
    return taken


def kind_of(name: str, update_names: str) -> str:
    """Tell a placement from an update by its name."""
    matches = fnmatch.fnmatchcase(name.lower(), update_names.lower())
    return HostFile.Kind.UPDATE if matches else HostFile.Kind.PLACEMENT


def drop(site: HostSite, visit: sftp.Visit, now: datetime) -> int:
    """Drop what was made for the host and the results of its files; what is dropped is claimed."""
    dropped = 0
    for file in ready(site.connection):
        visit.drop(site.drop_to, file.name, files.content(file))
        files.claim(file=file, now=now)
        dropped += 1
    for file in unanswered(site.connection, "sftp"):
        visit.drop(site.drop_to, result_name(file), result(file))
        answered(file, now)
        dropped += 1
    return dropped


def ready(connection: HostConnection) -> list[HostFile]:
    """List what waits to be given out, oldest first."""
    waiting = HostFile.objects.filter(connection=connection, outgoing=True, state=HostFile.State.READY)
    return [file for file in waiting.order_by("made_at", "pk") if vault.path_of(file.agency_id, file.pk).exists()]


def unanswered(connection: HostConnection, source: str) -> list[HostFile]:
    """List the files that are over and whose result the host has not got yet."""
    over = HostFile.objects.filter(connection=connection, outgoing=False, source=source, state__in=OVER)
    return list(over.filter(answered_at=None).order_by("made_at", "pk"))


def answered(file: HostFile, now: datetime) -> None:
    """Note that the host has a file's result."""
    HostFile.objects.filter(pk=file.pk).update(answered_at=now)


def result_name(file: HostFile) -> str:
    """Name a result so that two files of one name have two."""
    return f"{file.name}.{file.sha256[:8]}.result.ndjson"


def result(file: HostFile) -> Iterator[bytes]:
    """Give a result file: what became of the file, then its line errors."""
    yield files.result_of(file)
    yield from files.errors_of(file)


def _too_large(name: str) -> bytes:
    return files.result_of(HostFile(name=name, state="broken", broken_code="too_large", broken_text="Too many bytes."))
