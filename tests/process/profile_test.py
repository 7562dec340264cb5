#!/usr/bin/python3
"""A profile of a running pipeline adds up, is told in formats that others read, and knows noise from change."""
import json
import math
import random
import xml.etree.ElementTree

from harness import PATIENCE, Processes, check, check_equal, main, program

STAGES = {"wait", "transport", "decode", "book", "strategy", "risk", "exec", "journal", "encode", "log", "redis",
          "database", "other"}
SERVICES = {"feed", "strategy-1", "risk", "exec", "recorder"}


def profile(p, *arguments, seconds=60, env=None):
    return p.call([program(), "profile", *arguments], seconds, env)


def read(folder, name):
    return json.loads((folder / name).read_text())


def check_sums(found):
    check_equal({process["name"] for process in found["processes"]}, SERVICES, "processes")
    for process in [*found["processes"], found["whole"]]:
        name, wall = process["name"], process["wall_ns"]
        check_equal(set(process["stages"]), STAGES, f"{name}: stages")
        spent = sum(stage["own_ns"] for stage in process["stages"].values())
        check_equal(spent + process["remainder_ns"], wall, f"{name}: stages and remainder are the wall time")
        check(abs(process["remainder_ns"]) < 0.01 * wall, f"{name}: remainder {process['remainder_ns']} of {wall}")
        check_equal(wall - process["stages"]["wait"]["own_ns"], process["awake_ns"], f"{name}: awake")
        check(math.isclose(sum(s["share"] for s in process["stages"].values()), 1, abs_tol=0.01), f"{name}: shares")
        check(process["cpu_ns"] > 0 and process["wakeups"] > 0 and process["rss_bytes"] > 1e6, f"{name}: {process}")
    for figure in ("wall_ns", "cpu_ns", "wakeups", "messages_in"):
        check_equal(sum(process[figure] for process in found["processes"]), found["whole"][figure], f"whole: {figure}")


def check_speedscope(shown):
    """What the viewer's schema asks of a file of sampled profiles."""
    check_equal(shown["$schema"], "https://www.speedscope.app/file-format-schema.json", "schema")
    frames = shown["shared"]["frames"]
    check(frames and all(isinstance(f["name"], str) and f["name"] for f in frames), "frames have names")
    check(shown["profiles"], "profiles")
    for one in shown["profiles"]:
        check_equal((one["type"], one["unit"], one["startValue"]), ("sampled", "nanoseconds", 0), one["name"])
        check(one["samples"] and len(one["samples"]) == len(one["weights"]), f"{one['name']}: a weight for each sample")
        check(all(0 <= i < len(frames) for stack in one["samples"] for i in stack), f"{one['name']}: frames are there")
        check_equal(sum(one["weights"]), one["endValue"], f"{one['name']}: weights")


def a_profile_adds_up_and_is_read_by_others():
    with Processes() as p:
        done = profile(p, "--symbols", 5, "--seconds", 3, "--warm-up", 1, "--output", "out")
        check_equal(done.returncode, 0, f"exit code: {done.stdout[-2000:]} {done.stderr}")
        out = p.scratch / "out"
        found = read(out, "profile.json")
        check_sums(found)
        check(2.9 < found["measured_s"] < 3 + 2 * PATIENCE, f"measured for {found['measured_s']} s")
        check_equal((found["symbols"], found["not_measured"]), (5, ""), "symbols, and what was not measured")
        check("reconciled" in found["ended"], f"it ended in order: {found['ended']}")
        check_speedscope(read(out, "profile.speedscope.json"))
        xml.etree.ElementTree.parse(out / "flame.svg")
        functions = found["functions"]
        if functions["sampled_s"] > 0:
            top = functions["top"]
            check(0 < len(top) <= 30, f"{len(top)} functions")
            check(top == sorted(top, key=lambda f: -f["cumulative_ns"]), "by cumulative time")
            check(all(0 <= f["own_ns"] <= f["cumulative_ns"] <= functions["total_ns"] for f in top), f"{top}")
        else:
            check(functions["words"].startswith("not sampled: "), functions["words"])
        check_equal((out / "profile.txt").read_text() in done.stdout, True, "what is printed is what is kept")
        taken = profile(p, "--symbols", 5, "--seconds", 1, "--output", "out")
        check_equal(taken.returncode, 5, "an output that has a run is not written over")


def without_perf_it_says_so_and_draws_stages():
    with Processes() as p:
        (p.scratch / "empty").mkdir()
        done = profile(p, "--symbols", 5, "--iterations", 200, "--warm-up", 1, "--output", "out", "--json",
                       env={"PATH": str(p.scratch / "empty")})
        check_equal(done.returncode, 0, f"exit code: {done.stderr}")
        found = json.loads(done.stdout)
        check_sums(found)
        woken = sum(one["wakeups"] for one in found["processes"] if one["name"].startswith("strategy"))
        check(woken >= 200, f"iterations are the workers' wake-ups: {woken}")
        check("perf is not installed" in found["functions"]["words"], found["functions"]["words"])
        check("perf is not installed" in (p.scratch / "out" / "profile.txt").read_text(), "the text says so too")
        check_equal(found["functions"]["top"], [], "no function is invented")
        shown = read(p.scratch / "out", "profile.speedscope.json")
        check_speedscope(shown)
        names = {f["name"] for f in shown["shared"]["frames"]}
        check(names <= STAGES | SERVICES and "wait" not in names, f"time awake by stage: {names}")
        xml.etree.ElementTree.parse(p.scratch / "out" / "flame.svg")


