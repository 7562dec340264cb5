"""The table of faults in docs/venues.md, cell by cell: the real feed on emulated venues, its market socket, and books that
an independent model has made of the same recordings.

usage: faults_test.py SLUICE [TEST...]     SLUICE_SEEDS: of the made-up traffic with faults at random, such as 3,4
"""
import gzip
import json
import os
import pathlib
import random
import re
import sys
import tempfile
import time
from decimal import Decimal

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/process"))
if len(sys.argv) > 1 and os.path.exists(sys.argv[1]):
    os.environ["SLUICE_BIN_DIR"] = os.path.dirname(os.path.abspath(sys.argv.pop(1)))
DATA = os.environ.setdefault("SLUICE_TEST_DATA", str(ROOT / "../shared/market-data"))

from harness import PATIENCE, Processes, Run, check, main, program, wait_until  # noqa: E402
from market_made import KRAKEN_DEPTH, SYMBOLS, make  # noqa: E402
from market_pair import Pair, play  # noqa: E402
from market_truth import Truth  # noqa: E402

# From the moment at which it can be known to the message that says so, on two cores that others use, too.
SOON_S = 0.6 * PATIENCE
HEALED_S = {"next change": 2, "snapshot": 6, "resubscription": 25, "connection": 40}
# Half of Binance.US's weight is three snapshots in 10 s.
MORE_S = {("binance-us", "snapshot"): 10}
SILENCE_MS = 2000
CALM_S = 4.5  # a subscription that was mended and held so long is no repeated failure, whose pauses double
BEAT_S = 0.25  # how often silence is looked for
EVERY_S = 0.05
MESSAGES = ("drop", "repeat", "swap", "cut", "garbage")
SKEW_S = 7000
SEEDS = [int(seed) for seed in os.environ.get("SLUICE_SEEDS", "1,2").split(",")]
VISIBLE = {"okx": 25, "kraken": 10}  # levels under a checksum


# ---- the table -----------------------------------------------------------------------------------------------------


def read_table():
    """(fault, column) -> (what is seen, when, what heals, seconds it waits)."""
    text = (ROOT / "docs/venues.md").read_text()
    rows = re.search(r"^\| fault \|.*?(?=\n\n|\Z)", text, re.S | re.M).group(0).splitlines()
    header, *rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows if "---" not in row]
    table = {}
    for row in rows:
        for names, cell in zip(header[1:], row[1:]):
            seen, _, healed = cell.partition(";")
            seen, _, when = (part.strip() for part in seen.partition(","))
            healed, _, after = (part.strip() for part in healed.partition(" after "))
            for name in names.split(","):
                table[row[0].strip("`"), name.strip()] = (seen, when, healed, int(after.split()[0]) if after else 0)
    return table


TABLE = read_table()
PROVED = set()
TIMES = {}  # the same -> (slowest detection, slowest healing) in s


# ---- one fault -----------------------------------------------------------------------------------------------------


class Venue:
    """A venue in a pair, with the truth of it. column: its name in the table."""

    def __init__(self, pair, name, column, truth, speed=1.0):
        self.pair, self.name, self.column, self.truth, self.speed = pair, name, column, truth, speed
        self.skews = [0]

    def names(self):
        return {ours: theirs for theirs, ours in self.pair.names[self.name].items()}

    def strike(self, fault, value=""):
        """Asks for a fault, and waits until the emulator has told that it is done; returns what it told."""
        since = len(self.pair.events)
        self.pair.say(f"{self.name}/{fault}{value}")
        told = yield from self.told(fault, since)
        return told

    def told(self, fault, since):
        return self.pair.until(lambda: next((e for e in self.pair.told("fault", self.name, since) if e["kind"] == fault), None),
                               40, f"the emulator to do {fault}")

    def our(self, symbol):
        return (self.name, self.pair.names[self.name][symbol])

    def next_change_s(self, event):
        """Seconds between a line and the next one of the same book; None: there is none."""
        at, after = self.truth.on(event["symbol"], event["line"]), self.truth.after(event["symbol"], event["line"])
        return None if not after else (after.at_s - at.at_s) / self.speed

    def shows(self, event):
        """Whether a checksum tells that the message at the line has not come."""
        return self.truth.shows(event["symbol"], event["line"], VISIBLE[self.name])


