"""The one table that signing in adds to those of django-allauth."""

from django.db import models


class CacheEntry(models.Model):
    """A row of Django's database cache, which alone reads and writes it: attempts that count, and codes used up.

    A model, so that `migrate` makes it and nobody has to remember `createcachetable`.
    """

    cache_key = models.CharField(max_length=255, primary_key=True)
    value = models.TextField()
    expires = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.cache_key
