"""The one table that keeps a form from being carried out twice."""

from django.db import models
from django.utils import timezone


class SentForm(models.Model):
    """A form that was carried out, by a digest of the code it came with and of all that was in it; kept for a day."""

    user = models.ForeignKey("User", on_delete=models.CASCADE, related_name="+")
    digest = models.CharField(max_length=64)
    # Where its answer led, so that a repetition leads there too.
    location = models.CharField(max_length=500)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "digest"], name="form_carried_out_once")]

    def __str__(self) -> str:
        return f"{self.digest[:8]} led to {self.location}"
