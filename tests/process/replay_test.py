#!/usr/bin/python3
"""Recorded markets: replayed by the pipeline, and backtested, again and again."""
import gzip
import json

from harness import ROOT, Processes, Run, check, check_equal, main, program, test_data

SPOT = "recordings/binance_spot_btcusdt_20240808.jsonl.gz"
PERPETUAL = "recordings/binance_usdm_btcusdt_20240808.jsonl.gz"
CONFIG = ROOT / "config/recorded-pair.yaml"


def pair():
    return ["--config", CONFIG, "--replay", test_data(SPOT), "--replay", test_data(PERPETUAL)]


def a_replay_at_full_speed_trades_to_the_end_and_reconciles():
    with Run(*pair(), "--speed", "max") as run:
        run.wait_for_exit(150)
        report = run.report()
        check_equal(report["reconciled"], True, "reconciled")
        check(report["round_trips"] >= 20, f"at least 20 round trips, not {report['round_trips']}")


def a_replay_in_real_time_reconciles():
    with Run(*pair(), "--seconds", "20") as run:
        run.wait_for_exit(60)
        check_equal(run.report()["reconciled"], True, "reconciled")


def backtest(box, name, spot=None):
    replays = ["--replay", spot or test_data(SPOT), "--replay", test_data(PERPETUAL)]
    done = box.call([program(), "backtest", "--config", CONFIG, *replays, "--dir", box.scratch / name], 120)
    check_equal(done.returncode, 0, f"exit status of the backtest; {done.stderr[-500:]}")
    report = box.call([program(), "report", "--json", "--dir", box.scratch / name])
    return json.loads(report.stdout)


def flip_a_digit(box, line_number):
    """A copy of the spot recording in which the best bid of one bookTicker differs in its last digit but six zeros."""
    path = box.scratch / "flipped.jsonl.gz"
    with gzip.open(test_data(SPOT), "rt") as source, gzip.open(path, "wt", compresslevel=1) as copy:
        done = False
        for number, line in enumerate(source, 1):
            if not done and number >= line_number and "@bookTicker" in line and '\\"b\\":\\"' in line:
                at = line.index('\\"b\\":\\"') + len('\\"b\\":\\"')
                point = line.index(".", at)
                digit = line[point + 1]
                line = line[:point + 1] + ("1" if digit != "1" else "0") + line[point + 2:]
                done = True
            copy.write(line)
    return path


def two_backtests_of_one_market_are_equal_and_one_digit_makes_them_differ():
    with Processes() as box:
        first = backtest(box, "first")
        check_equal(first["reconciled"], True, "reconciled")
        check(first["fills"] >= 100, f"at least 100 fills, not {first['fills']}")
        check_equal(backtest(box, "second"), first, "the report of the second")
        for ledger in ["risk", "exec"]:
            files = [sorted((box.scratch / run / "journal" / ledger).glob("*.log")) for run in ("first", "second")]
            check_equal([f.read_bytes() for f in files[0]], [f.read_bytes() for f in files[1]], f"bytes of {ledger}'s journal")
        same = box.call([program(), "journal", "diff", "first", "second"])
        check_equal(same.returncode, 0, "exit status of journal diff of equals")
        backtest(box, "third", flip_a_digit(box, 30000))
        different = box.call([program(), "journal", "diff", "first", "third"])
        check_equal(different.returncode, 6, "exit status of journal diff of different ones")
        check("pos" in different.stdout + different.stderr, f"a position is named: {different.stdout}{different.stderr}")


main(two_backtests_of_one_market_are_equal_and_one_digit_makes_them_differ,
     a_replay_at_full_speed_trades_to_the_end_and_reconciles,
     a_replay_in_real_time_reconciles)
