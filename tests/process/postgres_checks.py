"""A Postgres that is asked what it holds, whose backends can be killed, and whose answers can be lost on the way; and
what must be true of a run's database whatever happened to it."""
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading

from harness import PATIENCE, check, check_equal, program, wait_until
from postgres_server import PostgresServer


class Server(PostgresServer):
    def kill_backends(self):
        """kill -9 of those that serve sluice: the server then throws everyone out and recovers."""
        pids = [int(pid) for (pid,) in self.rows("SELECT pid FROM pg_stat_activity WHERE application_name = 'sluice'")]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        return len(pids)

    def rows(self, query):
        """Rows as tuples of text."""
        done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-d", self.conninfo,
                               "-c", query], check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=30 * PATIENCE)
        return [tuple(line.split("\t")) for line in done.stdout.splitlines() if line]

    def wait_for(self, query, seconds=20):
        """Waits until the first column of the first row is true; a table that is not there yet is not."""
        def found():
            try:
                rows = self.rows(query)
            except subprocess.CalledProcessError:
                return None
            return rows if rows and rows[0][0] not in ("", "f", "0") else None

        return wait_until(found, seconds, f"an answer to {query!r}")


class Proxy:
    """A socket beside the server's. lose_commits(n): the next n COMMITs are carried out by the server, and the
    connection is cut before the answer comes back."""

    def __init__(self, server):
        self.server = server
        self.dir = tempfile.mkdtemp(prefix="sluice-px-", dir="/tmp")
        self.conninfo = f"host={self.dir} port=5432 user=postgres dbname=postgres"
        self.to_lose = 0
        self.lost = 0
        self.closing = False
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(f"{self.dir}/.s.PGSQL.5432")
        self.listener.listen(8)
        threading.Thread(target=self.serve, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.closing = True
        self.listener.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def lose_commits(self, n):
        self.to_lose = n

    def serve(self):
        while not self.closing:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            upstream = socket.socket(socket.AF_UNIX)
            try:
                upstream.connect(f"{self.server.scratch}/.s.PGSQL.5432")
            except OSError:
                client.close()
                continue
            connection = Connection(self, client, upstream)
            threading.Thread(target=connection.forward, daemon=True).start()
            threading.Thread(target=connection.answer, daemon=True).start()


class Connection:
    def __init__(self, proxy, client, upstream):
        self.proxy, self.client, self.upstream = proxy, client, upstream
        self.mute = False

    def forward(self):
        with contextlib.suppress(OSError):
            while data := self.client.recv(1 << 16):
                # A simple query that is COMMIT comes alone: libpq waits for the answer of the one before.
                if data.endswith(b"COMMIT\0") and data[0:1] == b"Q" and self.proxy.to_lose > 0:
                    self.proxy.to_lose -= 1
                    self.mute = True
                self.upstream.sendall(data)
        self.close()

    def answer(self):
        with contextlib.suppress(OSError):
            while data := self.upstream.recv(1 << 16):
                if self.mute:
                    self.proxy.lost += b"COMMIT\0" in data
                    break
                self.client.sendall(data)
        self.close()

    def close(self):
        for end in (self.client, self.upstream):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


# ---- what is asked of a run on it ---------------------------------------------------------------------------------

LEDGER_TABLES = ["decisions", "assignments", "route_states", "limits", "risk_states", "order_events", "fills", "baskets",
                 "balances", "adjustments", "positions", "upstreams", "epochs", "gaps", "sessions", "refused_rows"]
BUSY = ["--symbols", "10", "--set", "sim.dislocations_per_min=1200", "--set", "recorder.sink=postgres"]


def to(conninfo, seconds):
    return [*BUSY, "--set", f"recorder.postgres={conninfo}", "--seconds", str(seconds)]


def check_each_position_once(run, server):
    """Of both streams every record of the journal is in the tables, and is there once."""
    everything = " UNION ALL ".join(f"SELECT run, stream, pos FROM {table}" for table in LEDGER_TABLES)
    for stream, stored in server.rows("SELECT stream, pos FROM stored_positions"):
        [(rows, positions, least, greatest)] = server.rows(
            f"SELECT COUNT(*), COUNT(DISTINCT pos), MIN(pos), MAX(pos) FROM ({everything}) e WHERE stream = '{stream}'")
        check_equal((rows, positions, least, greatest), (stored, stored, "1", stored), f"positions of {stream}")
        journal = run.call([program(), "journal", "cat", run.dir / "journal" / stream]).stdout
        check_equal(stored, str(len(journal.splitlines())), f"records in the journal of {stream}")
        check(int(stored) > 20, f"{stream} has said something")


def metrics(run, service="recorder"):
    return run.ask(service, "status")["metrics"]


def wait_until_back(run):
    wait_until(lambda: metrics(run)["store_away"] == 0, 30, "the store to be back")


def wait_for_more(run, server, seconds=30):
    [(before,)] = server.rows("SELECT COALESCE(SUM(pos), 0) FROM stored_positions")
    server.wait_for(f"SELECT SUM(pos) > {before} FROM stored_positions", seconds)
