"""What a test of running processes stands on: start the pipeline, wait for conditions, kill, look, leave nothing.

A test is a file NAME_test.py beside this one; ctest knows it as process/NAME:

    from harness import Run, main

    def a_killed_feed_comes_back_while_the_run_goes_on():
        with Run("--seconds", "20") as run:
            first = run.wait_for_pid("feed")
            run.kill("feed")
            run.wait_for_pid("feed", other_than=first)
            run.wait_for_exit()

    main(a_killed_feed_comes_back_while_the_run_goes_on)

The promises of this file:
- Every wait has a deadline and, when it passes, says what was waited for. Deadlines are stretched by SLUICE_PATIENCE
  (sanitized builds are slow); write them for the release build.
- Every process that a test has started, and whatever those have started, is gone when its `with` ends, however it
  ends: passed, failed, interrupted, or out of time. Processes are found by a mark in their environment.
- When a test fails, the end of every log of its run is printed, its directory is kept, and where it is, is printed.
  SLUICE_KEEP=1 keeps those of all tests.
The programs are those in the folder SLUICE_BIN_DIR.
"""
import collections
import contextlib
import ctypes
import json
import os
import pathlib
import re
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import traceback

import msgpack
import zmq

PATIENCE = float(os.environ.get("SLUICE_PATIENCE", "1"))
# A test that hangs is ended here, with words and a clean-up, before ctest ends it without.
TEST_SECONDS_MAX = 220
MARK = "SLUICE_TEST_MARK"
LOG_LINES_SHOWN = 30
PR_SET_PDEATHSIG = 1
ROOT = pathlib.Path(__file__).resolve().parents[2]


class Skip(Exception):
    """Raised by a test that cannot be run here; the words say why."""


class OutOfTime(BaseException):
    """The whole test took too long. Not an Exception, so that no test catches it by accident."""


# ---- waiting ---------------------------------------------------------------------------------------------------


def wait_until(condition, seconds, what):
    """Calls condition() until it returns something true, and returns that; fails after `seconds` of the release build."""
    deadline = time.monotonic() + seconds * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds * PATIENCE:g} s still waiting for: {what} (last seen: {value!r})")
        time.sleep(0.02)


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def check_equal(got, expected, what):
    if got != expected:
        raise AssertionError(f"{what}: expected {expected!r}, got {got!r}")


# ---- processes -------------------------------------------------------------------------------------------------


def program(name="sluice"):
    folder = os.environ.get("SLUICE_BIN_DIR")
    if not folder:
        raise AssertionError("SLUICE_BIN_DIR is not set: the folder of the built programs, such as build/bin")
    path = pathlib.Path(folder, name)
    if not os.access(path, os.X_OK):
        raise AssertionError(f"{path} is not there: built?")
    return str(path)


def start_of_process(pid):
    """Clock ticks after boot at which the process began, which tells it from a later one of the same number; or None."""
    try:
        after_name = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if after_name[0] in "ZX" else int(after_name[19])


def alive(pid):
    return start_of_process(pid) is not None


def marked_processes(mark):
    found = []
    wanted = f"{MARK}={mark}".encode()
    for folder in pathlib.Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                if wanted in folder.joinpath("environ").read_bytes().split(b"\0") and alive(folder.name):
                    found.append(int(folder.name))
    return found


LIBC = ctypes.CDLL(None)  # loaded before any fork


def die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def tail(path, lines=LOG_LINES_SHOWN):
    try:
        return path.read_text(errors="replace").splitlines()[-lines:]
    except OSError:
        return []


