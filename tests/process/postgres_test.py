#!/usr/bin/python3
"""The recorder on a real Postgres: the same run, the same report."""
from harness import Run, check, check_equal, main, postgres_database


def a_run_recorded_to_postgres_reconciles_and_survives_its_recorder():
    with postgres_database() as conninfo:
        with Run("--seconds", "12", "--set", "sim.dislocations_per_min=600", "--set", "recorder.sink=postgres",
                 "--set", f"recorder.postgres={conninfo}") as run:
            first = run.wait_for_pid("recorder")
            run.wait_for_log("recorder", "started")
            run.kill("recorder")
            run.wait_for_pid("recorder", other_than=first)
            run.wait_for_exit(90)
            report = run.report()
            check_equal(report["reconciled"], True, "reconciled")
            check(report["fills"] > 0, "there are fills")
            check(not (run.dir / "sluice.db").exists(), "no SQLite file beside it")


main(a_run_recorded_to_postgres_reconciles_and_survives_its_recorder)
