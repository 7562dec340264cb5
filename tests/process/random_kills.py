"""The pipeline under random deaths: a fault every moment, then rest, then all that must be true.

    RandomKills(seed, seconds, (0.5, 2.5)).play()      seconds of faults, with pauses between them

A seed gives the same list of faults at the same times; what they meet is the machine's to choose. Each is printed as it
is done, so that a failure says what had happened.
"""
import collections
import os
import random
import re
import signal
import time

from at_rest import PostgresRows, check_at_rest
from harness import Run, alive, check_equal, marked_processes, wait_until
from postgres_server import PostgresServer

WORKERS = 3
SERVICES = ["feed", "risk", "exec", "recorder"] + [f"strategy-{i}" for i in range(1, WORKERS + 1)]
LEASE_MS = 700
SETTINGS = {"sim.dislocations_per_min": 1200, "sim.dislocation_ms": 800, "arb.cool_down_ms": 100, "arb.max_hold_ms": 2000,
            "risk.lease_ms": LEASE_MS, "risk.max_daily_loss": 1000000, "risk.max_gross": 100000000,
            "recorder.sink": "postgres", "recorder.batch_ms": 50, "journal.segment_mb": 1, "journal.snapshot_every": 1000,
            "journal.sync": 20}
# Fault and its weight.
FAULTS = {"kill": 10, "kill_two": 2, "hang_a_worker": 3, "hang": 2, "terminate": 3, "postgres_dies": 2, "postgres_ends": 1,
          "postgres_away": 1, "all_die": 1, "supervisor_dies": 1}


