from django.apps import AppConfig
from django.core import checks


class AccountsConfig(AppConfig):
    name = "accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import signin_log
        from .checks import check_encryption_keys

        signin_log.connect()
        checks.register(check_encryption_keys, checks.Tags.security)
