#!/usr/bin/python3
"""The harness keeps its promises, shown on a stand-in for `sluice run`."""
import contextlib
import io
import os
import pathlib
import shutil
import signal
import tempfile

import harness
from harness import Run, alive, check, check_equal, main, marked_processes, wait_until


@contextlib.contextmanager
def fake_programs():
    folder = tempfile.mkdtemp(prefix="sluice-fake-")
    pathlib.Path(folder, "sluice").symlink_to(pathlib.Path(__file__).resolve().with_name("fake_sluice.py"))
    before = os.environ.get("SLUICE_BIN_DIR")
    os.environ["SLUICE_BIN_DIR"] = folder
    try:
        yield
    finally:
        shutil.rmtree(folder)
        os.environ.pop("SLUICE_BIN_DIR")
        if before:
            os.environ["SLUICE_BIN_DIR"] = before


def fails(words, call):
    try:
        call()
    except AssertionError as error:
        check(words in str(error), f"expected {words!r} in {str(error)!r}")
    else:
        raise AssertionError(f"no failure, where one with {words!r} was expected")


def a_killed_service_is_seen_to_come_back():
    with fake_programs(), Run() as run:
        first = run.kill("feed")
        second = run.wait_for_pid("feed", other_than=first)
        check(alive(second) and not alive(first), "the second lives and the first does not")
        run.wait_for_log("feed", "started")
        run.stop()
        check("stopped" in run.output(), "the supervisor stopped by itself")


def nothing_is_left_of_a_run_whose_processes_will_not_stop():
    with fake_programs():
        with Run("--stubborn") as run:
            feed = run.wait_for_pid("feed")
            wait_until(lambda: os.getsid(feed) == feed, 10, "the feed to leave its session")
            run.supervisor.kill()  # what it started is now nobody's child
            run.supervisor.wait()
            check(alive(feed), "the feed lives on without its supervisor")
        check(not alive(feed), "the feed is gone")
        check_equal(marked_processes(run.mark), [], "processes left")
        check(not run.scratch.exists(), "the directory is gone")


def a_process_left_behind_by_a_clean_exit_is_a_failure():
    with fake_programs(), Run("--stubborn") as run:
        feed = run.wait_for_pid("feed")
        wait_until(lambda: os.getsid(feed) == feed, 10, "the feed to leave its session")
        run.supervisor.kill()
        fails("to be gone", lambda: run.wait_for_exit(status=-signal.SIGKILL))


def an_exit_status_other_than_the_expected_is_a_failure():
    with fake_programs(), Run() as run:
        run.wait_for_pid("feed")
        fails("expected 3, got 0", lambda: run.stop(status=3))
        fails("ended with status 1", lambda: run.sluice("report"))


def messages_and_replies_arrive_by_field_name():
    with fake_programs(), Run() as run:
        feed = run.wait_for_pid("feed")
        wait_until(lambda: (run.dir / "sock/feed.control").exists(), 10, "the feed's sockets")
        with run.subscribe("feed.market", "beat.") as tap:
            beat = tap.next()
        check_equal((beat.topic, beat.name, beat.epoch, beat.seq), ("beat.sim.", "beat", 7, 1), "the beat")
        with run.subscribe("feed.market", "book.") as tap:
            fails("no such message", lambda: tap.next(seconds=0.2))
        reply = run.ask("feed", "halt", "now")
        number = harness.ENUMS["control_verb"]["halt"]
        check_equal((reply["text"], reply["metrics"]["pid"]), (f"{number} now", feed), "the reply")


def a_wait_ends_at_its_deadline_and_says_for_what():
    fails("waiting for: rain", lambda: wait_until(lambda: False, 0.1, "rain"))


def two_runs_side_by_side_do_not_disturb_each_other():
    with fake_programs(), Run() as one:
        first = one.wait_for_pid("feed")
        with Run() as other:
            second = other.wait_for_pid("feed")
            check(one.scratch != other.scratch and one.mark != other.mark, "each has a directory and a mark of its own")
            check_equal(marked_processes(other.mark).count(first), 0, "the first one's processes among the second's")
        check(not alive(second), "the second one's feed is gone with it")
        check(alive(first) and one.supervisor.poll() is None, "the first goes on")
        one.stop()


def of_a_run_that_failed_the_directory_is_kept_and_named():
    said = io.StringIO()
    with fake_programs(), contextlib.redirect_stdout(said):
        try:
            with Run() as run:
                run.wait_for_pid("feed")
                raise AssertionError("on purpose")
        except AssertionError:
            pass
    try:
        check_equal(marked_processes(run.mark), [], "processes left")
        check((run.dir / "pids.json").parent.exists(), "the run directory is there")
        check(f"kept: {run.scratch}" in said.getvalue(), f"it is named: {said.getvalue()}")
    finally:
        shutil.rmtree(run.scratch)


main(two_runs_side_by_side_do_not_disturb_each_other,
     of_a_run_that_failed_the_directory_is_kept_and_named,
     a_killed_service_is_seen_to_come_back,
     nothing_is_left_of_a_run_whose_processes_will_not_stop,
     a_process_left_behind_by_a_clean_exit_is_a_failure,
     an_exit_status_other_than_the_expected_is_a_failure,
     messages_and_replies_arrive_by_field_name,
     a_wait_ends_at_its_deadline_and_says_for_what)
