"""Addresses of the money pages, all on the agency's own host. A checkout's id is the key of the payment it becomes."""

from django.urls import path

from payments.views import adjust, agreeing, checkout, keeping, outcome, paying, plan, rights, tabs, wallet

app_name = "payments"
urlpatterns = [
    path("accounts/<uuid:account_id>/payments/", tabs.history, name="history"),
    path("accounts/<uuid:account_id>/post-dates/", tabs.postdates, name="postdates"),
    path("post-dates/<uuid:postdate_id>/cancel/", tabs.cancel_postdate, name="cancel_postdate"),
    path("accounts/<uuid:account_id>/pay/", checkout.choose, name="choose"),
    path("accounts/<uuid:account_id>/age-of-debt/", checkout.age_notice, name="age_notice"),
    path("accounts/<uuid:account_id>/wrong/", rights.wrong, name="wrong"),
    path("accounts/<uuid:account_id>/creditor/", rights.creditor, name="creditor"),
    path("accounts/<uuid:account_id>/promise/", agreeing.promise, name="promise"),
    path("pay/<uuid:checkout_id>/by-hand/", agreeing.by_hand, name="by_hand"),
    path("agree/<uuid:quote_id>/", agreeing.agree, name="agree"),
    path("pay/<uuid:checkout_id>/schedule/", adjust.schedule, name="schedule"),
    path("pay/<uuid:checkout_id>/dates/", adjust.dates, name="dates"),
    path("pay/<uuid:checkout_id>/documents/", checkout.paperless, name="paperless"),
    path("pay/<uuid:checkout_id>/method/", paying.method, name="method"),
    path("pay/<uuid:checkout_id>/review/", paying.review, name="review"),
    path("pay/<uuid:checkout_id>/card/", keeping.card, name="card"),
    path("plan/<uuid:arrangement_id>/", plan.plan, name="plan"),
    path("paid/<uuid:payment_id>/", outcome.result, name="result"),
    path("paid/<uuid:payment_id>/again/", outcome.again, name="again"),
    path("paid/<uuid:payment_id>/receipt.pdf", outcome.receipt, name="receipt"),
    path("wallet/", wallet.wallet, name="wallet"),
    path("wallet/<uuid:method_id>/remove/", wallet.remove, name="remove_method"),
    path("authorizations/", wallet.authorizations, name="authorizations"),
    path("authorizations/<uuid:authorization_id>/revoke/", wallet.revoke, name="revoke"),
    path("authorizations/<uuid:authorization_id>.pdf", outcome.authorization, name="authorization"),
]
