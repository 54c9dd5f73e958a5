"""`make run`, as a newcomer meets it: starts, says where, survives what ends, leaves nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dataplane.milvus import Cluster, ClusterEndpoint, CollectionRef
from dataplane.milvus_lite import MilvusLiteServer
from tests.site import PATIENCE_SECONDS, ROOT, RunningSite, clean_environment, free_port, wait_until

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc to see what is left running: use Linux")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSite]:
    site = RunningSite(tmp_path_factory.mktemp("site") / "var")
    try:
        site.start()
        yield site
    finally:
        site.stop()


def run_up(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "backupsite.up"],
        cwd=ROOT,
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )


def endpoints(site: RunningSite) -> dict[str, str]:
    with closing(sqlite3.connect(f"file:{site.var / 'backupsite.sqlite3'}?mode=ro", uri=True)) as database:
        return dict(database.execute("SELECT name, endpoint FROM clusters_cluster"))


def set_dropped(site: RunningSite, name: str, moment: str | None) -> None:
    database = sqlite3.connect(site.var / "backupsite.sqlite3", timeout=PATIENCE_SECONDS)
    with closing(database), database:
        database.execute("UPDATE clusters_cluster SET dropped_at = ? WHERE name = ?", (moment, name))


def test_the_sign_in_page_and_its_styles_are_served(site):
    status, page = site.get("/")
    assert status == 200
    assert 'name="password"' in page
    sheet = next(part for part in page.split('"') if part.endswith(".css"))
    assert site.get(sheet)[0] == 200


def test_demo_json_is_private_and_says_how_to_get_in(site):
    assert stat.S_IMODE((site.var / "demo.json").stat().st_mode) == 0o600
    assert site.notes["url"] == site.url
    assert set(site.users) == {"owner", "project admin", "viewer", "backup operator"}
    assert len({user["password"] for user in site.users.values()}) == 4
    assert {(cluster["plan"], cluster["region"]) for cluster in site.clusters.values()} == {
        ("dedicated", "gcp-us-west1"),
        ("dedicated", "aws-us-east-1"),
        ("dedicated", "az-eastus"),
        ("serverless", "gcp-us-west1"),
    }
    assert all(user["password"] in site.output for user in site.users.values())


@pytest.mark.parametrize(
    ("head", "statuses"),
    [
        ("GET /{long} HTTP/1.1\r\nHost: 127.0.0.1", {"400", "414"}),
        ("GET /sign-in/ HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: {long}", {"400", "431"}),
        ("GET /sign-in/ HTTP/1.1\r\nHost: 127.0.0.1\r\n{many}", {"400", "431"}),
        ("GET /sign-in/ HTTP/1.1\r\nHost: evil.example.com", {"400"}),
        ("POST /sign-in/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5242881", {"413"}),
        ("POST /sign-in/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5", {"400"}),
        ("nonsense", {"400"}),
    ],
)
def test_requests_without_end_are_refused_by_the_real_server(site, head, statuses):
    many = "\r\n".join(f"X-{number}: 1" for number in range(200))
    with socket.create_connection(("127.0.0.1", site.port), timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(f"{head.format(long='x' * 20_000, many=many)}\r\n\r\n".encode())
        answer = connection.recv(100).decode()
    assert answer.split()[1] in statuses


def test_keys_are_private(site):
    for name in ("secret.key", "encryption.key"):
        assert stat.S_IMODE((site.var / name).stat().st_mode) == 0o600


def test_the_docstrings_answer_at_the_endpoint_in_the_row(site):
    wait_until(lambda: all(endpoints(site).values()), "every cluster has an address")
    with Cluster(ClusterEndpoint(uri=endpoints(site)["docs-search"])) as cluster:
        rows = {ref.name: cluster.collection_info(ref).row_count for ref in cluster.collections()}
    assert rows["products"] == 5_000
    assert rows["docstrings"] > 1_000


def test_a_killed_cluster_comes_back_with_its_data(site):
    wait_until(lambda: all(endpoints(site).values()), "every cluster has an address")
    before = endpoints(site)["playground"]
    port = before.rpartition(":")[2]
    os.kill(site.process_of(f"milvus_lite server --host 127.0.0.1 --port {port}"), signal.SIGKILL)
    wait_until(lambda: endpoints(site)["playground"] not in {"", before}, "playground has a new address")
    with Cluster(ClusterEndpoint(uri=endpoints(site)["playground"])) as cluster:
        assert cluster.collection_info(CollectionRef("default", "notes")).row_count == 300


def test_a_dropped_cluster_is_stopped_and_one_that_appears_is_started(site):
    wait_until(lambda: all(endpoints(site).values()), "every cluster has an address")
    port = endpoints(site)["recommendations"].rpartition(":")[2]
    set_dropped(site, "recommendations", "2026-01-01 00:00:00")
    wait_until(lambda: endpoints(site)["recommendations"] == "", "its address is cleared")
    assert not any(f"--port {port}" in line for line in site.processes().values())
    set_dropped(site, "recommendations", None)
    wait_until(lambda: endpoints(site)["recommendations"] != "", "it has an address again")


@pytest.mark.parametrize("program", ["manage.py run_worker", "manage.py run_scheduler", "gunicorn"])
def test_a_killed_process_is_started_again_and_the_terminal_says_so(site, program):
    before = site.process_of(program)
    said = site.output.count("starting it again")
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: site.output.count("starting it again") > said, "the terminal says so")
    wait_until(
        lambda: any(program in line and pid != before for pid, line in site.processes().items()), "it runs again"
    )
    assert site.get("/health/")[0] == 200


def test_a_second_site_over_the_same_folder_is_refused(site):
    refused = run_up(VAR_DIR=str(site.var), PORT=str(free_port()))
    assert refused.returncode == 1
    assert f"already runs over {site.var} (process {site.pid} at {site.url})" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_taken_port_is_refused_in_one_sentence_before_anything_slow(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        refused = run_up(VAR_DIR=str(tmp_path), PORT=str(port))
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"Port {port} on 127.0.0.1 is taken.")
    assert len(refused.stderr.splitlines()) == 1
    assert not (tmp_path / "backupsite.sqlite3").exists()


@pytest.mark.parametrize("port", ["0", "65536", "http", "", "-1", "8000.5"])
def test_a_port_that_is_no_port_is_refused(tmp_path, port):
    refused = run_up(VAR_DIR=str(tmp_path), PORT=port)
    assert refused.returncode == 1
    assert "PORT must be a number from 1 to 65535" in refused.stderr
    assert "Traceback" not in refused.stderr


# The tests below stop and start the site; they stand last.


def test_ctrl_c_ends_everything_and_the_next_start_loads_nothing_again_and_keeps_the_data(site):
    users, clusters = site.users, site.clusters
    assert site.stop(signal.SIGINT) == 0
    assert "Traceback" not in site.output
    wait_until(lambda: not site.processes(), "nothing of the site is left running")
    assert set(endpoints(site).values()) == {""}

    site.start()
    assert "Loading the demo" not in site.output
    assert site.users == users
    assert site.clusters == clusters


def test_a_killed_supervisor_leaves_nothing_running_and_the_folder_free(site):
    os.kill(site.pid, signal.SIGKILL)
    site.stop()
    wait_until(lambda: not site.processes(), "nothing of the site is left running")
    site.start()
    assert site.stop(signal.SIGTERM) == 0
    wait_until(lambda: not site.processes(), "nothing of the site is left running")


def test_a_first_load_that_was_killed_is_completed_by_the_next_start(tmp_path):
    site = RunningSite(tmp_path / "var")
    try:
        site.launch()
        wait_until(lambda: any((site.var / "milvus").glob("*/server.log")), "the demo's data is being loaded")
        os.kill(site.pid, signal.SIGKILL)
        site.stop()
        assert not (site.var / "demo.json").exists()
        wait_until(lambda: not site.processes(), "nothing of the site is left running")
        site.start()
        assert not (site.var / "demo.loading.json").exists()
    finally:
        site.stop()
    docs = site.var / "milvus" / site.clusters["docs-search"]["id"]
    with MilvusLiteServer(docs) as server, Cluster(ClusterEndpoint(uri=server.uri)) as cluster:
        assert cluster.collection_info(CollectionRef("default", "products")).row_count == 5_000
