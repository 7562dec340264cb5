#!/usr/bin/python3
"""Where the time goes: live and from the database the same hops, and the database's own view agrees."""
import json
import sqlite3
import xml.dom.minidom

from harness import Run, check, check_equal, main, program
from postgres_checks import Server

HOPS = ["tick_to_feed_out", "feed_out_to_strategy_in", "strategy_in_to_out", "strategy_out_to_risk_in", "risk_in_to_out",
        "risk_out_to_exec_in", "exec_in_to_order_sent", "order_sent_to_fill"]
SUMS = ["in_process", "in_transport", "tick_to_decision", "tick_to_order", "tick_to_fill"]
BUSY = ("--symbols", "5", "--set", "sim.dislocations_per_min=600")


def lat(run, *options, status=0):
    done = run.call([program(), "lat", *options], 60)
    check_equal(done.returncode, status, f"exit status of lat {options}: {done.stderr}")
    return done


def waterfall(run, *options):
    told = json.loads(lat(run, *options, "--json").stdout.splitlines()[-1])
    check_equal(told["groups"][0]["name"], "all", "the first group")
    return told, {group["name"]: group["spans"] for group in told["groups"]}


def check_in_order(spans):
    for name, span in spans.items():
        values = [span[key] for key in ("p50_ns", "p90_ns", "p99_ns", "p999_ns", "max_ns")]
        check(values == sorted(values) and values[0] >= 0, f"{name} rises: {values}")


def check_view(told, rows):
    """rows: hop, kind, n, p50, p90, p99, p999, max of the view."""
    spans = told["groups"][0]["spans"]
    mine = {name for name in spans if name not in ("tick_to_fill_less_paper", "every_tick_to_feed_out")}
    check_equal({row[0] for row in rows}, mine, "hops of the view")
    for hop, kind, n, *exact in rows:
        span = spans[hop]
        check_equal(span["kind"], kind, f"kind of {hop}")
        check_equal(span["n"], int(n), f"count of {hop}")
        check_equal(span["max_ns"], int(exact[4]), f"greatest of {hop}")
        for key, value in zip(("p50_ns", "p90_ns", "p99_ns", "p999_ns"), map(int, exact)):
            check(value <= span[key] <= value * 1.016 + 1, f"{hop} {key}: {span[key]}, exactly {value}")


def live_and_recorded_tell_the_same_hops_and_the_view_agrees():
    with Run(*BUSY, "--seconds", "16") as run:
        run.wait_for_rows("SELECT COUNT(*) FROM fills", seconds=30)
        drawing = run.scratch / "lat.svg"
        live, groups = waterfall(run, "--dir", run.dir, "--seconds", "6", "--by", "venue", "--svg", drawing)
        check_equal(live["source"], "live", "source")
        check(live["decisions"] > 0 and live["orders"] > 0 and live["fills"] > 0, f"counts: {live['decisions']}")
        check_equal(set(groups), {"all", "sim-a", "sim-b"}, "groups")
        for name, spans in groups.items():
            check(set(HOPS + SUMS + ["every_tick_to_feed_out"]) <= set(spans), f"hops of {name}: {sorted(spans)}")
            check_in_order(spans)
        check(groups["all"]["every_tick_to_feed_out"]["n"] > groups["all"]["tick_to_feed_out"]["n"], "ticks nobody acted on")
        check_equal(live["negative"], 0, "spans below zero")
        document = xml.dom.minidom.parse(str(drawing)).documentElement
        check_equal(document.tagName, "svg", "the drawing")
        check("strategy_in_to_out" in drawing.read_text(), "hops are drawn")
        run.wait_for_exit(60)
        told, groups = waterfall(run, "--from", run.dir)
        check(live["orders"] < told["orders"], f"live saw a part: {live['orders']} of {told['orders']}")
        check_equal(told["orders"], groups["all"]["tick_to_order"]["n"] + exits_without_tick(run), "orders with a tick")
        check_view(told, run.rows("SELECT hop, kind, n, p50_ns, p90_ns, p99_ns, p999_ns, max_ns FROM latency"))
        for by in "route", "worker":
            _, groups = waterfall(run, "--from", run.dir, "--by", by)
            all_spans = groups.pop("all")
            for name in "tick_to_order", "tick_to_decision", "order_sent_to_fill":
                check_equal(sum(spans.get(name, {"n": 0})["n"] for spans in groups.values()), all_spans[name]["n"],
                            f"{name} of each {by}")
        with sqlite3.connect(run.dir / "sluice.db") as db:
            db.execute("UPDATE decisions SET trace_boot_id = trace_boot_id + 1 WHERE pos = (SELECT MIN(pos) FROM decisions "
                       "WHERE trace_recv_mono <> 0)")
        check_equal(waterfall(run, "--from", run.dir)[0]["other_boot"], 1, "records of another boot")
        text = lat(run, "--from", run.dir).stdout
        check("1 records have stamps of another boot" in text, text)
        check("process    strategy_in_to_out" in text and "transport  risk_out_to_exec_in" in text, text)


