#!/usr/bin/python3
"""What each setting of the section `placement` does to the time from a tick to its order, in the real pipeline.

usage: bench_placement [--rates N,N...] [--rounds N] [--seconds S] [--symbols N] [--only NAME,NAME...]
                       [--add NAME:KEY=VALUE[:KEY=VALUE...]] [--json FILE] [--bin DIR] [--list]

Each round runs the whole pipeline once with each setting on the simulated market, in an order that changes from round to
round, and takes the figures from the run's own report: from receipt to order sent. Told are the medians of the rounds, and
the median and the range of the ratios to the first setting within a round, for the machine's own mood moves from round to
round and not within one.

  --rates N,N     ticks a second over all symbols (1000,10000)
  --rounds N      runs of each setting (5)
  --seconds S     length of one run (6)
  --symbols N     symbols at each of the two venues (50)
  --only NAMES    only these settings; --list shows them
  --add           one more: its name, and what it sets, such as mine:placement.mode=none:placement.spin_us=50
  --bin DIR       where sluice is, where it is not ../bin

Exit status: 0 measured, 1 a run failed, 2 wrong usage.
"""
import argparse
import json
import os
import pathlib
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time

ONE = ["placement.mode=manual"] + [f"placement.{kind}=0" for kind in ("feed", "strategy", "risk", "exec")]
SETTINGS = {  # the first is what the others are compared with
    "default": [],
    "none": ["placement.mode=none"],
    "hot-on-one": ONE,
    "all-on-one": ONE + ["placement.recorder=0"],
    "hot-on-one+recorder-other": ONE + ["placement.recorder=1"],
    "feed-0+rest-1": ["placement.mode=manual", "placement.feed=0"] +
                     [f"placement.{kind}=1" for kind in ("strategy", "risk", "exec")],
    "two-and-two": ["placement.mode=manual", "placement.feed=0", "placement.strategy=0", "placement.risk=1",
                    "placement.exec=1"],
    "none+hold-awake": ["placement.mode=none", "placement.hold_awake=true"],
    "hot-on-one+hold-awake": ONE + ["placement.hold_awake=true"],
    "hot-on-one+io-other": ONE + ["placement.io_threads=1"],
    "hot-on-one+fifo": ONE + ["placement.fifo_priority=10"],
    "none+fifo": ["placement.mode=none", "placement.fifo_priority=10"],
    "hot-on-one+spin-20": ONE + ["placement.spin_us=20"],
    "none+spin-20": ["placement.mode=none", "placement.spin_us=20"],
    "none+spin-100": ["placement.mode=none", "placement.spin_us=100"],
    "hot-on-one+all-wake": ONE + ["placement.all_wake=true"],
    "hot-on-one+drain-1": ONE + ["placement.drain_messages=1"],
    "hot-on-one+drain-16": ONE + ["placement.drain_messages=16"],
    "market-5-ms": ["placement.market_drain_ms=5"],
    "hot-on-one+market-5-ms": ONE + ["placement.market_drain_ms=5"],
    "hot-on-one+market-20-ms": ONE + ["placement.market_drain_ms=20"],
}
STAGE = re.compile(r"^\s+tick_to_order\s+([\d.]+)\s+([\d.]+)\s+([\d.]+)\s+([\d.]+)\s+(\d+)", re.M)


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run_once(program, sets, rate, args):
    """p50, p99 in us, orders, processor time of a second."""
    with tempfile.TemporaryDirectory(prefix="sluice-placement-") as scratch:
        options = [f"sim.symbols={args.symbols}", f"sim.updates_per_s={max(1, rate // (2 * args.symbols))}",
                   "sim.dislocations_per_min=6000", *sets]
        argv = [program, "run", "--dir", f"{scratch}/run", "--seconds", str(args.seconds)]
        for option in options:
            argv += ["--set", option]
        before, began = cpu_seconds(), time.monotonic()
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              cwd=scratch)
        found = STAGE.search(done.stdout)
        if done.returncode != 0 or not found:
            sys.exit(f"bench_placement: {' '.join(argv)}: status {done.returncode}\n{done.stdout[-3000:]}")
        return {"p50": float(found[1]), "p99": float(found[3]), "orders": int(found[5]),
                "cpu": (cpu_seconds() - before) / (time.monotonic() - began)}


def measure(program, settings, rate, args):
    rounds = []
    names = list(settings)
    for number in range(args.rounds):
        shift = number * 7 % len(names)
        rounds.append({name: run_once(program, settings[name], rate, args) for name in names[shift:] + names[:shift]})
        print(f"  round {number + 1} of {args.rounds} at {rate}/s", file=sys.stderr, flush=True)
    return rounds


def tell(rate, settings, rounds):
    base = next(iter(settings))
    out = {}
    print(f"\n{rate} ticks/s, {len(rounds)} rounds   tick to order, us          ratio to {base}: median (least-most)")
    print(f"{'setting':28} {'p50':>7} {'p99':>7} {'cores':>6}   {'p50':^18}  {'p99':^18}")
    for name in settings:
        row = {key: statistics.median(r[name][key] for r in rounds) for key in ("p50", "p99", "cpu", "orders")}
        ratios = {}
        for key in ("p50", "p99"):
            all_of_it = sorted(r[name][key] / r[base][key] for r in rounds)
            ratios[key] = (statistics.median(all_of_it), all_of_it[0], all_of_it[-1])
        shown = ["%.2f (%.2f-%.2f)" % ratios[key] for key in ("p50", "p99")]
        print(f"{name:28} {row['p50']:7.0f} {row['p99']:7.0f} {row['cpu']:6.2f}   {shown[0]:^18}  {shown[1]:^18}")
        out[name] = {**row, "ratio_p50": ratios["p50"], "ratio_p99": ratios["p99"]}
    return out


def main():
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--rates", default="1000,10000")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=6)
    parser.add_argument("--symbols", type=int, default=50)
    parser.add_argument("--only")
    parser.add_argument("--add", action="append", default=[])
    parser.add_argument("--json")
    parser.add_argument("--bin", default=str(pathlib.Path(__file__).resolve().parent.parent / "bin"))
    parser.add_argument("--list", action="store_true")
    parser.add_argument("-h", "--help", action="store_true")
    args = parser.parse_args()
    if args.help:
        print(__doc__)
        return
    settings = dict(SETTINGS)
    if args.only:
        unknown = [name for name in args.only.split(",") if name not in settings]
        if unknown:
            parser.error(f"--only: there is no {unknown[0]!r}; --list shows the settings")
    if args.list:
        for name, sets in settings.items():
            print(f"{name:28} {' '.join(sets)}")
        return
    if args.only:
        settings = {name: settings[name] for name in args.only.split(",")}
    for added in args.add:
        name, *sets = added.split(":")
        settings[name] = sets
    program = f"{args.bin}/sluice"
    if not os.access(program, os.X_OK):
        parser.error(f"--bin: {program} is not there")
    out = {rate: tell(rate, settings, measure(program, settings, rate, args)) for rate in map(int, args.rates.split(","))}
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(out, indent=1) + "\n")


main()
