"""Memory of the services while events come by the hundred thousand: it must stay where it was."""
from harness import Run, check, check_equal, wait_until

SERVICES = ["feed", "risk", "exec", "recorder", "strategy-1"]
# exec and the paper venue remember their last 65536 orders: only behind them have all pools been touched.
ORDERS_BEFORE, ORDERS_AFTER = 70_000, 100_000
SECONDS_MAX = 400
GROWTH_MAX_KB = 1024
SETTINGS = {"sim.updates_per_s": 400, "sim.dislocations_per_min": 60000, "sim.dislocation_ms": 60, "arb.cool_down_ms": 0,
            "arb.max_hold_ms": 100, "risk.max_daily_loss": 100000000, "risk.max_gross": 100000000,
            "journal.segment_mb": 4, "journal.keep_mb": 16, "journal.snapshot_every": 5000}


def resident_kb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next((int(line.split()[1]) for line in status if line.startswith("VmRSS:")), 0)


def watch(say):
    """A market with very much to trade; fails if a service grows while the last third of its orders comes."""
    with Run("--symbols", "8", *(f"--set={key}={value}" for key, value in SETTINGS.items())) as run:
        pids = {service: run.wait_for_pid(service) for service in SERVICES}

        def sample(orders):
            def reached():
                run.check_running()
                metrics = run.ask("exec", "status")["metrics"]
                return metrics if metrics["orders"] >= orders else None

            metrics = wait_until(reached, SECONDS_MAX, f"order {orders}")
            return metrics["ledger_head_pos"], {service: resident_kb(pid) for service, pid in pids.items()}

        _, first = sample(100)
        before, early = sample(ORDERS_BEFORE)
        after, late = sample(ORDERS_AFTER)
        check_equal({s: run.pid(s) for s in SERVICES}, pids, "the services are those of the beginning")
        for s in SERVICES:
            say(f"{s}: {first[s]} kB at first, {early[s]} kB at {before} records of exec, {late[s]} kB at {after}")
        run.stop(120)
        grown = {s: late[s] - early[s] for s in SERVICES if late[s] - early[s] > GROWTH_MAX_KB}
        check(not grown, f"services that grow with the number of events, by kB: {grown}")
