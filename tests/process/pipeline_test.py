#!/usr/bin/python3
"""The whole pipeline, as real processes on the simulated market."""

import fcntl
import shutil
import subprocess
import tempfile

from harness import Run, check, check_equal, main, program

SERVICES = ["feed", "risk", "exec", "recorder", "strategy-1"]


def a_run_trades_and_ends_with_a_reconciled_report():
    with Run("--seconds", "8", "--symbols", "10", "--set", "sim.dislocations_per_min=600") as run:
        pids = {name: run.wait_for_pid(name) for name in SERVICES}
        check_equal(len(set(pids.values()) | {run.pid("supervisor")}), 6, "processes of the run")
        run.wait_for_exit()
        report = run.report()
        check_equal(report["reconciled"], True, "reconciled")
        check(report["fills"] > 0, "there are fills")
        check(report["round_trips"] > 0, "there are round trips")
        check(report["evaluations"] > 100, "there are evaluations")
        check(report["decisions"] > 0, "there are decisions")
        check(report["latency_us"]["tick_to_order"]["p99"] > 0, "tick-to-order was measured")
        float(report["net_pnl"])
        lines = run.output().splitlines()
        check(any("SIMULATED" in line for line in lines), "the screen says that the market is simulated")
        check(sum("tick-to-order" in line for line in lines) >= 5, "one status line a second")
        check(any("reconciled" in line.lower() for line in lines), "the report stands at the end")


def every_service_can_be_killed_while_the_run_goes_on_and_a_tap_sees_it():
    with Run("--seconds", "25", "--set", "sim.dislocations_per_min=600") as run:
        run.wait_for_rows("SELECT COUNT(*) FROM fills", seconds=20)
        with run.subscribe("feed.market", "book.") as books, run.subscribe("exec.ledger", "fill.") as fills:
            before = books.next()
            for service in ["strategy-1", "recorder", "risk", "exec", "feed"]:
                killed = run.kill(service)
                run.wait_for_pid(service, other_than=killed)
            after = books.next(15, lambda m: m.epoch > before.epoch)
            check_equal(after.epoch, before.epoch + 1, "epoch of the feed's second life")
            fills.next(20)
        run.wait_for_exit()
        report = run.report()
        check_equal(report["reconciled"], True, "reconciled")
        check_equal(run.rows("SELECT COUNT(*) FROM epochs WHERE stream = 'risk'")[0][0], 2, "lives of risk")
        check_equal(run.rows("SELECT COUNT(*) FROM epochs WHERE stream = 'exec'")[0][0], 2, "lives of exec")
        twice = run.rows("SELECT trade_id, venue FROM fills GROUP BY trade_id, venue HAVING COUNT(*) > 1")
        check_equal(twice, [], "fills recorded twice")


