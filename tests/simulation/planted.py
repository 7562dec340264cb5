#!/usr/bin/python3
"""Tests the simulation itself: plants bugs, one at a time, and counts the seeds until it finds each.

usage: planted.py [--seeds N] [--first SEED] [--elsewhere] [PATCH...]

A planted bug is a patch of one line or a few (planted/*.patch; others may be named). It is applied to a copy of the
tree, the simulation is built from that, run until a seed fails, and the patch is taken back. Words before the diff say
what is broken, and by lines of `key: value`:

  seeds: 500        within how many seeds it must be found (else --seeds)
  mode: kill|power  in which mode of the simulation (else both, half of the seeds each)

The copy is kept in build/planted, so that the next call has little to build; with --elsewhere it is in a temporary directory.
Seeds are taken from --first on, 1 where it is not given. The tree without a patch must pass the first of them.
Exit status: 0 all were found, 1 one was not, or a patch does not fit or build.
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BATCH = 25  # seeds of one mode before the other has its turn
JOBS = min(os.cpu_count() or 1, 8)


def run(command, **options):
    return subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)


def copy_tree(to):
    """What has changed is written and the rest left alone, so that a build can go on from the last one."""
    wanted = set()
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in (".git", "build", "runs", "__pycache__")]
        wanted.update(os.path.relpath(os.path.join(folder, name), ROOT) for name in names)
    for path in list(to.rglob("*")):
        if path.is_file() and str(path.relative_to(to)) not in wanted:
            path.unlink()
    for name in wanted:
        source, target = ROOT / name, to / name
        if target.exists() and target.read_bytes() == source.read_bytes():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


def build(tree, out):
    if not (out / "build.ninja").exists():
        made = run(["cmake", "-S", tree, "-B", out, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=RelWithDebInfo"])
        if made.returncode:
            return made.stdout
    made = run(["ninja", "-C", out, "sluice-sim"])
    return made.stdout if made.returncode else None


def settings(patch):
    words = patch.read_text().split("\n--- ")[0]
    return dict(re.findall(r"^(seeds|mode):\s*(\S+)", words, re.M)), words.strip().split("\n")[0]


def play(simulation, mode, first, count):
    """Plays seeds until one fails: that seed and its words, or None."""
    played = run([simulation, "--mode", mode, "--seed", str(first), "--seeds", str(count), "--jobs", str(JOBS), "--quiet"])
    failed = re.search(r"^seed (\d+)\b.*?(?:VIOLATION: |: )(.*)", played.stdout, re.M)
    if failed:
        return int(failed.group(1)), failed.group(2)
    if played.returncode:
        return first, "the simulation ended with code %d: %s" % (played.returncode, played.stdout.strip()[-300:])
    return None


def search(simulation, modes, first, seeds):
    """The seeds tried until one failed, that seed's mode and words; or None when none did."""
    tried = 0
    for at in range(first, first + seeds, BATCH):
        for mode in modes:
            count = min(BATCH, first + seeds - at)
            found = play(simulation, mode, at, count)
            if found:
                seed, violation = found
                return tried + seed - at + 1, mode, seed, violation
            tried += count
    return None


def plant(patch, tree, out, simulation, default_seeds, first):
    wants, words = settings(patch)
    seeds = int(wants.get("seeds", default_seeds))
    modes = [wants["mode"]] if "mode" in wants else ["kill", "power"]
    apply = ["patch", "-p1", "--forward", "--batch", "--no-backup-if-mismatch", "-r", "-", "-i", str(patch)]
    fits = run(apply, cwd=tree)
    try:
        if fits.returncode:
            print(f"FAILED  {patch.stem}: the patch does not fit:\n{fits.stdout}")
            return False
        broken = build(tree, out)
        if broken:
            print(f"FAILED  {patch.stem}: it does not build:\n{broken[-3000:]}")
            return False
        began = time.monotonic()
        found = search(simulation, modes, first, max(1, seeds // len(modes)))
        took = time.monotonic() - began
        if not found:
            print(f"MISSED  {patch.stem}: {words}: not found in {seeds} seeds ({took:.0f} s)")
            return False
        tried, mode, seed, violation = found
        print(f"found   {patch.stem}: {words}\n        after {tried} of {seeds} seeds, {took:.1f} s: seed {seed} of mode {mode}: "
              f"{violation}")
        return True
    finally:
        copy_tree(tree)
        sys.stdout.flush()


def known_patches():
    return sorted((HERE / "planted").glob("*.patch"))


def a_patch(name):
    """A file, or one of the planted ones by its name."""
    known = {path.stem: path for path in known_patches()}
    path = known.get(name.removesuffix(".patch"), pathlib.Path(name).resolve())
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"{name!r}: no such file; expected a patch, or one of: {', '.join(known)}")
    return path


def whole_number(least):
    def read(text):
        if not (text.isascii() and text.isdigit() and int(text) >= least):
            raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number from {least}")
        return int(text)
    return read


def main():
    parser = argparse.ArgumentParser(prog="./dev fuzz planted", allow_abbrev=False,
                                     usage="./dev fuzz planted [--seeds N] [--first SEED] [--elsewhere] [PATCH...]")
    parser.add_argument("--seeds", type=whole_number(1), default=500)
    parser.add_argument("--first", type=whole_number(0), default=1)
    parser.add_argument("--elsewhere", action="store_true")
    parser.add_argument("patches", nargs="*", type=a_patch)
    options = parser.parse_args()
    if not options.elsewhere:
        return plant_all(options, pathlib.Path(os.environ.get("SLUICE_PLANTED_DIR", ROOT / "build" / "planted")))
    with tempfile.TemporaryDirectory(prefix="sluice-planted-") as work:
        return plant_all(options, pathlib.Path(work))


def plant_all(options, work):
    tree, out = work / "tree", work / "build"
    tree.mkdir(parents=True, exist_ok=True)
    copy_tree(tree)
    simulation = out / "bin" / "sluice-sim"
    broken = build(tree, out)
    if broken:
        sys.exit(f"the tree does not build:\n{broken[-3000:]}")
    for mode in ("kill", "power"):
        clean = play(simulation, mode, options.first, 2 * BATCH)
        if clean:
            sys.exit(f"the tree as it is fails seed {clean[0]} of mode {mode}: {clean[1]}")
    patches = options.patches or known_patches()
    results = [plant(patch, tree, out, simulation, options.seeds, options.first) for patch in patches]
    print(f"planted: {sum(results)} of {len(results)} bugs found")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
