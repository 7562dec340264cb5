"""A small market, written down as two recordings, and a run of it in which one service dies at one chosen gap.

The recordings are of two venues with two symbols each, whose prices part and meet again, so that a few baskets are
entered, completed and exited, and then they end: the run ends by itself. It begins as the resumption of an earlier run
of the same market (the template), so that journals, snapshots and the database are there already, and the sizes of
the earlier run decide how near the next snapshot and the next segment are.

Each run is `sluice run --resume` on a copy of the template, in which the programs of the services are small scripts that
hand SLUICE_KILL_AT or SLUICE_COUNT_GAPS (lib/runtime/failpoint.h) to the first life of the chosen service only.
"""
import json
import pathlib
import shutil
import sys

from at_rest import check_at_rest
from harness import Processes, Run, check, check_equal, program

VENUES = [("stream.binance.com:9443", "api.binance.com"), ("stream.binance.us:9443", "api.binance.us")]
SYMBOLS = [("BTCUSDT", 60000_00), ("ETHUSDT", 3000_00)]  # mid price in cents
BEGIN_NS = 1_700_000_000_000_000_000
STEP_NS = 100_000_000
PARTED_BPS = 60
STEPS_A_PHASE = 10
STEPS_BEFORE = 80  # of a calm market, in which the gate hears of the hand for the first time
STEPS_BETWEEN = 12  # market time between two parts of the market: longer than any cool-down

SEGMENT_BYTES = 1 << 20
NEARLY_FULL_BYTES = 24 << 10  # a phase brings about ten thousand

SETTINGS = """
run: {reporting: auto}
feed: {speed: "20"}
arb:
  min_edge_bps: "1"
  latency_allowance_bps: "0"
  max_notional: "1000"
  take_profit_bps: "5"
  cool_down_ms: 100
  slippage_bps: "5"
  deadline_ms: 2000
risk:
  max_daily_loss: "1000000"
  max_gross: "100000000"
  max_position: "10000000"
  max_notional: "1000000"
  lease_ms: 1000
  max_intent_age_ms: 2000
fees: [{venue: "*", taker_bps: "0", maker_bps: "0"}]
balances: [{venue: "*", currency: "*", amount: "1000000000"}]
journal: {sync: 5, segment_mb: 1, snapshot_every: 100, keep_mb: 1}
recorder: {batch_rows: 40, batch_ms: 20}
"""


class Market:
    """One recording of a venue, written step by step."""

    def __init__(self, path, venue, begin_ns):
        self.stream, self.rest = VENUES[venue]
        self.now_ns = begin_ns
        self.ids = {symbol: 1000 for symbol, _ in SYMBOLS}
        self.shown = {}
        self.out = open(path, "w", encoding="ascii")
        self.line("connect", f"wss://{self.stream}/stream", None, "out")

    def line(self, kind, url, message, direction="in"):
        text = "" if message is None else json.dumps(message)
        self.out.write(json.dumps({"t": self.now_ns / 1e9, "t_ns": self.now_ns, "dir": direction, "kind": kind,
                                   "conn": 0, "url": url, "msg": text}) + "\n")

    @staticmethod
    def levels(mid_cents, thin):
        """Three levels a side: price in cents -> quantity as text; thin: an order takes more than is near."""
        size = 1000_00 * 1000 / mid_cents  # of the largest order, in thousandths
        near = 0.4 * size if thin else 2 * size
        sides = []
        for sign in (-1, 1):
            at = [mid_cents + sign * max(1, round(mid_cents * bps / 10_000)) for bps in (0.2, 0.6, 80)]
            sides.append({price: f"{quantity / 1000:.4f}" for price, quantity in zip(at, (near, near / 2, 9 * size))})
        return sides

    def show(self, symbol, mid_cents, thin=False):
        bids, asks = self.levels(mid_cents, thin)
        before = self.shown.get(symbol)
        text = lambda side: [[f"{p // 100}.{p % 100:02d}", q] for p, q in side.items()]
        if before is None:
            self.line("http", f"https://{self.rest}/api/v3/depth?symbol={symbol}&limit=100",
                      {"lastUpdateId": self.ids[symbol], "bids": text(bids), "asks": text(asks)})
        else:
            gone = [{p: "0.0000" for p in old if p not in new} for old, new in zip(before, (bids, asks))]
            first, self.ids[symbol] = self.ids[symbol] + 1, self.ids[symbol] + 3
            self.line("ws", f"wss://{self.stream}/stream",
                      {"stream": f"{symbol.lower()}@depth@100ms",
                       "data": {"e": "depthUpdate", "E": self.now_ns // 1_000_000, "s": symbol, "U": first,
                                "u": self.ids[symbol], "b": text({**gone[0], **bids}), "a": text({**gone[1], **asks})}})
        self.shown[symbol] = (bids, asks)

    def close(self):
        self.out.close()


