"""Random and hostile text in the parser: a parse, or an error that shows the place, soon; never anything else."""

import gc
import keyword
import random
import re
import time
import tracemalloc
from pathlib import Path

import pytest

import byhand

SHAPES = {"X": "m n", "w": "n", "y": "m", "A": "n n", "t": "m", "s": ""}
ASSUME = {"t": "labels", "A": "symmetric"}
STRINGS = 10_000
LONGEST = 100_000  # characters
SECONDS_EACH = 0.1
GROWTH = 5_000_000  # bytes that stay allocated after the second half, over those after the first
CARET = re.compile(r"^[ \t|]*\^", re.MULTILINE)

VALID = """
sum((X @ w - y)**2) + s*sum(A)
Z = X @ A\\nP = softmax(Z, axis=1)\\n-sum(P * log(P)) / m + w @ w + y @ y + s
mean(cross_entropy(X @ A, t)) + s*norm(w) + sum(y)
einsum('ij,jk,ik->', X, A, X) + trace(A) + y @ X @ w + s
logdet(A + s*eye(n)) + sum(where(X > 0, X, 0)) + w @ inv(A) @ w + sum(y)
sum(logsumexp(X @ A, axis=1) - X[arange(m), t]) + s + sum(w) + sum(y)
sum(outer(y, w) * one_hot(t, n) * X, axis=0, keepdims=True) @ A @ w * s
""".strip().splitlines()
VALID = [text.replace("\\n", "\n") for text in VALID]

WORDS = """
X w y A t s m n sum mean exp log relu softmax einsum inv det trace diag where eye norm unknown dX Z
+ - * / ** @ // % << >> & | ^ ~ < > <= >= == != = := -> ( ) [ ] { } , : ; . ... ` $ ? ! \\ # ' "
0 1 2.5 1e400 10**10 0x10 0o7 0b1 1_000 1__0 0777 1j 1e nan 'ij,jk->ik' b'x' f'{X}' r' None True
.T axis=1 keepdims=True *X **X __class__
"""
TOKENS = [*WORDS.split(), "\n", "\t", " ", '"""', "import os", *keyword.kwlist]
ODD_CHARACTERS = (
    "\0\x01\x07\x08\x0b\x0c\r\x1a\x1b\x7f\x85\xa0\xad\u200b\u200d\u2028\u2029\u202e\ufeff\ufffd\ufffe"
    "\ud800\udfff\udc80аеХхｗ２Ｘ⁰²³ⁿ₁𝐗𝑤ℓ∂∑·×÷−–—“”‘’…√∞πλ½⅓Ⅷ١😀👩\u200d👩\u200d👧e\u0301İıßﬁ中文"
)


