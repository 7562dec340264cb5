"""A Postgres server of a test's own, that may be stopped and killed; the one of SLUICE_TEST_POSTGRES belongs to all tests."""
import glob
import os
import pathlib
import pwd
import shutil
import signal
import subprocess

from harness import PATIENCE, Processes, Skip, wait_until


class PostgresServer(Processes):
    """To be used as a context. conninfo: libpq connection string, the same over all its lives."""

    def __init__(self):
        super().__init__()
        folders = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"), key=lambda p: int(p.split("/")[4]))
        if not folders:
            raise Skip("no Postgres server under /usr/lib/postgresql")
        self.bin = pathlib.Path(folders[-1]).parent
        self.conninfo = f"host={self.scratch} port=5432 user=postgres dbname=postgres"
        self.server = None

    def __enter__(self):
        try:
            as_user = []
            if os.getuid() == 0:  # initdb and postgres refuse to be root
                shutil.chown(self.scratch, pwd.getpwnam("postgres").pw_uid)
                as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
            self.as_user = as_user
            self.scratch.chmod(0o711)
            done = self.call([*as_user, self.bin / "initdb", "-D", self.scratch / "data", "-U", "postgres", "--auth=trust",
                              "--encoding=UTF8", "--locale=C", "--no-sync"], 60)
            if done.returncode != 0:
                raise AssertionError(f"initdb ended with status {done.returncode}: {done.stderr[-1000:]}")
            self.begin()
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(self, *why):
        if self.server and self.server.poll() is None:
            try:
                self.end("fast")
            except AssertionError:
                self.server.kill()  # its children end when they see that it is gone
        super().__exit__(*why)

    def begin(self):
        # What a killed server had written is the system's to keep: no test here takes the power away.
        self.server = self.start([*self.as_user, "setpriv", "--pdeathsig", "INT", self.bin / "postgres", "-D",
                                  self.scratch / "data", "-c", "listen_addresses=", "-c", "fsync=off",
                                  "-c", f"unix_socket_directories={self.scratch}"], "postgres.out")
        ready = [self.bin / "pg_isready", "-q", "-h", self.scratch, "-p", "5432", "-U", "postgres"]
        wait_until(lambda: subprocess.run(ready, check=False).returncode == 0, 30, "Postgres to answer")

    def end(self, mode):
        """fast: clients are thrown out; immediate: it dies as it stands, and recovers at its next begin."""
        self.server.send_signal({"fast": signal.SIGINT, "immediate": signal.SIGQUIT}[mode])
        wait_until(lambda: self.server.poll() is not None, 20, f"Postgres to end ({mode})")

    def environment(self):
        return {"PGCONNECT_TIMEOUT": str(int(5 * PATIENCE))}
