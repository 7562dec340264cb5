#!/usr/bin/python3
"""Killed at any gap between two effects, a service comes back and the run ends reconciled.

A small market is played by the whole pipeline (scenario.py) again and again; each time one service is killed at another
gap of its first life. Here: the first gaps of each service and a sample of the others, as many as fit into the time.
`./dev fuzz kill` kills at all of them.
"""
import collections
import concurrent.futures
import random
import time
import traceback

from at_rest import check_at_rest
from harness import PATIENCE, check, main
from scenario import Template, run_scenario

SERVICES = ("exec", "risk", "recorder", "strategy", "feed")
COARSE = {"strategy": 5, "feed": 40}  # of these only every n-th gap: they have no ledger
FIRST = 40
SAMPLE_SECONDS = 40
AT_ONCE = 6  # a run mostly waits


def count_gaps(template, look=check_at_rest):
    """Service -> the number of gaps that it passes when nobody is killed."""
    fared = run_scenario(template, {service: 0 for service in SERVICES}, look)
    check(all(isinstance(n, int) and n > 0 for n in fared.values()), f"all services passed gaps: {fared}")
    return fared


def all_points(gaps):
    """(service, k) for every k from 1 to the last, the first of each service in front, the services in turn."""
    points = [(service, k) for service, last in gaps.items() for k in range(1, last + 1, COARSE.get(service, 1))]
    return sorted(points, key=lambda p: (p[1], SERVICES.index(p[0])))


def sample_of_points(gaps, chance):
    """One gap of each service, then the first gaps in turn with others of any place, in an order that is another one each time."""
    points = all_points(gaps)
    # Each service is killed in mid-life, also on a machine that has time for few runs.
    chosen = [chance.choice([p for p in points if p[0] == service and p[1] <= gaps[service] // 2]) for service in gaps]
    first = [p for p in points if p[1] <= FIRST]
    rest = points[len(first):]
    chance.shuffle(rest)
    while first or rest:
        chosen += first[:2] + rest[:1]
        first, rest = first[2:], rest[1:]
    return chosen


def kill_at(template, points, seconds=None, say=lambda words: None):
    """Runs the scenario once for each point, several at once, until `seconds` are over. Returns counts of how the services
    fared; fails with the points that failed."""
    deadline = time.monotonic() + seconds if seconds else float("inf")
    fared, failed = collections.Counter(), []

    def one(point):
        service, k = point
        if time.monotonic() > deadline or len(failed) >= 5:
            return
        try:
            how = run_scenario(template, {service: k})[service]
            fared[service, "not reached" if isinstance(how, int) else how] += 1
        except Exception:
            failed.append(point)
            print(f"{service} killed at gap {k}:\n{traceback.format_exc()}", flush=True)
        done = sum(fared.values()) + len(failed)
        if done % 50 == 0:
            say(f"{done} of {len(points)} gaps, {len(failed)} failed")

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            list(pool.map(one, points))
        finally:
            deadline = 0
    check(not failed, f"killed at these gaps the run did not end as it must: {failed}")
    return fared


def tell(gaps, fared):
    for service in gaps:
        counts = {how: n for (name, how), n in sorted(fared.items()) if name == service}
        print(f"        {service}: {gaps[service]} gaps; " + ", ".join(f"{n} {how}" for how, n in counts.items()))


def a_service_killed_at_any_gap_comes_back_and_the_run_reconciles():
    seed = random.randrange(10**6)
    with Template() as template:
        gaps = count_gaps(template)
        print(f"        seed of the sample: {seed}", flush=True)
        fared = kill_at(template, sample_of_points(gaps, random.Random(seed)), min(SAMPLE_SECONDS * PATIENCE, 120))
        tell(gaps, fared)
        for service in SERVICES:
            check(fared[service, "killed"] > 0, f"{service} was killed and came back")


if __name__ == "__main__":
    main(a_service_killed_at_any_gap_comes_back_and_the_run_reconciles)