def a_perf_that_is_not_permitted_is_quoted():
    with Processes() as p:
        (p.scratch / "odd").mkdir()
        perf = p.scratch / "odd" / "perf"
        perf.write_text("#!/bin/sh\necho 'No permission to enable cpu-clock event.' >&2\nexit 255\n")
        perf.chmod(0o755)
        done = profile(p, "--symbols", 5, "--seconds", 1, "--warm-up", 0, "--output", "out", "--json",
                       env={"PATH": str(p.scratch / "odd")})
        check_equal(done.returncode, 0, f"exit code: {done.stderr}")
        found = json.loads(done.stdout)
        check("No permission to enable cpu-clock event." in found["functions"]["words"], found["functions"]["words"])
        check_equal(found["functions"]["sampled_s"], 0, "nothing was sampled")


def write_slices(folder, seed, level, runs=1):
    rng = random.Random(seed)
    folder.mkdir()
    with open(folder / "slices.csv", "w", encoding="utf-8") as out:
        out.write("# symbols: 5\nseconds,run,risk.cpu_us_per_s,feed.cpu_us_per_s\n")
        for run in range(1, runs + 1):
            drift = rng.uniform(-40, 40) if runs > 1 else 0
            for second in range(1, 11):
                out.write(f"{second},{run},{level + drift + rng.uniform(-20, 20):.3f},{500 + rng.uniform(-20, 20):.3f}\n")


def compared(p, *arguments):
    done = profile(p, *arguments, "--json")
    check_equal(done.returncode, 0, done.stderr)
    return {figure["name"]: figure for figure in json.loads(done.stdout)["figures"]}


def change_is_told_from_noise():
    with Processes() as p:
        write_slices(p.scratch / "before", 1, 1000)
        write_slices(p.scratch / "again", 2, 1000)
        write_slices(p.scratch / "faster", 3, 700)
        write_slices(p.scratch / "runs", 4, 970, runs=3)
        text = profile(p, "--from", "before", "--compare", "before").stdout
        check("0 of 2 figures changed beyond the noise: within noise" in text, text)
        figures = compared(p, "--from", "again", "--compare", "before")
        check(not any(f["beyond_noise"] for f in figures.values()), f"noise: {figures}")
        figures = compared(p, "--from", "faster", "--compare", "before")
        risk = figures["risk.cpu_us_per_s"]
        check(risk["beyond_noise"] and not figures["feed.cpu_us_per_s"]["beyond_noise"], f"{figures}")
        check(risk["change"]["low"] < -300 < risk["change"]["high"] < 0, f"change {risk['change']}")
        figures = compared(p, "--from", "runs", "--compare", "before")
        check(not figures["risk.cpu_us_per_s"]["beyond_noise"], f"runs differ among themselves: {figures}")


def wrong_arguments_are_refused_by_name():
    with Processes() as p:
        for arguments, words in [
                (["--case", "dev_top7"], ["--case", "dev_top7", "dev_top50"]),
                (["--symbols", "0"], ["--symbols", '"0"', "1 to 500"]),
                (["--seconds", "5x"], ["--seconds", "5x", "whole number"]),
                (["--iterations", "-3"], ["--iterations", "-3", "whole number"]),
                (["--repeat", "0"], ["--repeat", '"0"', "1 to 100"]),
                (["--case", "dev_top5", "--symbols", "5"], ["--case", "--symbols", "one of the two"]),
                (["--seconds", "5", "--iterations", "50"], ["--seconds", "--iterations", "one of the two"]),
                (["--compare", "nowhere"], ["--compare", "nowhere", "slices.csv"]),
                (["--from", "nowhere"], ["--from", "--compare"]),
                (["--odd"], ["--odd", "unknown flag"]),
                (["--case"], ["--case", "missing"]),
                (["odd"], ["odd", "unexpected"])]:
            done = profile(p, *arguments)
            check_equal(done.returncode, 2, f"{arguments}: exit code")
            check(all(word in done.stderr for word in words), f"{arguments}: {done.stderr}")
        check_equal([f.name for f in p.scratch.iterdir()], [], "nothing was begun")
        done = profile(p, "--set", "sim.odd=1", "--seconds", 1, "--output", "out")
        check(done.returncode == 1 and "sim.odd" in done.stderr, f"a wrong setting is named: {done.stderr}")


main(a_profile_adds_up_and_is_read_by_others, without_perf_it_says_so_and_draws_stages,
     a_perf_that_is_not_permitted_is_quoted, change_is_told_from_noise,
     wrong_arguments_are_refused_by_name)
