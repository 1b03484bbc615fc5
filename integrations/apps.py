from django.apps import AppConfig


class IntegrationsConfig(AppConfig):
    name = "integrations"
    verbose_name = "Integrations"

    def ready(self) -> None:
        """Fill the ports of the floors below: fresh data, who made a key, routes, the nudge after a commit."""
        from accounts import events
        from accounts.services import fresh, people
        from integrations import keys, wake
        from integrations.services import receive, route
        from payments.services import batches, visible
        from payments.services import route as payment_route

        fresh.ask_host = receive.fetch
        people.makers = keys.makers
        payment_route.table = route.routing_table
        batches.file_hosts = route.file_hosts
        visible.of_connection = route.visible_statuses
        if wake.wake not in events.listeners:
            events.listeners.append(wake.wake)
