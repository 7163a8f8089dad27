"""Pages of the balance, of buying and of what was spent."""

from django.urls import path

from .views import history, limits, overview, purchases, spending

urlpatterns = [
    path("billing", overview.overview, name="billing"),
    path("billing/left", overview.left, name="words_left"),
    path("organization/members/limit", limits.of_everybody, name="everybodys_limit"),
    path("organization/members/<uuid:user_id>/limit", limits.of_member, name="member_limit"),
    path("billing/spending", spending.spending, name="spending"),
    path("billing/spending/table", spending.table, name="spending_table"),
    path("billing/words/history", history.history, name="words_history"),
    path("billing/words/history/table", history.table, name="words_table"),
    path("billing/words/history/day", history.day, name="words_of_day"),
    path("billing/purchases", purchases.history, name="purchases"),
    path("billing/purchases/new", purchases.new, name="purchase_new"),
    path("billing/purchases/<uuid:purchase_id>", purchases.purchase, name="purchase"),
    path("billing/purchases/<uuid:purchase_id>/checkout", purchases.checkout, name="purchase_checkout"),
    path(
        "billing/purchases/<uuid:purchase_id>/cancellation",
        purchases.cancellation,
        name="purchase_cancellation",
    ),
    path("billing/purchases/<uuid:purchase_id>/receipt", purchases.receipt, name="purchase_receipt"),
    path("billing/purchases/<uuid:test_purchase_id>/test", purchases.test, name="purchase_test"),
    path(
        "billing/purchases/<uuid:test_purchase_id>/test/payment", purchases.test_payment, name="test_payment"
    ),
    path(
        "billing/purchases/<uuid:test_purchase_id>/test/failure", purchases.test_failure, name="test_failure"
    ),
]
