#!/usr/bin/python3
"""Market time over pauses and deaths: nothing of the market is skipped, and what is old is not shown as new."""
import collections
import signal
import time

from harness import ROOT, Run, check, check_equal, main, test_data, wait_until

def pair():
    return ["--config", ROOT / "config/recorded-pair.yaml",
            "--replay", test_data("recordings/binance_spot_btcusdt_20240808.jsonl.gz"),
            "--replay", test_data("recordings/binance_usdm_btcusdt_20240808.jsonl.gz")]


def played_seconds(run):
    """As the feed's clock file says it; 0 before the market began."""
    try:
        begin, reached = (run.dir / "feed.clock").read_text().split()[:2]
    except (FileNotFoundError, ValueError):
        return 0
    return (int(reached) - int(begin)) / 1e9


def a_resumed_run_goes_on_where_its_market_was():
    with Run("--symbols", "4") as run:
        wait_until(lambda: played_seconds(run) > 3, 20, "three seconds of market")
        run.stop()
        stopped = played_seconds(run)
        time.sleep(4)
        run.begin("--resume")
        with run.subscribe("feed.market", "beat.") as beats:
            begin = int((run.dir / "feed.clock").read_text().split()[0])
            beat = beats.next(15, lambda m: m.body["market_time"] > 0)
            resumed = (beat.body["market_time"] - begin) / 1e9
        run.stop()
        check(stopped - 0.1 <= resumed < stopped + 3, f"market time at the stop {stopped}, at the resume {resumed}")
        check_equal(run.report()["reconciled"], True, "reconciled")


def after_a_pause_the_feed_catches_up_without_publishing_what_is_past():
    with Run("--symbols", "20", "--seconds", "14") as run:
        run.wait_for_rows("SELECT COUNT(*) FROM fills", seconds=20)
        with run.subscribe("feed.market", "book.", "trade.") as books:
            before = books.next()
            run.kill("feed", signal.SIGSTOP)
            time.sleep(3)
            while books.socket.poll(200):
                before = books.next()
            run.kill("feed", signal.SIGCONT)
            after = [books.next(10)]
            deadline = time.monotonic() + 1
            while time.monotonic() < deadline and books.socket.poll(200):
                after.append(books.next())
        # A quiet book's last change may lie within the pause, and is told: once.
        now_ns = before.body["recv_time"] + 29 * 10**8
        past = collections.Counter(topic for topic, _ in {(m.topic, m.seq) for m in after if m.body["recv_time"] < now_ns})
        check(len(past) < len({m.topic for m in after}), f"books go on after the pause; {len(after)} messages have come")
        check(all(n == 1 for n in past.values()), f"of what is past each topic is told once, not {past.most_common(3)}")
        run.wait_for_exit()
        check_equal(run.report()["reconciled"], True, "reconciled")


def at_full_speed_a_service_that_dies_is_waited_for():
    for service in ["risk", "feed"]:
        with Run(*pair(), "--speed", "max") as run:
            run.wait_for_rows("SELECT COUNT(*) FROM fills", seconds=30)
            run.kill(service)
            run.wait_for_exit(150)
            report = run.report()
            check_equal(report["reconciled"], True, f"reconciled after the death of {service}")
            check(report["round_trips"] >= 20, f"round trips after the death of {service}: {report['round_trips']}")


main(a_resumed_run_goes_on_where_its_market_was,
     after_a_pause_the_feed_catches_up_without_publishing_what_is_past,
     at_full_speed_a_service_that_dies_is_waited_for)