class Processes:
    """A directory, and the processes started in it. On leaving all are asked to stop, then killed, then the
    directory is removed, unless the test has failed. Its path is short: that of an ipc socket has at most 107 bytes."""

    def __init__(self):
        self.mark = secrets.token_hex(8)
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="sluice-", dir="/tmp"))
        self.started = []

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        failed = kind is not None and not issubclass(kind, (Skip, KeyboardInterrupt))
        try:
            self.stop_all()
        finally:
            if failed:
                self.print_logs()
            if (failed and any(self.scratch.iterdir())) or os.environ.get("SLUICE_KEEP"):
                print(f"kept: {self.scratch}", flush=True)
            else:
                shutil.rmtree(self.scratch, ignore_errors=True)

    def start(self, argv, log, env=None):
        """Starts a program whose output goes to the file `log` of the directory; returns the Popen."""
        with open(self.scratch / log, "ab") as out:
            process = subprocess.Popen(
                [str(a) for a in argv], cwd=self.scratch, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env={**os.environ, **(env or {}), MARK: self.mark}, start_new_session=True,
                preexec_fn=die_with_parent)
        self.started.append(process)
        return process

    def call(self, argv, seconds=30, env=None):
        """Runs a program to its end; returns its CompletedProcess with text in stdout and stderr."""
        return subprocess.run(
            [str(a) for a in argv], cwd=self.scratch, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            env={**os.environ, **(env or {}), MARK: self.mark}, timeout=seconds * PATIENCE, preexec_fn=die_with_parent)

    def stop_all(self, seconds=10):
        for process in self.started:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + seconds * PATIENCE
        while time.monotonic() < deadline and any(p.poll() is None for p in self.started):
            time.sleep(0.02)
        # Twice empty: a process between fork and exec may show its parent's environment or none.
        empty = 0
        while empty < 2:
            left = marked_processes(self.mark)
            empty = 0 if left else empty + 1
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            for process in self.started:
                process.poll()
            time.sleep(0.02)

    def logs(self):
        found = (p for p in self.scratch.rglob("*") if p.is_file() and p.suffix in (".log", ".out"))
        return sorted(p for p in found if "journal" not in p.parts)  # whose segments are no text

    def print_logs(self):
        for path in self.logs():
            print(f"---- end of {path.relative_to(self.scratch)}")
            print("\n".join(tail(path)))


# ---- messages --------------------------------------------------------------------------------------------------

Message = collections.namedtuple("Message", "topic version type stream epoch seq pos time_out trace name body")


def read_dictionary():
    """Number -> (name, names of the fields) of every message, and the numbers of the control verbs and codes."""
    text = re.sub(r"/\*.*?\*/", "", (ROOT / "proto/dictionary.def").read_text(), flags=re.S)
    messages = {}
    for name, number, fields in re.findall(r"^MESSAGE\((\w+), \w+, (\d+),.*?$(.*?)^END_MESSAGE", text, re.S | re.M):
        messages[int(number)] = (name, re.findall(r"^FIELD(?:_\w+)?\((?:[A-Z0-9]+, )?(\w+),", fields, re.M))
    enums = {name: {t: int(n) for n, t in re.findall(r'VALUE\(\w+, \w+, (\d+), "([^"]*)"\)', values)}
             for name, values in re.findall(r"^ENUM\((\w+)\)(.*?)^END_ENUM", text, re.S | re.M)}
    return messages, enums


MESSAGES, ENUMS = read_dictionary()
NUMBERS = {name: number for number, (name, _) in MESSAGES.items()}


def read_message(frames):
    """A Message of one or two frames; its body is a dict by field name, values as they are on the wire."""
    envelope = msgpack.unpackb(frames[-1], strict_map_key=False)
    name, fields = MESSAGES.get(envelope[1], (f"unknown-{envelope[1]}", []))
    topic = frames[0].decode() if len(frames) > 1 else ""
    return Message(topic, *envelope[:8], name, dict(zip(fields, envelope[8])))


class Subscription:
    """A tap on a PUB socket of a run: next() waits for a message, take(n) for n of them."""

    def __init__(self, endpoint, prefixes):
        self.endpoint = endpoint
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.SUB)
        self.socket.setsockopt(zmq.LINGER, 0)
        for prefix in prefixes or [""]:
            self.socket.setsockopt(zmq.SUBSCRIBE, prefix.encode())
        self.socket.connect(endpoint)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        self.context.term()

    def next(self, seconds=10, where=lambda message: True):
        """The next message for which `where` is true."""
        deadline = time.monotonic() + seconds * PATIENCE
        while (left := deadline - time.monotonic()) > 0:
            if self.socket.poll(left * 1000):
                message = read_message(self.socket.recv_multipart())
                if where(message):
                    return message
        raise AssertionError(f"no such message from {self.endpoint} within {seconds * PATIENCE:g} s")

    def take(self, count, seconds=10):
        return [self.next(seconds) for _ in range(count)]


