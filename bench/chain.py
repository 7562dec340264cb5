#!/usr/bin/python3
"""From tick to order: the real pipeline beside the same processes and sockets without any work in them.

usage: bench_chain [--rates 1000,10000,50000,max] [--pairs 15] [--seconds S] [--warm S] [--symbols 50]
                   [--set KEY=VALUE]... [--json] [--output DIR] [--bin DIR]

A pair is one run of the real pipeline and one of the bare one (chain_bare), in an order that turns around from pair to
pair. The real one is `sluice run` with the defaults of its configuration on the simulated market: its time is that from
the receipt of a tick, as the feed stamps it, to the moment at which exec sends an order of the first attempt; the paper
venue's latency comes behind that. The bare one's shape is measured of the real one first, once for each rate, by a listener
that is not there in the pairs: messages a second on each socket, their mean sizes, the share of ticks that become intents,
the records of exec as an order is sent and later, and the processors that each process may use.

Told are the medians over the pairs of p50 and p99 of each, and of their ratios within a pair, with the 95 % interval of the
median (by order statistics). `max`: the highest rate, within 5 %, at which 10 s pass with nothing lost and p99 under 10 ms.

Exit status: 0 measured, 1 a run failed, 2 wrong usage.
"""
import argparse
import json
import math
import os
import pathlib
import re
import secrets
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

import msgpack
import zmq

HERE = pathlib.Path(__file__).resolve().parent
SERVICES = ("feed", "strategy-1", "risk", "exec", "recorder")
HOT_TRADES = 120  # dislocations a minute and symbol: enough orders for a p99
GOALS = {("p50", 1000): 1.25, ("p50", 10000): 1.25, ("p99", 1000): 1.5, ("p99", 10000): 1.5}
SUSTAINED_P99_NS = 10 * 10**6
SUSTAINED_S = 10
SENT = """SELECT MIN(hop_exec_out) - trace_recv_mono FROM order_events WHERE attempt = 0 AND hop_exec_out <> 0
          AND trace_recv_mono >= ? GROUP BY client_id"""


class Failed(Exception):
    pass


def quantile(values, q):
    """The smallest value with at least q of all at or below it."""
    return sorted(values)[max(0, math.ceil(q * len(values)) - 1)]