def note(venue, fault, found_s, healed_s):
    key = fault, venue.column
    PROVED.add(key)
    before = TIMES.get(key, (0, 0))
    TIMES[key] = (max(before[0], found_s), max(before[1], healed_s))


def heal(venue, fault, since_ns, healed, more_s=0):
    """Waits until all books are LIVE again, within what the table says; returns the seconds since."""
    yield from venue.pair.all_live(venue.name, HEALED_S[healed] + MORE_S.get((venue.name, healed), 0) + more_s)
    healed_s = (time.monotonic_ns() - since_ns) / 1e9
    if healed == "resubscription":
        yield from venue.pair.pause(CALM_S)
    return healed_s


def nothing_happens(venue, fault, event):
    pair = venue.pair
    books = pair.books(venue.name)
    counts = {book: len(pair.seen[book]) for book in books}
    yield from pair.pause(0.5)
    yield from pair.until(lambda: all(len(pair.seen[book]) > counts[book] for book in books), 15, "the books to go on")
    for book in books:
        stale = pair.stale(book, event["mono_ns"])
        check(not stale, f"{fault}: {book} is STALE ({stale and stale.reason}), though the table says that nothing is seen")
    note(venue, fault, 0, 0)


def becomes_stale(venue, fault, event, book, reason, within_s):
    pair = venue.pair
    stale = yield from pair.until(lambda: pair.stale(book, event["mono_ns"]), within_s + 5, f"{book} to be STALE after {fault}")
    found_s = (stale.mono_ns - event["mono_ns"]) / 1e9
    check(stale.reason == reason, f"{fault}: {book} is STALE ({stale.reason}), the table says {reason}")
    check(found_s <= within_s, f"{fault}: {book} is STALE after {found_s:.3f} s, expected at most {within_s:.3f} s")
    return found_s


def message_fault(venue, fault):
    """drop, repeat, swap, cut, garbage: one message of a book; where only some can be seen, until one was."""
    reason, when, healed, _ = TABLE[fault, venue.column]
    for _ in range(12):
        yield from venue.pair.all_live(venue.name)
        yield from venue.pair.pause(0.2)
        event = yield from venue.strike(fault)
        if reason in ("ignored", "not detectable"):
            yield from nothing_happens(venue, fault, event)
            return
        if when == "when it shows" and not venue.shows(event):
            venue.pair.windows[venue.name].append((event["mono_ns"], float("inf")))  # it may show itself at any time
            yield from venue.pair.pause(0.5)
            continue
        book = venue.our(event["symbol"])
        between_s = 0 if when == "at once" else venue.next_change_s(event)
        check(between_s is not None, f"{fault}: the recording ended before it could be seen")
        found_s = yield from becomes_stale(venue, fault, event, book, reason, between_s + SOON_S)
        healed_s = yield from heal(venue, fault, event["mono_ns"], healed)
        venue.pair.windows[venue.name].append((event["mono_ns"], time.monotonic_ns()))
        note(venue, fault, found_s - between_s, healed_s - found_s)
        return
    raise AssertionError(f"{fault}: none of 12 messages of {venue.name} showed it")


def connection_fault(venue, fault):
    """disconnect, close: all books of the connection."""
    reason, _, healed, _ = TABLE[fault, venue.column]
    yield from venue.pair.all_live(venue.name)
    event = yield from venue.strike(fault)
    yield from all_stale(venue, fault, event, reason, SOON_S, healed)


def all_stale(venue, fault, event, reason, within_s, healed, more_s=0):
    found_s = 0
    for book in venue.pair.books(venue.name):
        found_s = max(found_s, (yield from becomes_stale(venue, fault, event, book, reason, within_s)))
    healed_s = yield from heal(venue, fault, event["mono_ns"], healed, more_s)
    venue.pair.windows[venue.name].append((event["mono_ns"], time.monotonic_ns()))
    note(venue, fault, found_s, healed_s - found_s)


def silence(venue, fault):
    """Half open: the books are silent first; the connection is given up when its watchdog says so."""
    reason, when, healed, after_s = TABLE[fault, venue.column]
    check(when == "silence_ms", f"silence is found by silence_ms, the table says {when}")
    yield from venue.pair.all_live(venue.name)
    event = yield from venue.strike(fault)
    yield from all_stale(venue, fault, event, reason, SILENCE_MS / 1e3 + EVERY_S * 4 + BEAT_S + SOON_S, healed, after_s)
    lived_s = (time.monotonic_ns() - event["mono_ns"]) / 1e9
    check(lived_s >= after_s - 1, f"silence: the connection was given up after {lived_s:.1f} s, the table says {after_s} s")