# ---- the pipeline ----------------------------------------------------------------------------------------------


class Run(Processes):
    """`sluice run` with a run directory of its own. Options: the arguments of `sluice run` but for --dir;
    env: more environment; config: text of a config file for --config."""

    def __init__(self, *options, env=None, config=None):
        super().__init__()
        self.dir = self.scratch / "run"
        self.options = list(options)
        self.env = env
        if config is not None:
            path = self.scratch / "config.yaml"
            path.write_text(config)
            self.options += ["--config", str(path)]
        self.supervisor = None

    def __enter__(self):
        try:
            self.begin()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def begin(self, *more_options):
        """Starts the supervisor: done by `with`; again, with "--resume" for one, after wait_for_exit."""
        argv = [program(), "run", "--dir", self.dir, *self.options, *more_options]
        self.supervisor = self.start(argv, "supervisor.out", self.env)

    # -- the processes of the run --

    def pids(self):
        """Service -> pid as the supervisor wrote them; empty before it did."""
        try:
            return json.loads((self.dir / "pids.json").read_text())
        except FileNotFoundError:
            return {}

    def pid(self, service):
        return self.pids().get(service)

    def wait_for_pid(self, service, other_than=None, seconds=15):
        def found():
            self.check_running()
            pid = self.pid(service)
            return pid if pid and pid != other_than and alive(pid) else None

        return wait_until(found, seconds, f"a living {service}" + (f" other than {other_than}" if other_than else ""))

    def kill(self, service, how=signal.SIGKILL):
        """Sends a signal to a service and returns its pid; after SIGKILL, waits until it is gone."""
        pid = self.wait_for_pid(service)
        began = start_of_process(pid)
        os.kill(pid, how)
        if how == signal.SIGKILL:
            wait_until(lambda: start_of_process(pid) != began, 5, f"{service} ({pid}) to be gone")
        return pid

    def check_running(self):
        code = self.supervisor.poll()
        if code is not None:
            raise AssertionError(f"sluice run ended with status {code}")

    def stop(self, seconds=30, status=0):
        """Ctrl-C, and the clean stop that must follow."""
        self.supervisor.send_signal(signal.SIGINT)
        self.wait_for_exit(seconds, status)

    def wait_for_exit(self, seconds=60, status=0):
        """Waits for the end of the run, whose exit status must be `status`, with no process left behind."""
        self.wait_for_end(seconds, status)

    def wait_for_end(self, seconds=60, status=None):
        """The same with any exit status, where `status` is None; it is in supervisor.returncode."""
        wait_until(lambda: self.supervisor.poll() is not None, seconds, "the end of sluice run")
        if status is not None:
            check_equal(self.supervisor.returncode, status, "exit status of sluice run")
        wait_until(lambda: not marked_processes(self.mark), 2, "the last of its processes to be gone")

    # -- what it wrote --

    def output(self):
        """What the supervisor has printed up to now."""
        return (self.scratch / "supervisor.out").read_text(errors="replace")

    def log(self, service):
        path = self.dir / "log" / f"{service}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def wait_for_log(self, service, words, seconds=15):
        return wait_until(lambda: words in self.log(service), seconds, f"{words!r} in the log of {service}")

    def rows(self, query, *values):
        """Rows of the run's SQLite database."""
        with contextlib.closing(sqlite3.connect(f"file:{self.dir}/sluice.db?mode=ro", uri=True, timeout=10)) as db:
            return db.execute(query, values).fetchall()

    def wait_for_rows(self, query, *values, seconds=20):
        """Waits until the query answers with a row whose first column is true, and returns the rows."""
        def found():
            try:
                rows = self.rows(query, *values)
            except sqlite3.OperationalError:  # no database or no table yet
                return None
            return rows if rows and rows[0][0] else None

        return wait_until(found, seconds, f"an answer to {query!r}")

    def sluice(self, verb, *options, seconds=60, status=0):
        """Runs `sluice VERB OPTIONS` with this run's --dir; returns its standard output."""
        done = self.call([program(), verb, "--dir", self.dir, *options], seconds, self.env)
        if done.returncode != status:
            raise AssertionError(f"sluice {verb} ended with status {done.returncode}, not {status}:\n"
                                 f"{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout

    def report(self):
        return json.loads(self.sluice("report", "--json"))

    # -- its sockets --

    def endpoint(self, name):
        """feed.market, risk.intents, risk.ledger, risk.replay, exec.ledger, exec.replay, SERVICE.control"""
        return f"ipc://{self.dir}/sock/{name}"

    def subscribe(self, name, *prefixes):
        return Subscription(self.endpoint(name), prefixes)

    def ask(self, service, verb, arg="", number=0, seconds=10):
        """A request on a service's control socket; returns its reply's body, with the metrics as a dict."""
        request_id = secrets.randbits(48)
        body = [request_id, ENUMS["control_verb"][verb], arg, number]
        envelope = [1, NUMBERS["request"], "test", 0, 0, 0, time.time_ns(), None, body]
        with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
            socket.setsockopt(zmq.LINGER, 0)
            socket.connect(self.endpoint(f"{service}.control"))
            socket.send(msgpack.packb(envelope))
            deadline = time.monotonic() + seconds * PATIENCE
            while (left := deadline - time.monotonic()) > 0:
                if socket.poll(left * 1000):
                    reply = read_message(socket.recv_multipart()[-1:])
                    if reply.body.get("id") == request_id:
                        return {**reply.body, "metrics": dict(reply.body["metrics"])}
        raise AssertionError(f"{service} did not answer {verb!r} within {seconds * PATIENCE:g} s")


# ---- data and servers of the test run --------------------------------------------------------------------------


def test_data(path=""):
    """A file of the recordings, or a skip where there are none."""
    folder = os.environ.get("SLUICE_TEST_DATA")
    if not folder:
        raise Skip("SLUICE_TEST_DATA is not set: no recordings here")
    found = pathlib.Path(folder, path)
    check(found.exists(), f"{found} is not there, though SLUICE_TEST_DATA names its folder")
    return found


@contextlib.contextmanager
def postgres_database():
    """libpq connection string of an empty database of the test's own."""
    server = os.environ.get("SLUICE_TEST_POSTGRES")
    if not server:
        raise Skip("SLUICE_TEST_POSTGRES is not set: no Postgres here (./dev test starts one)")
    name = f"test_{secrets.token_hex(6)}"

    def sql(words):
        subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", server, "-c", words], check=True,
                       stdin=subprocess.DEVNULL, timeout=30 * PATIENCE)

    sql(f"CREATE DATABASE {name}")
    try:
        yield re.sub(r"\s*\bdbname=\S+", "", server) + f" dbname={name}"
    finally:
        sql(f"DROP DATABASE {name} WITH (FORCE)")


