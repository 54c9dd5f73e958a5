"""The ways this room says no, and the root of every room's refusals."""

from django.core.exceptions import PermissionDenied

from .privileges import Privilege


class Refused(Exception):
    """A rule said no and the user can fix it: one sentence, and the form field it belongs to if there is one."""

    def __init__(self, sentence: str, *, field: str | None = None) -> None:
        super().__init__(sentence)
        self.field = field


class PrivilegeMissing(PermissionDenied):
    """A colleague may look but not do this: answered with 403 and the name of the privilege (rule R4)."""

    def __init__(self, privilege: Privilege) -> None:
        super().__init__(
            f"You need the privilege “{privilege.value}” for this. "
            "A project admin or an organization owner can give it to you."
        )
        self.privilege = privilege
