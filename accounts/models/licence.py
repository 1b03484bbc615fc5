"""The agency's licences to collect, by state."""

import pgtrigger
from django.db import models, transaction
from django.utils.translation import gettext_lazy as _

from accounts.licensing import STATES
from accounts.models.agency import Agency
from accounts.tenancy import Row


class Licence(Row):
    """A licence of the agency in one state for a time (ST-09); ended, never deleted."""

    state = models.CharField(_("state"), max_length=2, choices=[(state, state) for state in STATES])
    line = models.CharField(
        _("line"),
        max_length=200,
        blank=True,
        help_text=_("As it is printed for who lives there. Empty where no licence is needed: nothing is printed."),
    )
    starts_on = models.DateField(_("from"))
    ends_on = models.DateField(_("until"), null=True, blank=True, help_text=_("The last day. Empty: no end is known."))

    class Meta(Row.Meta):
        verbose_name = _("licence")
        verbose_name_plural = _("licences")
        constraints = [
            models.CheckConstraint(
                name="licence_ends_after_it_starts",
                condition=models.Q(ends_on__isnull=True) | models.Q(ends_on__gte=models.F("starts_on")),
                violation_error_message=_("The last day must not be before the first."),
            )
        ]
        indexes = [models.Index(name="licence_of_state", fields=["agency", "state"])]
        triggers = [pgtrigger.Protect(name="no_delete", operation=pgtrigger.Delete)]

    def save(self, *args, **kwargs) -> None:
        """Write it and give the agency's face, on which it is printed, a new version."""
        with transaction.atomic():
            super().save(*args, **kwargs)
            Agency.objects.filter(pk=self.agency_id).update(branding_version=models.F("branding_version") + 1)

    def __str__(self) -> str:
        return f"{self.state} {self.starts_on}"
