"""Files by SFTP: we visit the host's site, and the host visits ours with OpenSSH's own client."""

import datetime as dt
import json
import os
import shutil
import signal
import subprocess
import time

import pytest

from accounts import clock
from accounts.models import Account
from accounts.tenancy import acting_for
from integrations.formats.ready import TAKEWEBPAYMENT
from integrations.models import FileFormat, HostFile
from integrations.models import HostSite as SiteRow
from integrations.services import extract, files, intake, sites
from tests.integrations.file_cast import FileHost, change, ndjson, record
from tests.integrations.site_program import HostSite, SiteProgram, is_private, new_key

needs_sftp = pytest.mark.skipif(shutil.which("sftp") is None, reason="needs OpenSSH's sftp")


@pytest.fixture(autouse=True)
def own_vault(settings, tmp_path):
    settings.FILES_DIR = tmp_path / "vault"


@pytest.fixture
def host(agency, client) -> FileHost:
    return FileHost(agency, client)


# The host's site ----------------------------------------------------------------------------------------------------


@pytest.fixture
def their_site(tmp_path):
    path, public = new_key(tmp_path, "ours")
    site = HostSite(tmp_path / "theirs", public)
    site.our_key = path.read_text()
    yield site
    site.close()


@pytest.fixture
def row(host, agency, their_site):
    with acting_for(agency):
        return SiteRow.objects.create(
            connection=host.connection,
            host="127.0.0.1",
            port=their_site.port,
            username="quittance",
            private_key=their_site.our_key,
            host_key=their_site.host_key,
            extract_minutes=5,
        )


def visit(row, *, minutes=0) -> int:
    with acting_for(row.agency):
        SiteRow.objects.filter(pk=row.pk).update(next_at=None)
    return sites.visit_due(clock=lambda: clock.now() + dt.timedelta(minutes=minutes))


@pytest.mark.django_db
def test_a_visit_collects_applies_answers_archives_and_drops_activity(host, row, their_site, acting):
    their_site.put("out/placement-1.ndjson", ndjson(record("1"), record("2", CurrentBalance="x")))
    their_site.put("out/nightly-update.ndjson", ndjson(change("1", CurrentBalance="5.00")))
    assert visit(row) == 1
    assert their_site.names("out") == ["archive"]
    assert their_site.names("out/archive") == ["nightly-update.ndjson", "placement-1.ndjson"]
    assert intake.work(clock=clock.now, longest=60) == 2
    assert Account.objects.get().balance_cents == 5_00
    assert visit(row, minutes=6) == 1
    names = their_site.names("in")
    assert [name.partition(".")[0].partition("-2")[0] for name in names] == [
        "activity",
        "nightly-update",
        "placement-1",
    ]
    (result,) = [name for name in names if name.startswith("placement")]
    said, error = [json.loads(line) for line in (their_site.folder / "in" / result).read_text().splitlines()]
    assert (said["state"], said["received"], said["accepted"], said["refused"]) == ("applied", 2, 1, 1)
    assert (error["line"], error["reference"], error["code"]) == (2, "2", "invalid_amount")
    (activity,) = [name for name in names if name.startswith("activity")]
    told = [json.loads(line) for line in (their_site.folder / "in" / activity).read_text().splitlines()]
    assert [line["Event"] for line in told] == ["account.placed", "balance.changed"]
    assert visit(row, minutes=7) == 1
    assert their_site.names("in") == names
    assert HostFile.objects.get(outgoing=True).state == "claimed"


@pytest.mark.django_db
def test_unfinished_and_hidden_files_are_left_and_the_same_content_is_taken_once(host, row, their_site, acting):
    body = ndjson(record("1"))
    for name in ("out/a.ndjson.tmp", "out/.hidden.ndjson", "out/b.filepart", "out/again.ndjson", "out/first.ndjson"):
        their_site.put(name, body)
    assert visit(row) == 1
    assert HostFile.objects.count() == 1
    assert their_site.names("out") == [".hidden.ndjson", "a.ndjson.tmp", "archive", "b.filepart"]
    assert their_site.names("out/archive") == ["again.ndjson", "first.ndjson"]


