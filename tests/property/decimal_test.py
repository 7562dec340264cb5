#!/usr/bin/python3
"""Asks lib/base/decimal and Python's decimal module the same questions, and compares every digit.

    decimal_test.py PROGRAM [--seed N] [--cases N]

PROGRAM is tests/property/decimal_ops. A failure prints the question, which can be fed to PROGRAM by hand.
"""
import argparse
import decimal
import random
import re
import subprocess
import sys
from decimal import Decimal

EXP_MIN, EXP_MAX = -18, 18
INT64_MIN, INT64_MAX = -2**63, 2**63 - 1
INT128_MIN, INT128_MAX = -2**127, 2**127 - 1
ROUNDINGS = {
    "exact": None,
    "down": decimal.ROUND_DOWN,
    "up": decimal.ROUND_UP,
    "floor": decimal.ROUND_FLOOR,
    "ceiling": decimal.ROUND_CEILING,
    "half-even": decimal.ROUND_HALF_EVEN,
}
# Every sum, product and quotient asked for is exact here, or has digits enough to round like the exact one.
decimal.setcontext(decimal.Context(prec=400, Emin=-999999, Emax=999999, traps=[decimal.InvalidOperation]))


# ---- the reference: what must come out, as the set of answers that are right ---------------------------

def value(dec):
    return Decimal(dec[0]).scaleb(dec[1])


def plain(number):
    """The shortest plain text."""
    text = f"{number:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def dec_answer(m, exp):
    return f"{m}:{exp} {plain(Decimal(m).scaleb(exp))}"


def tight(number):
    """The form with the fewest digits and an exponent in bounds."""
    if number == 0:
        return {dec_answer(0, 0)}
    sign, digits, exp = number.as_tuple()
    m = int("".join(map(str, digits)))
    while m % 10 == 0 and exp < EXP_MAX:
        m, exp = m // 10, exp + 1
    while exp > EXP_MAX:
        m, exp = m * 10, exp - 1
    m = -m if sign else m
    return {dec_answer(m, exp)} if exp >= EXP_MIN and INT64_MIN <= m <= INT64_MAX else {"range"}


def rounded(number, exp, rounding):
    """The whole multiple of 10^exp that the rounding names, and the error if it forbids one."""
    mode = ROUNDINGS[rounding]
    m = number.scaleb(-exp)
    whole = m.to_integral_value(mode or decimal.ROUND_DOWN)
    return int(whole), {"inexact"} if mode is None and whole != m else set()


def at(number, exp, rounding):
    if not EXP_MIN <= exp <= EXP_MAX:
        return {"range"}
    m, errors = rounded(number, exp, rounding)
    if not INT64_MIN <= m <= INT64_MAX:
        errors.add("range")
    return errors or {dec_answer(m, exp)}


def amount(number, rounding="exact"):
    units, errors = rounded(number, -18, rounding)
    if not INT128_MIN <= units <= INT128_MAX:
        errors.add("range")
    return errors or {plain(Decimal(units).scaleb(-18))}


# ---- the questions ---------------------------------------------------------------------------------------

class Cases:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def mantissa(self):
        r = self.random
        kind = r.randrange(8)
        if kind == 0:
            m = r.choice([0, 1, 5, 10, INT64_MAX, INT64_MAX - 1, 2**63, 2**32, 2**53 + 1])
        elif kind == 1:
            m = 10**r.randrange(19) + r.choice([-1, 0, 1])
        elif kind == 2:
            m = r.randrange(1, 200) * 5 * 10**r.randrange(15)
        elif kind == 3:
            m = 9 * 10**16 + r.randrange(10**6)
        else:
            m = r.getrandbits(r.randrange(1, 64))
        m = -m if r.random() < 0.5 else m
        return max(INT64_MIN, min(INT64_MAX, m))

    def dec(self):
        r = self.random
        kind = r.randrange(10)
        if kind == 0:
            return r.randrange(1, 10**5), -8  # a price of PEPE
        if kind == 1:
            return r.randrange(1, 1000), 12  # and a quantity of it
        if kind == 2:
            return r.randrange(8 * 10**16, 10**17), r.choice([0, -1, 1])  # a notional in KRW
        if kind == 3:
            return r.randrange(10**6, 10**13), r.randrange(-8, 1)
        return self.mantissa(), r.randrange(EXP_MIN, EXP_MAX + 1)

    def near(self, dec):
        """A neighbour at another exponent: what comparing and subtracting get wrong."""
        m, exp = dec
        n = self.random.randrange(0, 8)
        wide = m * 10**n + self.random.choice([-1, 0, 0, 1])
        if exp - n < EXP_MIN or not INT64_MIN <= wide <= INT64_MAX:
            return self.dec()
        return wide, exp - n

    def exp(self):
        return self.random.randrange(EXP_MIN - 1, EXP_MAX + 2)

    def rounding(self):
        return self.random.choice(list(ROUNDINGS))

    def tie(self, exp):
        """Halfway between two multiples of 10^exp, where the half has a place."""
        if exp <= EXP_MIN:
            return self.dec()
        m = self.random.randrange(-10**12, 10**12) * 10 + 5
        return m, min(exp, EXP_MAX + 1) - 1

    def money(self):
        r = self.random
        kind = r.randrange(4)
        if kind == 0:
            units = r.choice([0, 1, -1, INT128_MAX, INT128_MIN, INT128_MAX - 1, 10**36, 15 * 10**17])
        elif kind == 1:
            units = r.randrange(-10**20, 10**20) * 10**r.randrange(18) + r.choice([0, 5])
        else:
            units = r.getrandbits(r.randrange(1, 128)) * r.choice([-1, 1])
        return Decimal(max(INT128_MIN, min(INT128_MAX, units))).scaleb(-18)

    def number_text(self):
        r = self.random
        digits = lambda n: "".join(r.choice("0123456789") for _ in range(n))
        if r.random() < 0.1:  # around the edges of 64 and 63 bits, the point anywhere
            edge = str(r.choice([2**63, 2**64, 2**65, 10**19, 10**20]) + r.randrange(-3, 4))
            point = r.randrange(1, len(edge) + 1)
            return r.choice(["", "-"]) + edge[:point] + ("." if edge[point:] else "") + edge[point:]
        whole = r.choice(["0", str(r.randrange(1, 10**r.randrange(1, 20))), "1" + "0" * r.randrange(25)])
        text = r.choice(["", "-"]) + whole
        if r.random() < 0.6:
            text += "." + digits(r.randrange(1, 14)) + "0" * r.choice([0, 0, 0, 4, 30])
        if r.random() < 0.4:
            text += r.choice("eE") + r.choice(["", "+", "-"]) + str(r.randrange(0, r.choice([9, 25, 60])))
        return text

    def broken_text(self):
        r = self.random
        text = list(self.number_text())
        text[r.randrange(len(text))] = r.choice(["", ".", "-", "e", "x", "+", "00", ",", "\u0660"])
        return "".join(text) or "-"


