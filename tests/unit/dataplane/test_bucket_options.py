"""What a store's options may say when somebody else than the operator typed them."""

from __future__ import annotations

import json
import socket
from ipaddress import ip_network

import pytest

from dataplane.errors import StoreMisconfigured
from dataplane.reach import Reach
from dataplane.stores.bucket_options import check_bucket, named_server

REACH, TRUSTING = Reach(), Reach(host_credentials=True)
KEYS = {"access_key_id": "a", "secret_access_key": "b"}
OWN = {
    "s3": KEYS,
    "gs": {"service_account_key": json.dumps({"client_email": "a@b", "private_key": "x"})},
    "az": {"account_name": "acme", "account_key": "eA=="},
}


def check(url: str, options: dict[str, str], reach: Reach = REACH) -> None:
    check_bucket(url, options, reach=reach, name="gcp-us-west1 (bucket)")


@pytest.mark.parametrize("scheme", ["s3", "gs", "az"])
def test_a_bucket_at_its_provider_with_keys_of_its_own_is_fine(scheme):
    check(f"{scheme}://backups/prefix", OWN[scheme])


@pytest.mark.parametrize(
    ("scheme", "option"),
    [
        ("s3", "proxy_url=http://10.0.0.1:3128"),
        ("s3", "metadata_endpoint=http://10.0.0.1"),
        ("s3", "AWS_METADATA_ENDPOINT=http://10.0.0.1"),
        ("s3", "aws_endpoint_url_sts=http://10.0.0.1"),
        ("s3", "container_credentials_full_uri=http://10.0.0.1"),
        ("s3", "container_authorization_token_file=/etc/passwd"),
        ("s3", "web_identity_token_file=/etc/passwd"),
        ("s3", "bucket=another"),
        ("gs", "service_account_path=/etc/passwd"),
        ("gs", "google_application_credentials=/etc/passwd"),
        ("az", "msi_endpoint=http://10.0.0.1"),
        ("az", "azure_authority_host=http://10.0.0.1"),
        ("az", "federated_token_file=/etc/passwd"),
        ("az", "use_azure_cli=true"),
        ("az", "use_emulator=true"),
        ("s3", "colour=blue"),
    ],
)
def test_an_option_that_reads_the_machine_or_asks_other_servers_is_refused_by_name(scheme, option):
    name, _, value = option.partition("=")
    with pytest.raises(StoreMisconfigured) as refused:
        check(f"{scheme}://backups", OWN[scheme] | {name: value})
    assert name in str(refused.value)
    assert value not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("s3://backups", KEYS | {"region": "evil.example.com/?"}),
        ("s3://backups", KEYS | {"region": "x@10.0.0.1:80#"}),
        ("s3://backups", KEYS | {"default_region": "a\nb"}),
        ("s3://10.0.0.1:9000", KEYS),
        ("s3://backups%2f@host", KEYS),
        ("s3://..", KEYS),
        ("az://backups", OWN["az"] | {"account_name": "evil.example.com/"}),
        ("az://backups", {"account_name": "a", "client_id": "i", "client_secret": "s", "tenant_id": "../../x"}),
    ],
)
def test_a_word_that_would_become_another_host_is_refused(url, options):
    with pytest.raises(StoreMisconfigured):
        check(url, options)


@pytest.mark.parametrize(
    "server",
    ["http://127.0.0.1:9000", "https://localhost", "http://0x7f.1", "http://[::1]:9000", "http://169.254.169.254"]
    + [
        "http://10.0.0.1",
        "ftp://example.com",
        "example.com",
        "http://",
        "http://a@8.8.8.8",
        "http://8.8.8.8:99999",
        "http://[",
    ]
    + ["https://8.8.8.8/?x", "https://8.8.8.8/#x"],
)
@pytest.mark.parametrize("option", ["endpoint", "AWS_ENDPOINT", "endpoint_url"])
def test_a_server_that_may_not_be_reached_is_refused(server, option):
    with pytest.raises(StoreMisconfigured):
        check("s3://backups", KEYS | {option: server})


def test_a_server_the_operator_allows_is_fine_and_one_without_an_address_is_tried_later(monkeypatch):
    check("s3://backups", KEYS | {"endpoint": "http://127.0.0.1:9000"}, Reach(networks=(ip_network("127.0.0.0/8"),)))

    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror("Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    check("s3://backups", KEYS | {"endpoint": "https://minio.example.com"})


@pytest.mark.parametrize(
    "key",
    ["{", "[]", '"x"', '{"gcs_base_url": "http://10.0.0.1"}', '{"gcs\\u005fbase_url": "x"}', '{"disable_oauth": true}'],
)
def test_a_service_accounts_key_names_no_other_server(key):
    with pytest.raises(StoreMisconfigured) as refused:
        check("gs://backups", {"service_account_key": key})
    assert key not in str(refused.value)


@pytest.mark.parametrize("url", ["s3://operators-own", "gs://operators-own", "az://operators-own"])
def test_a_store_without_credentials_gets_those_of_the_machine_only_if_the_operator_says_so(url):
    with pytest.raises(StoreMisconfigured, match="has no credentials"):
        check(url, {})
    check(url, {}, TRUSTING)


def test_the_credentials_of_the_machine_go_to_no_server_that_somebody_typed():
    with pytest.raises(StoreMisconfigured, match="has no credentials"):
        check("az://backups", {"account_name": "acme", "endpoint": "https://8.8.8.8"}, TRUSTING)


def test_half_a_credential_is_none_and_an_open_bucket_needs_none():
    with pytest.raises(StoreMisconfigured, match="access_key_id and secret_access_key"):
        check("s3://backups", {"access_key_id": "a"})
    check("s3://backups", {"skip_signature": "true"})


def test_an_option_given_twice_in_two_spellings_is_refused():
    with pytest.raises(StoreMisconfigured, match="twice"):
        check("s3://backups", KEYS | {"endpoint": "https://8.8.8.8", "aws_endpoint": "http://127.0.0.1"})


def test_a_named_server_is_found_under_every_spelling():
    for name in (
        "endpoint",
        "Endpoint",
        "aws_endpoint",
        "AWS_ENDPOINT_URL",
        "google_base_url",
        "azure_storage_endpoint",
    ):
        assert named_server({name: "https://x"}) == "https://x"
    assert named_server(KEYS) == ""
