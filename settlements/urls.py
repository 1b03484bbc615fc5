"""Addresses of budgets and hardship pauses, all on the agency's own host and for level 2."""

from django.urls import path

from settlements.views import budget, hardship

app_name = "settlements"
urlpatterns = [
    path("accounts/<uuid:account_id>/budget/", budget.overview, name="budget"),
    path("accounts/<uuid:account_id>/budget/review/", budget.review, name="budget_review"),
    path("accounts/<uuid:account_id>/budget/result/", budget.result, name="budget_result"),
    path("accounts/<uuid:account_id>/budget.pdf", budget.as_pdf, name="budget_pdf"),
    path("accounts/<uuid:account_id>/budget.json", budget.as_json, name="budget_json"),
    path("accounts/<uuid:account_id>/budget/<slug:section>/", budget.section, name="budget_section"),
    path("accounts/<uuid:account_id>/hardship/", hardship.pause, name="hardship"),
    path("accounts/<uuid:account_id>/hardship/documents/", hardship.document, name="hardship_document"),
    path("accounts/<uuid:account_id>/hardship/end/", hardship.end, name="hardship_end"),
]
