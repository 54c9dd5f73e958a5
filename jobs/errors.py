"""The ways this room says no."""

from accounts.errors import Refused


class JobRefused(Refused):
    """A rule about jobs said no; the sentence is for the person who asked."""


class DatabaseNotMoved(Refused):
    """The rows of an installation cannot go into another database as things are; none of them went."""


class IllegalMove(Exception):
    """A job cannot go from its state to that one: our bug."""


class StaleJob(Exception):
    """Somebody else moved the job first, or the lease was lost: stop working on it."""
