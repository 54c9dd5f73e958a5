import json
import stat
from itertools import islice
from pathlib import Path

import pytest

from accounts.access import privileges_in
from accounts.models import Organization, Project, User
from accounts.privileges import LOOK_ONLY, Privilege
from clusters.embedding import DIMENSION, WORD_FIELD, embed_words
from clusters.models import Cluster, Region, Store
from dashboard.demo import load, made_up
from dashboard.demo.contents import CLUSTERS, DOCSTRINGS
from dashboard.demo.docstrings import LONGEST_TEXT, read_docstrings
from dashboard.demo.notes import (
    PEOPLE,
    DemoNotes,
    loading_path,
    notes_path,
    read_notes,
    readable_password,
    write_notes,
)
from jobs.models import Job, Schedule


def dot(left: list[float], right: list[float]) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))


@pytest.fixture
def library(tmp_path: Path) -> Path:
    (tmp_path / "zoo.py").write_text(f'"""{"All animals live here. " * 60}"""\nraise SystemExit("imported")\n')
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "__init__.py").write_text(
        '"""Reading and writing of archives, one file at a time."""\n'
        "class Reader:\n"
        '    """Reads one archive from its beginning to its end."""\n'
        "    def open(self):\n"
        '        """Open the archive and check that its digest is right."""\n'
        "    def _hide(self):\n"
        '        """A private thing that nobody should ever look up here."""\n'
        "def short():\n"
        '    """See above."""\n'
    )
    (tmp_path / "broken.py").write_text('"""Something that is not Python at all, whatever it says."""\nif\n')
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "test_zoo.py").write_text('"""Tests are about the library, they are not the library."""\n')
    return tmp_path


def test_public_docstrings_are_read_in_order_without_importing_anything(library):
    found = [(entry.module, entry.name) for entry in read_docstrings(library)]
    assert found == [("archive", ""), ("archive", "Reader"), ("archive", "Reader.open"), ("zoo", "")]


def test_long_docstrings_are_cut(library):
    assert max(len(entry.text) for entry in read_docstrings(library)) == LONGEST_TEXT


def test_the_real_library_gives_thousands_of_rows_that_fit_their_fields():
    limits = {entry.name: entry.params["max_length"] for entry in DOCSTRINGS.schema.fields if entry.type == "VARCHAR"}
    entries = list(read_docstrings())
    assert len(entries) > 2_000
    for field, limit in limits.items():
        assert max(len(getattr(entry, field).encode()) for entry in entries) <= int(limit)


def test_docstrings_are_embedded_so_that_words_find_them(library):
    texts = [entry.text for entry in read_docstrings(library)]
    question = embed_words("check the digest of an archive")
    assert max(texts, key=lambda text: dot(question, embed_words(text))).startswith("Open the archive")


@pytest.mark.parametrize("make", [made_up.products, made_up.customers, made_up.tickets, made_up.notes])
def test_made_up_rows_are_the_same_every_time(make):
    assert list(islice(make(), 50)) == list(islice(make(), 50))


@pytest.mark.parametrize(
    ("make", "key", "count"),
    [
        (made_up.products, "sku", 5_000),
        (made_up.customers, "customer", 2_000),
        (made_up.tickets, "id", 1_000),
        (made_up.notes, "id", 300),
    ],
)
def test_every_made_up_row_has_a_key_of_its_own(make, key, count):
    assert len({row[key] for _, row in make()}) == count


def test_rows_hold_exactly_the_fields_of_their_schema():
    for collection in (collection for contents in CLUSTERS for collection in contents.collections):
        declared = {entry.name for entry in collection.schema.fields}
        for partition, row in islice(collection.rows(), 3):
            extra = row.keys() - declared
            assert declared <= row.keys()
            assert not extra or collection.schema.has_dynamic_field
            assert partition in {"", *collection.partitions}
            for entry in collection.schema.fields:
                if entry.type == "FLOAT_VECTOR":
                    assert len(row[entry.name]) == entry.params["dim"]
                    assert dot(row[entry.name], row[entry.name]) == pytest.approx(1, abs=1e-5)


def test_tickets_can_be_searched_by_words():
    rows = [row for _, row in made_up.tickets()]
    question = embed_words("charged twice")
    assert len(question) == DIMENSION
    assert "charged twice" in max(rows, key=lambda row: dot(question, row[WORD_FIELD]))["text"]


