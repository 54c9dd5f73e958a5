"""`python -m backupsite.up`, behind `make run`: prepares the site, then keeps all of its processes running.

Django is never imported here, so that a mistake in the settings is one child's trouble and Ctrl-C always works.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

from dashboard.demo.notes import DemoNotes, loading_path, notes_path, read_notes, write_notes, write_private_file

from .preparation import (
    BASE_DIR,
    CannotStart,
    Options,
    environment_for,
    static_stamp,
    take_folder,
    take_port,
)
from .processes import POLL_SECONDS, Child, run_to_end, stop_children

ANSWER_SECONDS = 60.0


def say(line: str) -> None:
    print(line, flush=True)


def main() -> int:
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stopping.set())
    try:
        options = Options.from_environment(os.environ)
        with take_folder(options), take_port(options.port) as listener:
            os.environ.update(environment_for(options.var_dir, os.environ))
            os.chdir(BASE_DIR)
            _prepare(options, stopping)
            notes = _read_notes(options)
            if not stopping.is_set():
                _serve(options, notes, listener.fileno(), stopping)
    except CannotStart as reason:
        print(reason, file=sys.stderr)
        return 1
    return 0


def _manage(name: str, log_dir: Path, *arguments: str) -> Child:
    return Child(name, [sys.executable, "manage.py", *arguments, "--skip-checks"], log_dir)


def _prepare(options: Options, stopping: threading.Event) -> None:
    """Database, static files and, the first time, the demo. CannotStart shows what a failed step wrote."""
    logs = options.var_dir / "log"
    steps = [_manage("migrate", logs, "migrate", "--no-input", "--verbosity=0")]
    stamp, stamp_path = static_stamp(), options.var_dir / "static.stamp"
    is_static_current = stamp_path.exists() and stamp_path.read_text() == stamp
    if not is_static_current:
        steps.append(_manage("static", logs, "collectstatic", "--no-input", "--clear", "--verbosity=0"))
    say(f"Preparing {options.var_dir}")
    _run(steps, stopping)
    if stopping.is_set():
        return
    if not is_static_current:
        write_private_file(stamp_path, stamp)
    if loading_path(options.var_dir).exists() or not notes_path(options.var_dir).exists():
        say("Loading the demo; this takes some seconds, and only the first time")
        _run([_manage("demo", logs, "load_demo", f"--url={options.url}")], stopping)


def _read_notes(options: Options) -> DemoNotes | None:
    try:
        return read_notes(notes_path(options.var_dir))
    except ValueError as broken:
        raise CannotStart(str(broken)) from broken


def _run(steps: list[Child], stopping: threading.Event) -> None:
    failed = run_to_end(steps, stopping)
    if failed and not stopping.is_set():
        raise CannotStart(
            f"The step '{failed.name}' failed. The end of {failed.log_path}:\n{failed.last_lines(15)}\n"
            "Nothing is running. Once the cause is gone, the same command goes on from here."
        )


def _serve(options: Options, notes: DemoNotes | None, listener: int, stopping: threading.Event) -> None:
    """Run the site until `stopping` is set, then stop all of it."""
    logs = options.var_dir / "log"
    web_command = [sys.executable, "-m", "gunicorn", "backupsite.wsgi:application", f"--bind=fd://{listener}"]
    web_command += ["--worker-class=gthread", "--workers=2", "--threads=8", "--graceful-timeout=5"]
    # Longer than the pages wait between two questions, so that each need not open a connection.
    web_command += ["--keep-alive=5", "--no-control-socket", "--log-level=warning"]
    if Path("/dev/shm").is_dir():  # noqa: S108 - a heartbeat file on a slow disk makes workers look dead
        web_command.append("--worker-tmp-dir=/dev/shm")
    keeper = _manage("clusters", logs, "run_embedded_clusters")
    others = [
        Child("web", web_command, logs, pass_fds=[listener]),
        _manage("worker", logs, "run_worker"),
        _manage("scheduler", logs, "run_scheduler"),
    ]
    threading.Thread(target=_announce, args=(options, notes, stopping), daemon=True).start()
    try:
        while not stopping.wait(POLL_SECONDS):
            for child in (keeper, *others):
                child.look_after(say)
    finally:
        say("Stopping")
        # The clusters go last: a job that is being handed back should not find them gone and call that a failure.
        stop_children(others)
        stop_children([keeper])


def _announce(options: Options, notes: DemoNotes | None, stopping: threading.Event) -> None:
    """Wait until the site answers, then say where, who may sign in, and where the data lies."""
    waited_seconds = 0.0
    while not _answers(f"{options.url}/health/"):
        if stopping.wait(POLL_SECONDS):
            return
        waited_seconds += POLL_SECONDS
        if waited_seconds > ANSWER_SECONDS:
            say(f"The site does not answer yet. Its log: {options.var_dir / 'log' / 'web.log'}")
            waited_seconds = 0.0
    say(f"\nThe site answers at {options.url}\n")
    if notes:
        write_notes(notes_path(options.var_dir), notes.served_at(options.url))
        for user in notes.users:
            say(f"  {user.role:<16} {user.email:<24} {user.password}")
        say(f"\nThese logins also stand in {notes_path(options.var_dir)}")
    say(f"Data and logs lie in {options.var_dir}\nCtrl-C stops everything.\n")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - our own address
            return bool(answer.status == 200)
    except urllib.error.HTTPError as refusal:
        return refusal.code < 500  # an ALLOWED_HOSTS without the loopback address: it answers, only not to us
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())
