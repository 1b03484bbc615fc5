from django.apps import AppConfig, apps
from django.contrib.admin.apps import SimpleAdminConfig
from django.contrib.admin.checks import check_admin_app, check_dependencies
from django.core import checks as django_checks
from django.db.models.signals import post_migrate


class StaffPages(SimpleAdminConfig):
    """Load the pages of staff with the addresses (portal/urls.py) and where they are checked, not in every process.

    Workers, the intake of files and commands show none of them: without them each is eleven megabytes smaller.
    """

    def ready(self) -> None:
        django_checks.register(check_dependencies, django_checks.Tags.admin)
        django_checks.register(_check_pages, django_checks.Tags.admin)


def _check_pages(app_configs, **kwargs) -> list:
    from django.contrib import admin

    admin.autodiscover()
    return check_admin_app(app_configs, **kwargs)


class PortalConfig(AppConfig):
    name = "portal"
    verbose_name = "Portal"
    default = True  # of the two in this module

    def ready(self) -> None:
        """Put our door into the staff site; make the roles after each migrate."""
        from django.contrib import admin

        from accounts.services import desk
        from portal import checks, staff  # noqa: F401 - checks register themselves

        staff.guard(admin.site)
        desk.invite, desk.give_role, desk.roles = staff.invite, staff.give_role, staff.ROLES.keys
        # Sent for apps with models only, in their order: the last one's permissions are there by then.
        post_migrate.connect(_make_roles, sender=apps.get_app_config("integrations"))


def _make_roles(*, using: str, **_kwargs) -> None:
    from portal import staff

    if using == "default":
        staff.make_roles()
