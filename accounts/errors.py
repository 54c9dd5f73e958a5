"""The ways this room says no, and the root of every room's refusals."""

from django.core.exceptions import PermissionDenied, ValidationError

from .privileges import Need, Privilege

WHO_GIVES_IT = "Whoever manages the members here can give it to you."


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

    def __init__(self, missing: Need | Privilege, *, in_organization: bool = False) -> None:
        self.need = Need((missing,)) if isinstance(missing, Privilege) else missing
        noun = "privilege" if len(self.need.privileges) == 1 else "privileges"
        where = " in the whole organization" if in_organization else ""
        super().__init__(f"You need the {noun} {self.need}{where} for this. {WHO_GIVES_IT}")


def sentences_of(refusal: Refused | ValidationError) -> str:
    """What a terminal shows of a refusal."""
    return " ".join(refusal.messages) if isinstance(refusal, ValidationError) else str(refusal)