def venue_fault(venue, fault):
    """refuse, 429, 418: nobody is let in for a time, and nobody knocks more often than the venue allows."""
    reason, _, healed, _ = TABLE[fault, venue.column]
    seconds = 2
    yield from venue.pair.all_live(venue.name)
    yield from venue.strike(fault, f"={seconds}")
    since = len(venue.pair.events)
    event = yield from venue.strike("disconnect")
    yield from all_stale(venue, fault, event, reason, SOON_S, healed, seconds)
    knocks = venue.pair.told("refused", venue.name, since)
    check(len(knocks) <= 8, f"{fault}: {len(knocks)} attempts while nobody was let in")


def snapshot_fault(venue, fault):
    """The next snapshot is spoilt: a fault before makes one necessary."""
    reason, when, healed, _ = TABLE[fault, venue.column]
    cause, slow_s = ("disconnect" if reason == "disconnect" else "drop"), 1
    yield from venue.pair.all_live(venue.name)
    yield from venue.pair.pause(0.2)
    since = len(venue.pair.events)
    venue.pair.say(f"{venue.name}/{fault}" + (f"={slow_s}" if fault == "slow-snapshot" else ""))
    if reason == "ignored":
        event = yield from venue.told(fault, since)
        yield from nothing_happens(venue, fault, event)
        return
    spoilt = None
    while not spoilt:
        event = yield from venue.strike(cause)
        yield from venue.pair.pause(0.3)
        if cause == "drop" and venue.name in VISIBLE and not venue.shows(event) and reason == "checksum":
            continue
        spoilt = yield from venue.told(fault, since)
    book = venue.our(spoilt["symbol"])
    if when == "next change":  # it looks right until then
        within_s = (venue.next_change_s(spoilt) or 1) + EVERY_S * 2 + SOON_S
        yield from becomes_stale(venue, fault, spoilt, book, reason, within_s)
    healed_s = yield from heal(venue, fault, spoilt["mono_ns"], healed, slow_s)
    if when != "next change":
        lived = [one for one in venue.pair.seen[book] if one.live and one.mono_ns >= spoilt["mono_ns"]]
        early_ns = spoilt["mono_ns"] + (int(slow_s * 9e8) if when == "until it comes" else 0)
        check(lived and lived[0].mono_ns >= early_ns, f"{fault}: {book} is LIVE before a good snapshot has come")
    venue.pair.windows[venue.name].append((event["mono_ns"], time.monotonic_ns()))
    note(venue, fault, 0, healed_s)


def skew(venue, fault):
    """The venue's clock is wrong from now on: no age and no state knows."""
    yield from venue.pair.all_live(venue.name)
    venue.skews.append(SKEW_S)
    event = yield from venue.strike(fault, f"={SKEW_S}")
    yield from nothing_happens(venue, fault, event)
    for book in venue.pair.books(venue.name):
        last = venue.pair.seen[book][-1]
        age_s = (last.mono_ns - last.recv_mono_ns) / 1e9
        check(0 <= age_s < 3 * PATIENCE, f"skew: the age of {book} is {age_s} s")
        check(abs(last.recv_ns / 1e9 - time.time()) < 5 * PATIENCE, f"skew: {book} was received at {last.recv_ns}")
    offset_s = yield from venue.pair.until(lambda: abs(venue.pair.clock_offset_ns[venue.name]) > 0, 5, "a clock offset")
    check(offset_s, "the venue's clock is told")


KINDS = {**dict.fromkeys(MESSAGES, message_fault), "disconnect": connection_fault, "close": connection_fault,
         "silence": silence, "refuse": venue_fault, "429": venue_fault, "418": venue_fault,
         "stale-snapshot": snapshot_fault, "slow-snapshot": snapshot_fault, "skew": skew}


