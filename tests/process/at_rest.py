"""What must be true of a run that has come to rest and was stopped, whatever has died in it before.

    check_at_rest(run)                     a harness.Run, or whatever has .dir and .call()
    check_at_rest(run, PostgresRows(...))  where its rows are not in sluice.db

Three sources are held against each other, each read by itself: the journals of risk and exec (`sluice journal cat`),
the database, and the paper venue's own log. Then the report must say the same, and what ledger_checks.py knows must hold.
All arithmetic is Decimal.
"""
import collections
import contextlib
import json
import sqlite3
import subprocess
from decimal import Decimal

from harness import PATIENCE, check, check_equal, program
from ledger_checks import (check_client_ids_unique, check_decisions_have_ends, check_epochs_rise, check_ownership,
                           ledger)

STREAMS = ("risk", "exec")
# Tables that are not named by an s behind the message's name.
TABLES = {"assign": "assignments", "route": "route_states", "limits": "limits", "state": "risk_states",
          "order": "order_events", "adjust": "adjustments"}
KEY = {"run", "stream", "epoch", "pos", "item"}
DIFFERENCES_SHOWN = 5


# ---- the sources ---------------------------------------------------------------------------------------------


class SqliteRows:
    """Rows of a run's sluice.db as dicts."""

    def __init__(self, path):
        self.path = path

    def tables(self):
        """Name -> names of the columns."""
        with self.open() as db:
            names = [n for n, in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            return {n: {row[1] for row in db.execute(f'PRAGMA table_info("{n}")')} for n in names}

    def rows(self, tables, run_id):
        """Table -> its rows of a run."""
        found = {}
        with self.open() as db:
            for table in tables:
                cursor = db.execute(f'SELECT * FROM "{table}" WHERE run = ?', (run_id,))
                names = [column[0] for column in cursor.description]
                found[table] = [dict(zip(names, row)) for row in cursor]
        return found

    def open(self):
        return contextlib.closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=10))


class PostgresRows:
    """The same of a Postgres database, by its libpq connection string."""

    def __init__(self, conninfo):
        self.conninfo = conninfo

    def ask(self, sql):
        done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", self.conninfo, "-c", sql],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60 * PATIENCE)
        check_equal(done.returncode, 0, f"status of psql: {done.stderr[-500:]}")
        return done.stdout.splitlines()

    def tables(self):
        """Name -> names of the columns; a partitioned table is one."""
        sql = ("SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
               " WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped"
               " AND c.relnamespace = 'public'::regnamespace")
        found = collections.defaultdict(set)
        for line in self.ask(sql):
            table, column = line.split("|")
            found[table].add(column)
        return dict(found)

    def rows(self, tables, run_id):
        found = {table: [] for table in tables}
        each = (f"SELECT '{table}', to_jsonb(t) FROM \"{table}\" t WHERE run = '{run_id}'" for table in tables)
        for line in self.ask(" UNION ALL ".join(each)) if found else []:
            table, row = line.split("|", 1)
            found[table].append(json.loads(row, parse_float=Decimal))
        return found


Paper = collections.namedtuple("Paper", "orders fills")
PaperFill = collections.namedtuple("PaperFill", "trade_id client_id venue symbol side price qty fee")


def read_paper_log(path):
    """Client ids in the order of the log, and the fills."""
    orders, fills = [], []
    lines = path.read_text().split("\n") if path.exists() else [""]
    check_equal(lines.pop(), "", "what is behind the last line of paper.log")
    for line in lines:
        words = line.split(" ")
        if words[0] == "O":
            orders.append(words[2])
        elif words[0] == "F":
            fills.append(PaperFill(*words[2:7], *map(Decimal, words[7:10])))
    return Paper(orders, fills)


# ---- what must hold --------------------------------------------------------------------------------------------


def same(journal, row):
    """Whether a value of the JSON form and one of a column are the same. A hash without a sign stands in the
    database as the signed number of the same 64 bits, and SQLite keeps exact amounts as text."""
    if isinstance(journal, bool) or isinstance(row, bool):
        return bool(journal) == bool(row)
    if isinstance(journal, int) and isinstance(row, int):
        return journal % 2**64 == row % 2**64
    if str(journal) == str(row):
        return True
    try:
        return Decimal(str(journal)) == Decimal(str(row))
    except ArithmeticError:
        return False


def differences(kind, body, row):
    for name, value in body.items():
        if isinstance(value, list):
            continue
        column = f"{kind}_{name}" if name in KEY else name
        if column not in row:
            yield f"no column {column}"
        elif not same(value, row[column]):
            yield f"{column}: journal {value!r}, database {row[column]!r}"


def list_differences(body, table, at, rows_of_lists):
    for name, items in body.items():
        if not isinstance(items, list):
            continue
        rows = sorted(rows_of_lists[f"{table}_{name}"].get(at, []), key=lambda row: row["item"])
        if [row["item"] for row in rows] != list(range(len(items))):
            yield f"{len(items)} {name} in the journal, {len(rows)} in the database"
        for item, row in zip(items, rows):
            yield from differences(name, item, row)


def by_place(rows):
    found = collections.defaultdict(list)
    for row in rows:
        found[row["stream"], row["epoch"], row["pos"]].append(row)
    return found


