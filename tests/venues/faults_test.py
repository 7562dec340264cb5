"""The table of faults in docs/venues.md, cell by cell: the real feed on emulated venues, its market socket, and books that
an independent model has made of the same recordings.

usage: faults_test.py SLUICE [TEST...]
"""
import os
import pathlib
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

from harness import PATIENCE, Skip, check, main  # noqa: E402
from market_made import KRAKEN_DEPTH, SYMBOLS, make  # noqa: E402
from market_pair import Pair, play  # noqa: E402
from market_truth import Truth  # noqa: E402

# From the moment at which it can be known to the message that says so, on two cores that others use, too.
SOON_S = 0.4 * PATIENCE
HEALED_S = {"next change": 2, "snapshot": 6, "resubscription": 25, "connection": 20}
# Half of Binance.US's weight is three snapshots in 10 s.
MORE_S = {("binance-us", "snapshot"): 10}
SILENCE_MS = 2000
BEAT_S = 0.25  # how often silence is looked for
EVERY_S = 0.05
MESSAGES = ("drop", "repeat", "swap", "cut", "garbage")
SKEW_S = 7000
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
        """Whether the message at the line changes a level that a checksum covers."""
        n = VISIBLE[self.name]
        states = self.truth.states[event["symbol"]]
        i = next(i for i, state in enumerate(states) if state.line >= event["line"])
        return i > 0 and (states[i].bids[:n], states[i].asks[:n]) != (states[i - 1].bids[:n], states[i - 1].asks[:n])


def note(venue, fault, found_s, healed_s):
    key = fault, venue.column
    PROVED.add(key)
    before = TIMES.get(key, (0, 0))
    TIMES[key] = (max(before[0], found_s), max(before[1], healed_s))


def heal(venue, fault, since_ns, healed, more_s=0):
    """Waits until all books are LIVE again, within what the table says; returns the seconds since."""
    yield from venue.pair.all_live(venue.name, HEALED_S[healed] + MORE_S.get((venue.name, healed), 0) + more_s)
    return (time.monotonic_ns() - since_ns) / 1e9


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


def made_pair(folder, venues, seconds, faults_of, ids=True, feed="", seed=1):
    """A pair on made-up recordings. faults_of(venue) -> the faults that are put to it, in turn."""
    recordings, found = [], []
    for i, name in enumerate(venues):
        path = pathlib.Path(folder, f"{name}_{seconds}_{ids}.jsonl.gz")
        if not path.exists():
            make(name, path, seed + i, seconds, EVERY_S, ids)
        recordings.append(path)
    pair = Pair(recordings, {name: list(SYMBOLS[name].values()) for name in venues}, feed=feed,
                depth={"kraken": KRAKEN_DEPTH})
    pair.names = {name: SYMBOLS[name] for name in venues}
    for name, path in zip(venues, recordings):
        column = name if name != "okx" else "okx with ids" if ids else "okx without ids"
        venue = Venue(pair, name, column, Truth(name, path, 25))
        found.append(venue)
        pair.scripts.append((f"{column}", script(venue, faults_of(name))))
    return pair, found


def each_fault_is_seen_and_healed_as_the_table_says():
    """Five feeds at once, each connected to all venues."""
    rows = list(dict.fromkeys(fault for fault, _ in TABLE))
    check(rows == list(dict.fromkeys(rows)) and set(rows) == set(KINDS), f"the table has the faults {rows}")
    connections = ["disconnect", "close", "refuse"]

    snapshots = ["stale-snapshot", "slow-snapshot"]

    def messages(name):
        """Where a snapshot is a new subscription, each takes longer than the one before: they have a feed of their own."""
        return [*MESSAGES, *([] if name in VISIBLE else snapshots[:1] if name == "upbit" else snapshots), "skew"]


    failures, pairs, venues = [], [], []
    everywhere = list(SYMBOLS)
    with tempfile.TemporaryDirectory(prefix="sluice-faults-") as folder:
        plans = [(everywhere, 130, messages, True, ""), (["okx"], 130, messages, False, ""),
                 (["okx", "kraken"], 130, lambda _: snapshots, True, ""), (["okx"], 130, lambda _: snapshots, False, ""),
                 (everywhere, 130, lambda _: connections, True, ""), (["okx"], 130, lambda _: connections, False, ""),
                 (everywhere, 130, lambda _: ["429"], True, ""), (["okx"], 130, lambda _: ["429", "418"], False, ""),
                 (everywhere, 130, lambda _: ["418"], True, ""),
                 (everywhere, 130, lambda _: ["silence"], True, f"  silence_ms: {SILENCE_MS}"),
                 (["okx"], 130, lambda _: ["silence"], False, f"  silence_ms: {SILENCE_MS}")]
        for names, seconds, faults_of, ids, feed in plans:
            pair, found = made_pair(folder, names, seconds, faults_of, ids, feed)
            pairs.append(pair)
            venues += found
        run(pairs, venues, failures)
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


main(each_fault_is_seen_and_healed_as_the_table_says)
