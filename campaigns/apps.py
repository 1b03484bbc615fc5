from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    name = "campaigns"
    verbose_name = "Campaigns"

    def ready(self) -> None:
        """Fill the ports of the floors below: who sends codes, who is nudged after a commit with events."""
        from accounts import events
        from accounts.services import codes
        from campaigns import tasks
        from campaigns.services import outbox

        codes.sender = outbox.deliver_code
        events.listeners.append(tasks.wake)
