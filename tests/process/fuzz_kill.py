#!/usr/bin/python3
"""The long run of the killing tests: `./dev fuzz kill [--seconds S] [--seed N]`.

First every service is killed at every gap between its effects, then a run without faults is watched for memory that
grows with the number of events, then the pipeline is killed at random, round after round, each on a market and a
database of its own, until S seconds of that are over. It ends with the first failure, and names the seed of its round.
"""
import argparse
import sys
import time

import failpoint_test
import memory
from at_rest import check_at_rest
from harness import check, main
from random_kills import RandomKills
from scenario import Template

ROUND_SECONDS = 60


def whole_number(least):
    def read(text):
        if not (text.isascii() and text.isdigit() and int(text) >= least):
            raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number from {least}")
        return int(text)
    return read


def arguments():
    reader = argparse.ArgumentParser(prog="./dev fuzz kill", description=__doc__.splitlines()[0])
    reader.add_argument("--seconds", type=whole_number(1), default=360, help="seconds of random kills (360)")
    reader.add_argument("--seed", type=whole_number(0), help="seed of the first round; with it the failpoints are left out")
    return reader.parse_args()


def say(words):
    print(f"fuzz kill: {words}", flush=True)


def every_gap_of_every_service():
    with Template() as template:
        gaps = failpoint_test.count_gaps(template)
        points = failpoint_test.all_points(gaps)
        say(f"{len(points)} gaps to be killed at")
        failpoint_test.tell(gaps, failpoint_test.kill_at(template, points, say=say))


def every_gap_of_the_hand_while_its_journal_begins_a_segment():
    with Template(phases=84, more=4, nearly_full=True) as template:
        last = failpoint_test.count_gaps(template, check_rolled)["exec"]
        say(f"{last} gaps to be killed at, over the end of a segment")
        failpoint_test.tell({"exec": last}, failpoint_test.kill_at(template, [("exec", k) for k in range(1, last + 1)], say=say))


def check_rolled(run):
    check_at_rest(run)
    segments = sorted((run.dir / "journal/exec").glob("*.log"))
    check(len(segments) > 1, f"exec's journal has begun a segment: {segments}")


def no_service_grows_with_the_number_of_events():
    memory.watch(say)


def random_kills_end_reconciled():
    seed = given.seed if given.seed is not None else int(time.time())
    until, killed, rounds = time.monotonic() + given.seconds, 0, 0
    while rounds == 0 or time.monotonic() < until:
        seconds = max(10, min(ROUND_SECONDS, until - time.monotonic()))
        counts = RandomKills(seed + rounds, seconds, (0.1, 1)).play()
        killed += counts["killed"]
        rounds += 1
        say(f"round {rounds} (seed {seed + rounds - 1}) reconciled; {killed} processes killed up to now")


if __name__ == "__main__":
    given = arguments()
    sys.argv[1:] = []  # main() takes names of tests there
    stages = [every_gap_of_every_service, every_gap_of_the_hand_while_its_journal_begins_a_segment,
              no_service_grows_with_the_number_of_events, random_kills_end_reconciled]
    main(*(stages if given.seed is None else stages[-1:]), seconds=None)