def exits_without_tick(run):
    return run.rows("SELECT COUNT(DISTINCT client_id) FROM order_events WHERE attempt = 0 AND trace_recv_mono = 0 "
                    "AND hop_exec_out <> 0")[0][0]


def what_a_timer_woke_says_that_no_tick_caused_it():
    """On a slow market what is held for long enough is given up by the worker's own timer."""
    with Run("--symbols", "4", "--seconds", "14", "--set", "sim.updates_per_s=2", "--set", "arb.max_hold_ms=300",
             "--set", "sim.dislocations_per_min=600") as run:
        run.wait_for_exit(60)
        told, groups = waterfall(run, "--from", run.dir)
        check(told["without_tick"] > 0, "decisions that a timer caused")
        exits = run.rows("SELECT hop_feed_out, trace_boot_id, hop_strategy_in, hop_strategy_out, hop_risk_out FROM decisions "
                         "WHERE trace_recv_mono = 0")
        for feed_out, boot, woke, out, decided in exits:
            check(feed_out == 0 and boot != 0 and 0 < woke <= out <= decided, f"hops: {feed_out} {woke} {out} {decided}")
        check("caused by no tick" in lat(run, "--from", run.dir).stdout, "it is said")
        # Caused by the last tick seen they seemed to take the time since: tens of ms to seconds.
        check(groups["all"]["strategy_in_to_out"]["p90_ns"] < 20e6, f"in the worker: {groups['all']['strategy_in_to_out']}")


def what_is_not_there_is_said():
    with Run("--symbols", "2", "--seconds", "3", "--set", "sim.dislocations_per_min=0") as run:
        run.wait_for_rows("SELECT COUNT(*) FROM epochs", seconds=20)
        nothing = lat(run, "--dir", run.dir, "--seconds", "1", status=1)
        check("nothing to measure" in nothing.stderr, nothing.stderr)
        run.wait_for_exit()
        check("nothing to measure" in lat(run, "--from", run.dir, status=1).stderr, "an empty run")
        check("nobody publishes" in lat(run, "--dir", run.dir, status=4).stderr, "a run that has ended")
        check("no such run" in lat(run, "--from", "20000101-000000-none", status=4).stderr, "an unknown run")
        check("run_id" in lat(run, "--from", run.scratch, status=4).stderr, "a directory that is no run")
        check("venue, route or worker" in lat(run, "--by", "day", status=2).stderr, "a wrong grouping")
        check("above 0" in lat(run, "--seconds", "0", status=2).stderr, "no time")
        lat(run, "--from", run.dir, "--seconds", "3", status=2)
        (run.dir / "sluice.db").unlink()
        check("sluice.db" in lat(run, "--from", run.dir, status=4).stderr, "no database")


def a_run_in_postgres_is_read_by_its_config():
    with Server() as server:
        with Run(*BUSY, "--seconds", "8", "--set", "recorder.sink=postgres", "--set",
                 f"recorder.postgres={server.conninfo}") as run:
            run.wait_for_exit(60)
            told, _ = waterfall(run, "--from", run.dir, "--by", "venue")
            check(told["orders"] > 0, "orders")
            check_view(told, server.rows("SELECT hop, kind, n, p50_ns, p90_ns, p99_ns, p999_ns, max_ns FROM latency"))
            waterfall(run, "--from", run.dir, "--by", "worker")


main(live_and_recorded_tell_the_same_hops_and_the_view_agrees,
     what_a_timer_woke_says_that_no_tick_caused_it,
     what_is_not_there_is_said,
     a_run_in_postgres_is_read_by_its_config)