def redis_address():
    """host:port of a Redis that other tests use as well: keep to keys of your own."""
    address = os.environ.get("SLUICE_TEST_REDIS")
    if not address:
        raise Skip("SLUICE_TEST_REDIS is not set: no Redis here (./dev test starts one)")
    return address


# ---- the test program ------------------------------------------------------------------------------------------


def main(*tests, seconds=TEST_SECONDS_MAX):
    """Runs the tests one after the other; exits 0, 1 if any failed, 77 if all were skipped. Arguments: names to run.
    seconds: the most that all may take; None = as long as they like."""
    def out_of_time(*_):
        raise OutOfTime(f"the test program took longer than {seconds} s")

    def terminated(number, _):
        raise KeyboardInterrupt(signal.Signals(number).name)

    signal.signal(signal.SIGALRM, out_of_time)
    signal.signal(signal.SIGTERM, terminated)
    signal.signal(signal.SIGINT, terminated)
    signal.alarm(seconds or 0)
    results = collections.Counter()
    for test in tests:
        name = test.__name__.replace("_", " ")
        if sys.argv[1:] and test.__name__ not in sys.argv[1:]:
            continue
        began = time.monotonic()
        try:
            test()
            result = "ok"
        except Skip as why:
            result = "skipped"
            name += f": {why}"
        except (Exception, OutOfTime):
            traceback.print_exc(file=sys.stdout)
            result = "FAILED"
        results[result] += 1
        print(f"{result:7} {time.monotonic() - began:6.1f} s  {name}", flush=True)
    if results["FAILED"] or not results:
        sys.exit(1)
    sys.exit(0 if results["ok"] else 77)
