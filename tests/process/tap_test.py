#!/usr/bin/python3
"""Anybody can listen, from the first moment or late, with sluice or with fifteen lines of Python."""
import json

from harness import ROOT, Run, check, check_equal, main, program, wait_until


def lines_of(text):
    return [json.loads(line) for line in text.splitlines()]


def joining_late_a_tap_shows_the_state_of_the_market_at_once():
    with Run("--symbols", "5") as run:
        run.wait_for_rows("SELECT COUNT(*) FROM fills", seconds=30)
        books = lines_of(run.sluice("tap", "feed", "inst.", "--count", "10", seconds=5))
        check_equal(len({(m["body"]["symbol"], m["body"]["venue"]) for m in books}), 10, "instruments shown")


def joining_late_a_tap_shows_a_ledger_from_its_first_record():
    with Run("--symbols", "5") as run:
        run.wait_for_rows("SELECT COUNT(*) FROM fills", seconds=30)
        records = lines_of(run.sluice("tap", "risk", "--count", "12", seconds=10))
        positions = [m["env"]["pos"] for m in records if m["env"]["pos"] > 0]
        check_equal(positions, list(range(1, len(positions) + 1)), "positions from the first on, none missing")
        check_equal(records[0]["type"], "epoch", "the first word")
        fills = lines_of(run.sluice("tap", "exec", "fill.", "--count", "2", seconds=20))
        check_equal([m["type"] for m in fills], ["fill", "fill"], "kinds under the prefix")


def a_tap_counts_by_kind_and_ends_by_time():
    with Run("--symbols", "5") as run:
        run.wait_for_rows("SELECT COUNT(*) FROM fills", seconds=30)
        rates = lines_of(run.sluice("tap", "feed", "--rate", "--seconds", "3"))
        check(any(r.get("book", 0) > 0 for r in rates), f"books a second in {rates}")


def nothing_there_is_said():
    with Run("--seconds", "1") as run:
        run.wait_for_exit()
        done = run.call([program(), "tap", "feed", "--dir", run.dir, "--seconds", "1"])
        check_equal(done.returncode, 4, "exit status")
        done = run.call([program(), "tap", "risk", "--dir", run.dir])
        check_equal(done.returncode, 4, "exit status without a limit of time")
        check("risk.ledger" in done.stderr, f"the endpoint is named: {done.stderr!r}")


def the_python_example_listens():
    example = ROOT / "docs/tap.py"
    check(len(example.read_text().splitlines()) <= 15, "the example has at most fifteen lines")
    with Run("--symbols", "5") as run:
        run.wait_for_pid("feed")
        run.start(["/usr/bin/python3", example, run.endpoint("feed.market"), "book."], "example.out")
        heard = wait_until(lambda: (run.scratch / "example.out").read_text().splitlines()[5:], 20, "six lines of the example")
        check(heard[0].startswith("book."), f"a book: {heard[0]}")


main(joining_late_a_tap_shows_the_state_of_the_market_at_once,
     joining_late_a_tap_shows_a_ledger_from_its_first_record,
     a_tap_counts_by_kind_and_ends_by_time,
     nothing_there_is_said,
     the_python_example_listens)