def median_interval(values):
    """The median, with its 95 % interval by the binomial ranks; of few values all of them."""
    ordered, n, below = sorted(values), len(values), 0.0
    rank = 0
    for r in range(n // 2 + 1):
        below += math.comb(n, r) / 2**n
        if below > 0.025:
            rank = r
            break
    low, high = (ordered[0], ordered[-1]) if rank == 0 else (ordered[rank - 1], ordered[n - rank])
    return low, statistics.median(ordered), high


# ---- the real one ---------------------------------------------------------------------------------------------


class Real:
    """One `sluice run` in a directory of its own."""

    def __init__(self, options, rate, seconds):
        self.options, self.seconds = options, seconds
        self.scratch = tempfile.TemporaryDirectory(prefix="sluice-chain-")
        self.dir = pathlib.Path(self.scratch.name) / "run"
        settings = {"sim.symbols": options.symbols, "sim.updates_per_s": max(1, round(rate / options.symbols / 2)),
                    "sim.dislocations_per_min": HOT_TRADES * options.symbols, "sim.seed": secrets.randbits(30),
                    **dict(one.split("=", 1) for one in options.set)}
        command = [options.bin / "sluice", "run", "--dir", self.dir, "--seconds", str(math.ceil(seconds))]
        for key, value in settings.items():
            command += ["--set", f"{key}={value}"]
        self.out = open(pathlib.Path(self.scratch.name) / "out", "w+", encoding="utf-8")
        self.process = subprocess.Popen([str(part) for part in command], stdout=self.out, stderr=subprocess.STDOUT,
                                        stdin=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)
        self.out.close()
        self.scratch.cleanup()

    def fail(self, words):
        self.out.seek(0)
        raise Failed(f"{words}; it said:\n{self.out.read()[-2000:]}")

    def wait_until_playing(self):
        log = self.dir / "log" / "feed.log"
        deadline = time.monotonic() + 30
        while not (log.exists() and " playing " in log.read_text(errors="replace")):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.fail("the pipeline did not begin")
            time.sleep(0.02)
        return time.monotonic_ns()

    def endpoint(self, name):
        return f"ipc://{self.dir}/sock/{name}"

    def lost(self):
        """Market messages that one of its processes has missed."""
        total = 0
        with zmq.Context() as context:
            for service in SERVICES[1:]:
                with context.socket(zmq.DEALER) as socket:
                    socket.setsockopt(zmq.LINGER, 0)
                    socket.connect(self.endpoint(f"{service}.control"))
                    socket.send(msgpack.packb([1, 83, "bench", 0, 0, 0, time.time_ns(), None, [1, 1, "", 0]]))
                    if not socket.poll(2000):
                        self.fail(f"{service} does not answer")
                    body = msgpack.unpackb(socket.recv_multipart()[-1], strict_map_key=False)[8]
                    total += dict(next(field for field in body if isinstance(field, list))).get("market_lost", 0)
        return total

    def processors(self):
        """What each may use: one number, or -1 where it is free."""
        pids = json.loads((self.dir / "pids.json").read_text())
        allowed = {service: os.sched_getaffinity(pids[service]) for service in SERVICES}
        return {service.split("-")[0]: next(iter(cpus)) if len(cpus) == 1 and os.cpu_count() > 1 else -1
                for service, cpus in allowed.items()}

    def setting(self, name):
        """A number of the run's configuration, which holds all of it."""
        return int(re.search(rf"^\s+{name}: (\d+)", (self.dir / "config.yaml").read_text(), re.M).group(1))

    def tick_to_order_ns(self, since_ns):
        if self.process.wait(self.seconds + 60) != 0:
            self.fail(f"the pipeline ended with {self.process.returncode}")
        with sqlite3.connect(self.dir / "sluice.db") as database:
            return [ns for (ns,) in database.execute(SENT, (since_ns,)) if ns is not None]


def real_round(options, rate, seconds):
    with Real(options, rate, options.warm + seconds + 1) as real:
        since = real.wait_until_playing() + int(options.warm * 1e9)
        time.sleep(options.warm + seconds)
        lost = real.lost()
        times = real.tick_to_order_ns(since)
    if len(times) < 30:
        raise Failed(f"{len(times)} orders are too few to tell a p99 of")
    return {"orders": len(times), "p50_ns": quantile(times, 0.5), "p99_ns": quantile(times, 0.99), "lost": lost}


def listen(real, seconds):
    """(count, mean bytes, by first word of the topic) of each of the three streams."""
    heard = {}
    with zmq.Context() as context:
        sockets = {}
        for name in ("feed.market", "risk.ledger", "exec.ledger"):
            socket = context.socket(zmq.SUB)
            socket.setsockopt(zmq.LINGER, 0)
            socket.setsockopt(zmq.RCVHWM, 0)
            socket.setsockopt(zmq.SUBSCRIBE, b"")
            socket.connect(real.endpoint(name))
            sockets[socket], heard[name] = name, []
        poller = zmq.Poller()
        for socket in sockets:
            poller.register(socket, zmq.POLLIN)
        time.sleep(0.3)
        begun = time.monotonic()
        while time.monotonic() < begun + seconds:
            for socket, _ in poller.poll(100):
                while socket.poll(0):
                    topic, body = socket.recv_multipart()
                    heard[sockets[socket]].append((topic.split(b".")[0].decode(), len(body)))
        took = time.monotonic() - begun
        for socket in sockets:
            socket.close()
    return heard, took


def shape_of(options, rate):
    """What the bare one must be like, as chain_bare's keys."""
    with Real(options, rate, options.warm + 6) as real:
        real.wait_until_playing()
        time.sleep(options.warm)
        heard, took = listen(real, 3)
        processors, drain_ms = real.processors(), real.setting("market_drain_ms")
        real.process.terminate()
        real.process.wait(30)
    ticks = [size for kind, size in heard["feed.market"] if kind in ("book", "bbo")]
    decisions = [size for kind, size in heard["risk.ledger"] if kind == "decision"]
    records = [(kind, size) for kind, size in heard["exec.ledger"] if kind != "beat"]
    if not ticks or not decisions or not records:
        raise Failed("nothing was traded while the shape was measured")
    orders = sum(kind == "order" for kind, _ in records) / len(decisions)
    now = min(3.0, len(records) / len(decisions))  # a basket and its two orders
    return {"topics": 2 * options.symbols, "ticks_per_s": len(ticks) / took, "tick_bytes": statistics.mean(ticks),
            "forward": len(decisions) / len(ticks), "intent_bytes": statistics.mean(decisions),
            "decision_bytes": statistics.mean(decisions), "record_bytes": statistics.mean(size for _, size in records),
            "records_now": now, "records_later": max(0.0, len(records) / len(decisions) - now), "later_us": 2000,
            "drain_ms": drain_ms, **{f"cpu_{name}": cpu for name, cpu in processors.items()}}, orders


def bare_round(options, shape, seconds, **other):
    keys = {**shape, "warm_s": options.warm, "seconds": seconds, "seed": secrets.randbits(30), **other}
    with tempfile.TemporaryDirectory(prefix="sluice-bare-") as scratch:
        os.mkdir(os.path.join(scratch, "sock"))
        done = subprocess.run([options.bin.parent / "bench" / "chain_bare", scratch] +
                              [f"{key}={value}" for key, value in keys.items()], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, check=False, timeout=seconds + 60)
    if done.returncode != 0:
        raise Failed(f"chain_bare ended with {done.returncode}: {done.stderr}")
    return json.loads(done.stdout)


# ---- pairs ------------------------------------------------------------------------------------------------------


def pairs_at(options, rate):
    shape, _ = shape_of(options, rate)
    rounds = []
    for number in range(options.pairs):
        pair = {}
        for kind in ("real", "bare") if number % 2 == 0 else ("bare", "real"):
            pair[kind] = real_round(options, rate, options.seconds) if kind == "real" else \
                bare_round(options, shape, options.seconds)
        rounds.append(pair)
        if sys.stderr.isatty():
            print(f"\r{rate} ticks/s: pair {number + 1} of {options.pairs} ", end="", file=sys.stderr)
    told = {"ticks_per_s": rate, "shape": shape, "pairs": rounds}
    for name in ("p50", "p99"):
        for kind in ("real", "bare"):
            told[f"{kind}_{name}_us"] = [value / 1000 for value in median_interval([r[kind][f"{name}_ns"] for r in rounds])]
        told[f"ratio_{name}"] = median_interval([r["real"][f"{name}_ns"] / r["bare"][f"{name}_ns"] for r in rounds])
        goal = GOALS.get((name, rate))
        if goal:
            told[f"goal_{name}"], told[f"reached_{name}"] = goal, told[f"ratio_{name}"][2] < goal
    return told


def sustains(measured):
    return measured["lost"] == 0 and measured["p99_ns"] < SUSTAINED_P99_NS


def highest(at, low, high):
    """The highest rate between two at which `at` sustains, within 5 %: by halving the ratio."""
    if not sustains(at(low)):
        return 0
    while high / low > 1.05:
        middle = math.sqrt(low * high)
        try:
            fits = sustains(at(middle))
        except Failed:  # so little got through that there is no p99
            fits = False
        low, high = (middle, high) if fits else (low, middle)
    return low


def highest_rates(options):
    shape, _ = shape_of(options, 10000)
    real = highest(lambda rate: real_round(options, rate, SUSTAINED_S), 1000, 500000)
    bare = highest(lambda rate: bare_round(options, shape, SUSTAINED_S, ticks_per_s=rate,
                                           forward=shape["forward"] * shape["ticks_per_s"] / rate), 1000, 2000000)
    return {"real_ticks_per_s": round(real), "bare_ticks_per_s": round(bare), "ratio": real / bare if bare else None,
            "goal": 0.5, "reached": bool(bare) and real / bare >= 0.5}


# ---- telling ------------------------------------------------------------------------------------------------------


def machine():
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8")
                  if line.startswith("model name")), "unknown processor")
    return f"{model}, {os.cpu_count()} processors, {os.uname().release}"


