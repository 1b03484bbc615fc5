"""Addresses of this floor, under /api/v1/. All but the pushes of hosts are named by a key of the agency."""

from django.urls import path

from integrations.api import accounts, exchange, hosts, offers, quotes, rulesets, simulations

app_name = "integrations"
urlpatterns = [
    path("hosts/<uuid:connection_id>/accounts", hosts.PushAccounts.as_view(), name="push-accounts"),
    path("accounts", accounts.Accounts.as_view(), name="accounts"),
    path("accounts/<uuid:account_id>", accounts.OneAccount.as_view(), name="account"),
    path("accounts/<uuid:account_id>/options", accounts.AccountOptions.as_view(), name="options"),
    path("accounts/<uuid:account_id>/quotes", quotes.AccountQuotes.as_view(), name="account-quotes"),
    path("accounts/<uuid:account_id>/offers", offers.AccountOffers.as_view(), name="account-offers"),
    path("offers/<uuid:offer_id>/withdraw", offers.WithdrawOffer.as_view(), name="withdraw-offer"),
    path("default-offer", offers.DefaultOffer.as_view(), name="default-offer"),
    path("quotes/<uuid:quote_id>", quotes.OneQuote.as_view(), name="quote"),
    path("quotes/<uuid:quote_id>/accept", quotes.AcceptQuote.as_view(), name="accept-quote"),
    path("rule-sets", rulesets.RuleSets.as_view(), name="rule-sets"),
    path("rule-sets/export", exchange.ExportRuleSets.as_view(), name="export-rule-sets"),
    path("rule-sets/import", exchange.ImportRuleSets.as_view(), name="import-rule-sets"),
    path("rule-sets/<uuid:rule_set_id>", rulesets.OneRuleSet.as_view(), name="rule-set"),
    path("rule-sets/<uuid:rule_set_id>/submit", rulesets.SubmitRuleSet.as_view(), name="submit-rule-set"),
    path("rule-sets/<uuid:rule_set_id>/discard", rulesets.DiscardRuleSet.as_view(), name="discard-rule-set"),
    path("rule-sets/<uuid:rule_set_id>/publish", rulesets.PublishRuleSet.as_view(), name="publish-rule-set"),
    path("rule-sets/<uuid:rule_set_id>/withdraw", rulesets.WithdrawRuleSet.as_view(), name="withdraw-rule-set"),
    path("rule-sets/<uuid:rule_set_id>/roll-back", rulesets.RollBackRuleSet.as_view(), name="roll-back-rule-set"),
    path("rule-sets/<uuid:rule_set_id>/simulations", simulations.RuleSetSimulations.as_view(), name="simulate"),
    path("simulations/<uuid:simulation_id>", simulations.OneSimulation.as_view(), name="simulation"),
]