def script(venue, faults):
    yield from venue.pair.all_live(venue.name)
    for fault in faults:
        try:
            yield from KINDS[fault](venue, fault)
        except AssertionError as failure:
            raise AssertionError(f"{venue.column}, {failure}") from None
        if os.environ.get("SLUICE_VERBOSE"):
            print(f"  {venue.column:18} {fault:15} {TIMES.get((fault, venue.column))}", flush=True)
    venue.pair.windows[venue.name].append((time.monotonic_ns(), float("inf")))  # recordings end, and then books are silent


# ---- what was heard, against the truth -----------------------------------------------------------------------------


def decimals(side):
    return tuple((Decimal(p).scaleb(pe), Decimal(q).scaleb(qe)) for p, pe, q, qe in side)


def is_state(seen, state, depth):
    bids, asks = decimals(seen.bids), decimals(seen.asks)
    return bids[:depth] == state.bids[:depth][:20] and asks[:depth] == state.asks[:depth][:20]


def candidates(venue, name, seen):
    """The true states that a message may be: those at its count or time."""
    at = venue.truth.at[name]
    for skew_s in (venue.skews if not seen.seq else [0]):
        key = seen.seq or seen.time_ns - skew_s * 10**9
        if key in at:
            return at[key]
    # A snapshot may have no time, or the moment at which it was made.
    return venue.truth.states[name]


def live_books_are_true(venue, failures):
    """Every LIVE message; returns how many."""
    count = 0
    depth = VISIBLE["kraken"] if venue.name == "kraken" else 20
    for theirs, ours in venue.pair.names[venue.name].items():
        book = (venue.name, ours)
        live = [one for one in venue.pair.seen[book] if one.live]
        wrong = [one for one in live if not any(is_state(one, s, depth) for s in candidates(venue, theirs, one))]
        count += len(live)
        for one in wrong[:3]:
            failures.append(f"{venue.column} {ours}: LIVE at {one.seq or one.time_ns} (mono {one.mono_ns}), but the book is none that "
                            f"was there then: bids {decimals(one.bids)[:3]} asks {decimals(one.asks)[:3]}")
        if len(wrong) > 3:
            failures.append(f"{venue.column} {ours}: {len(wrong)} LIVE messages in all are wrong")
    return count


def nobody_else_is_stale(venue, failures):
    """A book is STALE only while a fault of its own venue was about."""
    for book in venue.pair.books(venue.name):
        first = next((i for i, one in enumerate(venue.pair.seen[book]) if one.live), 0)
        for one in venue.pair.seen[book][first:]:
            if not one.live and not any(a <= one.mono_ns <= b for a, b in venue.pair.windows[venue.name]):
                failures.append(f"{venue.column} {book}: STALE ({one.reason}) though nothing was wrong (mono {one.mono_ns})")
                break


def finish(pairs, venues, failures):
    total = 0
    for venue in venues:
        total += live_books_are_true(venue, failures)
        nobody_else_is_stale(venue, failures)
    for pair in pairs:
        broken = pair.told("limit-broken")
        if broken:
            failures.append(f"limits were broken: {broken[:3]}")
    for failure in failures:
        print("FAILED", failure, flush=True)
    print(f"{total} LIVE books compared", flush=True)
    check(not failures, f"{len(failures)} failures")
    check(total > 100, f"{total} LIVE books were heard: too few to prove anything")


# ---- the tests -----------------------------------------------------------------------------------------------------


def made_pair(folder, venues, seconds, faults_of, ids=True, feed="", seed=1, every_s=EVERY_S):
    """A pair on made-up recordings. faults_of(venue) -> the faults that are put to it, in turn."""
    recordings, found = [], []
    for i, name in enumerate(venues):
        path = pathlib.Path(folder, f"{name}_{seconds}_{ids}.jsonl.gz")
        if not path.exists():
            make(name, path, seed + i, seconds, every_s, ids)
        recordings.append(path)
    pair = Pair(recordings, {name: list(SYMBOLS[name].values()) for name in venues}, feed=feed,
                depth={"kraken": KRAKEN_DEPTH})
    pair.names = {name: SYMBOLS[name] for name in venues}
    for name, path in zip(venues, recordings):
        column = name if name != "okx" else "okx with ids" if ids else "okx without ids"
        venue = Venue(pair, name, column, Truth(name, path, 200 if name in VISIBLE else 20))
        found.append(venue)
        pair.scripts.append((f"{column}", script(venue, faults_of(name))))
    return pair, found


