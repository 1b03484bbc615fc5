"""How staff sign in."""

from allauth.account.adapter import DefaultAccountAdapter


class NoSignUp(DefaultAccountAdapter):
    """Staff are invited by their agency's administrator; nobody signs up."""

    def is_open_for_signup(self, request) -> bool:
        return False
