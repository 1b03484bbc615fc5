from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate


class PortalConfig(AppConfig):
    name = "portal"
    verbose_name = "Portal"

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
