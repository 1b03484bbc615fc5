from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Agencies, clients, consumers, accounts, contact points, consent, events."""

    name = "accounts"
    verbose_name = "Accounts"
