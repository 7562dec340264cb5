#!/usr/bin/python3
"""What the long runs of `./dev fuzz` say of a wrong value: the verb, the field, the value and what was expected."""
import pathlib
import subprocess
import sys

from harness import check, check_equal, main

TESTS = pathlib.Path(__file__).resolve().parent.parent
KNOWN = sorted(path.stem for path in (TESTS / "simulation" / "planted").glob("*.patch"))


def refused(script, *arguments):
    done = subprocess.run([sys.executable, TESTS / script, *arguments], capture_output=True, text=True, timeout=60)
    check_equal(done.returncode, 2, f"exit status of {script} {arguments}: {done.stderr}")
    return done.stderr.splitlines()[-1]


def a_wrong_number_is_named_with_its_flag_and_what_was_expected():
    for verb, script, first, flag, least in (("sim", "simulation/run_on.py", ["sluice-sim"], "--seed", 0),
                                             ("sim", "simulation/run_on.py", ["sluice-sim"], "--seconds", 1),
                                             ("kill", "process/fuzz_kill.py", [], "--seed", 0),
                                             ("kill", "process/fuzz_kill.py", [], "--seconds", 1),
                                             ("planted", "simulation/planted.py", [], "--seeds", 1)):
        for wrong in ("x", "-1", "1.5", ""):
            check_equal(refused(script, *first, f"{flag}={wrong}"),
                        f"./dev fuzz {verb}: error: argument {flag}: {wrong!r}: expected a whole number from {least}", "words")


def a_bug_that_nobody_planted_is_refused_with_those_that_are_known():
    words = refused("simulation/planted.py", "nosuch")
    check(words.startswith("./dev fuzz planted: error: argument patches: 'nosuch': no such file; expected a patch"), words)
    check(KNOWN and all(name in words for name in KNOWN), f"the known ones in: {words}")


main(a_wrong_number_is_named_with_its_flag_and_what_was_expected,
     a_bug_that_nobody_planted_is_refused_with_those_that_are_known)
