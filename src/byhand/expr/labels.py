"""Labels of the axes of a contraction under construction: which are the same, and how long their axes are."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import count
from typing import Any

from byhand.errors import ShapeError
from byhand.expr.dims import Dim
from byhand.expr.nodes import Contraction, Expr, describe

Label = Hashable


class JoinedLabels:
    """Labels of the axes of factors, some of which turn out to be the same one.

    Args:
        dims: the dimensions that are known already.
    """

    def __init__(self, dims: Mapping[Any, Dim]) -> None:
        self.dims: dict[Label, Dim] = dict(dims)
        self.parent: dict[Label, Label] = {}
        self.fresh = count()

    def find(self, label: Label) -> Label:
        """The label that stands for this one and all that are the same."""
        while label in self.parent:
            label = self.parent[label]
        return label

    def unite(self, a: Label, b: Label) -> None:
        """Make two labels the same; the first stands for both."""
        a, b = self.find(a), self.find(b)
        if a != b:
            self.parent[b] = a
            if b in self.dims:
                self.dims.setdefault(a, self.dims[b])

    def declare(self, node: Expr, node_labels: Sequence[Label]) -> None:
        """Note the dimensions of a factor's labels.

        Raises: ShapeError: too few or too many labels, or one that stands for two different dimensions.
        """
        if len(node_labels) != node.ndim:
            raise ShapeError(f"{len(node_labels)} labels for {describe(node)}")
        for label, size in zip(node_labels, node.shape, strict=True):
            if self.dims.setdefault(self.find(label), size) != size:
                raise ShapeError(f"dimensions differ, {self.dims[self.find(label)]} != {size}", describe(node))

    def open(self, node: Contraction, node_labels: Sequence[Label]) -> dict[int, Label]:
        """Fresh labels for a nested contraction, its output united with the labels it is used under."""
        new: dict[int, Label] = {i: ("merged", next(self.fresh)) for i in range(len(node.dims))}
        for i, size in enumerate(node.dims):
            self.dims[new[i]] = size
        for i, label in zip(node.out, node_labels, strict=True):
            self.unite(label, new[i])
        return new


__all__ = ["JoinedLabels", "Label"]
