#!/usr/bin/python3
"""Runs the simulation on and on, both modes at once, until a seed fails or the time is over.

usage: run_on.py SLUICE-SIM [--seconds S] [--seed N]

Begins at seed N (by default one taken from the clock). Exit status: 0 none failed, 1 one did: what the simulation printed
about it, and the command that runs it again.
"""
import argparse
import concurrent.futures
import subprocess
import sys
import time

BATCH = 25


def run_mode(simulation, mode, seed, until):
    done = 0
    while time.monotonic() < until:
        ran = subprocess.run([simulation, "--mode", mode, "--seed", str(seed + done), "--seeds", str(BATCH), "--quiet"],
                             text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if ran.returncode:
            return mode, done, ran.stdout
        done += BATCH
    return mode, done, None


def whole_number(least):
    def read(text):
        if not (text.isascii() and text.isdigit() and int(text) >= least):
            raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number from {least}")
        return int(text)
    return read


def main():
    parser = argparse.ArgumentParser(prog="./dev fuzz sim", usage="./dev fuzz sim [--seconds S] [--seed N]", allow_abbrev=False)
    parser.add_argument("simulation")
    parser.add_argument("--seconds", type=whole_number(1), default=60)
    parser.add_argument("--seed", type=whole_number(0), default=int(time.time()) * 1000)
    options = parser.parse_args()
    print(f"simulation: from seed {options.seed} on, for {options.seconds} s", flush=True)
    until = time.monotonic() + options.seconds
    failed = False
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for mode, done, words in pool.map(lambda m: run_mode(options.simulation, m, options.seed, until), ("kill", "power")):
            print(f"simulation: mode {mode}: {done} seeds passed{', then one failed:' if words else ', none failed'}")
            if words:
                failed = True
                print(words)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
