from dataplane.exclusions import always_excluded, without_excluded


def test_ttl_settings_are_never_kept_and_each_is_listed() -> None:
    properties = {"collection.ttl.seconds": "3600", "mmap.enabled": "true", "timezone": "UTC"}
    kept, left_out = without_excluded("docs", properties)
    assert kept == {"mmap.enabled": "true", "timezone": "UTC"}
    assert [exclusion.what for exclusion in left_out] == ["docs: collection.ttl.seconds = 3600"]


def test_a_property_that_only_contains_the_letters_is_kept() -> None:
    assert without_excluded("docs", {"throttle.rate": "1"}) == ({"throttle.rate": "1"}, [])


def test_what_is_left_out_of_every_backup_is_said_in_every_backup() -> None:
    said = " ".join(exclusion.what for exclusion in always_excluded())
    assert all(word in said for word in ("TTL", "db_admin", "scaling"))
