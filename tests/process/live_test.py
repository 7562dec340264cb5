#!/usr/bin/python3
"""A run whose market is live: the feed connects to emulated venues over real sockets."""
import json

from harness import Processes, Run, check, check_equal, main, program, test_data, wait_until

NONE, GAP, DISCONNECT = 0, 2, 6  # stale_reason on the wire
SPOT = "binance_spot_btcusdt_20240808"
UPBIT = "upbit_multi_20210417"


def emulate(box, recordings, *options):
    """Starts the recorded venues; returns {venue: its announcement}."""
    paths = [test_data(f"recordings/{name}.jsonl.gz") for name in recordings]
    box.start([program(), "emulate", *paths, "--now", *options], "emulator.out")

    def listening():
        lines = (box.scratch / "emulator.out").read_text().splitlines()
        told = [json.loads(line) for line in lines if '"listening"' in line]
        return {one["venue"]: one for one in told} if len(told) == len(recordings) else None

    return wait_until(listening, 10, "the emulated venues to listen")


def config(venues, symbols):
    lines = ["feed:", "  source: live", "venues:"]
    for venue, at in venues.items():
        lines += [f"  - venue: {venue}", f"    symbols: {symbols[venue]}", f"    ws_url: {at['ws']}",
                  f"    rest_url: {at['rest']}"]
    return "\n".join(lines) + "\n"


def status(run):
    told = json.loads(run.sluice("status", "--books", "--json"))
    return ({one["venue"]: one for one in told["venues"]}, {one["symbol"]: one for one in told["books"]})


def wait_for_live(run, *symbols):
    run.wait_for_log("feed", "open,")  # a connection
    def live():
        books = status(run)[1]
        return all(books.get(symbol, {}).get("state") == "LIVE" for symbol in symbols)

    wait_until(live, 20, f"the books of {symbols} to be LIVE")


def books_of_two_venues_become_live_and_a_symbol_that_no_venue_has_is_named():
    symbols = {"binance": "BTC-USDT", "upbit": "WAVES-KRW,NOPE-KRW"}
    with Processes() as box:
        with Run(config=config(emulate(box, [SPOT, UPBIT]), symbols)) as run:
            wait_for_live(run, "BTC-USDT", "WAVES-KRW")
            venues, books = status(run)
            check_equal(venues["binance"]["state"], "up", "state of binance")
            check_equal(venues["binance"]["connections_up"], 1, "connections of binance")
            check(books["BTC-USDT"]["venue_seq"] > 0, "a sequence of the venue's book")
            check_equal(books["BTC-USDT"]["gaps"], 0, "gaps")
            check(abs(venues["binance"]["clock_offset_us"]) < 3_000_000, "a clock near ours")
            run.wait_for_log("feed", "symbols=NOPE-KRW", 45)
            check("NOPE-KRW" in status(run)[0]["upbit"]["detail"], "the symbol is named in the status")
            run.stop()


def a_lost_connection_makes_its_book_stale_until_it_is_open_again():
    faults = ("--fault", "binance/drop@600", "--fault", "binance/disconnect@1200")
    with Processes() as box:
        with Run(config=config(emulate(box, [SPOT], *faults), {"binance": "BTC-USDT"})) as run:
            wait_for_live(run, "BTC-USDT")
            with run.subscribe("feed.market", "book.BTC-USDT.binance.") as books:
                for reason in (GAP, DISCONNECT):
                    books.next(30, lambda m, reason=reason: m.body["reason"] == reason)
                    books.next(30, lambda m: m.body["reason"] == NONE)
            venues, books = status(run)
            check_equal(venues["binance"]["reconnects"], 1, "connections that were lost")
            check_equal(books["BTC-USDT"]["gaps"], 1, "gaps")
            check(books["BTC-USDT"]["stale_us"] > 0, "time spent STALE")
            run.stop()


def a_venue_that_cannot_be_reached_is_said_and_the_run_goes_on():
    nowhere = {"binance": {"ws": "ws://127.0.0.1:9", "rest": "http://127.0.0.1:9"}}
    with Run(config=config(nowhere, {"binance": "BTC-USDT"})) as run:
        wait_until(lambda: "backing off" in run.output(), 15, "the line of each second to say why there is no market")
        check_equal(status(run)[0]["binance"]["state"], "down", "state of binance")
        run.stop()


main(books_of_two_venues_become_live_and_a_symbol_that_no_venue_has_is_named,
     a_lost_connection_makes_its_book_stale_until_it_is_open_again,
     a_venue_that_cannot_be_reached_is_said_and_the_run_goes_on)
