#!/usr/bin/python3
"""What the feed keeps of the market: raw, as the venue sent it, and decoded, as it was published."""
import gzip
import json
import time

from harness import Processes, Run, check, check_equal, main, program, test_data, wait_until

SPOT = "binance_spot_multi_20210417"
UPBIT = "upbit_multi_20210417"
QUOTES = ("USDT", "BUSD", "BTC", "ETH", "BNB", "TRY", "RUB")


def backtest(run, name, market):
    done = run.call([program(), "backtest", "--replay", market, "--dir", run.scratch / name], 120)
    check_equal(done.returncode, 0, f"exit status of the backtest; {done.stderr[-500:]}")
    return json.loads(run.call([program(), "report", "--json", "--dir", run.scratch / name]).stdout)


def a_market_that_was_kept_decoded_is_backtested_the_same_way_each_time():
    with Run("--seconds", "8", "--set", "capture.mode=decoded") as run:
        first = run.wait_for_pid("feed")
        run.wait_for_rows("SELECT 1 FROM fills LIMIT 1")
        run.kill("feed")
        run.wait_for_pid("feed", other_than=first)
        run.wait_for_exit()
        market = run.dir / "journal/market"
        check_equal(run.call([program(), "journal", "check", market]).returncode, 0, "exit status of journal check")
        one, two = (backtest(run, name, market) for name in ("one", "two"))
        check_equal(one["reconciled"], True, "reconciled")
        check(one["fills"] > 0, "the backtest traded")
        check_equal(two, one, "the report of the second backtest")
        equal = run.call([program(), "journal", "diff", run.scratch / "one", run.scratch / "two"])
        check_equal(equal.returncode, 0, f"exit status of journal diff: {equal.stdout}")
        refused = run.call([program(), "run", "--replay", market, "--dir", run.scratch / "played"])
        check_equal(refused.returncode, 3, "exit status of a run over a decoded capture")
        check("decoded capture" in refused.stderr, f"words, not {refused.stderr}")


def emulate(box, *recordings):
    """Starts the recorded venues; returns {venue: its announcement}."""
    paths = [test_data(f"recordings/{name}.jsonl.gz") for name in recordings]
    box.start([program(), "emulate", *paths, "--speed", "8"], "emulator.out")

    def listening():
        lines = (box.scratch / "emulator.out").read_text().splitlines()
        told = [json.loads(line) for line in lines if '"listening"' in line]
        return {one["venue"]: one for one in told} if len(told) == len(recordings) else None

    return wait_until(listening, 10, "the emulated venues to listen")


def symbol_of(venue, name):
    if venue == "upbit":
        quote, base = name.split("-")
        return f"{base}-{quote}"
    quote = next(q for q in QUOTES if name.endswith(q))
    return f"{name[:-len(quote)]}-{quote}"


def truth(name):
    with gzip.open(test_data(f"truth/{name}.truth.json.gz"), "rt") as file:
        return json.load(file)


def config(venues, names):
    lines = ["feed:", "  source: live", "capture:", "  mode: raw", "venues:"]
    for venue, at in venues.items():
        symbols = ",".join(symbol_of(venue, name) for name in truth(names[venue])["symbols"])
        lines += [f"  - venue: {venue}", f"    symbols: {symbols}", f"    ws_url: {at['ws']}",
                  f"    rest_url: {at['rest']}"]
    return "\n".join(lines) + "\n"


def books(run):
    """What `sluice books` makes of the capture so far; nothing while there is no file of it."""
    return run.call([program(), "books", run.dir / "capture"]).stdout.splitlines()


def best_prices(lines):
    """By symbol, its best prices one after another, without repetitions."""
    found = {}
    for line in lines:
        symbol, best = line.split(" ", 2)[1:]
        if found.setdefault(symbol, [None])[-1] != best:
            found[symbol].append(best)
    return {symbol: best[1:] for symbol, best in found.items()}


def is_within(few, many):
    rest = iter(many)
    return all(one in rest for one in few)


def what_venues_sent_is_kept_and_its_books_are_the_true_ones():
    names = {"binance": SPOT, "upbit": UPBIT}
    with Processes() as box:
        venues = emulate(box, SPOT, UPBIT)
        with Run(config=config(venues, names)) as run:
            wait_until(lambda: len(books(run)) > 200, 30,
                       "200 changes of books in the capture")
            seen = None

            def at_rest():
                nonlocal seen
                before, seen = seen, books(run)
                time.sleep(1.5)
                return before == seen

            wait_until(at_rest, 30, "the recordings to end")
            run.stop()
            kept = best_prices(books(run))
            expected = {}
            for name in names.values():
                with gzip.open(test_data(f"truth/{name}.bbo.txt.gz"), "rt") as file:
                    expected.update(best_prices(file.read().splitlines()))
            check_equal(sorted(kept), sorted(expected), "symbols in the capture")
            for symbol, best in kept.items():
                check_equal(best[-1], expected[symbol][-1], f"the last best price of {symbol}")
                check(is_within(best, expected[symbol]), f"the best prices of {symbol} are those that were recorded")


main(a_market_that_was_kept_decoded_is_backtested_the_same_way_each_time,
     what_venues_sent_is_kept_and_its_books_are_the_true_ones)