def write_market(folder, begin_ns, phases):
    """Writes both recordings; returns the market time behind their end."""
    markets = [Market(folder / f"venue-{i}.jsonl", i, begin_ns) for i in range(len(VENUES))]
    step = 0
    for phase in range(phases + 1):
        parted = [0, PARTED_BPS, 0, -PARTED_BPS][phase % 4]
        for i in range(STEPS_A_PHASE if phase else STEPS_BEFORE):
            for venue, market in enumerate(markets):
                market.now_ns = begin_ns + step * STEP_NS + venue * 10_000_000
                for number, (symbol, mid) in enumerate(SYMBOLS):
                    shift = parted * venue * (1 if number == 0 else -1)
                    # What parts is thin at first at one of the venues: one leg is behind, and is completed.
                    market.show(symbol, mid + mid * shift // 10_000, thin=parted and i == 1 and phase % 3 == venue)
            step += 1
    for market in markets:
        market.close()
    return begin_ns + (step + STEPS_BETWEEN) * STEP_NS


PROGRAMS = ("feed", "strategy", "risk", "exec", "recorder")
FIRST_LIFE = """#!/bin/sh
if [ -e gap-{name} ]; then
    read -r SLUICE_KILL_AT <gap-{name}
    SLUICE_COUNT_GAPS=gaps-{name}
    export SLUICE_KILL_AT SLUICE_COUNT_GAPS
    mv gap-{name} was-gap-{name}
fi
exec '{real}' "$@"
"""


class Template(Processes):
    """A run of `phases` phases of the market, from which runs of `more` phases go on; with nearly_full, exec's segment
    has no room for all that they bring. To be used as a context."""

    def __init__(self, phases=16, more=8, nearly_full=False):
        super().__init__()
        self.phases, self.more, self.nearly_full = phases, more, nearly_full

    def __enter__(self):
        try:
            self.make_programs()
            config = self.scratch / "config.yaml"
            config.write_text(SETTINGS)
            self.next_ns = write_market(self.scratch, BEGIN_NS, self.phases)
            self.play("--config", config, *(f"--replay={self.scratch}/venue-{i}.jsonl" for i in range(len(VENUES))))
            while self.nearly_full and self.room() > NEARLY_FULL_BYTES:
                self.put_next_market(2)
                self.play("--resume")
            self.put_next_market(self.more)
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def play(self, *options):
        done = self.call([program(), "run", "--dir", self.scratch / "run", *options], 60)
        check_equal(done.returncode, 0, f"status of the template's run: {done.stdout[-800:]}{done.stderr[-800:]}")

    def put_next_market(self, phases):
        """What comes next stands where the market that is over stood, so that the settings are the run's own."""
        self.next_ns = write_market(self.scratch, self.next_ns, phases)
        (self.scratch / "run/feed.clock").unlink()

    def room(self):
        """Bytes that exec's last segment has left."""
        last = max((self.scratch / "run/journal/exec").glob("*.log"))
        return SEGMENT_BYTES - last.stat().st_size

    def make_programs(self):
        real = pathlib.Path(program()).parent
        self.bin = self.scratch / "bin"
        self.bin.mkdir()
        # A copy, not a link: it looks for the services beside the file that it is.
        shutil.copy2(real / "sluice", self.bin / "sluice")
        for name in PROGRAMS:
            script = self.bin / f"sluice-{name}"
            script.write_text(FIRST_LIFE.format(name=name, real=real / script.name))
            script.chmod(0o755)


class ScenarioRun(Run):
    """One run on from a template. gaps: service -> the gap at which its first life is killed; 0 = at none, count."""

    def __init__(self, template, gaps):
        super().__init__("--resume")
        self.template, self.gaps = template, gaps

    def begin(self, *_):
        if not self.dir.exists():
            shutil.copytree(self.template.scratch / "run", self.dir, ignore=shutil.ignore_patterns("sock", "log"))
            for service, gap in self.gaps.items():
                (self.dir / f"gap-{service}").write_text(f"{gap}\n")
        self.supervisor = self.start([self.template.bin / "sluice", "run", "--dir", self.dir, "--resume"], "supervisor.out")

    def passed(self, service):
        """How many gaps its first life passed, if it ended in order; else None."""
        path = self.dir / f"gaps-{service}"
        return int(path.read_text()) if path.exists() else None

    def lives(self, service):
        logs = [path.read_text(errors="replace") for path in (self.dir / "log").glob(f"{service}*.log")]
        return sum(log.count(" started run=") for log in logs)


def run_scenario(template, gaps, look=check_at_rest):
    """Runs it to its end, starts it once more if somebody died while it stopped, and checks. Returns how each of
    the services fared: the number of gaps passed, or "killed", or "killed at the stop"."""
    with ScenarioRun(template, gaps) as run:
        run.wait_for_end()
        fared = {}
        for service in gaps:
            passed = run.passed(service)
            fared[service] = passed if passed is not None else "killed" if run.lives(service) > 1 else "killed at the stop"
        if "killed at the stop" in fared.values():
            # Who is killed by then is not started again by this `sluice run`: the next one finishes what it began.
            run.begin()
            run.wait_for_end()
        check_equal(run.supervisor.returncode, 0, "exit status of sluice run")
        look(run)
        return fared