def nested(count):
    """Strings that nest, chain or grow with `count`."""
    n, few = count, range(min(count, 200))
    return [
        "(" * n, ")" * n, "[" * n, "{" * n, "(" * n + "w" + ")" * n, "[" * n + "w" + "]" * n, "((" * n + ")",
        "-" * n + "s", "+" * n + "s", "~" * n + "s", "not " * n + "s", "- " * n, "-+" * n + "s", "await " * n + "s",
        "X" + ".T" * n, "X" + "[0]" * n, "X" + "()" * n, "X" + "(" * n, "X" + ".T()" * n, "X" + ".__class__" * n,
        "s" + "+s" * n, "s" + "*s" * n, "s" + "-s" * n, "s" + "/s" * n, "s" + "**s" * n, "s" + "**2" * n,
        "A" + "@A" * n,
        "s" + "<s" * n, "s" + " and s" * n, "s" + " if s else s" * n, "s" + "," * n, "s" + ",s" * n, "s=" * n + "s",
        "exp(" * n + "s" + ")" * n, "exp(" * n, "sum(" * n + "X" + ")" * n, "sum((X," * n, "inv(" * n + "A" + ")" * n,
        "lambda: " * n + "s", "lambda s=" * n + "s", "[s for s in " * n, "{" * n + "s" + "}" * n, "f'{" * n, "s:" * n,
        "s\n" * n, "s;" * n, "\n" * n + "s", " " * n + "s", "\t" * n + "s", "\\\n" * n + "s", "s" + " " * n, "#" * n,
        "".join(f"z{i} = s\n" for i in few) + "s", "".join(" " * i + "s\n" for i in few),
        "z0 = s\n" + "".join(f"z{i + 1} = z{i} * z{i}\n" for i in few),
        "z0 = s\n" + "".join(f"z{i + 1} = z{i} + z{i}\n" for i in few),
        "z0 = s\n" + "".join(f"z{i + 1} = z{i}**9\n" for i in few),
        "z0 = A\n" + "".join(f"z{i + 1} = kron(z{i}, A)\n" for i in few),
        "s" * n, "s_" * n, "1" * n, "1." + "1" * n, "1e" + "9" * n, "0x" + "f" * n, "1_" * n + "1", "9**" * n + "9",
        "'" + "i" * n, "'" + "i" * n + "'", "'''" + "i" * n, "'\\" * n, "b'" + "\\x00" * n + "'",
        "''" * n, "'a' 'b' " * n,
        "einsum('" + "i" * n + "->', X)", "einsum('" + "," * n + "', X)", "einsum('" + "ij," * n + "ij->', X)",
        "sum(X" + ", 0" * n + ")", "sum(X" + ", axis=0" * n + ")", "sum(" + "*" * n + "X)", "ones((" + "2," * n + "))",
        "X[" + "0," * n + "]", "X[" + ":" * n + "]", "X[" + "None," * n + "]", "X[..." + ", ..." * n + "]",
        "а" * n, "²" * n, "\0" * n, "\ud800" * n, "😀" * n, "s²" * n, "(😀" * n, "e\u0301" * n,
    ]  # fmt: skip


def written():
    r"""The attacks of `hostile.txt`: one a line, with \n \r \t \\ \x20 \u2028 \U0001f600 for characters."""

    def character(match):
        return {"n": "\n", "r": "\r", "t": "\t", "\\": "\\"}.get(match[1]) or chr(int(match[1][1:], 16))

    lines = (Path(__file__).parents[1] / "data" / "hostile.txt").read_text("ascii").splitlines()
    escape = re.compile(r"\\([nrt\\]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")
    return [escape.sub(character, line) for line in lines]