def excerpt(folder, name, seconds):
    """The first seconds of a recording."""
    path = pathlib.Path(folder, f"{name}.jsonl.gz")
    with gzip.open(pathlib.Path(DATA, f"recordings/{name}.jsonl.gz"), "rt") as lines, gzip.open(path, "wt", compresslevel=1) as out:
        began_s = None
        for line in lines:
            at_s = json.loads(line[: line.index(",")] + "}")["t"]
            began_s = began_s or at_s
            if at_s > began_s + seconds:
                break
            out.write(line)
    return path


RECORDED = {
    "binance": ("binance_spot_btcusdt_20240808", {"BTCUSDT": "BTC-USDT"}, [*MESSAGES, "stale-snapshot", "slow-snapshot", "close"]),
    "binance-usdm": ("binance_usdm_btcusdt_20240808", {"BTCUSDT": "BTC-USDT-PERP"},
                     [*MESSAGES, "stale-snapshot", "slow-snapshot", "disconnect"]),
    "upbit": ("upbit_multi_20210417", {"KRW-LAMB": "LAMB-KRW", "KRW-WAVES": "WAVES-KRW"}, MESSAGES),
    "okx": ("okx_tbt_20210722_conn1", {"ONT-USDT": "ONT-USDT", "XMR-USDT-SWAP": "XMR-USDT-PERP"}, ["repeat", "drop", "cut"]),
    "kraken": ("kraken_v2_ethusd_d25_20260802", {"ETH/USD": "ETH-USD"}, ["repeat", "drop", "cut"]),
}


def recorded_pair(folder):
    """The same on what was really sent; OKX had no ids then, and Kraken's checksum is of 10 of 25 levels."""
    paths = [excerpt(folder, name, 60) for name, _, _ in RECORDED.values()]
    pair = Pair(paths, {venue: list(names.values()) for venue, (_, names, _) in RECORDED.items()}, depth={"kraken": 25})
    pair.names = {venue: names for venue, (_, names, _) in RECORDED.items()}
    found = []
    for path, (name, (_, _, faults)) in zip(paths, RECORDED.items()):
        venue = Venue(pair, name, "okx without ids" if name == "okx" else name, Truth(name, path, 200 if name in VISIBLE else 20))
        found.append(venue)
        pair.scripts.append((f"{venue.column} as recorded", script(venue, faults)))
    return pair, found


def at_random(venue, rng):
    """Faults in no order, none waited for; then the last books are LIVE, and those of the recording's end."""
    pair = venue.pair
    pair.windows[venue.name].append((0, float("inf")))
    yield from pair.all_live(venue.name)
    losses = ["disconnect", "close"]
    for _ in range(4 if venue.name in VISIBLE else 14):  # where each makes a new subscription, it takes longer each time
        kind = rng.choice([*MESSAGES, *MESSAGES, *losses])
        if kind in losses:
            losses = []
        pair.say(f"{venue.name}/{kind if kind not in ('disconnect', 'close') or not losses else 'drop'}")
        yield from pair.pause(rng.uniform(0.02, 1.0))
    yield from pair.until(lambda: pair.told("ended", venue.name), 120, "the end of the recording")
    yield from pair.all_live(venue.name, 30)
    yield from pair.pause(0.3)
    depth = VISIBLE["kraken"] if venue.name == "kraken" else 20
    for theirs, ours in pair.names[venue.name].items():
        last = [one for one in pair.seen[venue.name, ours] if one.live][-1]
        check(is_state(last, venue.truth.states[theirs][-1], depth), f"the last book of {venue.name} {ours} is not the venue's")


def random_pair(folder, seed):
    """Made-up traffic of another seed, in another rhythm, with faults at random."""
    rng = random.Random(seed)
    seed_folder = pathlib.Path(folder, f"seed{seed}")
    seed_folder.mkdir()
    pair, found = made_pair(seed_folder, list(SYMBOLS), 60, lambda _: [], seed % 2 == 0, seed=1000 * seed,
                            every_s=rng.choice([0.03, 0.04]))
    pair.scripts = [(f"{venue.column}, seed {seed}", at_random(venue, rng)) for venue in found]
    return pair, found


