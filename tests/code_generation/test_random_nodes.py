"""Generated source computes what a node is: random hostile nodes with many axes, repeated labels, pickers, masks."""

import warnings

import numpy as np
import pytest
from program.test_lower import WithMasks, WithPickers, values_for
from rules.random_nodes import DIMS, SIZES, RandomNodes, agree, largest_inside, value_of
from tools import needed

from byhand.code.c import c_function
from byhand.code.function import CompiledFunction
from byhand.code.jax_function import JaxFunction
from byhand.code.listing import list_expressions
from byhand.code.source import jax_source, numpy_source, torch_source
from byhand.code.torch_function import TorchFunction
from byhand.errors import MissingRuleError
from byhand.expr.nodes import symbol, symbols_of

TELLING = symbol("sizes_of", DIMS)  # an argument that tells all sizes


def drawn(kind, seed):
    """A node, the program that computes it, its arguments by name, and its value."""
    made = kind(seed, most_axes=3)
    node = made.node(made.shape(3), 4)
    values = values_for(node)
    program = list_expressions({"f": node}, [*symbols_of(node), TELLING], formulas=False)
    arrays = {s.name: v for s, v in values.items()} | {"sizes_of": np.zeros([SIZES[str(d)] for d in DIMS])}
    with np.errstate(all="ignore"):
        return node, program, arrays, value_of(node, values), largest_inside(node, values)


@pytest.mark.parametrize("kind", [RandomNodes, WithPickers, WithMasks])
@pytest.mark.parametrize("chunk", range(6))
def test_numpy(kind, chunk):
    for seed in range(25 * chunk, 25 * (chunk + 1)):
        node, program, arrays, wanted, largest = drawn(kind, seed)
        source = numpy_source(program)
        function = CompiledFunction(program, source, [node])
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = function.raw(*(arrays[n] for n in function.inputs))
        assert np.asarray(found).dtype == np.float64 or isinstance(found, float), (seed, source)
        assert agree(found, wanted, largest), (seed, source)


@pytest.mark.parametrize("kind", [RandomNodes, WithPickers, WithMasks])
def test_torch(kind):
    torch = needed("torch")
    for seed in range(380, 430):
        node, program, arrays, wanted, largest = drawn(kind, seed)
        source = torch_source(program)
        function = TorchFunction(program, source, [node])
        found = function.raw(*(torch.as_tensor(arrays[n]) for n in function.inputs))
        assert agree(np.asarray(found), wanted, largest), (seed, source)


@pytest.mark.parametrize("kind", [WithPickers, WithMasks])
def test_jax(kind):
    jax = pytest.importorskip("jax")
    for seed in range(20):
        node, program, arrays, wanted, largest = drawn(kind, seed)
        source = jax_source(program)
        function = JaxFunction(program, source, [node])
        with jax.enable_x64(True):
            found = function.raw(*(jax.numpy.asarray(arrays[n]) for n in function.inputs))
        assert agree(np.asarray(found), wanted, largest), (seed, source)


@pytest.mark.needs("gcc")
def test_c():
    """A winner is refused by name; all else is computed."""
    for seed in range(16):
        node, program, arrays, wanted, largest = drawn(WithMasks, seed)
        if "winner" in node.operations:
            with pytest.raises(MissingRuleError, match="no row for winner"):
                c_function(program, [node])
            continue
        function = c_function(program, [node])
        found = function.raw(*(np.asarray(arrays[n]) for n in function.inputs))
        assert agree(found, wanted, largest), (seed, function.source)
