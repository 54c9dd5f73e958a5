"""Who may call which address: the people, the sample of every thing an address names, and the table made of both.

A new address that takes arguments needs a line in `samples.py`, and its view a declaration (accounts/guard.py). Then
`make access` writes docs/access.md anew.
"""
