#!/usr/bin/python3
"""What at_rest.py looks for it finds: a run that is right passes, and each way of making it wrong is named."""
import shutil
import sqlite3

from at_rest import check_at_rest
from harness import Processes, check, main
from scenario import Template


class Copy(Processes):
    """A copy of a run directory, to be spoilt."""

    def __init__(self, run_dir):
        super().__init__()
        self.dir = self.scratch / "run"
        shutil.copytree(run_dir, self.dir, ignore=shutil.ignore_patterns("sock"))

    def sql(self, words):
        with sqlite3.connect(self.dir / "sluice.db") as db:
            changed = db.execute(words).rowcount
        db.close()
        check(changed > 0, f"{words} changes something")

    def repeat(self, table):
        """Adds the rows of a table once more, at positions that no ledger has."""
        with sqlite3.connect(self.dir / "sluice.db") as db:
            names = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
        db.close()
        values = [f"{name} + 100000" if name == "pos" else name for name in names]
        self.sql(f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(values)} FROM {table}")

    def paper(self, change):
        path = self.dir / "paper.log"
        lines = path.read_text().splitlines(keepends=True)
        change(lines)
        path.write_text("".join(lines))


def last(lines, kind):
    return max(i for i, line in enumerate(lines) if line.startswith(kind))


def another_quantity(lines):
    words = lines[last(lines, "F ")].split(" ")
    words[8] += "1"
    lines[last(lines, "F ")] = " ".join(words)


SPOILT = {
    "a decision is missing": (lambda c: c.sql("DELETE FROM decisions WHERE pos = (SELECT MAX(pos) FROM decisions)"),
                              "is in decisions 0 times"),
    "the last record is missing": (lambda c: c.sql("DELETE FROM sessions WHERE stream = 'exec' AND pos = (SELECT MAX(pos)"
                                                   " FROM sessions WHERE stream = 'exec')"), "is in sessions 0 times"),
    "a row is of no record": (lambda c: c.repeat("epochs"), "that the journals do not have"),
    "a leg is missing": (lambda c: c.sql("DELETE FROM decisions_legs WHERE item = 1"), "1 in the database"),
    "a price is another one": (lambda c: c.sql("UPDATE fills SET price = price + 1"), "price: journal"),
    "a time is another one": (lambda c: c.sql("UPDATE fills SET ts_ns = ts_ns + 1"), "ts_ns: journal"),
    "the venue sent twice": (lambda c: c.paper(lambda lines: lines.append(lines[last(lines, "O ")])), "twice"),
    "the venue filled what nobody knows": (lambda c: c.paper(another_quantity), ""),
    "the venue's fill is gone": (lambda c: c.paper(lambda lines: lines.pop(last(lines, "F "))), ""),
}


def what_is_wrong_is_found():
    with Template(phases=4, more=1) as template:
        with Copy(template.scratch / "run") as copy:
            looked_at = check_at_rest(copy)
            check(min(looked_at.values()) > 0, f"something was looked at: {looked_at}")
        for name, (spoil, words) in SPOILT.items():
            with Copy(template.scratch / "run") as copy:
                spoil(copy)
                try:
                    check_at_rest(copy)
                except AssertionError as error:
                    check(words in str(error), f"{name}: {words!r} in {str(error)!r}")
                else:
                    raise AssertionError(f"{name}, and nothing was said")


main(what_is_wrong_is_found)
