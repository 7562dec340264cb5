#!/usr/bin/python3
"""An overloaded pipeline goes on deciding, and what a listener does to it is measured in pairs."""
import json
import pathlib
import xml.etree.ElementTree

from harness import Processes, check, check_equal, main, marked_processes, program


def bench(p, *arguments, seconds=120):
    done = p.call([program(), "bench", "overload", "--output", "out", *arguments], seconds=seconds)
    check(done.returncode in (0, 1), f"a verdict: {done.returncode} {done.stderr}")
    return done


def a_burst_is_measured_beside_the_calm_around_it():
    with Processes() as p:
        told = json.loads(bench(p, "--rate", "1000", "--seconds", "3", "--factors", "1,4", "--json").stdout)
        check_equal([case["name"] for case in told["cases"]], ["x1-steady", "x4-steady", "x4-bursts"], "cases")
        for case in told["cases"]:
            check(case["reconciled"], f"{case['name']}: nothing was lost that must not be: {case['reasons']}")
            check_equal(case["dropped"]["intents"], 0, "intents that were lost")
            check(case["calm"]["decisions"] > 5, f"decisions in calm: {case['calm']}")
            age, due = case["calm"]["age_us"], case["calm"]["age_since_due_us"]
            check(0 < age["p50"] <= age["p99"] <= age["max"], f"ages in order: {age}")
            check(due["p50"] >= age["p50"] * 0.9, f"since due, and since receipt: {due} {age}")
        steady = told["cases"][1]
        check(steady["burst"]["published_per_s"] > 2 * steady["calm"]["published_per_s"],
              f"more is published in the burst: {steady['burst']} {steady['calm']}")
        check(steady["burst"]["decisions"] > 5, "decisions keep coming")
        xml.etree.ElementTree.parse(pathlib.Path(p.scratch, "out", "overload.svg"))


def a_tap_is_measured_in_turn_and_gone_afterwards():
    with Processes() as p:
        told = json.loads(bench(p, "--tap", "hostile,stopped", "--pairs", "2", "--span-ms", "1500", "--json").stdout)
        check_equal([tap["tap"] for tap in told["taps"]], ["stopped", "hostile"], "taps")
        for tap in told["taps"]:
            check_equal((tap["pairs"], tap["reconciled"]), (2, True), "pairs, and how the run ended")
            check(tap["low"] <= tap["ratio"] <= tap["high"], f"an interval: {tap}")
            check(tap["feed_kb_with"] < tap["feed_kb_without"] + 64 * 1024, f"the feed's memory: {tap}")
        check_equal(marked_processes(p.mark), [], "processes left")


def what_it_is_not_asked_for_it_says():
    with Processes() as p:
        for arguments in (["--factors", "2,x"], ["--tap", "deaf"], ["--seconds", "0"], ["more"]):
            done = p.call([program(), "bench", "overload", *arguments])
            check_equal(done.returncode, 2, f"exit status of {arguments}")
            check(arguments[-1].split(",")[-1] in done.stderr, f"the value is named: {done.stderr}")


main(a_burst_is_measured_beside_the_calm_around_it,
     a_tap_is_measured_in_turn_and_gone_afterwards,
     what_it_is_not_asked_for_it_says)
