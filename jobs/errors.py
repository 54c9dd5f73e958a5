"""The ways this room says no."""

from django.db import InterfaceError, InternalError, OperationalError

from accounts.errors import Refused

# The database is away or locked for too long; anything else it says is our mistake. PostgreSQL calls it internal when
# it has ended the transaction of somebody who was frozen in it (`idle_in_transaction_session_timeout`).
DATABASE_TROUBLE = (OperationalError, InterfaceError, InternalError)


class JobRefused(Refused):
    """A rule about jobs said no; the sentence is for the person who asked."""


class DatabaseNotMoved(Refused):
    """The rows of an installation cannot go into another database as things are; none of them went."""


class IllegalMove(Exception):
    """A job cannot go from its state to that one: our bug."""


class StaleJob(Exception):
    """Somebody else moved the job first, or the lease was lost: stop working on it."""