def fixed():
    """Hand-written attacks, long lines, and those that nest, at several sizes."""
    long = [
        "s" * LONGEST,
        "s " * (LONGEST // 2),
        "s + " * (LONGEST // 4) + "s",
        "(" * LONGEST,
        "s\n" * (LONGEST // 2),
        "1" * LONGEST,
        "#" * LONGEST,
    ]
    sizes = (1, 2, 10, 99, 100, 101, 200, 300, 1000, 5000, 20_000)
    return ["", *written(), *long, *(text[:LONGEST] for count in sizes for text in nested(count))]


def soup(rng):
    """Tokens of the grammar and of Python in random order."""
    return rng.choice(["", " "]).join(rng.choices(TOKENS, k=rng.randint(1, 30)))


def noise(rng):
    """Characters: ASCII, odd ones, and any others, surrogates included."""
    letters = [
        chr(rng.randrange(32, 127)),
        rng.choice(ODD_CHARACTERS),
        chr(rng.randrange(0x110000)),
        rng.choice("()+*@sX."),
    ]
    return "".join(rng.choice([*letters, chr(rng.randrange(32, 127))]) for _ in range(rng.randint(1, 40)))


def mutation(rng):
    """A valid expression with a few characters or tokens deleted, repeated, swapped or replaced."""
    text = rng.choice(VALID)
    for _ in range(rng.randint(1, 4)):
        start = rng.randrange(len(text) + 1)
        stop = min(len(text), start + rng.choice([0, 1, 1, 2, 5, 20]))
        piece = rng.choice(
            ["", text[start:stop] * 2, rng.choice(TOKENS), rng.choice(ODD_CHARACTERS), text[start:stop][::-1]]
        )
        text = text[:start] + piece + text[stop:]
    return text


def grammatical(rng, depth=4):
    """Well-formed syntax without regard to shapes: most of it must be refused for its shapes."""
    if depth == 0 or rng.random() < 0.1:
        return rng.choice([*"XwyAtsmn", "2", "0.5", "1e-3", "Q"])
    a, b = (grammatical(rng, depth - 1) for _ in range(2))
    one = rng.choice(
        ["exp", "log", "relu", "sum", "trace", "inv", "det", "diag", "norm", "softmax", "logsumexp", "eye"]
    )
    two = rng.choice(["outer", "kron", "inner", "solve", "cross_entropy", "one_hot"])
    return rng.choice([
        f"({a} {rng.choice(['+', '-', '*', '/', '@', '>', '<='])} {b})", f"(-{a})", f"{one}({a})", f"{two}({a}, {b})",
        f"({a}).T", f"({a})**{rng.choice(['2', '3', '-1', '0.5', '(' + b + ')'])}",
        f"sum({a}, axis={rng.randint(-3, 3)})",
        f"({a})[arange(m), {b}]", f"where({a} > {b}, {a}, {b})", f"einsum('ij,jk->ik', {a}, {b})",
        f"mean({a}, keepdims=True)",
    ])  # fmt: skip


def hostile_strings():
    """The same 10 000 strings every time."""
    rng = random.Random(2024)
    texts = list(dict.fromkeys(fixed()))
    makers = [soup, noise, mutation, mutation, grammatical]
    while len(texts) < STRINGS:
        texts.append(makers[len(texts) % len(makers)](rng))
    rng.shuffle(texts)
    return texts


@pytest.fixture(scope="module")
def texts():
    return hostile_strings()


def shown(text):
    return ascii(text if len(text) <= 80 else f"{text[:60]}... ({len(text)} characters)")


def named(text, table):
    """The rows of `table` whose name occurs in `text`: an unused shape would be an error of its own."""
    words = set(re.findall(r"\w+", re.sub("#.*", "", text)))
    return {name: entry for name, entry in table.items() if name in words}


def parse(text):
    return byhand.parse(text, shapes=named(text, SHAPES), assume=named(text, ASSUME))


def outcome(text):
    """The error that the parser raises, or None; any other exception is the caller's failure."""
    try:
        parse(text)
    except byhand.ByhandError as error:
        return error
    except Exception as error:
        pytest.fail(f"{shown(text)}: {type(error).__name__} is no ByhandError: {str(error)[:200]}")
    return None


def seconds(text, clock=time.perf_counter):
    start = clock()
    outcome(text)
    return clock() - start


def test_outcome(texts):
    """A parse, or a ByhandError with line, column and a caret."""
    refused = 0
    for text in texts:
        error = outcome(text)
        if error is None:
            continue
        refused += 1
        for place in (error.line, error.column):
            assert type(place) is int and place >= 1, f"{shown(text)}: line {error.line!r}, column {error.column!r}"
        assert CARET.search(str(error)), f"{shown(text)}: no line with a caret in\n{str(error)[:500]}"
    assert 0.5 * STRINGS < refused < STRINGS  # the strings are hostile, and not only hostile


def test_valid_texts_parse():
    """What the mutations start from is valid: otherwise they would only test the first refusal."""
    for text in VALID:
        parse(text)


def test_time(texts):
    """No string takes more than 0.1 s; a slow one is tried again by processor time, as the machine may be busy, and
    three times, as Python may have memory to collect."""
    seconds(VALID[0])
    slow = [text for text in texts if seconds(text) > SECONDS_EACH]
    again = [(min(seconds(text, time.process_time) for _ in range(3)), shown(text)) for text in slow]
    if late := [f"{took:.2f} s: {text}" for took, text in again if took > SECONDS_EACH]:
        pytest.fail("\n".join(late))


def test_memory(texts):
    """What the parser keeps does not grow with the number of strings that it has seen."""
    short = [text for text in texts if len(text) < 1000]
    halves = short[: len(short) // 2], short[len(short) // 2 :]
    kept = []
    tracemalloc.start()
    try:
        for half in halves:
            for text in half:
                outcome(text)
            gc.collect()
            kept.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert kept[1] - kept[0] < GROWTH, f"{kept[1] - kept[0]} bytes more after {len(halves[1])} further strings"