def parse_answer(text):
    number = re.fullmatch(r"(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?)(?:[eE]([+-]?[0-9]+))?", text, re.ASCII)
    if number is None:
        return {"syntax"}
    digits, exp = Decimal(number[1]), int(number[2] or 0)
    if digits != 0 and abs(exp) > 200:
        return {"range"}  # and too far out to write down
    return tight(digits.scaleb(exp) if digits != 0 else digits)


def word(dec):
    return f"{dec[0]}:{dec[1]}"


def exact_questions(c):
    a = c.dec()
    b = c.near(a) if c.random.random() < 0.3 else c.dec()
    va, vb = value(a), value(b)
    yield f"tight {word(a)}", tight(va)
    yield f"cmp {word(a)} {word(b)}", {str((va > vb) - (va < vb))}
    yield f"add {word(a)} {word(b)}", tight(va + vb)
    yield f"sub {word(a)} {word(b)}", tight(va - vb)
    yield f"mul {word(a)} {word(b)}", tight(va * vb)
    yield f"money_of {word(a)}", amount(va)
    yield f"money_product {word(a)} {word(b)}", amount(va * vb)


def rounding_questions(c):
    exp, rounding = c.exp(), c.rounding()
    a = c.tie(exp) if c.random.random() < 0.3 else c.dec()
    b = c.dec()
    va, vb = value(a), value(b)
    tail = f"{exp} {rounding}"
    yield f"rescale {word(a)} {tail}", at(va, exp, rounding)
    yield f"mul_at {word(a)} {word(b)} {tail}", at(va * vb, exp, rounding)
    yield f"div_at {word(a)} {word(b)} {tail}", {"range"} if vb == 0 else at(va / vb, exp, rounding)
    step = (abs(b[0]) % 10**c.random.randrange(1, 10), b[1])
    yield f"to_step {word(a)} {word(step)} {rounding}", step_answer(va, step, rounding)


def step_answer(number, step, rounding):
    if step[0] == 0:
        return {"range"}
    steps, errors = rounded(number / value(step), 0, rounding)
    m = steps * step[0]
    if not INT64_MIN <= m <= INT64_MAX:
        errors.add("range")
    return errors or {dec_answer(m, step[1])}


def money_questions(c):
    x, y, a = c.money(), c.money(), c.dec()
    exp, rounding = c.exp(), c.rounding()
    yield f"money_parse {plain(x)}", amount(x)
    yield f"money_add {plain(x)} {plain(y)}", amount(x + y)
    yield f"money_sub {plain(x)} {plain(y)}", amount(x - y)
    yield f"money_scale {plain(x)} {word(a)} {rounding}", amount(x * value(a), rounding)
    yield f"money_dec {plain(x)} {exp} {rounding}", at(x, exp, rounding)


def text_questions(c):
    good, broken = c.number_text(), c.broken_text()
    yield f"parse {good}", parse_answer(good)
    if not any(ch.isspace() for ch in broken):
        yield f"parse {broken}", parse_answer(broken)


def questions(seed, count):
    cases, asked = Cases(seed), []
    while len(asked) < count:
        for kind in (exact_questions, rounding_questions, money_questions, text_questions):
            asked.extend(kind(cases))
    return asked


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("program")
    options.add_argument("--seed", type=int, default=20240808)
    options.add_argument("--cases", type=int, default=100000)
    given = options.parse_args()
    asked = questions(given.seed, given.cases)
    lines = "".join(question + "\n" for question, _ in asked)
    run = subprocess.run([given.program], input=lines.encode(), stdout=subprocess.PIPE, check=True)
    answers = run.stdout.decode().splitlines()
    wrong = [(q, want, got) for (q, want), got in zip(asked, answers) if got not in want]
    for question, want, got in wrong[:20]:
        print(f"{question}\n  expected {' or '.join(sorted(want))}\n  got      {got}")
    if len(answers) != len(asked):
        print(f"{len(asked)} questions, {len(answers)} answers")
    kinds = {}
    for question, want in asked:
        kind = kinds.setdefault(question.split()[0], [0, 0])
        kind[0] += 1
        kind[1] += bool(want & {"range", "inexact", "syntax"})
    print(f"seed {given.seed}: {len(asked)} cases, {len(wrong)} wrong; per operation (of these, refusals): "
          + ", ".join(f"{name} {n} ({errors})" for name, (n, errors) in kinds.items()))
    return 1 if wrong or len(answers) != len(asked) else 0


if __name__ == "__main__":
    sys.exit(main())
