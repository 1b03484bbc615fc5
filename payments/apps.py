from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    name = "payments"
    verbose_name = "Payments"

    def ready(self) -> None:
        """Tell the floor below what is owed less by payments that hosts do not show yet: portfolios and budgets."""
        from payments.services.budget import stands
        from payments.services.unposted import unposted
        from settlements.services import affordability, portfolio

        portfolio.unposted = unposted
        affordability.stands = stands
