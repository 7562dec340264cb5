"""A feed alone, connected to emulated venues, and all that is heard of both: book messages with the moment at which they
were sent, and what the emulator tells."""
import collections
import json
import os
import subprocess
import time

import msgpack
import zmq

from harness import MARK, MESSAGES, NUMBERS, PATIENCE, Run, check, die_with_parent, program, wait_until

LIVE = 1
REASONS = ["none", "no-snapshot", "gap", "checksum", "crossed", "silent", "disconnect", "beat-late", "overflow"]
BOOK_FIELDS = {name: i for i, name in enumerate(MESSAGES[NUMBERS["book"]][1])}
CLOCKS_NS = 50 * 10**6  # a machine's clock may be corrected, by less than this, while a test compares the two kinds of it
Seen = collections.namedtuple("Seen", "mono_ns live reason seq time_ns recv_mono_ns recv_ns bids asks")


class Waited(Exception):
    pass


def levels(exponents, side):
    """Prices and quantities as (mantissa, exponent) pairs of the wire, compared as Decimals by the caller."""
    price_exp, qty_exp = exponents
    return tuple((price, price_exp, qty, qty_exp) for price, qty in (pair[:2] for pair in side))


class Pair(Run):
    """symbols: venue -> its symbols here. recordings: files. config: more lines of the section feed."""

    def __init__(self, recordings, symbols, *options, feed="", depth=None):
        super().__init__()
        self.recordings, self.symbols, self.emulator_options = recordings, symbols, options
        self.feed_lines, self.depth = feed, depth or {}
        self.seen = collections.defaultdict(list)  # (venue, symbol) -> [Seen]
        self.clock_offset_ns = {}
        self.utc_less_mono_ns = time.time_ns() - time.monotonic_ns()
        self.events, self.part, self.scripts, self.windows = [], b"", [], collections.defaultdict(list)

    def begin(self, *_):
        for folder in ("sock", "log"):
            (self.dir / folder).mkdir(parents=True, exist_ok=True)
        self.emulator = subprocess.Popen(
            [program(), "emulate", *map(str, self.recordings), "--strict", *self.emulator_options], cwd=self.scratch,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(self.scratch / "emulator.out", "wb"),
            env={**os.environ, MARK: self.mark}, start_new_session=True, preexec_fn=die_with_parent)
        self.started.append(self.emulator)
        os.set_blocking(self.emulator.stdout.fileno(), False)
        wait_until(lambda: self.read_events() or len(self.told("listening")) == len(self.symbols), 20,
                   "the emulated venues to listen")
        lines = ["feed:", "  source: live", "  depth: 20", *self.feed_lines.splitlines(), "venues:"]
        for at in self.told("listening"):
            lines += [f"  - venue: {at['venue']}", f"    symbols: {','.join(self.symbols[at['venue']])}",
                      f"    ws_url: {at['ws']}", f"    rest_url: {at['rest']}", "    trades: false"]
            if at["venue"] in self.depth:
                lines.append(f"    depth: {self.depth[at['venue']]}")
        (self.dir / "config.yaml").write_text("\n".join(lines) + "\n")
        (self.dir / "run_id").write_text("faults\n")
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.SUB)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.RCVHWM, 0)
        for prefix in (b"book.", b"venue."):
            self.socket.setsockopt(zmq.SUBSCRIBE, prefix)
        self.socket.connect(self.endpoint("feed.market"))
        self.supervisor = self.start([program("sluice-feed"), "--dir", self.dir, "--name", "feed"], "feed.out")

    def __exit__(self, *failure):
        if hasattr(self, "socket"):
            self.socket.close()
            self.context.term()
        if hasattr(self, "emulator"):
            self.emulator.stdin.close()
            self.emulator.stdout.close()
        super().__exit__(*failure)

    # -- what is heard --

    def read_events(self):
        known = len(self.events)
        while chunk := self.emulator.stdout.read(1 << 16):
            lines = (self.part + chunk).split(b"\n")
            self.part = lines.pop()
            self.events += [json.loads(line) for line in lines]
        for event in self.events[known:]:
            event["mono_ns"] = event.get("mono_ns", 0) - CLOCKS_NS

    def hear(self):
        """All that has come by now."""
        while self.socket.poll(0):
            _topic, frame = self.socket.recv_multipart()
            envelope = msgpack.unpackb(frame, strict_map_key=False)
            body = envelope[8]
            if envelope[1] == NUMBERS["venue"]:
                fields = dict(zip(MESSAGES[NUMBERS["venue"]][1], body))
                self.clock_offset_ns[fields["venue"]] = fields["clock_offset_ns"]
            if envelope[1] != NUMBERS["book"]:
                continue
            at = BOOK_FIELDS
            exponents = body[at["price_exp"]], body[at["qty_exp"]]
            self.seen[body[at["venue"]], body[at["symbol"]]].append(Seen(
                envelope[6] - self.utc_less_mono_ns, body[at["state"]] == LIVE, REASONS[body[at["reason"]]], body[at["venue_seq"]],
                body[at["venue_time"]], body[at["recv_mono"]], body[at["recv_time"]],
                levels(exponents, body[at["bids"]]), levels(exponents, body[at["asks"]])))
        self.read_events()

    def told(self, event, venue=None, since=0):
        return [one for one in self.events[since:] if one["event"] == event and venue in (None, one["venue"])]

    def say(self, fault):
        self.emulator.stdin.write(fault.encode() + b"\n")
        self.emulator.stdin.flush()

    # -- scripts: generators that are resumed whenever something may have come --

    def until(self, condition, seconds, what):
        deadline = time.monotonic() + seconds * PATIENCE
        while not (value := condition()):
            if time.monotonic() > deadline:
                raise Waited(f"after {seconds * PATIENCE:g} s still waiting for: {what}")
            yield
        return value

    def pause(self, seconds):
        yield from self.until(lambda end=time.monotonic() + seconds: time.monotonic() >= end, seconds + 60, "")

    def books(self, venue):
        return [(venue, symbol) for symbol in self.symbols[venue]]

    def is_live(self, book):
        return bool(self.seen[book]) and self.seen[book][-1].live

    def stale(self, book, since_ns):
        """The first message since then by which the book is STALE."""
        return next((one for one in self.seen[book] if one.mono_ns >= since_ns and not one.live), None)

    def all_live(self, venue, seconds=30):
        return self.until(lambda: all(self.is_live(book) for book in self.books(venue)), seconds,
                          f"all books of {venue} to be LIVE")


def play(pairs, failures):
    """Runs the scripts of all pairs, each as far as it gets, until all have ended."""
    running = [(pair, name, script) for pair in pairs for name, script in pair.scripts]
    while running:
        for pair in pairs:
            pair.hear()
            check(pair.supervisor.poll() is None, f"the feed ended with status {pair.supervisor.returncode}")
        left = []
        for pair, name, script in running:
            try:
                next(script)
                left.append((pair, name, script))
            except StopIteration:
                pass
            except (AssertionError, Waited) as failure:
                failures.append(f"{name}: {failure}")
                print("FAILED", failures[-1], flush=True)
        running = left
        time.sleep(0.003)