@pytest.mark.django_db
def test_files_of_one_visit_are_as_old_as_the_site_says_and_the_last_one_stands(host, row, their_site, acting):
    FileFormat.objects.create(connection=host.connection, name="TWP", kind="placement", mapping=TAKEWEBPAYMENT)
    head = b"UniqueID,PrimaryFirstName,PrimaryLastName,CurrentBalance\r\n"
    written = dt.datetime(2026, 11, 30, 10, 0, tzinfo=dt.UTC)
    for name, balance in (("b.csv", b"450.50"), ("a.csv", b"300.00"), ("c.csv", b"90.00")):
        their_site.put(f"out/{name}", head + b"T-1,Jane,Doe," + balance + b"\r\n")
        at = written - dt.timedelta(hours=name == "b.csv")
        os.utime(their_site.folder / "out" / name, (at.timestamp(), at.timestamp()))
    assert visit(row) == 1
    assert intake.work(clock=clock.now, longest=60) == 3
    a_moment = dt.timedelta(microseconds=1)
    assert list(HostFile.objects.order_by("as_of").values_list("name", "as_of", "counts__accepted")) == [
        ("b.csv", written - dt.timedelta(hours=1), 1),
        ("a.csv", written, 1),
        ("c.csv", written + a_moment, 1),
    ]
    account = Account.objects.get()
    assert (account.balance_cents, account.as_of) == (90_00, written + a_moment)


@pytest.mark.django_db
def test_a_kill_between_keeping_and_archiving_takes_the_file_once(host, row, their_site, acting):
    body = ndjson(record("1"))
    their_site.put("out/p.ndjson", body)
    visit(row)
    their_site.put("out/p.ndjson", body)  # as if the move had not happened
    visit(row)
    assert HostFile.objects.count() == 1
    assert their_site.names("out/archive") == ["p.ndjson", "p.ndjson.2"]


@pytest.mark.django_db
@pytest.mark.parametrize("wrong", ["host_key", "private_key", "port"])
def test_a_site_with_another_key_or_none_at_all_is_not_visited_and_staff_are_told(
    host, row, their_site, acting, tmp_path, wrong
):
    their_site.put("out/p.ndjson", ndjson(record("1")))
    other, public = new_key(tmp_path, "other")
    values = {"host_key": public, "private_key": other.read_text(), "port": 9}
    site = SiteRow.objects.get()
    setattr(site, wrong, values[wrong])
    site.save()
    assert visit(row) == 0
    site.refresh_from_db()
    assert site.failures == 1
    assert site.trouble
    assert site.next_at > clock.now() + dt.timedelta(minutes=14)
    assert HostFile.objects.filter(outgoing=False).count() == 0
    assert their_site.names("out") == ["p.ndjson"]


@pytest.mark.django_db
def test_each_agency_visits_its_own_site_only(host, row, their_site, other_agency, client, tmp_path, agency):
    other_host = FileHost(other_agency, client)
    _path, public = new_key(tmp_path, "unused")
    with acting_for(other_agency):
        SiteRow.objects.create(connection=other_host.connection, host="", host_key=public)
    their_site.put("out/p.ndjson", ndjson(record("1")))
    assert visit(row) == 1
    intake.work(clock=clock.now, longest=60)
    with acting_for(other_agency):
        assert HostFile.objects.count() == Account.objects.count() == 0
    with acting_for(agency):
        assert Account.objects.count() == 1


# Our site -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def our_site(host, agency, tmp_path, transactional_db):
    key, public = new_key(tmp_path, "theirs")
    with acting_for(agency):
        SiteRow.objects.create(connection=host.connection, site_keys=[public])
    site = SiteProgram(tmp_path)
    site.key, site.user = key, str(host.connection.pk)
    yield site
    site.close()


@needs_sftp
@pytest.mark.django_db(transaction=True)
def test_openssh_brings_fetches_and_finds_the_archive(host, our_site, agency, tmp_path):
    body = ndjson(record("1"), record("2", LastName=""))
    (tmp_path / "place.ndjson").write_bytes(body)
    (tmp_path / "u.tmp").write_bytes(ndjson(change("1", CurrentBalance="7.00")))
    done = our_site.sftp(
        our_site.user,
        our_site.key,
        "ls",
        f"put {tmp_path}/place.ndjson in/place.ndjson",
        f"put {tmp_path}/u.tmp in/update.ndjson.part",
        "ls -l in",
        "rename in/update.ndjson.part in/update.ndjson",
    )
    assert done.returncode == 0, done.stderr
    assert "archive" in done.stdout
    with acting_for(agency):
        taken = list(HostFile.objects.order_by("made_at").values_list("name", "kind", "source", "size"))
    assert [(name, kind, source) for name, kind, source, _size in taken] == [
        ("place.ndjson", "placement", "site"),
        ("update.ndjson", "update", "site"),
    ]
    assert taken[0][3] == len(body)
    assert not list((tmp_path / "vault" / "quarantine").iterdir())
    assert is_private(tmp_path / "site_key")
    assert intake.work(clock=clock.now, longest=60) == 2
    with acting_for(agency):
        assert Account.objects.get().balance_cents == 7_00
        extract.extract(connection=host.connection, by="test", now=clock.now())
    done = our_site.sftp(our_site.user, our_site.key, f"lcd {tmp_path}", "get out/*", "ls out", "ls archive")
    assert done.returncode == 0, done.stderr
    results = sorted(tmp_path.glob("*.result.ndjson"))
    assert [json.loads(path.read_text().splitlines()[0])["accepted"] for path in results] == [1, 1]
    (activity,) = tmp_path.glob("activity-*.ndjson")
    assert len(activity.read_text().splitlines()) == 2
    with acting_for(agency):
        assert HostFile.objects.get(outgoing=True).state == "claimed"
    again = our_site.sftp(our_site.user, our_site.key, "ls -1 out", "ls -1 archive")
    assert "result" not in again.stdout
    assert len([line for line in again.stdout.splitlines() if "ndjson" in line]) == 3