def ctrl_c_stops_cleanly_and_the_run_can_be_resumed():
    with Run("--set", "sim.dislocations_per_min=600") as run:
        run.wait_for_rows("SELECT COUNT(*) FROM fills", seconds=20)
        run.stop()
        first = run.report()
        check_equal(first["reconciled"], True, "reconciled")
        run.begin("--resume")
        run.wait_for_rows(f"SELECT COUNT(*) > {first['fills']} FROM fills", seconds=20)
        run.stop()
        second = run.report()
        check_equal(second["reconciled"], True, "reconciled after resuming")
        check(second["fills"] > first["fills"], "it went on trading")
        refused = run.call([program(), "run", "--dir", run.dir, "--resume", "--set", "risk.max_gross=5"])
        check_equal(refused.returncode, 3, "exit status of a resume with other settings")
        check("the run has" in refused.stderr and "given is" in refused.stderr, refused.stderr)
        used = run.call([program(), "run", "--dir", run.dir, "--seconds", "1"])
        check_equal(used.returncode, 5, "exit status of a run in a directory that holds one")
        check("a run is there already" in used.stderr, used.stderr)
        with open(run.dir / "run.lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            running = run.call([program(), "run", "--dir", run.dir, "--resume"])
        check_equal(running.returncode, 5, "exit status of a resume of a run that another process runs")
        check("another process runs it" in running.stderr, running.stderr)
        shutil.rmtree(run.dir / "journal/risk")
        done = run.call([program(), "run", "--dir", run.dir, "--resume", "--seconds", "1"])
        check_equal(done.returncode, 3, "exit status of a resume without risk's ledger")
        check("journal/risk" in done.stderr, f"the ledger is named: {done.stderr}")


def a_sink_without_its_connection_is_refused_at_the_start():
    with tempfile.TemporaryDirectory() as scratch:
        done = subprocess.run([program(), "run", "--dir", f"{scratch}/run", "--set", "recorder.sink=postgres"],
                              capture_output=True, text=True, timeout=30)
        check_equal(done.returncode, 3, "exit status")
        check("recorder.postgres: \"\"; expected a libpq connection string" in done.stderr, done.stderr)


def a_service_that_cannot_come_up_fails_the_run_and_says_why():
    with Run("--seconds", "2") as run:
        run.wait_for_exit()
        shutil.rmtree(run.dir / "sock")
        run.begin("--resume")
        run.wait_for_exit()
        check("died" not in run.output(), "a run directory without its sockets' folder can be resumed")
        journal = run.dir / "journal/risk/00000000000000000001.log"
        written = bytearray(journal.read_bytes())
        written[len(written) // 2] ^= 1
        journal.write_bytes(written)
        run.begin("--resume")
        run.wait_for_exit(status=6)
        for words in ["risk did not run", journal.name, "offset"]:
            check(words in run.output().splitlines()[-1], f"{words!r} in the last line of {run.output()[-500:]!r}")
        (run.dir / "run_id").write_text("")
        run.begin("--resume")
        run.wait_for_exit(status=3)
        check("run_id" in run.output().splitlines()[-1], "the file that cannot be read is named")


def workers_share_the_routes():
    with Run("--workers", "3", "--symbols", "12", "--seconds", "10") as run:
        run.wait_for_exit()
        owners = dict(run.rows("SELECT worker, COUNT(DISTINCT route) FROM assignments WHERE worker <> '' GROUP BY worker"))
        check_equal(sorted(owners), ["strategy-1", "strategy-2", "strategy-3"], "workers that own routes")
        check_equal(run.report()["reconciled"], True, "reconciled")


def evaluations_end_a_run():
    with Run("--evaluations", "500") as run:
        run.wait_for_exit()
        check(run.report()["evaluations"] >= 500, "as many evaluations as asked for")


def a_wrong_flag_file_or_setting_names_itself_and_what_was_expected():
    with Run("--seconds", "1") as run:
        run.wait_for_exit()
        for argv, status, words in [
            (["run", "--symbols", "many"], 3, ["sim.symbols", "many"]),
            (["run", "--secnods", "3"], 2, ["--secnods", "--seconds"]),
            (["run", "--config", "nowhere.yaml"], 3, ["nowhere.yaml"]),
            (["run", "--set", "risk.max_gros=1"], 3, ["max_gros", "max_gross"]),
            (["run", "--set", "run.mode=live"], 3, ["run.mode", "paper"]),
            (["run", "--replay", "nowhere.gz"], 3, ["nowhere.gz"]),
            (["run", "--replay", "/dev/null"], 3, ["/dev/null", "venue"]),
            (["run", "--set", "routes.0.a=BTC-USDT@sim-a"], 3, ["routes.0", "leg b"]),
            (["run", "--set", "run.account="], 3, ["run.account", "letters"]),
            (["run", "--set", "sim.calibration=nowhere"], 3, ["sim.calibration", "nowhere"]),
            (["run", "--dir", run.dir], 5, ["--resume"]),
            (["runn"], 2, ["runn", "run"]),
            (["tap", "fed"], 2, ["fed", "feed"]),
        ]:
            done = run.call([program(), *argv])
            check_equal(done.returncode, status, f"exit status of {argv}")
            for word in words:
                check(word in done.stderr, f"{argv}: {word!r} in {done.stderr!r}")
        for verb in ["run", "status", "tap", "books", "emulate", "backtest", "report", "journal", "show-config", "check-config"]:
            done = run.call([program(), verb, "--help"])
            check_equal(done.returncode, 0, f"exit status of {verb} --help")
            check(done.stdout.startswith("usage: sluice " + verb), f"{verb} --help begins with its usage")


main(a_run_trades_and_ends_with_a_reconciled_report,
     every_service_can_be_killed_while_the_run_goes_on_and_a_tap_sees_it,
     ctrl_c_stops_cleanly_and_the_run_can_be_resumed,
     a_sink_without_its_connection_is_refused_at_the_start,
     a_service_that_cannot_come_up_fails_the_run_and_says_why,
     workers_share_the_routes,
     evaluations_end_a_run,
     a_wrong_flag_file_or_setting_names_itself_and_what_was_expected)
