"""Every process of a running pipeline tells where its time went, and what it tells adds up to its life."""

import pathlib
import time

from harness import Run, check, main, wait_until

STAGES = ["other", "wait", "transport", "decode", "book", "strategy", "risk", "exec", "journal", "encode", "log", "redis",
          "database"]
OWN_WORK = {"feed": ["decode", "book", "encode", "transport"], "strategy-1": ["decode", "book", "strategy"],
            "risk": ["risk", "journal", "encode"], "exec": ["exec", "journal"], "recorder": ["decode", "database"]}


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def stages_of_every_process_add_up_to_its_life():
    with Run("--set", "sim.symbols=10") as run:
        for service in OWN_WORK:
            run.wait_for_pid(service)
        wait_until(lambda: run.ask("exec", "status")["metrics"].get("ledger_head_pos", 0) > 20, 30, "orders")
        began = {service: run.ask(service, "stages")["metrics"] for service in OWN_WORK}
        at = time.monotonic()
        time.sleep(3)
        for service, work in OWN_WORK.items():
            figures = run.ask(service, "stages")["metrics"]
            took = (time.monotonic() - at) * 1e9
            wall = figures["wall_ns"] - began[service]["wall_ns"]
            check(0.9 * took < wall < 1.1 * took, f"{service}: {wall} ns of {took:.0f} by our clock")
            spent = {s: figures.get(f"{s}_ns", 0) - began[service].get(f"{s}_ns", 0) for s in STAGES}
            check(abs(sum(spent.values()) - wall) < 0.1 * wall, f"{service}: {spent} do not add up to {wall}")
            check(sum(figures.get(f"{s}_ns", 0) for s in STAGES) == figures["wall_ns"], f"{service}: {figures}")
            for stage in work:
                check(figures.get(f"{stage}_calls", 0) > 0 and figures[f"{stage}_ns"] > 0, f"{service}: no {stage}")
            parts = figures["cpu_main_ns"] + figures["cpu_io_ns"] + figures["cpu_sync_ns"]
            check(0.5 * figures["cpu_ns"] < parts < 1.1 * figures["cpu_ns"], f"{service}: threads use {parts} ns")
            check(abs(cpu_seconds(run.pid(service)) - figures["cpu_ns"] / 1e9) < 1, f"{service}: {figures['cpu_ns']}")
            check(figures["messages_in"] > 0 and figures["rss_bytes"] > 1e6, f"{service}: {figures}")
        run.stop()


main(stages_of_every_process_add_up_to_its_life)
