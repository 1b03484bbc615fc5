from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    name = "campaigns"
    verbose_name = "Campaigns"

    def ready(self) -> None:
        """Fill the ports of the floors below: who sends codes, who is nudged after events, who may contact."""
        from accounts import events
        from accounts.services import codes, outreach, talk, writing
        from campaigns import tasks
        from campaigns.services import (
            audit,
            hosted,
            hosted_drafts,
            hosted_templates,
            hosted_texts,
            joining,
            outbox,
            permission,
            texts,
        )

        codes.sender, codes.texts_to = outbox.deliver_code, texts.for_codes
        events.listeners.append(tasks.wake)
        outreach.ask, outreach.settle = permission.ask, permission.settle
        outreach.messages, outreach.joinable = audit.export, joining.names
        outreach.start_campaign, outreach.campaign, outreach.stop_campaign = hosted.start, hosted.find, hosted.stop
        talk.conversations, talk.shown, talk.ways = hosted_texts.conversations, hosted_texts.shown, hosted_texts.ways
        talk.reply, talk.settle, talk.revoke = hosted_texts.reply, hosted_texts.settle, hosted_texts.revoke
        talk.carrier, talk.put_carrier = hosted_texts.carrier, hosted_texts.put_carrier
        writing.templates, writing.template = hosted_templates.rows, hosted_templates.shown
        writing.ready, writing.preview = hosted_templates.ready, hosted_templates.preview
        writing.make_template, writing.save_words = hosted_templates.make, hosted_templates.save
        writing.publish, writing.retire = hosted_templates.publish, hosted_templates.retire
        writing.campaigns, writing.campaign = hosted_drafts.rows, hosted.shown
        writing.all_campaigns, talk.all_shown = hosted.all_shown, hosted_texts.all_shown
        writing.draft_campaign, writing.change_campaign = hosted_drafts.draft, hosted_drafts.change
        writing.audience, writing.submit, writing.take_back = (
            hosted_drafts.chosen,
            hosted_drafts.submit,
            hosted_drafts.take_back,
        )
        writing.pause, writing.resume, writing.copy = hosted_drafts.pause, hosted_drafts.resume, hosted_drafts.copy
