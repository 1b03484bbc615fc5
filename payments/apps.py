from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    name = "payments"
    verbose_name = "Payments"

    def ready(self) -> None:
        """Tell the floor below what portfolios owe less by payments that hosts do not show yet."""
        from payments.services.unposted import unposted
        from settlements.services import portfolio

        portfolio.unposted = unposted
