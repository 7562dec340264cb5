"""Made-up recordings of each venue, without any fault: what the emulator does to them is the fault."""
import datetime
import gzip
import json
import pathlib
import random
import sys
from decimal import Decimal

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "recordings"))
import model_test as model  # noqa: E402

BEGAN_S = 1_785_000_000
# The venue's own names of what is traded; a venue's symbol of ours beside each.
SYMBOLS = {
    "binance": {"BTCUSDT": "BTC-USDT", "ETHUSDT": "ETH-USDT"},
    "binance-us": {"BTCUSDT": "BTC-USDT", "ETHUSDT": "ETH-USDT"},
    "binance-usdm": {"BTCUSDT": "BTC-USDT-PERP", "ETHUSDT": "ETH-USDT-PERP"},
    "binance-coinm": {"BTCUSD_PERP": "BTC-USD-PERP", "ETHUSD_PERP": "ETH-USD-PERP"},
    "upbit": {"KRW-BTC": "BTC-KRW", "KRW-ETH": "ETH-KRW"},
    "okx": {"BTC-USDT": "BTC-USDT", "ETH-USDT-SWAP": "ETH-USDT-PERP"},
    "kraken": {"BTC/USD": "BTC-USD", "ETH/USD": "ETH-USD"},
}
MARKETS = {"binance": "spot", "binance-us": "us", "binance-usdm": "usdm", "binance-coinm": "coinm", "upbit": "upbit",
           "okx": "okx", "kraken": "kraken"}
KRAKEN_DEPTH = 10


class Tape:
    """A recording that is being made, EVERY_S between two messages."""

    def __init__(self, venue, every_s):
        self.ws, self.http = model.URLS[MARKETS[venue]]
        self.every_s, self.at_s, self.lines = every_s, 0.0, []
        self.add("connect", self.ws, "")

    def add(self, kind, url, msg, **more):
        self.lines.append({"t": BEGAN_S + round(self.at_s, 6), "dir": "out" if kind == "connect" else "in", "kind": kind,
                           "conn": 1, "url": url, "msg": msg, **more})

    def step(self):
        self.at_s += self.every_s

    def ms(self):
        return int(BEGAN_S * 1000 + self.at_s * 1000)


def fill_binance(tape, rng, names, count):
    chained = tape.ws.startswith(("wss://fstream", "wss://dstream"))
    exchanges = {name: model.Exchange(rng, chained) for name in names}
    turn = list(names)
    for i in range(count):
        tape.step()
        name = turn[i % len(turn)]
        exchange = exchanges[name]
        if i in range(4, 4 + len(turn)):  # each after its second change
            tape.add("http", tape.http % name, json.dumps(exchange.snapshot()))
            continue
        for _ in range(rng.randrange(1, 5)):
            exchange.change()
        event = {**exchange.diff(), "s": name, "E": tape.ms(), "T": tape.ms()}
        tape.add("ws", tape.ws, json.dumps(event))


def fill_upbit(tape, rng, names, count):
    exchanges = {name: model.Exchange(rng, False) for name in names}
    for i in range(count):
        tape.step()
        name = list(names)[i % len(names)]
        exchange = exchanges[name]
        for _ in range(3):
            exchange.change()
        bids = sorted(exchange.sides[0].items(), reverse=True)[:15]
        asks = sorted(exchange.sides[1].items())[:15]
        units = []
        for k in range(15):
            (bp, bs), (ap, az) = (side[k] if k < len(side) else (0, 0) for side in (bids, asks))
            units.append('{"ask_price":%s,"bid_price":%s,"ask_size":%s,"bid_size":%s}' % tuple(
                exchange.text(Decimal(value)) for value in (ap, bp, az, bs)))
        tape.add("ws", tape.ws, '{"type":"orderbook","code":"%s","timestamp":%d,"orderbook_units":[%s],"stream_type":"REALTIME"}'
                 % (name, tape.ms(), ",".join(units)), bin=True)


class StreamVenue(model.StreamVenue):
    """Numbers are written as these venues do: OKX without zeros at their end, Kraken with as many digits in each."""

    def text(self, value, digits):
        if not self.fixed:
            return model.plain(value)
        step = self.exchange.scale / 2 if digits == 9 else self.exchange.size  # of a price, of a quantity
        return f"{value:.{max(0, -step.normalize().as_tuple().exponent)}f}"


def fill_stream(tape, rng, names, count, okx, ids):
    venues = {name: StreamVenue(rng, 10**9 if okx else KRAKEN_DEPTH, not okx) for name in names}
    for exchange in (venue.exchange for venue in venues.values()):  # there must be room for eight digits behind the point
        size = min(exchange.size, Decimal("0.001"))
        for side in exchange.sides:
            side.update({price: qty / exchange.size * size for price, qty in side.items()})
        exchange.size = size
    for i in range(count):
        tape.step()
        name = list(names)[i % len(names)]
        venue, first = venues[name], i < len(names)
        if not okx and first:
            tape.add("ws", tape.ws, '{"method":"subscribe","result":{"channel":"book","depth":%d,"symbol":"%s"},'
                     '"success":true}' % (KRAKEN_DEPTH, name))
        changes = ([], [])
        while not (changes[0] or changes[1]):
            for _ in range(rng.randrange(1, 5)):
                venue.exchange.change()
            changes = venue.changes()
        previous, venue.seq = venue.seq, venue.seq + rng.randrange(1, 9)
        venue.view.set(changes)
        kind = "snapshot" if first else "update"
        if okx:
            text = json.loads(model.okx_message(name, kind, changes, model.okx_sum(venue.view),
                                                (-1 if first else previous, venue.seq) if ids else None, rng))
            text["data"][0]["ts"] = str(tape.ms())
            tape.add("ws", tape.ws, json.dumps(text))
            continue
        text = model.kraken_message(name, kind, changes, model.kraken_sum(venue.view), None, rng)
        when = datetime.datetime.fromtimestamp(tape.ms() / 1000, datetime.timezone.utc)
        stamp = ',"timestamp":"%s.%06dZ"}]}' % (when.strftime("%Y-%m-%dT%H:%M:%S"), when.microsecond)
        tape.add("ws", tape.ws, text[: -len("}]}")] + stamp)


def make(venue, path, seed, seconds, every_s, ids=True):
    """Writes a recording of a venue's two symbols in turns, for so many seconds."""
    rng, tape, count = random.Random(seed), Tape(venue, every_s), int(seconds / every_s)
    names = SYMBOLS[venue]
    if venue == "upbit":
        fill_upbit(tape, rng, names, count)
    elif venue in ("okx", "kraken"):
        fill_stream(tape, rng, names, count, venue == "okx", ids)
    else:
        fill_binance(tape, rng, names, count)
    with gzip.open(path, "wt", compresslevel=1) as out:
        out.writelines(json.dumps(line) + "\n" for line in tape.lines)