def tell(told):
    print(f"chain: {told['machine']}\nmedians of {told['n_pairs']} interleaved pairs with their 95 % intervals; "
          "tick to order, us")
    for one in told["rates"]:
        print(f"  {one['ticks_per_s']} ticks/s")
        for name in ("p50", "p99"):
            words = ""
            if f"goal_{name}" in one:
                words = f"   goal: below {one[f'goal_{name}']}: {'reached' if one[f'reached_{name}'] else 'not reached'}"
            figures = [one[key] for key in (f"real_{name}_us", f"bare_{name}_us")]
            print(f"    {name}  real {figures[0][1]:9.1f} [{figures[0][0]:.1f}, {figures[0][2]:.1f}]"
                  f"  bare {figures[1][1]:9.1f} [{figures[1][0]:.1f}, {figures[1][2]:.1f}]"
                  f"  ratio {one[f'ratio_{name}'][1]:.2f} [{one[f'ratio_{name}'][0]:.2f}, {one[f'ratio_{name}'][2]:.2f}]{words}")
    if "max" in told:
        top = told["max"]
        print(f"  highest sustained: real {top['real_ticks_per_s']} ticks/s, bare {top['bare_ticks_per_s']}, "
              f"ratio {top['ratio'] or 0:.2f}   goal: at least 0.5: {'reached' if top['reached'] else 'not reached'}")