class RandomKills:
    def __init__(self, seed, seconds, pauses):
        self.chance = random.Random(seed)
        self.seed, self.seconds, self.pauses = seed, seconds, pauses
        self.counts, self.hung = {}, []
        self.began = time.monotonic()

    def say(self, words):
        print(f"        {time.monotonic() - self.began:6.2f} s  {words}", flush=True)

    # -- the faults; each uses the same number of draws whatever it meets --

    def signal(self, service, how):
        pid = self.run.pid(service)
        if not pid or not alive(pid):
            self.say(f"{how.name} {service}: not there just now")
            return None
        self.say(f"{how.name} {service} ({pid})")
        try:
            os.kill(pid, how)
        except ProcessLookupError:
            return None
        if how == signal.SIGKILL:
            self.counts["killed"] = self.counts.get("killed", 0) + 1
        return pid

    def kill(self):
        self.signal(self.chance.choice(SERVICES), signal.SIGKILL)

    def kill_two(self):
        for service in self.chance.sample(SERVICES, 2):
            self.signal(service, signal.SIGKILL)

    def terminate(self):
        self.signal(self.chance.choice(SERVICES), signal.SIGTERM)

    def stop_for(self, service, seconds):
        pid = self.signal(service, signal.SIGSTOP)
        if pid:
            self.hung.append((time.monotonic() + seconds, service, pid))

    def hang_a_worker(self):
        self.stop_for(self.chance.choice(SERVICES[-WORKERS:]), LEASE_MS / 1000 + self.chance.uniform(0.1, 1.5))

    def hang(self):
        self.stop_for(self.chance.choice(SERVICES), self.chance.uniform(0.1, 2.5))

    def postgres_dies(self):
        self.restart_postgres("immediate", 0)

    def postgres_ends(self):
        self.restart_postgres("fast", 0)

    def postgres_away(self):
        self.restart_postgres(self.chance.choice(["immediate", "fast"]), self.chance.uniform(1, 4))

    def restart_postgres(self, mode, away_seconds):
        self.say(f"Postgres ends ({mode}), away for {away_seconds:.1f} s")
        self.postgres.end(mode)
        self.wait(away_seconds)
        self.postgres.begin()

    def all_die(self):
        """The whole run at once, as when its host dies; the supervisor is held so that it starts nobody again."""
        pids = self.run.pids()
        self.say(f"SIGKILL of all: {pids}")
        supervisor = self.run.supervisor
        supervisor.send_signal(signal.SIGSTOP)
        for pid in [*pids.values(), supervisor.pid]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.counts["killed"] = self.counts.get("killed", 0) + len(pids)
        self.go_on()

    def supervisor_dies(self):
        self.say("SIGKILL supervisor")
        self.wake_all()
        self.run.supervisor.kill()
        self.counts["killed"] = self.counts.get("killed", 0) + 1
        self.go_on()

    def go_on(self):
        self.hung.clear()
        self.run.supervisor.wait()
        wait_until(lambda: not marked_processes(self.run.mark), 15, "the end of all after their supervisor's")
        self.say("sluice run --resume")
        self.run.begin_again()

    # -- time --

    def wake(self, now):
        for entry in [e for e in self.hung if e[0] <= now]:
            self.hung.remove(entry)
            _, service, pid = entry
            if alive(pid):
                self.say(f"SIGCONT {service} ({pid})")
                os.kill(pid, signal.SIGCONT)

    def wake_all(self):
        self.wake(float("inf"))

    def wait(self, seconds):
        until = time.monotonic() + seconds
        while (now := time.monotonic()) < until:
            self.wake(now)
            self.run.check_running()
            time.sleep(max(0, min(0.02, until - now)))

    # -- the whole --

    def all_answer(self):
        try:
            status = {name: self.run.ask(name, "status", seconds=1)["metrics"] for name in SERVICES}
        except AssertionError:
            return False
        return status["recorder"]["store_away"] == 0

    def settle(self):
        self.wake_all()
        self.say("no more faults")
        wait_until(self.all_answer, 30, "all services to answer, and the recorder to have its database")
        self.wait(3)
        self.say(f"resident kB: {self.resident()}")

    def check_deaths(self):
        """Nobody died of anything but what was done to it here: a SIGTERM ends in status 0, or kills who has only begun."""
        deaths = collections.Counter(re.findall(r"\w\S* died (.*); starting it again", self.run.output()))
        self.say(f"deaths: {dict(deaths)}")
        check_equal(set(deaths) - {"by signal 9", "by signal 15", "with status 0"}, set(), "deaths of other causes")

    def resident(self):
        sizes = {}
        for name, pid in self.run.pids().items():
            try:
                lines = open(f"/proc/{pid}/status", encoding="ascii").read().splitlines()
                sizes[name] = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
            except (OSError, StopIteration):
                pass
        return sizes

    def play(self):
        """Returns counts: faults by name, and `killed`, processes that died by SIGKILL."""
        print(f"        seed {self.seed}", flush=True)
        with PostgresServer() as self.postgres:
            # Every second time the journals free what is stored, so that there is less to compare and more to go wrong.
            settings = {**SETTINGS, "journal.keep_mb": 1 + self.seed % 2 * 1023}
            options = [f"--set={key}={value}" for key, value in settings.items()]
            with KilledRun("--workers", str(WORKERS), "--symbols", "12", "--seed", str(self.seed % 1000), *options,
                           f"--set=recorder.postgres={self.postgres.conninfo}") as self.run:
                for service in SERVICES:
                    self.run.wait_for_pid(service)
                self.wait(2)
                until = time.monotonic() + self.seconds
                while time.monotonic() < until:
                    fault = self.chance.choices(list(FAULTS), list(FAULTS.values()))[0]
                    pause = self.chance.uniform(*self.pauses)
                    self.counts[fault] = self.counts.get(fault, 0) + 1
                    getattr(self, fault)()
                    self.wait(pause)
                self.settle()
                self.run.stop(60)
                self.say("stopped")
                self.check_deaths()
                looked_at = check_at_rest(self.run, PostgresRows(self.postgres.conninfo))
                self.say(f"reconciled: {looked_at}")
        return self.counts


class KilledRun(Run):
    """A run whose supervisor may be killed and started again: it is then resumed, with no other settings."""

    def begin_again(self):
        self.options = []
        self.begin("--resume")
