"""sluice books equals a plain model of the venues' rules on made-up recordings full of faults.

usage: model_test.py SLUICE [SEEDS]

The model keeps books in dictionaries of Decimal and follows the exchanges' rules word by word. The recordings
have lost, repeated, swapped and cut messages, stale and repeated snapshots, reconnects, two sockets for one
book, numbers in every form, raw and combined messages, lines that are no frames, and several gzip members.
"""
import gzip
import json
import os
import random
import subprocess
import sys
import tempfile
import zlib
from decimal import Decimal

URLS = {
    "spot": ("wss://stream.binance.com:9443/ws", "https://api.binance.com/api/v3/depth?symbol=%s&limit=1000"),
    "us": ("wss://stream.binance.us:9443/stream?streams=x", "https://api.binance.us/api/v3/depth?symbol=%s"),
    "usdm": ("wss://fstream.binance.com/public/stream?streams=x", "https://fapi.binance.com/fapi/v1/depth?symbol=%s"),
    "coinm": ("wss://dstream.binance.com/ws", "https://dapi.binance.com/dapi/v1/depth?limit=5&symbol=%s"),
    "upbit": ("wss://sg-api.upbit.com/websocket/v1", ""),
    "okx": ("wss://ws.okx.com:8443/ws/v5/public", ""),
    "kraken": ("wss://ws.kraken.com/v2", ""),
}


