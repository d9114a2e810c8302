"""Mistakes made on purpose: for each row of the catalogue, the patches of a derivation that make it."""

from __future__ import annotations

from typing import Any

from byhand.check.layer_mistakes import activations, biases, downs, penalties, weights
from byhand.check.loss_mistakes import constants, loss, one_sample
from byhand.check.path_mistakes import (
    cuts,
    diagonals,
    exchanged,
    forgotten,
    forgotten_factors,
    forgotten_paths,
    forgotten_scales,
    statistics,
    unit_constants,
    upstream,
)
from byhand.check.replay import Patch
from byhand.check.roles import Roles

Array = Any


def special(roles: Roles, gradients: dict[str, Array]) -> list[Patch]:
    """What has a role: at the loss, in the layers, at activations, in the order of the backward pass."""
    found: list[Patch] = [*loss(roles), *one_sample(roles, gradients)]
    for layer in roles.layers:
        found += [
            *biases(roles, layer, gradients),
            *weights(roles, layer),
            *penalties(roles, layer),
            *downs(roles, layer),
        ]
    found += [*activations(roles), *diagonals(roles), *statistics(roles), *cuts(roles), *penalties(roles, None)]
    return [*found, *forgotten(roles), *exchanged(roles, gradients)]


def general(roles: Roles) -> list[Patch]:
    """What can be done wrongly at any edge of any graph: one candidate for each path and for each factor."""
    return [
        *constants(roles),
        *unit_constants(roles),
        *upstream(roles),
        *forgotten_paths(roles),
        *cuts(roles, off=False),
        *forgotten_factors(roles),
        *forgotten_scales(roles),
    ]
