"""The steps of a derivation that apply no equation of their own: gathering, inserting, reading off."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Manner:
    """A step: its name beside a line, what is done, and an instance of it as an equation where there is one."""

    name: str
    meaning: str
    equation: str = ""
    shapes: dict[str, str] = field(default_factory=dict)
    source: str = "Magnus and Neudecker (2019), chapter 9"


_MATRICES = {"A": "m n", "B": "m n", "X": "m n"}
_CHAIN = "Parr and Howard (2018), The matrix calculus you need for deep learning"
STEPS = (
    Manner("read off", "the gradient is what stands in the inner product with the differential of the variable",
           "d(sum(A*X)) = inner(A, d(X)) + inner(d(A), X)", {"A": "m n", "X": "m n"}),
    Manner("first identification theorem", "the Jacobian is what the differential of the variable is multiplied by",
           "d(A @ x) = A @ d(x) + d(A) @ x", {"A": "m n", "x": "n"}),
    Manner("cross-entropy of a softmax", "d(−⟨Y, log softmax(Z)⟩) = ⟨softmax(Z) − Y, dZ⟩ where each row of Y sums to one: the "
           "log-softmax gives ⟨diag(Y 1) P − Y, dZ⟩, and Y 1 = 1", source="Bishop (2006), (4.109)"),
    Manner("a centred array sums to zero", "what is left when the mean along an axis is taken off sums to zero along that axis, "
           "scaled or not: 1ᵀ(X − 1 μ) = 1ᵀX − N μ = 0 for μ = 1ᵀX/N", source="definition of the mean"),
    Manner("collect the contributions", "what every use of a variable adds to its gradient, in one sum",
           "inner(A, d(X)) + inner(B, d(X)) = inner(A + B, d(X))", _MATRICES),
    Manner("collect and cancel", "equal terms are added, factors that cancel are left out, products are multiplied out or "
           "taken together, whichever is shorter", source="the laws of sums and products"),
    Manner("insert", "a gradient found above is written out where that makes the line shorter",
           source="equals for equals"),
    Manner("use the declared properties", "a symmetric matrix is its own transpose, a diagonal one has only its diagonal; "
           "the properties that were used stand beside the step", source="the declared property itself"),
    Manner("symmetric part", "dS is symmetric, so only the symmetric part of G counts in ⟨G, dS⟩: (G + Gᵀ)/2",
           source="Magnus and Neudecker (2019), chapter 9"),
    Manner("diagonal part", "dD is diagonal, so only the diagonal of G counts in ⟨G, dD⟩: I ⊙ G",
           source="Petersen and Pedersen (2012), The Matrix Cookbook, section 2.8.1"),
    Manner("free entries of a symmetric variable", "the two entries off the diagonal that are equal vary together: G + Gᵀ − I ⊙ G",
           source="Petersen and Pedersen (2012), The Matrix Cookbook, section 2.8.2"),
    Manner("does not occur", "a function does not depend on what does not occur in it: its gradient is zero",
           source="definition of the differential"),
    Manner("vector chain rule", "the Jacobian of a composition is the product of the Jacobians", source=_CHAIN),
    Manner("total derivative: sum over the paths", "what is used several times gets a term for each use", source=_CHAIN),
    Manner("sum over the paths", "what is used several times gets a term for each use", source=_CHAIN),
    Manner("as a matrix (row-major vec)", "the axes of output and of input, each in one row after the other",
           source="Magnus and Neudecker (2019), chapter 2"),
    Manner("for each", "of a stack of matrices one slice is shown; the others are alike", source="a way of writing"),
)  # fmt: skip
