"""The ways this room says no."""

from accounts.errors import Refused


class ClusterRefused(Refused):
    """A rule about clusters, regions or stores said no."""
