"""How an epoch is compiled by XLA: as one kernel for tiny networks, kernel by kernel else; the same values always."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from byhand.nets.mlp import MLP
from byhand.train.jax_engine import double_precision
from byhand.train.loop import Settings, Trainer
from byhand.train.program import TrainingProgram
from byhand.train.xla import MOST_MULTIPLICATIONS, after, compiled, gathered_ahead


def graph_of(text, batch):
    return TrainingProgram(MLP(text, targets="probabilities")).graph(batch, np.dtype(np.float64))


def products(m, n, batch):
    """The multiplications of a layer: forward, of its weights, of what is below it."""
    return 3 * m * n * batch


def test_samples_are_gathered_ahead_where_they_are_narrow_and_the_network_is_not_tiny():
    tiny, other = graph_of("5-7-3", 11), graph_of("61-67-3", 11)
    assert [gathered_ahead(n, g) for g in (tiny, other) for n in (64, 8 * 784)] == [False, False, True, False]


def test_multiplications_are_those_of_the_products():
    below = 5 * 7 * 11  # no gradient is wanted for the data
    assert graph_of("5-7-3", 11).multiplications == products(5, 7, 11) - below + products(7, 3, 11)


@pytest.mark.parametrize("text", ["5-7-3", "61-67-3"])
def test_both_ways_give_numpys_weights(text):
    rng = np.random.default_rng(13)
    net = MLP(text, targets="probabilities")
    X = rng.standard_normal((53, int(net.sizes[0])))
    data = {"X": X, "Y": np.eye(3)[rng.integers(0, 3, 53)]}
    program = TrainingProgram(net)
    assert (program.graph(11, np.dtype(np.float64)).multiplications <= MOST_MULTIPLICATIONS) == (text == "5-7-3")
    found = {}
    for engine in ("numpy", "jax"):
        settings = Settings("adam", 0.01, batch_size=11, epochs=20, engine=engine)
        trainer = Trainer(program, net.init(3), settings, np.random.default_rng(5))
        trainer.fit(data)
        found[engine] = trainer.parameters
    assert not np.array_equal(found["numpy"], program.flat(net.init(3), np.float64))
    np.testing.assert_allclose(found["jax"], found["numpy"], rtol=1e-10, atol=1e-12)


def loop(x):
    return jax.lax.fori_loop(0, 3, lambda _, a: jnp.tanh(a @ a) + 0.1, x)


def test_a_tiny_loop_is_one_kernel_and_a_large_one_is_not():
    x = np.random.default_rng(17).standard_normal((5, 5)).astype(np.float32)
    for text, batch, whole in (("5-7-3", 11, True), ("61-67-3", 11, False)):
        run = compiled(loop, (), graph_of(text, batch))
        np.testing.assert_allclose(run(x), loop(x), rtol=1e-5)
        assert (not hasattr(run, "lower")) == whole


def test_what_no_kernel_holds_is_compiled_kernel_by_kernel():
    def inverted(x):
        return jax.lax.fori_loop(0, 3, lambda _, a: jnp.linalg.inv(a) + jnp.eye(5, dtype=a.dtype), x)

    x = np.eye(5, dtype=np.float32) * 3
    run = compiled(inverted, (), graph_of("5-7-3", 11))
    for _ in range(2):
        np.testing.assert_allclose(run(x), inverted(x), rtol=1e-5)


def test_the_rate_stays_the_rate():
    with double_precision():
        for first in (0.0, -7.0, np.inf, -np.inf):
            gradients = [np.full((2, 3), first, np.float32), np.ones(5, np.float32)]
            assert after(np.float64(0.3), gradients) == 0.3
        assert np.isnan(after(np.float64(0.3), [np.full(2, np.nan)]))


def test_no_matrix_is_copied_in_a_step():
    net = MLP("61-67-71-3", targets="probabilities")
    program = TrainingProgram(net)
    trainer = Trainer(
        program, net.init(3), Settings("sgd", 0.01, batch_size=11, engine="jax"), np.random.default_rng(5)
    )
    with double_precision():
        parameters, state = trainer.engine._loaded()
        run = trainer.engine._compiled(11, np.dtype(np.float64))
        samples = {"X": np.zeros((22, 61)), "Y": np.zeros((22, 3))}
        arguments = parameters, state, 0.0, samples, np.arange(22, dtype=np.int32).reshape(2, 11), np.ones(2), {}
        text = run.lower(*arguments).compile().as_text()
    assert "f64[67,71]" in text
    assert not re.findall(r"f64\[67,71\]\S* copy\(", text)
