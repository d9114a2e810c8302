"""Many processes: who takes part, that all are alive, and what they agree about; the training itself is the jax engine's.

`start` before anything else of JAX; then `fit` with engine="jax" is the same call on every rank.
"""

from byhand.distributed.joining import start
from byhand.distributed.world import World, current

__all__ = ["World", "current", "start"]