def arguments():
    parser = argparse.ArgumentParser(prog="bench_chain", usage=__doc__.split("\n\n")[1].removeprefix("usage: "),
                                     description=__doc__.split("\n\n", 2)[2], formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", default="1000,10000,50000,max")
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--warm", type=float, default=2)
    parser.add_argument("--symbols", type=int, default=50)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--output", type=pathlib.Path)
    parser.add_argument("--bin", type=pathlib.Path, default=HERE.parent / "bin")
    options = parser.parse_args()
    for rate in options.rates.split(","):
        if rate != "max" and not (rate.isdigit() and int(rate) > 0):
            parser.error(f'--rates: "{rate}"; expected ticks a second, or max')
    for one in options.set:
        if "=" not in one:
            parser.error(f'--set: "{one}"; expected KEY=VALUE, such as placement.mode=none')
    if options.pairs < 1 or options.seconds <= 0 or options.warm < 0 or not 1 <= options.symbols <= 500:
        parser.error("--pairs and --seconds: expected above 0; --symbols: 1 to 500")
    return options


def main():
    options = arguments()
    told = {"bench": "chain", "machine": machine(), "n_pairs": options.pairs, "rates": []}
    try:
        for rate in options.rates.split(","):
            if rate == "max":
                told["max"] = highest_rates(options)
            else:
                told["rates"].append(pairs_at(options, int(rate)))
    except (Failed, OSError) as failure:
        print(f"bench_chain: {failure}", file=sys.stderr)
        return 1
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
        (options.output / "chain.json").write_text(json.dumps(told, indent=1) + "\n")
    if options.json:
        print(json.dumps(told))
    else:
        tell(told)
    return 0


if __name__ == "__main__":
    sys.exit(main())
