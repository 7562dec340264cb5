#!/usr/bin/python3
"""A soak looks at a pipeline once a second, and says what its figures show: growth is found, and rest is let pass."""
import csv
import json
import math
import pathlib
import random
import xml.etree.ElementTree

from harness import Processes, check, check_equal, main, program

SECONDS = 900


def soak_of(scratch, columns, notes=()):
    """Writes a series of a row a second, verdicts it anew; returns exit status, JSON and what was printed."""
    folder = scratch.scratch / "made-up"
    folder.mkdir(exist_ok=True)
    names = list(columns)
    with open(folder / "series.csv", "w", encoding="utf-8") as out:
        out.write("# machine: made up\n# warm-up: 60 s\n")
        out.write(",".join(["seconds", *names]) + "\n")
        for second in range(1, SECONDS + 1):
            values = [columns[name](second) for name in names]
            out.write(",".join([str(second)] + ["" if v is None else f"{v:.6f}" for v in values]) + "\n")
        out.writelines(f"# {note}\n" for note in notes)
    done = scratch.call([program(), "bench", "soak", "--from", folder])
    check(done.returncode in (0, 1), f"it came to a verdict: {done.returncode} {done.stderr}")
    return done.returncode, json.loads((folder / "soak.json").read_text()), done.stdout


def figure(verdict, name):
    return next(f for f in verdict["figures"] if f["name"] == name)


def noisy(rng, level, kb_per_hour=0.0, spread=8.0):
    return lambda second: level + kb_per_hour * second / 3600 + rng.uniform(-spread, spread)


def a_process_that_stays_as_large_as_it_is_passes():
    rng = random.Random(1)
    with Processes() as p:
        code, verdict, text = soak_of(p, {
            "rss_kb.feed": noisy(rng, 20000), "fds.feed": lambda s: 27, "p99_us": noisy(rng, 900, spread=300),
            "queue.exec_not_stored": lambda s: s % 40, "drop.intents": lambda s: 0, "drop.market_lost": lambda s: s // 100},
            ["restarts: 0", "ended: reconciled"])
        check_equal((code, verdict["verdict"], verdict["reasons"]), (0, "passed", []), "verdict")
        check("PASSED" in text and "NOT PASSED" not in text, "the verdict is printed")
        check_equal(verdict["from_s"], 60, "the warm-up that was noted is left out")
        check(figure(verdict, "rss_kb.feed")["high"] < 1, "upper bound of the slope")


def a_leak_is_found_with_its_slope_and_by_name():
    rng = random.Random(2)
    with Processes() as p:
        code, verdict, _ = soak_of(p, {"rss_kb.feed": noisy(rng, 20000), "rss_kb.exec": noisy(rng, 30000, 5 * 1024)})
        slope = figure(verdict, "rss_kb.exec")
        check_equal((code, verdict["verdict"]), (1, "not passed"), "verdict")
        check(slope["low"] <= 5 <= slope["high"], f"5 MB an hour are in the interval {slope}")
        check(math.isclose(slope["slope_per_h"], 5, rel_tol=0.05), f"slope {slope['slope_per_h']}")
        check_equal([reason.split()[0] for reason in verdict["reasons"]], ["rss_kb.exec"], "who is named")


def growth_within_the_warm_up_does_not_count():
    with Processes() as p:
        code, _, _ = soak_of(p, {"rss_kb.feed": lambda s: 20000 + 100 * min(s, 59)})
        check_equal(code, 0, "exit status")


def a_queue_that_grows_is_found_and_one_that_swings_is_not():
    with Processes() as p:
        _, verdict, _ = soak_of(p, {"queue.risk_not_stored": lambda s: s / 2, "queue.exec_not_stored": lambda s: 500 * (s % 7)})
        check_equal([reason.split()[0] for reason in verdict["reasons"]], ["queue.risk_not_stored"], "who is named")


def what_must_not_be_lost_died_or_was_not_reconciled_fails():
    with Processes() as p:
        code, verdict, _ = soak_of(p, {"rss_kb.feed": lambda s: 20000, "drop.intents": lambda s: s // 800},
                                   ["restarts: 2", "ended: the run ended with exit code 6"])
        check_equal(code, 1, "exit status")
        check_equal(len(verdict["reasons"]), 3, f"reasons in {verdict['reasons']}")


def a_series_that_is_none_is_refused_by_its_line():
    with Processes() as p:
        (p.scratch / "series.csv").write_text("seconds,rss_kb.feed\n1,2\n2,x\n")
        done = p.call([program(), "bench", "soak", "--from", p.scratch])
        check_equal(done.returncode, 1, "exit status")
        check("line 3" in done.stderr, f"the line is named: {done.stderr}")


def a_short_soak_ends_with_a_verdict_and_its_files():
    with Processes() as p:
        done = p.call([program(), "bench", "soak", "--seconds", "10", "--warm-up", "2", "--symbols", "5", "--output", "out"],
                      seconds=90)
        check(done.returncode in (0, 1), f"a verdict: {done.returncode} {done.stderr} {done.stdout[-500:]}")
        out = pathlib.Path(p.scratch, "out")
        verdict = json.loads((out / "soak.json").read_text())
        check_equal(verdict["notes"]["ended"], "reconciled", "how the run ended")
        rows = list(csv.DictReader(line for line in (out / "series.csv").read_text().splitlines() if line[0] != "#"))
        check_equal(len(rows), 12, "a row a second, warm-up included")
        for service in ("feed", "strategy-1", "risk", "exec", "recorder"):
            check(all(int(row[f"rss_kb.{service}"]) > 1000 and int(row[f"fds.{service}"]) > 3 for row in rows),
                  f"memory and descriptors of {service}")
        check(any(row["p99_us"] for row in rows), "in some second an order was sent")
        for plot in ("soak.svg", "soak-latency.svg", "soak-queues.svg"):
            xml.etree.ElementTree.parse(out / plot)
        again = p.call([program(), "bench", "soak", "--from", out])
        check_equal(again.returncode, done.returncode, "the same verdict from the series alone")
        check_equal(json.loads((out / "soak.json").read_text())["figures"], verdict["figures"], "the same figures")


main(a_process_that_stays_as_large_as_it_is_passes,
     a_leak_is_found_with_its_slope_and_by_name,
     growth_within_the_warm_up_does_not_count,
     a_queue_that_grows_is_found_and_one_that_swings_is_not,
     what_must_not_be_lost_died_or_was_not_reconciled_fails,
     a_series_that_is_none_is_refused_by_its_line,
     a_short_soak_ends_with_a_verdict_and_its_files)
