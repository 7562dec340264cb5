"""Memory of the services while events come by the hundred thousand: it must stay where it was."""
import time

from harness import Run, check, check_equal

SERVICES = ["feed", "risk", "exec", "recorder", "strategy-1"]
WARM_UP_SHARE = 0.4  # of the time: pools are touched, caches are filled
GROWTH_MAX_KB = 4096


def resident_kb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next((int(line.split()[1]) for line in status if line.startswith("VmRSS:")), 0)


def watch(seconds, say):
    """A market at full speed for so long; returns nothing, fails if a service has grown after its first part."""
    with Run("--speed", "max", "--symbols", "4", "--set=sim.dislocations_per_min=1200", "--set=arb.cool_down_ms=100",
             "--set=risk.max_daily_loss=100000000", "--set=risk.max_gross=100000000", "--set=journal.segment_mb=16",
             "--set=journal.keep_mb=32", "--set=journal.snapshot_every=20000") as run:
        pids = {service: run.wait_for_pid(service) for service in SERVICES}
        samples, until = [], time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(1)
            run.check_running()
            head = run.ask("exec", "status")["metrics"].get("ledger_head_pos", 0)
            samples.append((head, {service: resident_kb(pid) for service, pid in pids.items()}))
        check_equal({s: run.pid(s) for s in SERVICES}, pids, "the services are those of the beginning")
        run.stop(120)
        (before, early), (after, late) = samples[int(len(samples) * WARM_UP_SHARE)], samples[-1]
        for service in SERVICES:
            say(f"{service}: {early[service]} kB at {before} records of exec, {late[service]} kB at {after}")
        check(after > 1.5 * before, f"events went on: {before} records, then {after}")
        grown = {s: late[s] - early[s] for s in SERVICES if late[s] - early[s] > GROWTH_MAX_KB}
        check(not grown, f"services that have grown with the number of events, by kB: {grown}")