def plain(d):
    text = format(d, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def best_of(levels, pick):
    if not levels:
        return "- -"
    price = pick(levels)
    return f"{plain(price)} {plain(levels[price])}"


def best_text(bids, asks):
    return best_of(bids, max) + " " + best_of(asks, min)


class BinanceModel:
    """One book, by sections 1 and 2 of the exchange's rules.

    Of two connections one is taken; what the other brings meanwhile is kept, so that it can take over when the first
    ends or misses something."""

    def __init__(self, chained):
        self.chained, self.synced, self.buffer, self.feeds, self.source = chained, False, [], set(), None
        self.parted = False  # all connections that fed it are gone: a snapshot has nothing to be followed by

    def verdict(self, e):
        if not self.chained:
            return "old" if e["u"] <= self.last else "gap" if e["U"] > self.last + 1 else "next"
        if self.fresh:
            if e["u"] < self.last:
                return "old"
            return "next" if e["U"] <= self.last <= e["u"] or e["pu"] == self.last else "gap"
        return "old" if e["u"] <= self.last else "next" if e["pu"] == self.last else "gap"

    def apply(self, e):
        for side, levels in ((self.bids, e["b"]), (self.asks, e["a"])):
            for p, q in levels:
                if Decimal(q) == 0:
                    side.pop(Decimal(p), None)
                else:
                    side[Decimal(p)] = Decimal(q)
        self.last, self.fresh = e["u"], False

    def drop_old(self):
        while self.buffer and self.verdict(self.buffer[0]) == "old":
            self.buffer.pop(0)

    def join(self):
        while self.buffer:
            verdict = self.verdict(self.buffer[0])
            if verdict == "gap":
                self.synced = False
                return
            e = self.buffer.pop(0)
            if verdict == "next":
                self.apply(e)

    def take_over(self, source):
        """True when what the other connection has brought continues the book."""
        self.drop_old()
        if not self.buffer or self.verdict(self.buffer[0]) != "next":
            return False
        self.source = source
        self.join()
        return True

    def on_diff(self, e, conn):
        """True when the book was touched and is synchronised."""
        if self.source not in self.feeds:
            self.source = conn
        self.parted = False
        self.feeds.add(conn)
        if conn != self.source:
            if self.synced:
                self.drop_old()
                self.buffer.append(e)
            return False
        if not self.synced:
            self.buffer.append(e)
            return False
        verdict = self.verdict(e)
        if verdict == "gap":
            if self.take_over(min(self.feeds - {conn}, default=None)):
                return self.synced
            self.synced, self.buffer = False, [e]
        elif verdict == "next":
            self.apply(e)
            return True
        return False

    def on_snapshot(self, s):
        if self.synced or self.parted:
            return False
        self.last, self.fresh = s["lastUpdateId"], True
        rest = [e for e in self.buffer if self.verdict(e) != "old"]
        if rest and self.verdict(rest[0]) == "gap":
            return False
        self.bids = {Decimal(p): Decimal(q) for p, q in s["bids"]}
        self.asks = {Decimal(p): Decimal(q) for p, q in s["asks"]}
        self.synced = True
        self.join()
        return self.synced

    def on_connect(self, conn):
        """True as on_diff."""
        if conn not in self.feeds:
            return False
        self.feeds.discard(conn)
        if conn != self.source:
            self.buffer = [] if self.synced else self.buffer
            return False
        self.source = min(self.feeds, default=None)
        if self.feeds and self.synced:
            if self.take_over(self.source):
                return self.synced
            self.synced = not self.buffer  # what waits does not join
            return False
        self.synced, self.buffer, self.parted = False, [], not self.feeds
        return False


class Exchange:
    """The true book of one symbol, which never crosses."""

    def __init__(self, rng, chained):
        self.rng, self.chained, self.last, self.sent = rng, chained, rng.randrange(1, 10**12), 0
        self.scale = rng.choice([Decimal("1E-8"), Decimal("0.01"), Decimal("0.5"), Decimal(1000)])
        self.size = rng.choice([Decimal("1E-8"), Decimal("0.001"), Decimal("123456.7"), Decimal("1E4")])
        self.sides = ({}, {})
        self.pending = {}, {}
        self.first = self.previous = None
        for _ in range(60):
            self.change()
        self.diff()

    def text(self, d):
        """A number in one of the forms venues write it in."""
        form, short = self.rng.randrange(4), plain(d)
        if form == 0:
            return short
        if form == 1:
            return short + ("00" if "." in short else ".000")
        return "%E" % d if form == 2 and Decimal("%E" % d) == d else format(d, "f")

    def change(self):
        self.last += self.rng.randrange(1, 50) if self.chained else 1
        self.first = self.first or self.last
        side = self.rng.randrange(2)
        tick = self.rng.randrange(1, 40) + (Decimal("0.5") if self.rng.random() < 0.02 else 0)
        price = (1000 + (tick if side else -tick)) * self.scale
        qty = self.rng.choice([0, 1, 7, 1000]) * self.size * self.rng.randrange(1, 10**5)
        if qty:
            self.sides[side][price] = qty
        else:
            self.sides[side].pop(price, None)
        self.pending[side][price] = qty

    def diff(self):
        e = {"e": "depthUpdate", "E": 1700000000000, "U": self.first, "u": self.last}
        if self.chained:
            e["pu"] = self.previous or self.first - 1
        for key, side in (("b", 0), ("a", 1)):
            e[key] = [[self.text(p), self.text(q)] for p, q in self.pending[side].items()]
            self.pending[side].clear()
        self.first, self.previous = None, self.last
        return e

    def snapshot(self):
        bids, asks = self.sides
        return {"lastUpdateId": self.last,
                "bids": [[self.text(p), self.text(bids[p])] for p in sorted(bids, reverse=True)],
                "asks": [[self.text(p), self.text(asks[p])] for p in sorted(asks)]}


class Recording:
    def __init__(self):
        self.lines, self.want = [], []

    def add(self, kind, conn, url, msg, **more):
        line = {"t": 1700000000 + len(self.lines) / 1000, "dir": "out" if kind == "connect" else "in", "kind": kind,
                "conn": conn, "url": url, "msg": msg, **more}
        self.lines.append(json.dumps(line))
        return len(self.lines)

    def write(self, path, rng):
        with open(path, "wb") as f:
            lines = list(self.lines)
            while lines:
                n = rng.randrange(1, len(lines) + 1)
                f.write(gzip.compress(("\n".join(lines[:n]) + "\n").encode()))
                lines = lines[n:]


def noise(rec, rng, url):
    """A line that must change nothing."""
    what = rng.randrange(7)
    if what == 0:
        rec.lines.append(rng.choice(["", "{", "[]", '{"kind":"ws"}', "no json"]))
    elif what == 1:
        rec.add("ws", 9, "wss://api.huobi.pro/ws", "", b64="H4sIAAAA")
    elif what == 2:
        rec.lines.append(json.dumps({"t": 1, "dir": "out", "kind": "ws", "conn": 1, "url": url, "msg": "{}"}))
    elif what == 3:
        rec.add("ws", 1, url, '{"result":null,"id":1}')
    elif what == 4:
        rec.add("ws", 1, url, '{"e":"kline","s":"BTCUSDT","k":{"n":257575280881401231231231}}')
    elif what == 5:
        rec.add("ws", 1, url, '{"u":1,"s":"BTCUSDT","b":"1","B":"1","a":"2","A":"1"}')
    else:
        rec.add("http", 0, url.replace("wss", "https"), '{"code":-1003,"msg":"Too many requests."}')


def binance_recording(rng, market):
    rec, (ws, http) = Recording(), URLS[market]
    chained = market in ("usdm", "coinm")
    names = rng.sample(["BTCUSDT", "ETHUSDT", "PEPEUSDT", "BNBUSD", "XRPTRY", "ABCXYZ"], 3)
    exchange = {n: Exchange(rng, chained) for n in names}
    books = {n: BinanceModel(chained) for n in names}
    old_snapshots = {n: [] for n in names}
    held = []  # messages that are swapped with a later one
    seen = {}  # symbols, in the order in which they are named first

    def send(name, event, conn):
        seen[name] = True
        msg = {"stream": name.lower() + "@depth", "data": event} if rng.random() < 0.5 else event
        line = rec.add("ws", conn, ws, json.dumps(msg))
        if books[name].on_diff(event, conn):
            rec.want.append(f"{line} {name} {best_text(books[name].bids, books[name].asks)}")

    rec.add("connect", 1, ws, "")
    for _ in range(rng.randrange(200, 900)):
        name = rng.choice(names)
        for _ in range(rng.randrange(4)):
            exchange[name].change()
        fate = rng.random()
        if fate < 0.04:
            snapshot = exchange[name].snapshot()
            old_snapshots[name].append(snapshot)
            if rng.random() < 0.3:
                snapshot = rng.choice(old_snapshots[name])
            line = rec.add("http", 0, http % name, json.dumps(snapshot))
            seen[name] = True
            if books[name].on_snapshot(snapshot):
                rec.want.append(f"{line} {name} {best_text(books[name].bids, books[name].asks)}")
        elif fate < 0.1:
            noise(rec, rng, ws)
        elif fate < 0.105:
            conn = rng.choice([1, 1, 2])
            line = rec.add("connect", conn, ws, "")
            for connected in seen:
                book = books[connected]
                if book.on_connect(conn):
                    rec.want.append(f"{line} {connected} {best_text(book.bids, book.asks)}")
        elif exchange[name].first is not None:
            event = {**exchange[name].diff(), "s": name}
            if fate < 0.12:
                pass  # lost
            elif fate < 0.13:
                text = json.dumps(event)
                rec.add("ws", 1, ws, text[: len(text) // 2])
            elif fate < 0.14:
                held.append((name, event))
            else:
                send(name, event, 1)
                if fate < 0.2:
                    send(name, event, rng.choice([1, 2]))
            if held and rng.random() < 0.3:
                send(*held.pop(), 1)
    return rec


def upbit_recording(rng):
    rec, (ws, _) = Recording(), URLS["upbit"]
    names = ["KRW-BTC", "BTC-ARK", "KRW-PEPE"]
    times, exchange = dict.fromkeys(names, 0), {n: Exchange(rng, False) for n in names}
    clock = 1700000000000
    rec.add("connect", 1, ws, "")

    def frame(name):
        """An orderbook object, and its best line if it is taken."""
        nonlocal clock
        e, simple = exchange[name], rng.random() < 0.5
        for _ in range(5):
            e.change()
        clock += rng.randrange(3)
        time = clock - rng.choice([0, 0, 0, 500])
        bids, asks = sorted(e.sides[0].items(), reverse=True)[:15], sorted(e.sides[1].items())[:15]
        keys = ("ap", "bp", "as", "bs") if simple else ("ask_price", "bid_price", "ask_size", "bid_size")
        units = []
        for i in range(15):
            b = bids[i] if i < len(bids) else (0, 0)
            a = asks[i] if i < len(asks) else (0, 0)
            units.append("{" + ",".join('"%s":%s' % (k, e.text(Decimal(v)))
                                        for k, v in zip(keys, (a[0], b[0], a[1], b[1]))) + "}")
        head = '"ty":"orderbook","cd":"%s","tms":%d,"obu":' if simple else \
            '"type":"orderbook","code":"%s","timestamp":%d,"orderbook_units":'
        text = "{" + head % (name, time) + "[" + ",".join(units) + "]}"
        if time < times[name]:
            return text, None
        times[name] = time
        return text, best_text(dict(bids), dict(asks))

    for _ in range(rng.randrange(50, 300)):
        fate = rng.random()
        if fate < 0.1:
            noise(rec, rng, ws)
        elif fate < 0.12:
            rec.add("connect", 1, ws, "")
            times = dict.fromkeys(names, 0)
        elif fate < 0.14:
            rec.add("ws", 1, ws, '{"status":"UP"}')
        else:
            chosen = rng.sample(names, rng.choice([1, 1, 2, 3]))
            frames = [frame(n) for n in chosen]
            text = frames[0][0] if len(frames) == 1 else "[" + ",".join(f[0] for f in frames) + "]"
            line = rec.add("ws", 1, ws, text, bin=True)
            rec.want += [f"{line} {n} {f[1]}" for n, f in zip(chosen, frames) if f[1]]
    return rec


class StreamBook:
    """One book of a venue that sends a snapshot and then changes on the connection itself. Levels keep their text."""

    def __init__(self, depth):
        self.depth, self.synced, self.conn, self.seq, self.sides = depth, False, None, None, ({}, {})

    def set(self, changes):
        for side, levels in zip(self.sides, changes):
            for price, qty in levels:
                if Decimal(qty) == 0:
                    side.pop(Decimal(price), None)
                else:
                    side[Decimal(price)] = (price, qty)
        for side, best_first in zip(self.sides, (True, False)):
            for price in sorted(side, reverse=best_first)[self.depth:]:
                del side[price]

    def best(self):
        bids, asks = ({p: Decimal(q) for p, (_, q) in side.items()} for side in self.sides)
        return best_text(bids, asks)

    def top(self, n):
        return ([self.sides[0][p] for p in sorted(self.sides[0], reverse=True)[:n]],
                [self.sides[1][p] for p in sorted(self.sides[1])[:n]])


def okx_sum(book):
    bids, asks = book.top(25)
    words = []
    for i in range(25):
        words += [":".join(side[i]) for side in (bids, asks) if i < len(side)]
    crc = zlib.crc32(":".join(words).encode())
    return crc - 2**32 if crc >= 2**31 else crc


def kraken_sum(book):
    bids, asks = book.top(10)
    return zlib.crc32("".join(t.replace(".", "").lstrip("0") for level in asks + bids for t in level).encode())


def okx_message(name, kind, changes, total, seqs, rng):
    data = {"asks": [[p, q, "0", "1"] for p, q in changes[1]], "bids": [[p, q, "0", "1"] for p, q in changes[0]],
            "ts": "1700000000000"}
    if total is not None:
        data["checksum"] = total
    elif rng.random() < 0.5:
        data["checksum"] = 0
    if seqs:
        data["prevSeqId"], data["seqId"] = seqs
    return json.dumps({"arg": {"channel": "books", "instId": name}, "action": kind, "data": [data]})


def kraken_message(name, kind, changes, total, _seqs, _rng):
    sides = ["[" + ",".join('{"price":%s,"qty":%s}' % level for level in side) + "]" for side in changes]
    return '{"channel":"book","type":"%s","data":[{"symbol":"%s","bids":%s,"asks":%s,"checksum":%d}]}' % (
        kind, name, *sides, total)


class StreamVenue:
    """The venue's side of one symbol: its whole book, and what its subscriber should hold of it."""

    def __init__(self, rng, depth, fixed):
        self.exchange, self.fixed, self.view, self.seq = Exchange(rng, False), fixed, StreamBook(depth), rng.randrange(10**9)

    def text(self, value, digits):
        return f"{value:.{digits}f}" if self.fixed else self.exchange.text(value)

    def changes(self):
        """What leads the subscriber from what it holds to the book as it is now."""
        out = ([], [])
        for s, best_first in ((0, True), (1, False)):
            now, held = self.exchange.sides[s], self.view.sides[s]
            window = sorted(now, reverse=best_first)[: self.view.depth]
            out[s].extend((held[p][0], self.text(Decimal(0), 8)) for p in held if p not in now)
            out[s].extend((self.text(p, 9), self.text(now[p], 8)) for p in window
                          if p not in held or Decimal(held[p][1]) != now[p])
            self.exchange.rng.shuffle(out[s])
        return out


def stream_recording(rng, market):
    rec, (ws, _) = Recording(), URLS[market]
    okx = market == "okx"
    message, total_of = (okx_message, okx_sum) if okx else (kraken_message, kraken_sum)
    names = ["BTC-USDT", "ETH-USDT-SWAP", "BTC-USD-991231"] if okx else ["BTC/USD", "DOGE/EUR", "PEPE/USDT"]
    with_sum, with_seq = (rng.random() < 0.6, rng.random() < 0.6) if okx else (True, False)
    depth = 10**9 if okx else rng.choice([10, 25, 100])
    venues = {n: StreamVenue(rng, depth, not okx) for n in names}
    books = {n: StreamBook(depth) for n in names}
    held = []  # messages that are swapped with a later one

    def make(name, kind):
        venue = venues[name]
        if kind == "snapshot":
            venue.view.sides = ({}, {})
        changes, previous = venue.changes(), venue.seq
        venue.seq = rng.randrange(10) if rng.random() < 0.01 else venue.seq + rng.randrange(1, 9)  # or it begins anew
        venue.view.set(changes)
        total = total_of(venue.view) if with_sum else None
        seqs = (-1 if kind == "snapshot" else previous, venue.seq) if with_seq else None
        return {"name": name, "kind": kind, "changes": changes, "total": total, "seqs": seqs}

    def send(m, conn):
        book = books[m["name"]]
        line = rec.add("ws", conn, ws, message(m["name"], m["kind"], m["changes"], m["total"], m["seqs"], rng))
        if m["kind"] == "snapshot":
            book.sides, book.synced, book.conn = ({}, {}), True, conn
        elif not book.synced or book.conn != conn:
            return
        elif m["seqs"] and m["seqs"][0] != book.seq:
            book.synced = False
            return
        book.set(m["changes"])
        book.seq = m["seqs"] and m["seqs"][1]
        if m["total"] is not None and (m["total"] != 0 or not okx) and total_of(book) != m["total"]:
            book.synced = False
            return
        rec.want.append(f"{line} {m['name']} {book.best()}")

    def lose(conn, unsequenced_only):
        for book in books.values():
            if book.conn == conn and not (unsequenced_only and with_seq):
                book.synced = False

    def subscribe(name, conn):
        if not okx:
            rec.add("ws", conn, ws, '{"method":"subscribe","result":{"channel":"book","depth":%d,"symbol":"%s"},'
                    '"success":true}' % (depth, name))
        send(make(name, "snapshot"), conn)

    rec.add("connect", 1, ws, "")
    for name in names:
        subscribe(name, 1)
    for _ in range(rng.randrange(200, 700)):
        name = rng.choice(names)
        for _ in range(rng.randrange(4)):
            venues[name].exchange.change()
        fate = rng.random()
        if fate < 0.03:
            subscribe(name, rng.choice([1, 1, 2]))
        elif fate < 0.08:
            noise(rec, rng, ws)
        elif fate < 0.085:
            conn = rng.choice([1, 1, 2])
            rec.add("connect", conn, ws, "")
            lose(conn, False)
        else:
            m, conn = make(name, "update"), books[name].conn
            if fate < 0.1:
                pass  # lost
            elif fate < 0.11:
                text = message(name, m["kind"], m["changes"], m["total"], m["seqs"], rng)
                rec.add("ws", 1, ws, text[: len(text) // 2])
                lose(1, True)
            elif fate < 0.12:
                held.append((m, conn))
            else:
                send(m, conn)
                if fate < 0.14:
                    send(m, rng.choice([1, 2]))
            if held and rng.random() < 0.3:
                send(*held.pop())
    return rec


def compare(sluice, folder, seed):
    rng = random.Random(seed)
    market = list(URLS)[seed % len(URLS)]
    make = {"upbit": lambda: upbit_recording(rng), "okx": lambda: stream_recording(rng, market),
            "kraken": lambda: stream_recording(rng, market)}
    rec = make.get(market, lambda: binance_recording(rng, market))()
    path = os.path.join(folder, f"{market}_{seed}.jsonl.gz")
    rec.write(path, rng)
    done = subprocess.run([sluice, "books", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    got = done.stdout.decode().splitlines()
    if done.returncode == 0 and got == rec.want:
        return len(got)
    print(f"FAILED seed {seed} ({market}): exit code {done.returncode} {done.stderr.decode()[-200:]}")
    for i in range(max(len(got), len(rec.want))):
        a, b = (x[i] if i < len(x) else "nothing" for x in (got, rec.want))
        if a != b:
            print(f"  output line {i + 1}: got {a!r}, expected {b!r}")
            break
    return -1


def main():
    sluice, seeds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 84
    with tempfile.TemporaryDirectory() as folder:
        results = [compare(sluice, folder, seed) for seed in range(seeds)]
    print(f"{seeds} recordings, {sum(r for r in results if r > 0)} lines, {results.count(-1)} failures")
    return 1 if -1 in results or sum(results) < 20 * seeds else 0


if __name__ == "__main__":
    sys.exit(main())
