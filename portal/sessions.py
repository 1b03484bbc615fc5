"""Django's sessions in the database, which tell a database that is away from a session that is gone."""

from datetime import datetime

from django.contrib.sessions.backends import db
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.models import Session
from django.db import OperationalError
from django.db.models import QuerySet
from django.utils import timezone

from accounts.known import known


@known
def _live(session_key: str, now: datetime) -> QuerySet[Session]:
    return Session.objects.filter(session_key=session_key, expire_date__gt=now)


class SessionStore(db.SessionStore):
    """Fail as everything else does where the connection broke.

    Django calls each failed write a session that was deleted meanwhile, and answers 400: a consumer whose page was kept
    in the second in which PostgreSQL died would read that the request was bad, and nobody would try it again.
    """

    def _get_session_from_db(self) -> Session | None:
        if (found := _live.first(self.session_key, timezone.now())) is None:
            self._session_key = None
        return found

    def save(self, must_create: bool = False) -> None:
        """Write the session.

        :raises UpdateError: it was ended meanwhile.
        :raises OperationalError: the database is away.
        """
        try:
            super().save(must_create)
        except UpdateError as error:
            if isinstance(error.__context__, OperationalError):
                raise error.__context__ from None
            raise
