"""Networks: an architecture, activations and a loss become one expression, generated as text and parsed."""

from byhand.nets.mlp import MLP as MLP
