#!/usr/bin/python3
"""Whatever is killed, hung or restarted, at random, the run comes to rest reconciled."""
import random

from harness import check, main
from random_kills import RandomKills

SECONDS = 40


def random_kills_end_reconciled():
    counts = RandomKills(random.randrange(10**6), SECONDS, (0.3, 2)).play()
    print(f"        {counts}")
    check(counts["killed"] > 0, "somebody was killed")


if __name__ == "__main__":
    main(random_kills_end_reconciled)
