#!/usr/bin/python3
"""The recorder on a real Postgres: the same run, the same report, and what the database will not take is kept aside."""
import json
import time

from harness import Run, check, check_equal, main, postgres_database, wait_until
from postgres_checks import Server, check_each_position_once, metrics, to, wait_for_more, wait_until_back


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


def a_row_that_is_refused_is_kept_aside_and_the_stream_goes_on():
    with Server() as server:
        with Run(*to(server.conninfo, 20)) as run:
            server.wait_for("SELECT COUNT(*) > 5 FROM fills", 30)
            [(symbol,)] = server.rows("SELECT symbol FROM fills GROUP BY symbol ORDER BY COUNT(*) DESC, symbol LIMIT 1")
            server.rows(f"ALTER TABLE fills ADD CONSTRAINT by_hand CHECK (symbol <> '{symbol}') NOT VALID")
            run.wait_for_log("recorder", "row-refused", 30)
            wait_until(lambda: metrics(run)["refused_rows"] > 0, 10, "the refused to be counted")
            wait_for_more(run, server)
            run.wait_for_end(90)
            line = next(line for line in run.log("recorder").splitlines() if "row-refused" in line)
            check("by_hand" in line and "type=fill" in line and "stream=exec" in line, f"the line says why: {line}")
            check_each_position_once(run, server)
            refused = server.rows("SELECT type, error, message FROM refused_rows")
            check(refused, "there are refused rows")
            for kind, error, message in refused:
                check_equal(kind, "fill", "type")
                check("by_hand" in error, error)
                check_equal(json.loads(message)["body"]["symbol"], symbol, "symbol of the refused fill")
            run.sluice("report", status=6)


def a_database_without_room_is_away_until_there_is_some():
    with Server() as server:
        with Run(*to(server.conninfo, 18)) as run:
            server.wait_for("SELECT COUNT(*) > 5 FROM fills", 30)
            server.rows("""CREATE FUNCTION full_disk() RETURNS trigger AS $$ BEGIN 
                        RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$ LANGUAGE plpgsql;
                        CREATE TRIGGER full_disk BEFORE INSERT ON order_events FOR EACH ROW EXECUTE FUNCTION full_disk()""")
            run.wait_for_log("recorder", "No space left", 20)
            time.sleep(3)
            server.rows("DROP TRIGGER full_disk ON order_events")
            wait_until_back(run)
            wait_for_more(run, server)
            run.wait_for_exit(90)
            check_equal(run.report()["reconciled"], True, "reconciled")
            check_each_position_once(run, server)
            check_equal(server.rows("SELECT COUNT(*) FROM refused_rows"), [("0",)], "refused rows")


def rows_that_are_there_already_stay_once_and_hold_nothing_up():
    with Server() as server:
        with Run(*to(server.conninfo, 24)) as run:
            server.wait_for("SELECT COUNT(*) > 5 FROM fills", 30)
            server.rows("UPDATE stored_positions SET pos = pos - 3 WHERE stream = 'exec'")
            wait_until(lambda: metrics(run)["refused_rows"] == 3, 30, "the three to be found there already")
            wait_until_back(run)
            wait_for_more(run, server)
            run.wait_for_exit(90)
            check_equal(run.report()["reconciled"], True, "reconciled")
            rows = server.rows("SELECT error FROM refused_rows")
            check(len(rows) == 3 and all("duplicate key" in words for words, in rows), f"the database's words: {rows}")


main(a_run_recorded_to_postgres_reconciles_and_survives_its_recorder,
     a_row_that_is_refused_is_kept_aside_and_the_stream_goes_on,
     a_database_without_room_is_away_until_there_is_some,
     rows_that_are_there_already_stay_once_and_hold_nothing_up)
