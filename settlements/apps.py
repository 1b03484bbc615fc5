from django.apps import AppConfig


class SettlementsConfig(AppConfig):
    name = "settlements"
    verbose_name = "Settlements"

    def ready(self) -> None:
        """Let a simulation that was asked for find its worker."""
        from settlements import tasks
        from settlements.services import simulate

        simulate.wake.append(tasks.wake)
