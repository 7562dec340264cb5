#!/usr/bin/python3
"""`sluice halt`, `reduce` and `resume`: what a running gate lets through, and what is said when none is running."""

from harness import Run, check, check_equal, main, program, wait_until

MARKET = ["--symbols", "6", "--set", "sim.dislocations_per_min=1200", "--set", "arb.cool_down_ms=100"]


def gate(run):
    return run.ask("risk", "status")["metrics"]


def a_halt_stops_trading_holds_over_a_restart_and_ends_with_resume():
    with Run(*MARKET) as run:
        wait_until(lambda: gate(run).get("accepts", 0) > 0, 20, "an accepted decision")
        check("HALTED" in run.sluice("halt", "looks odd"), "the answer says what holds now")
        accepted = gate(run)["accepts"]
        killed = run.kill("risk")
        run.wait_for_pid("risk", other_than=killed)
        wait_until(lambda: "HALTED" in run.output(), 10, "HALTED in the status line")
        refused = run.wait_for_rows("SELECT COUNT(*) FROM decisions WHERE reason = 'HALTED'")
        check(refused[0][0] > 0, "intents are refused as HALTED")
        check_equal(gate(run)["accepts"], accepted, "accepted decisions while halted")
        check_equal(run.rows("SELECT detail FROM risk_states WHERE state = 'HALTED'"), [("looks odd",)], "the words are kept")
        run.sluice("resume")
        wait_until(lambda: gate(run)["accepts"] > accepted, 20, "an accepted decision after resume")
        run.stop()
        check_equal(run.report()["reconciled"], True, "reconciled")


def reduce_lets_positions_shrink_only():
    with Run(*MARKET) as run:
        wait_until(lambda: gate(run).get("positions", 0) > 0, 20, "a position")
        check("REDUCE_ONLY" in run.sluice("reduce"), "the answer says what holds now")
        run.wait_for_rows("SELECT COUNT(*) FROM decisions WHERE reason = 'REDUCE_ONLY' AND kind = 'enter'")
        began = run.rows("SELECT pos FROM risk_states WHERE state = 'REDUCE_ONLY'")[0][0]
        entered = run.rows("SELECT COUNT(*) FROM decisions WHERE pos > ? AND kind = 'enter' AND verdict LIKE 'accept%'",
                           began)
        check_equal(entered[0][0], 0, "entries accepted under reduce")


def what_is_refused_or_not_there_is_said_with_its_status():
    with Run("--symbols", "3") as run:
        run.wait_for_pid("risk")
        wait_until(lambda: gate(run), 10, "risk's answer")
        for argv, status, words in [
            (["resume", "--dir", run.dir, "NO-SUCH@a~NO-SUCH@b"], 5, "parked"),
            (["halt", "--dir", run.dir, "two", "words"], 2, "words"),
            (["halt", "--dir"], 2, "--dir"),
            (["halt", "--hard"], 2, "--hard"),
            (["reduce", "--dir", run.dir, "x" * 90], 2, "79"),
            (["resume", "--dir", "/nowhere"], 4, "/nowhere"),
        ]:
            done = run.call([program(), *argv])
            check_equal(done.returncode, status, f"exit status of {argv}; {done.stderr}")
            check(words in done.stderr, f"{argv}: {words!r} in {done.stderr!r}")
        run.stop()
        done = run.call([program(), "halt", "--dir", run.dir])
        check_equal(done.returncode, 4, "exit status when the run has ended")
        check("does not answer" in done.stderr, done.stderr)


main(a_halt_stops_trading_holds_over_a_restart_and_ends_with_resume,
     reduce_lets_positions_shrink_only,
     what_is_refused_or_not_there_is_said_with_its_status)