def check_database(run_id, journals, database):
    """Every record of the journals is in the database, once and with the same contents, and nothing else is there."""
    tables = database.tables()
    keyed = {name for name, columns in tables.items() if {"run", "stream", "epoch", "pos"} <= columns and
             name != "stored_positions" and "reader" not in columns}
    rows_by_place = {name: by_place(rows) for name, rows in database.rows(sorted(keyed), run_id).items()}
    lists = {name: rows for name, rows in rows_by_place.items() if "item" in tables[name]}
    stored = {name: rows for name, rows in rows_by_place.items() if name not in lists}
    expected = collections.defaultdict(set)
    wrong = []
    for stream, records in journals.items():
        for record in records:
            table = TABLES.get(record.type, record.type + "s")
            at = (stream, record.epoch, record.pos)
            expected[table].add(at)
            rows = stored.get(table, {}).get(at, [])
            if len(rows) != 1:
                wrong.append(f"{record.type} {at} is in {table} {len(rows)} times")
                continue
            found = [*differences(record.type, {**record.body, "ts_ns": record.time_out}, rows[0]),
                     *list_differences(record.body, table, at, lists)]
            wrong += [f"{record.type} {at}: {words}" for words in found]
    for table, rows in stored.items():
        # What the journal has freed is held against nothing but its place.
        more = [at for at in rows if at not in expected[table] and at[2] >= journals[at[0]][0].pos]
        wrong += [f"{table} has a row {at} that the journals do not have" for at in sorted(more)]
        wrong += [f"{table} has {len(r)} rows {at}" for at, r in rows.items() if len(r) != 1]
    check(not wrong, f"{len(wrong)} differences of journals and database, such as:\n  " + "\n  ".join(wrong[:DIFFERENCES_SHOWN]))
    for stream in journals:
        positions = sorted(at[2] for rows in stored.values() for at in rows if at[0] == stream)
        check_equal(positions, list(range(1, len(positions) + 1)), f"positions of {stream} in the database")


def fill_sums(fills):
    """(venue, symbol) -> net quantity, net quote amount, quantity traded, fees, count."""
    sums = collections.defaultdict(lambda: [Decimal(0)] * 4 + [0])
    for fill in fills:
        sign = {"buy": 1, "sell": -1}[fill.side]
        at = sums[(fill.venue, fill.symbol)]
        at[0] += sign * fill.qty
        at[1] -= sign * fill.qty * fill.price
        at[2] += fill.qty * fill.price
        at[3] += fill.fee
        at[4] += 1
    return dict(sums)


def check_paper(paper, run_id, database, report):
    """The venue's own log, exec's fills, the database's and the report's are the same, to the last digit."""
    for what, ids in (("client id", paper.orders), ("trade id", [(f.venue, f.trade_id) for f in paper.fills])):
        twice = [i for i, n in collections.Counter(ids).items() if n > 1]
        check_equal(twice, [], f"{what}s that stand twice in paper.log")
    rows = database.rows(["fills"], run_id)["fills"]
    in_rows = sorted(PaperFill(r["trade_id"], r["client_id"], r["venue"], r["symbol"], r["side"], Decimal(str(r["price"])),
                               Decimal(str(r["qty"])), Decimal(str(r["fee"]))) for r in rows)
    missing = sorted(set(paper.fills) - set(in_rows))
    invented = sorted(set(in_rows) - set(paper.fills))
    check_equal(missing, [], "fills of paper.log that are not in the database")
    check_equal(invented, [], "fills of the database that are not in paper.log")
    check_equal(len(in_rows), len(paper.fills), "fills in the database, and in paper.log")
    sums = fill_sums(paper.fills)
    check_equal(fill_sums(in_rows), sums, "sums of the fills")
    check_equal(report["fills"], len(paper.fills), "fills of the report")
    legs = [leg for route in report["routes"] for leg in route["legs"]]
    for (venue, symbol), (net, _, volume, fees, _) in sums.items():
        mine = [leg for leg in legs if (leg["venue"], leg["symbol"]) == (venue, symbol)]
        for name, value in (("residual", net), ("volume", volume), ("fees", fees)):
            check_equal(sum(Decimal(leg[name]) for leg in mine), value, f"{name} of {symbol} at {venue} in the report")


def check_said_nothing(run):
    """A sanitizer's words, or a library's, stand in a service's stderr: there are none."""
    said = {path.name: path.read_text(errors="replace") for path in (run.dir / "log").glob("*.stderr")}
    check_equal({name: text for name, text in said.items() if text}, {}, "what services wrote to their stderr")


def check_at_rest(run, database=None):
    """All of the above. Returns counts of what was looked at."""
    run_id = (run.dir / "run_id").read_text().strip()
    database = database or SqliteRows(run.dir / "sluice.db")
    journals = {stream: list(ledger(run, stream)) for stream in STREAMS}
    check_epochs_rise(run)
    check_database(run_id, journals, database)
    done = run.call([program(), "report", "--json", "--dir", run.dir], 60)
    check_equal(done.returncode, 0, f"status of the report: {done.stdout[:600]}{done.stderr[-500:]}")
    report = json.loads(done.stdout)
    check_equal((report["reconciled"], report["differences"]), (True, []), "reconciled, and differences of the report")
    paper = read_paper_log(run.dir / "paper.log")
    check_paper(paper, run_id, database, report)
    check_client_ids_unique(run)
    check_decisions_have_ends(run)
    check_said_nothing(run)
    counted = check_ownership(run)
    return {"risk": len(journals["risk"]), "exec": len(journals["exec"]), "orders": len(paper.orders),
            "fills": len(paper.fills), "accepted": counted["accepted"]}
