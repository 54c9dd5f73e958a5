"""Wires the rooms together: settings, URLs, middleware, start-up checks; owns no rule and no table."""
