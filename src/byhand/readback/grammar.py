"""From tokens to trees, by precedence: relations, sums, products with a sign, Σ, quotients, factors side by side, scripts."""

from __future__ import annotations

import re

from byhand.readback import tree as tr
from byhand.readback.tokens import LOWERED, Token, UnreadError, tokens_of
from byhand.readback.tree import Tree

RELATIONS = ("=", "<", ">", "≤", "≥", "≠")
INFIX = ("⊙", "⊘", "⊗", "×")
_CLOSING = (")", "]", "}", "⟩", ",", ";", ":", "=:")
_DEEPEST = 200


def read(text: str) -> Tree:
    """The tree of a formula.

    Raises: UnreadError: it does not follow the grammar.
    """
    parser = _Parser(text, tokens_of(text))
    found = parser.relation()
    if not parser.ended:
        parser.fail(f"{parser.next.text!r} was not expected")
    return found


class _Parser:
    def __init__(self, text: str, tokens: list[Token]) -> None:
        self.text, self.tokens, self.place = text, tokens, 0
        self.bars: list[str] = []  # those that are open: ‖ and |
        self.depth = 0

    # ---- tokens

    @property
    def ended(self) -> bool:
        return self.place == len(self.tokens)

    @property
    def next(self) -> Token:
        if self.ended:
            self.fail("it breaks off")
        return self.tokens[self.place]

    def peek(self, *texts: str) -> bool:
        """Whether one of these signs comes next."""
        return not self.ended and self.tokens[self.place].kind == "sign" and self.tokens[self.place].text in texts

    def take(self, *texts: str) -> Token:
        """The next token, which has to be one of these signs where any are given."""
        token = self.next
        if texts and not self.peek(*texts):
            self.fail(f"{' or '.join(texts)} is missing before {token.text!r}")
        self.place += 1
        return token

    def fail(self, why: str) -> None:
        at = self.tokens[self.place].start if not self.ended else len(self.text)
        raise UnreadError(f"not read: {why}", f"in {self.text!r} at {at}")

    def span(self, start: int) -> tr.Span:
        """From the token at `start` to the last one taken."""
        return self.tokens[start].start, self.tokens[self.place - 1].end

    # ---- from loose to tight

    def relation(self) -> Tree:
        start = self.place
        left = self.sum()
        if not self.peek(*RELATIONS):
            return left
        op = self.take().text
        right = self.relation()
        return tr.Relation(self.span(start), op, left, right)

    def sum(self) -> Tree:
        self.depth += 1
        if self.depth > _DEEPEST:
            self.fail("it is nested too deeply")
        start = self.place
        signed = self.peek("−", "-", "+")
        plus = not signed or self.take().text == "+"
        terms = [(plus, self.infix())]
        while self.peek("−", "-", "+"):
            plus = self.take().text == "+"
            terms.append((plus, self.infix()))
        self.depth -= 1
        return terms[0][1] if terms[0][0] and len(terms) == 1 else tr.Sum(self.span(start), tuple(terms))

    def infix(self) -> Tree:
        start = self.place
        left = self.big_sum()
        while self.peek(*INFIX):
            op = self.take().text
            right = self.big_sum()
            left = tr.Infix(self.span(start), op, left, right)
        return left

    def big_sum(self) -> Tree:
        if not self.peek("Σ"):
            return self.quotient()
        start = self.place
        self.take("Σ")
        self.take("_")
        low = high = None
        if self.peek("{"):
            self.take()
            letters = [self.letter()]
            if self.peek("="):
                self.take()
                low = self.sum()
            while self.peek(","):
                self.take()
                letters.append(self.letter())
            self.take("}")
            if low is not None:
                self.take("^")
                self.take("{")
                high = self.sum()
                self.take("}")
        else:
            letters = list(self.take().text)
        body = self.big_sum()
        return tr.BigSum(self.span(start), tuple(letters), body, low, high)

    def letter(self) -> str:
        token = self.take()
        if token.kind != "name":
            self.fail(f"{token.text!r} is no index letter")
        return token.text

    def quotient(self) -> Tree:
        start = self.place
        num = self.product()
        while self.peek("/"):
            self.take()
            num = tr.Quotient((self.tokens[start].start, 0), num, self.scripted())
            num = tr.Quotient(self.span(start), num.num, num.den)
            if self.starts_factor():
                self.fail("a factor after a quotient can be read in two ways")
        return num

    def product(self) -> Tree:
        start = self.place
        items = [self.scripted()]
        while True:
            if self.peek("·"):
                self.take()
            elif not self.starts_factor():
                break
            items.append(self.big_sum() if self.peek("Σ") else self.scripted())
        return items[0] if len(items) == 1 else tr.Product(self.span(start), tuple(items))

    def starts_factor(self) -> bool:
        """Whether a factor follows that stands beside the last one."""
        if self.ended:
            return False
        token = self.tokens[self.place]
        if token.kind in ("number", "name"):
            return True
        if token.text in ("‖", "|"):
            return not (self.bars and self.bars[-1] == token.text)
        return token.kind == "sign" and token.text in ("(", "⟨", "√", "Σ", "∂", "[")

    def scripted(self) -> Tree:
        """A factor with its indices, powers and transposes."""
        start = self.place
        node = self.atom()
        while not self.ended:
            token = self.tokens[self.place]
            if token.kind == "script":
                self.take()
                node = self.raised(node, token.text, start)
            elif self.peek("^", "^∘"):
                entries = self.take().text == "^∘"
                exponent = self.exponent()
                node = tr.Power(self.span(start), node, exponent, entries)
            elif self.peek("_") and not token.spaced:
                self.take()
                indices = self.indices()
                node = tr.Indexed(self.span(start), node, indices)
            elif self.peek("[") and not token.spaced:
                axes = self.slice()
                node = tr.Slice(self.span(start), node, axes)
            else:
                break
        return node

    def raised(self, node: Tree, script: str, start: int) -> Tree:
        here = self.tokens[self.place - 1]
        digits = script.rstrip("ᵀ").translate(LOWERED).replace("−", "-")
        if digits == "-" and script.endswith("ᵀ"):
            digits = "-1"
        if digits:
            if not re.fullmatch(r"-?\d+", digits):
                self.fail(f"{script!r} is no exponent")
            node = tr.Power(self.span(start), node, tr.Number((here.start, here.end), float(digits)))
        return tr.Transpose(self.span(start), node) if script.endswith("ᵀ") else node

    def exponent(self) -> Tree:
        start = self.place
        if self.peek("−", "-"):
            self.take()
            token = self.take()
            if token.kind != "number":
                self.fail(f"{token.text!r} is no exponent")
            return tr.Sum(self.span(start), ((False, tr.Number((token.start, token.end), float(token.text))),))
        closing = {"(": ")", "{": "}"}.get(self.next.text)
        if closing:
            self.take()
            found = self.sum()
            self.take(closing)
            return found
        token = self.take()
        if token.kind == "number":
            return tr.Number((token.start, token.end), float(token.text))
        if token.kind == "name":
            return tr.Name((token.start, token.end), token.text)
        self.fail(f"{token.text!r} is no exponent")
        raise AssertionError

    def indices(self) -> tuple[Tree, ...]:
        """What stands below: ij, 3, or {i,j+1}."""
        start = self.place
        if self.peek("{"):
            self.take()
            found = [self.index()]
            while self.peek(","):
                self.take()
                found.append(self.index())
            self.take("}")
            return tuple(found)
        token = self.take()
        span = self.span(start)
        if token.kind == "number":
            return (tr.Number(span, float(token.text)),)
        if token.kind != "name":
            self.fail(f"{token.text!r} is no index")
        return tuple(tr.Name(span, letter) for letter in token.text)

    def index(self) -> Tree:
        if self.peek(":"):
            token = self.take()
            return tr.Name((token.start, token.end), ":")
        return self.sum()

    def slice(self) -> tuple[tuple[Tree | None, Tree | None], ...]:
        self.take("[")
        axes = [self.bounds()]
        while self.peek(","):
            self.take()
            axes.append(self.bounds())
        self.take("]")
        return tuple(axes)

    def bounds(self) -> tuple[Tree | None, Tree | None]:
        low = None if self.peek(":") else self.sum()
        self.take(":")
        high = None if self.peek(",", "]") else self.sum()
        return low, high

    # ---- atoms

    def atom(self) -> Tree:
        start = self.place
        token = self.take()
        here = (token.start, token.end)
        match token.kind, token.text:
            case "number", text:
                if text == "1" and not self.ended and not self.next.spaced and self.peek("["):
                    self.take()
                    condition = self.relation()
                    self.take("]")
                    return tr.Indicator(self.span(start), condition)
                if text == "1" and not self.ended and not self.next.spaced and self.peek("_"):
                    return self.ones(start)
                return tr.Number(here, _number(text))
            case "name", text:
                return self.named(token, start)
            case "sign", "(":
                return self.bracket(start)
            case "sign", "[":
                body = self.sum()
                self.take("]")
                return tr.Entries(self.span(start), body)
            case "sign", "⟨":
                left = self.sum()
                self.take(",")
                right = self.sum()
                self.take("⟩")
                return tr.Inner(self.span(start), left, right)
            case "sign", "‖" | "|":
                return self.between(token.text, "", start)
            case "sign", "√":
                self.take("(")
                body = self.sum()
                self.take(")")
                return tr.Call(self.span(start), "√", (body,))
            case "sign", "∂":
                of = self.differentiated()
                self.take("/")
                self.take("∂")
                wrt = self.differentiated()
                return tr.Partial(self.span(start), of, wrt)
        self.place -= 1
        self.fail(f"{token.text!r} was not expected")
        raise AssertionError

    def ones(self, start: int) -> Tree:
        self.take("_")
        if self.peek("{"):
            self.take()
            size = self.sum()
            self.take("}")
            return tr.Ones(self.span(start), size)
        token = self.take()
        here = (token.start, token.end)
        size = tr.Number(here, float(token.text)) if token.kind == "number" else tr.Name(here, token.text)
        return tr.Ones(self.span(start), size)

    def bracket(self, start: int) -> Tree:
        """(a), (a, b), and a term with what it is called: (a =: words)."""
        items = [self.sum()]
        while self.peek(","):
            self.take()
            items.append(self.sum())
        if len(items) == 1 and self.peek("=:"):
            self.take()
            label = self.take().text
            self.take(")")
            return tr.Labelled(self.span(start), items[0], label)
        self.take(")")
        return items[0] if len(items) == 1 else tr.Tuple(self.span(start), tuple(items))

    def between(self, bar: str, function: str, start: int) -> Tree:
        self.bars.append(bar)
        body = self.sum()
        self.bars.pop()
        self.take(bar)
        return tr.Norm(self.span(start), body) if bar == "‖" else tr.Bars(self.span(start), body, function)

    def named(self, token: Token, start: int) -> Tree:
        if not self.ended:
            if self.peek("(") and not self.next.spaced:
                self.take()
                self.bars.append("")  # inside, no bar outside is closed
                args = [self.relation()]
                while self.peek(","):
                    self.take()
                    args.append(self.relation())
                self.bars.pop()
                self.take(")")
                return tr.Call(self.span(start), token.text, tuple(args))
            if token.text == "log" and self.peek("|") and not self.next.spaced:
                self.take()
                return self.between("|", "log", start)
        return tr.Name((token.start, token.end), token.text)

    def differentiated(self) -> Tree:
        """What stands behind ∂: a name with its indices, vec(name), or a bracket."""
        start = self.place
        token = self.take()
        if token.kind == "name":
            node = self.named(token, start)
        elif token.text == "(":
            node = self.bracket(start)
        else:
            self.fail(f"{token.text!r} behind ∂")
        if self.peek("_") and not self.next.spaced:
            self.take()
            indices = self.indices()
            node = tr.Indexed(self.span(start), node, indices)
        return node


def _number(text: str) -> float:
    digits, _, exponent = text.partition("×10")
    return float(digits) * 10.0 ** int(exponent.translate(LOWERED).replace("−", "-") or 0)


__all__ = ["INFIX", "RELATIONS", "read"]
