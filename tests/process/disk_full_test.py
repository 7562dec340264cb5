#!/usr/bin/python3
"""A real service on a disk without room: it says so, takes nothing on, and goes on where it was when there is room."""
import resource
import signal
import time

from harness import ENUMS, Run, check_equal, main, program, wait_until


def journal_bytes(run, service):
    return max(f.stat().st_size for f in (run.dir / "journal" / service).glob("*.log"))


def kept_bytes(run, service):
    """Between two tries of a write: what a try got onto the disk is cut off again at its end."""
    def look():
        time.sleep(0.01)
        return journal_bytes(run, service)
    return min(look() for _ in range(20))


def limit_files(pid, size):
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def fill_and_free(service):
    with Run("--set", "sim.dislocations_per_min=600") as run:
        run.wait_for_rows("SELECT COUNT(*) FROM fills", seconds=30)
        pid = run.wait_for_pid(service)
        limit_files(pid, journal_bytes(run, service) + 2000)
        run.wait_for_log(service, "blocked", seconds=30)
        status = run.ask(service, "status")["metrics"]
        check_equal(status["blocked"], 1, "blocked, as its status says")
        halted = run.ask(service, "halt", "test")
        check_equal(halted["code"], ENUMS["control_code"]["refused"], f"what becomes of a halt that cannot be written: {halted}")
        size, head = kept_bytes(run, service), status["ledger_head_pos"]
        time.sleep(2)
        status = run.ask(service, "status")["metrics"]
        check_equal((kept_bytes(run, service), status["ledger_head_pos"], status["blocked"]), (size, head, 1),
                    "nothing is written, and nothing counts as written")
        limit_files(pid, resource.RLIM_INFINITY)
        wait_until(lambda: run.ask(service, "status")["metrics"]["blocked"] == 0, 15, f"{service} to go on")
        wait_until(lambda: run.ask(service, "status")["metrics"]["ledger_head_pos"] > head + 20, 30, "more to be written")
        check_equal(run.pid(service), pid, "it is the same process")
        run.stop()
        check_equal(run.report()["reconciled"], True, "reconciled")
        for ledger in ("risk", "exec"):
            twice = run.rows(f"SELECT COUNT(*) FROM epochs WHERE stream = '{ledger}'")
            check_equal(twice[0][0], 1, f"lives of {ledger}")
        done = run.call([program(), "journal", "check", run.dir])
        check_equal(done.returncode, 0, f"the journals hold: {done.stdout}{done.stderr}")


def a_gate_without_room_for_its_journal_takes_nothing_on_and_goes_on_later():
    fill_and_free("risk")


def a_hand_without_room_for_its_journal_sends_nothing_and_goes_on_later():
    fill_and_free("exec")


def a_feed_that_starts_on_a_full_disk_waits_for_room():
    with Run("--set", "sim.dislocations_per_min=600") as run:
        run.wait_for_rows("SELECT COUNT(*) FROM fills", seconds=30)
        full = run.dir / "feed.epoch.next"
        full.symlink_to("/dev/full")
        first = run.kill("feed")
        waiting = run.wait_for_pid("feed", other_than=first)
        run.wait_for_log("feed", "the disk is full: waits for room", seconds=15)
        run.kill("feed", signal.SIGTERM)
        waiting = run.wait_for_pid("feed", other_than=waiting)
        time.sleep(4)
        check_equal(run.pid("feed"), waiting, "it waits and does not end")
        full.unlink()
        wait_until(lambda: run.ask("feed", "status")["metrics"]["published"] > 0, 15, "the feed to go on")
        check_equal(run.pid("feed"), waiting, "it is the same process")
        check_equal((run.dir / "feed.epoch").read_text(), "2\n", "epochs that were begun")
        run.stop()
        check_equal(run.report()["reconciled"], True, "reconciled")


main(a_gate_without_room_for_its_journal_takes_nothing_on_and_goes_on_later,
     a_hand_without_room_for_its_journal_sends_nothing_and_goes_on_later,
     a_feed_that_starts_on_a_full_disk_waits_for_room)