def test_passwords_differ_and_can_be_typed():
    passwords = {readable_password() for _ in range(50)}
    assert len(passwords) == 50
    assert all(len(password) == 22 and password.isascii() and password == password.lower() for password in passwords)


def test_notes_come_back_as_they_were_written_and_only_their_owner_reads_them(tmp_path):
    path, notes = notes_path(tmp_path), DemoNotes.with_new_passwords()
    write_notes(path, notes)
    write_notes(path, notes.served_at("http://127.0.0.1:8001"))
    assert read_notes(path) == notes.served_at("http://127.0.0.1:8001")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert set(json.loads(path.read_text())) == {"url", "users", "clusters"}


def test_broken_notes_are_named_and_absent_ones_are_none(tmp_path):
    assert read_notes(notes_path(tmp_path)) is None
    notes_path(tmp_path).write_text('{"url": ""')
    with pytest.raises(ValueError, match=r"demo\.json cannot be read"):
        read_notes(notes_path(tmp_path))


@pytest.fixture
def demo(db, settings, tmp_path, monkeypatch) -> Path:
    """An installation whose clusters are not filled, which takes a real Milvus Lite and is proven with the command."""
    settings.VAR_DIR = tmp_path
    monkeypatch.setattr(load, "_fill_clusters", lambda: None)
    return tmp_path


def test_the_roles_of_the_demo_give_what_their_names_say(demo):
    load.load_demo(url="http://127.0.0.1:8000")
    project = Project.objects.get(name="Search", organization__name="Acme")
    held = {role: privileges_in(User.objects.get(email=email), project) for role, email in PEOPLE.items()}
    assert held["owner"] == held["project admin"] == frozenset(Privilege)
    assert held["viewer"] == LOOK_ONLY
    assert held["backup operator"] == {Privilege.BACKUP_MANAGE, Privilege.BACKUP_VIEW, Privilege.CLUSTER_VIEW}


def test_everybody_can_sign_in_with_the_password_in_the_notes(demo):
    load.load_demo(url="http://127.0.0.1:8000")
    notes = read_notes(notes_path(demo))
    assert notes is not None
    assert notes.url == "http://127.0.0.1:8000"
    assert all(User.objects.get(email=user.email).check_password(user.password) for user in notes.users)
    assert [cluster.id for cluster in notes.clusters] == list(
        Cluster.objects.order_by("pk").values_list("code", flat=True)
    )


def test_every_region_has_a_store_that_was_tried(demo):
    load.load_demo()
    assert Store.objects.filter(check_failure="", checked_at__isnull=False).count() == Region.objects.count() > 0
    assert Store.objects.get(region="gcp-europe-west3").url == (demo / "stores" / "gcp-europe-west3").as_uri()


def test_a_schedule_waits_to_be_switched_on_and_nothing_runs_by_itself(demo):
    load.load_demo()
    schedule = Schedule.objects.get()
    assert (schedule.cluster.name, schedule.is_enabled, schedule.kept_days) == ("docs-search", False, 7)
    assert schedule.targets.get().region_id == "gcp-europe-west3"
    assert not Job.objects.exists()


def test_a_second_load_changes_nothing(demo):
    assert load.load_demo()
    before = notes_path(demo).read_text()
    assert not load.load_demo()
    assert notes_path(demo).read_text() == before


def test_an_installation_that_is_in_use_is_left_alone(demo):
    Organization.objects.create(name="Umbrella")
    assert not load.load_demo()
    assert not notes_path(demo).exists()
    assert not Cluster.objects.exists()


def test_an_interrupted_load_goes_on_with_the_same_passwords(demo, monkeypatch):
    def fail():
        raise OSError("killed here")

    with monkeypatch.context() as broken:
        broken.setattr(load, "_fill_clusters", fail)
        with pytest.raises(OSError, match="killed here"):
            load.load_demo()
    unfinished = read_notes(loading_path(demo))
    assert not notes_path(demo).exists()

    assert load.load_demo()
    finished = read_notes(notes_path(demo))
    assert unfinished is not None
    assert finished is not None
    assert finished.users == unfinished.users
    assert not loading_path(demo).exists()
    assert User.objects.count() == len(PEOPLE)