def each_fault_is_seen_and_healed_as_the_table_says():
    """Feeds side by side, each connected to all venues, or to those whose faults take long."""
    rows = {fault for fault, _ in TABLE}
    check(rows == set(KINDS), f"the table has the faults {sorted(rows)}, expected {sorted(KINDS)}")
    losses, snapshots = ["disconnect", "close"], ["stale-snapshot", "slow-snapshot"]

    def messages(name):
        """Where a snapshot is a new subscription, each takes longer than the one before, as each new connection does: so not
        all faults are put to one feed."""
        return [*MESSAGES, *([] if name in VISIBLE else snapshots[:1] if name == "upbit" else snapshots), "refuse", "skew"]

    silent = f"  silence_ms: {SILENCE_MS}"
    plans = [(list(SYMBOLS), messages, True, ""), (["okx"], messages, False, ""),
             (["okx", "kraken"], lambda _: snapshots, True, ""), (["okx"], lambda _: snapshots, False, ""),
             (list(SYMBOLS), lambda _: losses, True, ""), (["okx"], lambda _: losses, False, ""),
             (list(SYMBOLS), lambda _: ["429"], True, ""), (list(SYMBOLS), lambda _: ["418"], True, ""),
             (["okx"], lambda _: ["429", "418"], False, ""),
             (list(SYMBOLS), lambda _: ["silence"], True, silent), (["okx"], lambda _: ["silence"], False, silent)]
    failures, made = [], []
    with tempfile.TemporaryDirectory(prefix="sluice-faults-") as folder:
        made += [made_pair(folder, names, 130, faults_of, ids, feed) for names, faults_of, ids, feed in plans]
        made += [random_pair(folder, seed) for seed in SEEDS]
        if os.path.isdir(os.path.join(DATA, "recordings")):
            made.append(recorded_pair(folder))
        else:
            print(f"SKIPPED in part: no recordings in {DATA}; set SLUICE_TEST_DATA to the folder of market data")
        run([pair for pair, _ in made], [venue for _, found in made for venue in found], failures)
    wanted = {cell for cell, words in TABLE.items() if words[0] != "none"}
    check(PROVED >= wanted, f"cells that were not proved: {sorted(wanted - PROVED)}")


def run(pairs, venues, failures):
    started = []
    try:
        for pair in pairs:
            started.append(pair)
            pair.__enter__()
        play(pairs, failures)
        finish(pairs, venues, failures)
        for pair in started:
            pair.__exit__(None, None, None)
    except BaseException:
        for pair in started:
            pair.__exit__(*sys.exc_info())
        raise


def the_gate_knows_soon_after_the_feed():
    names = {"binance": "BTC-USDT", "binance-us": "BTC-USDT"}
    with tempfile.TemporaryDirectory(prefix="sluice-gate-") as folder:
        paths = []
        for seed, name in enumerate(names):
            paths.append(pathlib.Path(folder, f"{name}.jsonl.gz"))
            make(name, paths[-1], seed, 60, EVERY_S)
        with Processes() as box:
            box.start([program(), "emulate", *paths, "--fault", "binance/drop@60", "--fault", "binance/disconnect@100"],
                      "emulator.out")

            def listening():
                lines = (box.scratch / "emulator.out").read_text().splitlines()
                told = [json.loads(line) for line in lines if '"listening"' in line]
                return told if len(told) == len(names) else None

            config = ["feed:", "  source: live", "venues:"]
            for at in wait_until(listening, 10, "the emulated venues to listen"):
                config += [f"  - venue: {at['venue']}", f"    symbols: {names[at['venue']]}", f"    ws_url: {at['ws']}",
                           f"    rest_url: {at['rest']}"]
            with Run(config="\n".join(config) + "\n") as live:
                wait_until(lambda: '"kind":"disconnect"' in (box.scratch / "emulator.out").read_text(), 40, "both faults")
                wait_until(lambda: "connection-lost" in live.log("feed"), 5, "the feed to notice it")
                delay_us = wait_until(lambda: live.ask("risk", "status")["metrics"]["stale_delay_max_us"], 5, "a delay")
                check(delay_us < 1e5 * PATIENCE, f"the gate knew {delay_us} us after the feed")
                print(f"the gate knew {delay_us} us after the feed at the most")
                live.stop()


main(the_gate_knows_soon_after_the_feed, each_fault_is_seen_and_healed_as_the_table_says, seconds=380)
