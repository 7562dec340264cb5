#!/usr/bin/python3
"""What `sluice run` owes its services: who dies is back at once whoever else hangs, and a stop takes a bounded time."""
import signal
import time

from harness import PATIENCE, Run, check, check_equal, main, wait_until

MARKET = ["--symbols", "5", "--set", "sim.dislocations_per_min=600"]


def seconds_of(what):
    began = time.monotonic()
    what()
    return (time.monotonic() - began) / PATIENCE


def who_dies_is_back_at_once_though_another_hangs():
    with Run(*MARKET) as run:
        run.wait_for_rows("SELECT COUNT(*) FROM fills", seconds=20)
        run.kill("recorder", signal.SIGSTOP)
        for service in ["exec", "risk", "strategy-1"]:
            killed = run.kill(service)
            took = seconds_of(lambda: run.wait_for_pid(service, other_than=killed))
            check(took < 0.25, f"{service} is back after {took:.3f} s")
        run.kill("recorder", signal.SIGCONT)
        run.stop()
        check_equal(run.report()["reconciled"], True, "reconciled")


def who_is_killed_again_and_again_is_started_ever_later_and_never_given_up():
    with Run(*MARKET) as run:
        run.wait_for_rows("SELECT COUNT(*) FROM fills", seconds=20)
        for _ in range(5):
            killed = run.kill("exec")
            run.wait_for_pid("exec", other_than=killed)
        check("it has died at once 4 times in a row" in run.output(), "it is said how often")
        run.stop()
        check_equal(run.report()["reconciled"], True, "reconciled")


def a_stop_is_bounded_though_the_gate_is_dead_or_hangs():
    with Run(*MARKET) as run:
        run.wait_for_rows("SELECT COUNT(*) FROM fills", seconds=20)
        run.kill("risk")
        # What risk had not told yet of a basket under way it tells when the run is resumed: until then 6 is right.
        took = seconds_of(lambda: run.stop(status=None))
        check(took < 6, f"risk killed just before: {took:.1f} s")
        check(run.supervisor.returncode in (0, 6), f"exit status {run.supervisor.returncode}")
        lines = run.output().count("tick-to-order p50")
        run.begin("--resume")
        wait_until(lambda: run.output().count("tick-to-order p50") > lines, 10, "a status line of the resumed run")
        run.kill("risk", signal.SIGSTOP)
        took = seconds_of(lambda: run.stop(status=None))
        check(took < 12, f"risk hanging: {took:.1f} s")
        check("risk does not answer" in run.output(), "it is said why the stop was not quiet")


main(who_dies_is_back_at_once_though_another_hangs,
     who_is_killed_again_and_again_is_started_ever_later_and_never_given_up,
     a_stop_is_bounded_though_the_gate_is_dead_or_hangs)
