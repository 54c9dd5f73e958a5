"""Moves and checks bytes between regions; plain Python that has never heard of Django, users or money."""
