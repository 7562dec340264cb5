#!/usr/bin/python3
"""A journal that was put back from a copy."""
import shutil

from harness import Run, check, check_equal, main, wait_until

SETTINGS = ["--speed", "max", "--symbols", "4", "--set", "journal.snapshot_every=500", "--set", "journal.segment_mb=1",
            "--set", "journal.keep_mb=1", "--set", "sim.dislocations_per_min=1200", "--set", "arb.cool_down_ms=100",
            "--set", "risk.max_daily_loss=100000000", "--set", "risk.max_gross=100000000"]


def names(directory, ending):
    return sorted(f.name for f in directory.glob("*" + ending))


def a_gate_that_cannot_do_without_its_snapshots_keeps_them_when_the_hands_journal_was_put_back():
    with Run(*SETTINGS, "--seconds", "3600") as run:
        gate, hand = run.dir / "journal" / "risk", run.dir / "journal" / "exec"
        wait_until(lambda: names(gate, ".log") and names(gate, ".log")[0] > "%020d.log" % 1, 60,
                   "the gate's journal no longer begins at its beginning")
        run.stop()
        copy = run.dir / "copy"
        shutil.copytree(hand, copy)
        run.begin("--resume", "--seconds", "10")
        run.wait_for_exit()
        snapshots = names(gate, ".snap")
        shutil.rmtree(hand)
        shutil.copytree(copy, hand)
        run.begin("--resume", "--seconds", "60")
        run.wait_for_end(seconds=90)
        check_equal(names(gate, ".snap"), snapshots, "the gate's snapshots")
        check("put exec's journal back as it was" in run.output(), "what the run ended with says what to do")


main(a_gate_that_cannot_do_without_its_snapshots_keeps_them_when_the_hands_journal_was_put_back)
