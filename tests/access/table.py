"""docs/access.md: what tests/unit/dashboard/test_access.py proves, as a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from accounts.guard import Access
from accounts.privileges import Need
from tests.access.addresses import Address
from tests.access.people import ROLES, expected

FILE = Path(__file__).resolve().parents[2] / "docs" / "access.md"
SHOWN = {"yes": "✓", "403": "403", "404": "404", "sign in": "→", "401": "401"}

HEAD = """# Who may do what

Every address of the site, what its view declares (`accounts/guard.py`), and what each role is answered. The tests call
every cell of this table, as a page and as an htmx fragment, and fail where the site says anything else. They also fail
when this file is stale: `make access` writes it anew.

- ✓ answered; a list shows only what one may look at
- 403 refused, with the name of the missing privilege
- 404 what belongs to another organization does not exist
- → sent to the sign-in page (an htmx request as a whole page), and back afterwards
- 401 refused in JSON: an address for machines wants a key

A method that is not listed does nothing: it ends in 405, or in the refusal that comes before.

"""


def need_of(access: Access, method: str) -> Need | None:
    return access.needs[method] if isinstance(access.needs, Mapping) else access.needs


def render_table(rows: Iterable[tuple[Address, list[str]]]) -> str:
    """`rows` are the addresses with the methods that each takes."""
    lines = [
        "| Address | Method | Asks for | " + " | ".join(role.title for role in ROLES.values()) + " |",
        "|---|---|---|" + ":-:|" * len(ROLES),
    ]
    for address, methods in rows:
        for method in methods:
            need = need_of(address.access, method)
            cells = [SHOWN[expected(address.access, need, who)] for who in ROLES]
            lines.append(f"| `{address.route}` | {method} | {_words(address.access, need)} | {' | '.join(cells)} |")
    return HEAD + "\n".join(lines) + "\n"


def _words(access: Access, need: Need | None) -> str:
    if access.why_open:
        return f"nothing. {access.why_open}"
    if need is None or access.of is None:
        return "being signed in"
    if not need.privileges:
        return "belonging to the organization"
    where = {"one thing": "", "the organization": ", in the whole organization"}.get(access.of.value)
    names = (" or " if need.is_any else " and ").join(f"`{privilege.value}`" for privilege in need.privileges)
    return names + (f", in {access.of.value}" if where is None else where)
