"""Requests that make no sense, in any number."""
