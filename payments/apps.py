from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    name = "payments"
    verbose_name = "Payments"

    def ready(self) -> None:
        """Tell the floor below what is owed less by payments not shown yet, and rest arrangements with a hardship."""
        from accounts.services import place
        from payments import tasks
        from payments.services import status
        from payments.services.budget import stands
        from payments.services.owed import owed_cents
        from payments.services.unposted import unposted
        from settlements.services import affordability, hardship, offers, portfolio

        portfolio.unposted = unposted
        affordability.stands = stands
        offers.owed_cents = owed_cents
        place.on_status.append(status.account_status_changed)
        if tasks.rest not in hardship.on_pause:
            hardship.on_pause.append(tasks.rest)
