"""Mistakes made on purpose: for each row of the catalogue, the patches of a derivation that make it."""

from __future__ import annotations

from typing import Any

from byhand.check.layer_mistakes import activations, biases, downs, penalties, updated, weights
from byhand.check.loss_mistakes import context, cuts, loss, whole
from byhand.check.replay import Patch
from byhand.check.roles import Roles

Array = Any


def candidates(roles: Roles, gradients: dict[str, Array]) -> list[Patch]:
    """All that can be made in this network, in the order of the backward pass and of the catalogue."""
    found: list[Patch] = [*loss(roles), *whole(roles, gradients)]
    for layer in roles.layers:
        found += [
            *biases(roles, layer, gradients),
            *weights(roles, layer, gradients),
            *penalties(roles, layer),
            *downs(roles, layer),
        ]
    found += [*activations(roles), *cuts(roles), *penalties(roles, None)]
    return found


__all__ = ["candidates", "context", "updated"]
