"""The ways this room says no, and the root of every room's refusals."""

from django.core.exceptions import PermissionDenied, ValidationError

from .privileges import Privilege


class Refused(Exception):
    """A rule said no and the user can fix it: one sentence, and the form field it belongs to if there is one."""

    def __init__(self, sentence: str, *, field: str | None = None) -> None:
        super().__init__(sentence)
        self.field = field


class OrganizationExists(Refused):
    """Somebody asked for a second organization of the same name, perhaps without knowing of the first."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is already an organization called {name}.", field="name")


class EncryptionKeysUnusable(Refused):
    """This installation has no key to encrypt a secret with."""


class SecretUnreadable(Exception):
    """A stored secret was written with a key that is not in ENCRYPTION_KEYS."""


class PrivilegeMissing(PermissionDenied):
    """A colleague may look but not do this: answered with 403 and the name of the privilege (rule R4)."""

    def __init__(self, privilege: Privilege) -> None:
        super().__init__(
            f"You need the privilege “{privilege.value}” for this. Whoever runs this site can give it to you."
        )
        self.privilege = privilege


def sentences_of(refusal: Refused | ValidationError) -> str:
    """What a terminal shows of a refusal."""
    return " ".join(refusal.messages) if isinstance(refusal, ValidationError) else str(refusal)
