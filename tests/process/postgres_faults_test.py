#!/usr/bin/python3
"""Whatever happens to Postgres or to the recorder: each record of both ledgers is in the database once."""
import os
import signal
import time

from harness import Run, check, check_equal, main, program, wait_until
from postgres_checks import Proxy, Server, check_each_position_once, metrics, to, wait_for_more, wait_until_back


def postgres_stopped_and_crashed_in_mid_batch_loses_and_doubles_nothing():
    with Server() as server:
        with Run(*to(server.conninfo, 35)) as run:
            server.wait_for("SELECT COUNT(*) > 5 FROM fills", 30)
            server.end("fast")
            run.wait_for_log("recorder", "store-away")
            time.sleep(4)  # what happens meanwhile waits in the journals
            server.begin()
            wait_until_back(run)
            wait_for_more(run, server)
            for _ in range(3):
                check(server.kill_backends() > 0, "the recorder was connected")
                time.sleep(0.7)
                wait_until_back(run)
                wait_for_more(run, server)
            server.end("immediate")
            server.begin()
            wait_until_back(run)
            wait_for_more(run, server)
            check(metrics(run)["store_outages"] >= 2, "outages were counted")
            run.wait_for_exit(90)
            check_equal(run.report()["reconciled"], True, "reconciled")
            check_each_position_once(run, server)


def a_commit_whose_answer_is_lost_is_not_done_twice():
    with Server() as server, Proxy(server) as proxy:
        with Run(*to(proxy.conninfo, 22)) as run:
            server.wait_for("SELECT COUNT(*) > 5 FROM fills", 30)
            for lost in range(1, 4):
                proxy.lose_commits(1)
                wait_until(lambda: proxy.lost == lost, 20, "a COMMIT done and its answer lost")
                wait_until_back(run)
                wait_for_more(run, server)
            check_equal(metrics(run)["refused_rows"], 0, "refused rows")
            run.wait_for_exit(90)
            check_equal(run.report()["reconciled"], True, "reconciled")
            check_each_position_once(run, server)
            check_equal(server.rows("SELECT COUNT(*) FROM refused_rows"), [("0",)], "refused rows")


def two_recorders_by_mistake_double_nothing_and_either_goes_on_alone():
    with Server() as server:
        with Run(*to(server.conninfo, 32)) as run:
            server.wait_for("SELECT COUNT(*) > 5 FROM fills", 30)
            second = run.start([program("sluice-recorder"), "--dir", run.dir, "--name", "recorder-2"], "second.out")
            wait_until(lambda: "somebody else has moved it" in run.log("recorder") + run.log("recorder-2"), 30,
                       "one of them to say that there is another")
            wait_for_more(run, server)
            # The first stands still, perhaps in mid-transaction.
            first = run.wait_for_pid("recorder")
            os.kill(first, signal.SIGSTOP)
            rows = metrics(run, "recorder-2")["rows"]
            wait_until(lambda: metrics(run, "recorder-2")["rows"] > rows, 30, "the second to take over")
            if run.pid("recorder") == first:
                os.kill(first, signal.SIGCONT)
            wait_for_more(run, server)
            second.send_signal(signal.SIGKILL)
            second.wait(10)
            wait_for_more(run, server)
            run.wait_for_exit(90)
            check_equal(run.report()["reconciled"], True, "reconciled")
            check_each_position_once(run, server)
            check_equal(server.rows("SELECT COUNT(*) FROM refused_rows"), [("0",)], "refused rows")


main(postgres_stopped_and_crashed_in_mid_batch_loses_and_doubles_nothing,
     a_commit_whose_answer_is_lost_is_not_done_twice,
     two_recorders_by_mistake_double_nothing_and_either_goes_on_alone)
