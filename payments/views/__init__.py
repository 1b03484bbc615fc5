"""Consumer pages about money: the way to a payment, its outcome, and the tabs of an account."""
