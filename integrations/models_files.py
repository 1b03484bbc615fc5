"""Files of hosts: how they read, what was taken and made, what was wrong with them, and where they travel."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.crypto import SealedField
from accounts.tenancy import Row, TenantForeignKey
from integrations.models import HostConnection


class FileFormat(Row):
    """How a connection's own files read: a mapping to the canonical record and back, as data (integrations/formats)."""

    class Kind(models.TextChoices):
        PLACEMENT = "placement", _("placement: accounts as a whole")
        UPDATE = "update", _("update: only what changed")
        ACTIVITY = "activity", _("activity, out")

    connection = TenantForeignKey(HostConnection, related_name="formats")
    name = models.CharField(_("name"), max_length=80)
    kind = models.CharField(_("for"), max_length=9, choices=Kind, default=Kind.PLACEMENT)
    mapping = models.JSONField(_("mapping"), default=dict)
    is_active = models.BooleanField(_("active"), default=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta(Row.Meta):
        verbose_name = _("file format")
        verbose_name_plural = _("file formats")
        constraints = [
            models.UniqueConstraint(
                name="one_live_format_per_kind", fields=["connection", "kind"], condition=models.Q(is_active=True)
            )
        ]

    def __str__(self) -> str:
        return self.name


class HostFile(Row):
    """One file of a host: taken once, applied chunk by chunk up to `done_line`, or made for the host to claim once."""

    class Kind(models.TextChoices):
        PLACEMENT = "placement", _("placement")
        UPDATE = "update", _("update")
        ACTIVITY = "activity", _("activity")

    class State(models.TextChoices):
        RECEIVED = "received", _("received")
        WORKING = "working", _("working")
        APPLIED = "applied", _("applied")
        CHECKED = "checked", _("checked, nothing applied")
        BROKEN = "broken", _("broken")
        STOPPED = "stopped", _("stopped")
        READY = "ready", _("ready")
        CLAIMED = "claimed", _("claimed")

    LIVE = (State.RECEIVED, State.WORKING, State.APPLIED)

    connection = TenantForeignKey(HostConnection, related_name="files")
    kind = models.CharField(_("kind"), max_length=9, choices=Kind)
    outgoing = models.BooleanField(_("outgoing"), default=False)
    name = models.CharField(_("name"), max_length=200)
    source = models.CharField(_("came by"), max_length=10, help_text="api, staff, sftp, site, command")
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.RECEIVED)
    dry_run = models.BooleanField(_("dry run"), default=False)
    sha256 = models.CharField(max_length=64, blank=True)
    size = models.BigIntegerField(_("bytes"), default=0)
    counts = models.JSONField(_("counts"), default=dict)
    done_line = models.BigIntegerField(_("done up to line"), default=0)
    broken_code = models.CharField(_("why"), max_length=40, blank=True)
    broken_line = models.BigIntegerField(_("at line"), null=True)
    broken_text = models.CharField(max_length=300, blank=True)
    preview = models.JSONField(_("what would change"), default=list)
    from_sequence = models.BigIntegerField(null=True, help_text="of an extraction: events after this one")
    to_sequence = models.BigIntegerField(null=True)
    since_at = models.DateTimeField(null=True, help_text="of an extraction by time")
    until_at = models.DateTimeField(null=True)
    by = models.CharField(_("by"), max_length=80)
    made_at = models.DateTimeField(_("received"))
    as_of = models.DateTimeField(_("as of"), null=True, help_text="of rows that say no time of their own")
    started_at = models.DateTimeField(_("started"), null=True)
    finished_at = models.DateTimeField(_("finished"), null=True)
    claimed_at = models.DateTimeField(_("claimed"), null=True)
    answered_at = models.DateTimeField(null=True, help_text="the host got the result file")
    forgotten_at = models.DateTimeField(null=True, help_text="the content was removed")

    class Meta(Row.Meta):
        verbose_name = _("host file")
        verbose_name_plural = _("host files")
        constraints = [
            models.UniqueConstraint(
                name="file_taken_once",
                fields=["connection", "kind", "sha256"],
                condition=models.Q(
                    outgoing=False, dry_run=False, as_of=None, state__in=("received", "working", "applied")
                ),
            ),
            models.UniqueConstraint(name="no_two_files_of_one_age", fields=["connection", "as_of"]),
        ]
        indexes = [
            models.Index(name="file_to_do", fields=["made_at"], condition=models.Q(state__in=("received", "working"))),
            models.Index(name="file_of_connection", fields=["agency", "connection", "-made_at"]),
        ]

    def __str__(self) -> str:
        return self.name


class HostFileError(Row):
    """One error of one line, written in the transaction of its chunk; given back to the host as a file."""

    file = TenantForeignKey(HostFile, models.CASCADE, related_name="errors")
    line = models.BigIntegerField(_("line"))
    place = models.IntegerField(default=0, help_text="among the errors of the file")
    reference = models.CharField(_("reference"), max_length=60, blank=True)
    field = models.CharField(_("field"), max_length=120, blank=True)
    code = models.CharField(_("code"), max_length=40)
    message = models.CharField(_("message"), max_length=300)

    class Meta(Row.Meta):
        verbose_name = _("line error")
        verbose_name_plural = _("line errors")
        indexes = [models.Index(name="error_of_line", fields=["agency", "file", "place"])]

    def __str__(self) -> str:
        return f"{self.line}: {self.code}"


class HostSite(Row):
    """Where files travel: the host's SFTP site, which we visit, and the keys with which the host visits ours."""

    connection = TenantForeignKey(HostConnection, related_name="sites")
    host = models.CharField(_("host"), max_length=200, blank=True, help_text=_("Empty: we visit no site."))
    port = models.PositiveIntegerField(_("port"), default=22)
    username = models.CharField(_("user name"), max_length=80, blank=True)
    private_key = SealedField(_("our private key"), blank=True, default="")
    host_key = models.TextField(_("the site's key"), blank=True, help_text=_("Pinned: another one is refused."))
    collect_from = models.CharField(_("we collect from"), max_length=200, default="out")
    drop_to = models.CharField(_("we drop to"), max_length=200, default="in")
    archive_to = models.CharField(_("collected files go to"), max_length=200, default="out/archive")
    update_names = models.CharField(_("names of update files"), max_length=100, default="*update*")
    every_minutes = models.PositiveIntegerField(_("every (minutes)"), default=15)
    extract_minutes = models.PositiveIntegerField(_("activity every (minutes), 0: never"), default=0)
    site_keys = models.JSONField(_("keys of the host for our site"), default=list, blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    next_at = models.DateTimeField(null=True, editable=False)
    extract_at = models.DateTimeField(null=True, editable=False)
    visited_at = models.DateTimeField(null=True, editable=False)
    failures = models.PositiveIntegerField(default=0, editable=False)
    trouble = models.CharField(max_length=300, blank=True, editable=False)

    class Meta(Row.Meta):
        verbose_name = _("file site")
        verbose_name_plural = _("file sites")
        constraints = [models.UniqueConstraint(name="one_site_per_connection", fields=["connection"])]

    def __str__(self) -> str:
        return self.host or str(self.pk)
