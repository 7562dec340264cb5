#!/usr/bin/python3
"""The report: its sums are those of the database, and no digit can change in any of its four sources unseen."""
import contextlib
import json
import shutil
import sqlite3
from decimal import Decimal

from harness import Processes, Run, check, check_equal, main, program, wait_until


def backtest(box, name="run"):
    done = box.call([program(), "backtest", "--symbols", "3", "--seconds", "30", "--dir", box.scratch / name], 60)
    check_equal(done.returncode, 0, f"exit status of the backtest; {done.stderr[-500:]}")
    return box.scratch / name


def report(box, run, status):
    done = box.call([program(), "report", "--json", "--dir", run])
    check_equal(done.returncode, status, f"exit status of the report; {done.stderr[-500:]}")
    return json.loads(done.stdout) if status != 1 else None, done.stderr


def query(run, sql, *values):
    with contextlib.closing(sqlite3.connect(run / "sluice.db")) as db, db:
        return db.execute(sql, values).fetchall()


def the_sums_are_those_of_the_database():
    with Processes() as box:
        run = backtest(box)
        told, _ = report(box, run, 0)
        cash = fees = volume = Decimal(0)
        held = {}
        for symbol, venue, side, price, qty, fee in query(run, "SELECT symbol, venue, side, price, qty, fee FROM fills"):
            sign = 1 if side == "buy" else -1
            notional = Decimal(price) * Decimal(qty)
            cash -= sign * notional
            volume += notional
            fees += Decimal(fee)
            held[symbol, venue] = held.get((symbol, venue), 0) + sign * Decimal(qty)
        value = Decimal(0)
        for symbol, venue, bid, ask in query(run, "SELECT symbol, venue, bid, ask FROM marks"):
            value += held.get((symbol, venue), 0) * (Decimal(bid) + Decimal(ask)) / 2
        check_equal(Decimal(told["volume"]), volume, "volume")
        check_equal(Decimal(told["fees"]), fees, "fees")
        check_equal(Decimal(told["gross_pnl"]), cash + value, "gross")
        check_equal(Decimal(told["net_pnl"]), cash + value - fees, "net")
        check_equal(sum(Decimal(r["net_pnl"]) for r in told["routes"]), cash + value - fees, "net of all routes")
        check_equal(sum(Decimal(v["net_pnl"]) for v in told["venues"]), cash + value - fees, "net of all venues")
        check_equal(told["fills"], query(run, "SELECT COUNT(*) FROM fills")[0][0], "fills")
        check_equal(sum(told["orders"].values()), query(run, "SELECT COUNT(DISTINCT client_id) FROM order_events")[0][0], "orders")
        check_equal(told["decisions"], query(run, 'SELECT SUM("count") FROM decisions')[0][0], "decisions")
        check(told["round_trips"] > 0 and told["evaluations"] > 0, "there were round trips and evaluations")


def changed_log(run, change):
    lines = (run / "paper.log").read_text().splitlines()
    fills = [i for i, line in enumerate(lines) if line.startswith("F ")]
    change(lines, fills[len(fills) // 2])
    (run / "paper.log").write_text("\n".join(lines) + "\n")


def other_digit(lines, i, word):
    words = lines[i].split(" ")
    words[word] = words[word][:-1] + ("1" if words[word][-1] != "1" else "2")
    lines[i] = " ".join(words)


def one_changed_thing_anywhere_is_a_mismatch():
    some = "WHERE pos = (SELECT pos FROM fills LIMIT 1 OFFSET 7)"
    last = "WHERE pos = (SELECT MAX(pos) FROM route_states)"
    cases = {
        "price in paper.log": lambda run: changed_log(run, lambda lines, i: other_digit(lines, i, 7)),
        "quantity in paper.log": lambda run: changed_log(run, lambda lines, i: other_digit(lines, i, 8)),
        "fee in paper.log": lambda run: changed_log(run, lambda lines, i: other_digit(lines, i, 9)),
        "trade id in paper.log": lambda run: changed_log(run, lambda lines, i: other_digit(lines, i, 2)),
        "a fill gone from paper.log": lambda run: changed_log(run, lambda lines, i: lines.pop(i)),
        "a fill twice in paper.log": lambda run: changed_log(run, lambda lines, i: lines.insert(i, lines[i])),
        "a client id twice in paper.log": lambda run: changed_log(
            run, lambda lines, i: lines.append(next(line for line in lines if line.startswith("O ")))),
        "price in the database": lambda run: query(run, f"UPDATE fills SET price = price || '1' {some}"),
        "fee in the database": lambda run: query(run, f"UPDATE fills SET fee = '0.00000001' {some}"),
        "side in the database": lambda run: query(
            run, f"UPDATE fills SET side = CASE side WHEN 'buy' THEN 'sell' ELSE 'buy' END {some}"),
        "a fill gone from the database": lambda run: query(run, f"DELETE FROM fills {some}"),
        "risk's position": lambda run: query(run, f"UPDATE route_states_legs SET qty = '0.00000001' {last}"),
        "the recorder behind": lambda run: query(run, "UPDATE stored_positions SET pos = pos - 1 WHERE stream = 'exec'"),
    }
    with Processes() as box:
        run = backtest(box)
        for what, change in cases.items():
            copy = box.scratch / "changed"
            shutil.copytree(run, copy)
            change(copy)
            told, errors = report(box, copy, 6)
            check_equal(told["reconciled"], False, f"reconciled, with {what} changed")
            check(told["differences"] and told["differences"][0] in errors, f"{what}: the difference is said: {errors}")
            shutil.rmtree(copy)


def what_cannot_be_read_is_named():
    with Processes() as box:
        run = backtest(box)
        for name in ["sluice.db", "paper.log", "run_id"]:
            copy = box.scratch / "cut"
            shutil.copytree(run, copy)
            (copy / name).unlink()
            _, errors = report(box, copy, 1)
            check(name in errors, f"{name} is named: {errors}")
            shutil.rmtree(copy)
        (run / "paper.log").write_text("what is this\n")
        _, errors = report(box, run, 1)
        check("line 1" in errors and "what is this" in errors, f"the line is shown: {errors}")


def a_parked_residual_is_shown_loudly():
    with Processes() as box:
        run = backtest(box)
        query(run, "UPDATE route_states SET parked = 1 WHERE pos = (SELECT MAX(pos) FROM route_states)")
        done = box.call([program(), "report", "--dir", run])
        check("!!! PARKED" in done.stdout, "parked is on screen")


def a_killed_recorder_and_a_locked_database_lose_nothing():
    with Run("--symbols", "3", "--seconds", "12") as run:
        run.wait_for_rows("SELECT COUNT(*) FROM fills", seconds=20)
        first = run.wait_for_pid("recorder")
        run.kill("recorder")
        run.wait_for_pid("recorder", other_than=first)
        with contextlib.closing(sqlite3.connect(run.dir / "sluice.db", isolation_level=None)) as db:
            db.execute("BEGIN IMMEDIATE")
            run.wait_for_log("recorder", "store-away")
            db.execute("ROLLBACK")
        run.wait_for_log("recorder", "store-back")
        wait_until(lambda: run.ask("recorder", "status")["metrics"]["store_away"] == 0, 5, "the store to be back")
        run.wait_for_exit(60)
        check_equal(run.report()["reconciled"], True, "reconciled")


main(the_sums_are_those_of_the_database,
     one_changed_thing_anywhere_is_a_mismatch,
     what_cannot_be_read_is_named,
     a_parked_residual_is_shown_loudly,
     a_killed_recorder_and_a_locked_database_lose_nothing)
