from django.apps import AppConfig


class IntegrationsConfig(AppConfig):
    name = "integrations"
    verbose_name = "Integrations"

    def ready(self) -> None:
        """Fill the ports of the floors below: fresh data, the routing table, the nudge after a commit."""
        from accounts import events
        from accounts.services import fresh
        from integrations import wake
        from integrations.services import receive, route
        from payments.services import batches, visible
        from payments.services import route as payment_route

        fresh.ask_host = receive.fetch
        payment_route.table = route.routing_table
        batches.file_hosts = route.file_hosts
        visible.of_connection = route.visible_statuses
        if wake.wake not in events.listeners:
            events.listeners.append(wake.wake)
