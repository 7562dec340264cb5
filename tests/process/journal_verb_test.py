#!/usr/bin/python3
"""What `sluice journal` says of ledgers' files, which are written here anew, from the description of their bytes."""
import contextlib
import json
import pathlib
import struct
import subprocess
import tempfile

import msgpack

from harness import ROOT, check, check_equal, main, program

PRICE = 5  # of an intent_leg


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def record(epoch, pos, payload):
    rest = struct.pack("<IQQq", len(payload), epoch, pos, pos * 1000) + payload
    rest += b"\0" * (-(len(rest) + 4) % 8)
    return struct.pack("<I", crc32c(rest)) + rest


def segment(first_pos, epoch_before, records):
    header = b"SLUICEJ1" + struct.pack("<QQI", first_pos, epoch_before, 0)
    return header + struct.pack("<I", crc32c(header)) + b"".join(records)


def decision(pos, price=None, epoch=1):
    m = msgpack.unpackb((ROOT / "proto/vectors/decision.plain.msgpack").read_bytes(), raw=False)
    m[3], m[5] = epoch, pos
    if price is not None:
        m[8][-1][0][PRICE] = price
    return msgpack.packb(m)


def write_journal(directory, payloads, per_segment=4):
    directory.mkdir(parents=True)
    for at in range(0, len(payloads), per_segment):
        records = [record(1, at + i + 1, p) for i, p in enumerate(payloads[at:at + per_segment])]
        (directory / f"{at + 1:020}.log").write_bytes(segment(at + 1, 1 if at else 0, records))
    return directory


@contextlib.contextmanager
def scratch():
    with tempfile.TemporaryDirectory(prefix="journal_verb_") as name:
        yield pathlib.Path(name)