@needs_sftp
@pytest.mark.django_db(transaction=True)
def test_nobody_gets_further_than_their_own_root(host, our_site, agency, other_agency, client, tmp_path):
    other_host = FileHost(other_agency, client)
    other_key, other_public = new_key(tmp_path, "others")
    with acting_for(other_agency):
        SiteRow.objects.create(connection=other_host.connection, site_keys=[other_public])
    for user, key in (
        (our_site.user, other_key),
        (str(other_host.connection.pk), our_site.key),
        ("root", our_site.key),
        ("0190c0de-0000-7000-8000-000000000000", our_site.key),
    ):
        refused = our_site.sftp(user, key, "ls")
        assert (refused.returncode, refused.stdout.replace("sftp> ls", "").strip()) == (255, ""), user
    (tmp_path / "x").write_bytes(b"x")
    tries = ["get /etc/passwd", "ls ../..", "get out/../../../etc/passwd", f"put {tmp_path}/x out/x", "mkdir in/y"]
    tries += [
        f"put {tmp_path}/x x",
        "symlink /etc/passwd in/z",
        "get archive/nothing",
        "rm in/nothing",
        "rename out in",
    ]
    for line in tries:
        done = our_site.sftp(our_site.user, our_site.key, line)
        assert done.returncode != 0 or "passwd" not in done.stdout, line
        assert done.returncode != 0 or line == "ls ../..", (line, done.stdout)
    with acting_for(agency):
        assert HostFile.objects.count() == 0
    options = ["-F", "/dev/null", "-o", "BatchMode=yes", "-o", f"UserKnownHostsFile={tmp_path / 'known_hosts'}"]
    words = ["-i", str(our_site.key), "-p", str(our_site.port), f"{our_site.user}@127.0.0.1", "id"]
    shell = subprocess.run(["ssh", *options, *words], capture_output=True, text=True, timeout=60)
    assert shell.returncode != 0
    assert "uid=" not in shell.stdout
    with acting_for(agency):
        host.connection.ip_allow = ["10.0.0.0/8"]
        host.connection.save()
    assert our_site.sftp(our_site.user, our_site.key, "ls").returncode == 255


@needs_sftp
@pytest.mark.django_db(transaction=True)
def test_an_upload_that_is_cut_off_is_not_taken(host, our_site, agency, tmp_path):
    (tmp_path / "big.ndjson").write_bytes(ndjson(record("1")) * 60_000)
    command = ["sftp", "-q", "-l", "2000", "-F", "/dev/null", "-i", str(our_site.key), "-P", str(our_site.port)]
    command += ["-o", f"UserKnownHostsFile={tmp_path / 'known_hosts'}", "-b", "-", f"{our_site.user}@127.0.0.1"]
    client = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
    client.stdin.write(f"put {tmp_path}/big.ndjson in/big.ndjson\n".encode())
    client.stdin.flush()
    quarantine = tmp_path / "vault" / "quarantine"
    wait_until(lambda: quarantine.exists() and any(path.stat().st_size > 2**16 for path in quarantine.iterdir()))
    os.killpg(client.pid, signal.SIGKILL)
    client.wait(10)
    client.stdin.close()
    wait_until(lambda: not list(quarantine.iterdir()))
    with acting_for(agency):
        assert HostFile.objects.count() == 0


def wait_until(holds, seconds=30.0) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it did not come to that"
        time.sleep(0.05)


def test_names_that_matter():
    assert sites.kind_of("Nightly_UPDATE_7.json", "*update*") == "update"
    assert sites.kind_of("population.json", "*update*") == "placement"
    assert files.clean_name("a/b\\c.json") == "c.json"