def journal(*arguments):
    done = subprocess.run([program(), "journal", *map(str, arguments)], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def segments_are_listed_with_what_they_hold():
    with scratch() as d:
        j = write_journal(d / "j", [decision(p) for p in range(1, 11)])
        code, out, _ = journal("ls", j)
        check_equal(code, 0, "exit code")
        rows = [line.split() for line in out.splitlines()[2:]]
        check_equal([r[0] for r in rows], [f"{p:020}.log" for p in (1, 5, 9)], "segments")
        check_equal([r[1:6] for r in rows], [["1", "4", "1", "1", "4"], ["5", "8", "1", "1", "4"], ["9", "10", "1", "1", "2"]],
                    "positions, epochs, records")


def records_are_printed_as_json_from_a_position_on():
    with scratch() as d:
        j = write_journal(d / "j", [decision(p) for p in range(1, 11)] + [b"\xc1 no message"])
        code, out, _ = journal("cat", j)
        check_equal((code, len(out.splitlines())), (0, 11), "exit code and lines")
        check_equal(json.loads(out.splitlines()[10])["unreadable_bytes"], 12, "bytes of what is no message")
        code, out, _ = journal("cat", j, "--from", 7, "--count", 2)
        shown = [json.loads(line) for line in out.splitlines()]
        check_equal([(m["type"], m["env"]["pos"]) for m in shown], [("decision", 7), ("decision", 8)], "records")


def a_whole_journal_is_whole_and_a_torn_tail_is_told():
    with scratch() as d:
        j = write_journal(d / "j", [decision(p) for p in range(1, 11)])
        check_equal(journal("check", j), (0, "10 records whole, positions 1 to 10, epochs 1 to 1\n", ""), "check")
        last = j / f"{9:020}.log"
        last.write_bytes(last.read_bytes()[:-5])
        code, out, _ = journal("check", j)
        check_equal(code, 0, "exit code")
        check("9 records whole" in out and "bytes of an unfinished one" in out, f"the tail in: {out}")


def a_flipped_bit_is_named_by_file_offset_and_position():
    with scratch() as d:
        j = write_journal(d / "journal/risk", [decision(p) for p in range(1, 11)])
        write_journal(d / "journal/exec", [decision(p) for p in range(1, 3)])
        file = j / f"{5:020}.log"
        data = bytearray(file.read_bytes())
        at = 32 + len(record(1, 5, decision(5)))
        data[at + 40] ^= 4
        file.write_bytes(data)
        code, out, err = journal("check", d)
        check_equal(code, 6, "exit code")
        check_equal(err, f"sluice journal: risk: {file}: offset {at}, position 6: the record's checksum does not hold\n", "words")
        check_equal(out.splitlines(), ["risk: 5 records whole, positions 1 to 5, epochs 1 to 1 before what is damaged",
                                       f"risk: {9:020}.log: 2 records whole from position 9 on",
                                       "exec: 2 records whole, positions 1 to 2, epochs 1 to 1"], "what is whole")
        write_snapshot(j, 4)
        write_snapshot(j, 10)
        out = journal("check", d)[1]
        for pos in (4, 10):
            check(f"risk: snapshot at position {pos} whole, 5 messages\n" in out, f"the snapshot at {pos} in: {out}")
        check_equal(journal("ls", d)[0], 6, "exit code of ls")
        file.unlink()
        code, _, err = journal("check", d)
        check_equal(code, 6, "exit code")
        check("position 5: the segment ends here, and the next begins at another position" in err, f"the hole in: {err}")


def the_first_difference_is_named_with_its_field_and_both_values():
    with scratch() as d:
        for run, price in (("a", 100), ("b", 100), ("c", 7)):
            write_journal(d / run / "journal/risk", [decision(p, price if p == 7 else 5) for p in range(1, 11)])
            write_journal(d / run / "journal/exec", [decision(p) for p in range(1, 4 if run == "c" else 3)], per_segment=1)
        code, out, _ = journal("diff", d / "a", d / "b")
        check_equal((code, out), (0, "risk: equal, 10 records\nexec: equal, 2 records\n"), "equal runs")
        code, out, _ = journal("diff", d / "a", d / "c")
        check_equal(code, 6, "exit code")
        a, c = (next(json.loads(line) for line in journal("cat", d / run / "journal/risk", "--from", 7)[1].splitlines())
                ["body"]["legs"][0]["price"] for run in ("a", "c"))
        check(a != c, "two prices")
        check_equal(out.splitlines(),
                    [f"risk: first difference at (epoch 1, pos 7): decision.legs[0].price: {a} and {c}",
                     f"exec: first difference at (epoch 1, pos 3): only {d / 'c/journal/exec'} has it"], "words")


def snapshot_message(name, epoch, pos, body=None):
    m = msgpack.unpackb((ROOT / f"proto/vectors/{name}.plain.msgpack").read_bytes(), raw=False)
    m[3], m[5] = epoch, pos
    if body is not None:
        m[8][:len(body)] = body
    return msgpack.packb(m)


def write_snapshot(directory, pos, inside=3):
    messages = [snapshot_message("snapshot", 1, pos)] + [decision(p) for p in range(1, inside + 1)]
    messages.append(snapshot_message("snapshot_end", 1, pos, [len(messages)]))
    file = directory / f"{pos:020}.snap"
    file.write_bytes(b"".join(record(1, i + 1, m) for i, m in enumerate(messages)))
    return file


def snapshots_are_listed_checked_and_printed():
    with scratch() as d:
        j = write_journal(d / "j", [decision(p) for p in range(1, 11)])
        write_snapshot(j, 4)
        file = write_snapshot(j, 8, 2)
        code, out, _ = journal("ls", j)
        rows = [line.split()[:3] for line in out.splitlines()[-2:]]
        check_equal((code, rows), (0, [[f"{4:020}.snap", "4", "5"], [f"{8:020}.snap", "8", "4"]]), "the snapshots of ls")
        code, out, err = journal("check", j)
        check_equal((code, err), (0, ""), "exit code and errors of check")
        check_equal(out.splitlines()[1:], ["snapshot at position 4 whole, 5 messages", "snapshot at position 8 whole, 4 messages"],
                    "the snapshots of check")
        for arguments in (("--snapshot", j), (file,)):
            code, out, err = journal("cat", *arguments)
            check_equal((code, [json.loads(line)["type"] for line in out.splitlines()]),
                        (0, ["snapshot", "decision", "decision"]), f"what cat prints; {err}")
        code, _, err = journal("cat", j, "--snapshot", "--from", 2)
        check_equal(code, 2, f"exit code of a snapshot from a position: {err}")


def a_damaged_snapshot_is_named_and_one_that_the_journal_needs_is_missed():
    with scratch() as d:
        j = write_journal(d / "j", [decision(p) for p in range(1, 11)])
        write_snapshot(j, 4)
        file = write_snapshot(j, 8)
        whole = file.read_bytes()
        file.write_bytes(whole[:100] + bytes([whole[100] ^ 4]) + whole[101:])
        code, _, err = journal("check", j)
        check_equal(code, 6, "exit code")
        check(file.name in err and "offset" in err, f"file and offset in: {err}")
        code, out, _ = journal("ls", j)
        check(code == 6 and "damaged" in out, f"damage in: {out}")
        code, out, _ = journal("cat", "--snapshot", j)
        check_equal((code, len(out.splitlines())), (0, 4), "the one before is printed")
        (j / f"{1:020}.log").unlink()
        check_equal(journal("check", j)[0], 6, "a journal from 5 on, behind a snapshot at 4, with a damaged one")
        file.unlink()
        check_equal(journal("check", j)[0], 0, "a journal from 5 on, behind a snapshot at 4")
        (j / f"{4:020}.snap").unlink()
        code, _, err = journal("check", j)
        check(code == 6 and "no whole snapshot reaches" in err, f"what is missing in: {err}")
        write_snapshot(j, 44)
        check("above the journal's head" in journal("check", j)[1], "a snapshot of a lost tail")


def what_is_wrong_with_a_command_is_said():
    with scratch() as d:
        check_equal(journal("--help")[0], 0, "exit code of --help")
        for arguments, code, words in (
                ((), 2, "nothing to do: expected ls, cat, check or diff"),
                (("list", d), 2, "list: expected ls, cat, check or diff"),
                (("ls",), 2, "ls: expected one directory"),
                (("diff", d), 2, "diff: expected two directories"),
                (("cat", d, "--from", "x"), 2, "x: expected a position such as 17"),
                (("cat", d, "--frm", "1"), 2, "--frm: not a flag of this verb"),
                (("ls", d, "--count", "1"), 2, "ls: --from, --count and --snapshot belong to cat"),
                (("ls", d / "no"), 1, f"{d / 'no'}: No such file or directory"),
                (("check", d), 1, f"{d}: no journal is here")):
            got, _, err = journal(*arguments)
            check_equal(got, code, f"exit code of {arguments}")
            check(f"sluice journal: {words}" in err, f"'{words}' in: {err}")


main(segments_are_listed_with_what_they_hold, records_are_printed_as_json_from_a_position_on,
     a_whole_journal_is_whole_and_a_torn_tail_is_told, a_flipped_bit_is_named_by_file_offset_and_position,
     snapshots_are_listed_checked_and_printed, a_damaged_snapshot_is_named_and_one_that_the_journal_needs_is_missed,
     the_first_difference_is_named_with_its_field_and_both_values, what_is_wrong_with_a_command_is_said)
