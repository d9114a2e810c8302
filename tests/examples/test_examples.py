"""The examples: each seed's own interface, run whole, its numbers met."""

import re
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tools import needed

pytest.importorskip("sklearn")
FOLDER = Path(__file__).parents[2] / "examples"


def example(name):
    return SimpleNamespace(**runpy.run_path(str(FOLDER / f"{name}.py"), run_name="example"))


def test_relu_network_gives_the_golden_values(capsys):
    m = example("relu_network")
    m.main()
    assert "1.103186048885458" in capsys.readouterr().out
    net = m.Network([m.W1, m.W2])
    assert np.allclose(net.forward(m.X), [1.4, 0.7], rtol=0, atol=1e-15)
    assert np.allclose(net.z[0], [1.4, -0.9], rtol=0, atol=1e-15) and net.x[1][1] == 0
    assert net.nll(1) == pytest.approx(1.1031860488854577, abs=1e-15)
    found = net.backward(1)
    d1 = [[0.334093886084083, 0.668187772168166, 1.002281658252249], [0, 0, 0]]
    assert np.allclose(found["W1"], d1, rtol=0, atol=2e-15)
    assert np.allclose(found["W2"], [[0.9354628810354325, 0], [-0.9354628810354325, 0]], rtol=0, atol=2e-15)
    raw = m.Network([m.W1, m.W2], "raw_logit_nll")
    raw.forward(m.X)
    assert raw.nll(1) == pytest.approx(-0.7, abs=1e-15)
    assert np.allclose(raw.backward(1)["W1"], [[-0.5, -1, -1.5], [0, 0, 0]], rtol=0, atol=1e-15)
    assert np.allclose(raw.backward(1)["W2"], [[0, 0], [-1.4, 0]], rtol=0, atol=1e-15)
    before = net.nll(1)
    net.step(1, 0.01)
    net.forward(m.X)
    assert net.nll(1) < before


def test_two_layer_net_toy_numbers():
    m = example("two_layer_net")
    X, y, params = m.get_toy_data()
    kept = {n: v.copy() for n, v in params.items()}
    scores, hidden = m.nn_forward_pass(params, X)
    assert scores.shape == (5, 3) and hidden.shape == (5, 10)
    assert np.array_equal(m.nn_forward_backward(params, X), scores)
    loss, gradients = m.nn_forward_backward(params, X, y, reg=0.05)
    assert loss == pytest.approx(1.0986121892929077, abs=1e-6)  # the assignment asks for 1e-4
    assert list(gradients) == list(params)
    for name, gradient in gradients.items():
        assert np.array_equal(params[name], kept[name])

        def f(value, name=name):
            return m.nn_forward_backward({**params, name: value}, X, y, reg=0.05)[0]

        assert m.rel_error(m.compute_numeric_gradient(f, params[name]), gradient) < 1e-4
    found = m.compute_numeric_gradient(lambda v: v**2, np.arange(3.0), dLdf=np.array([1.0, 2.0, 3.0]), h=1e-5)
    assert np.allclose(found, [0, 4, 12])
    assert m.grad_check_sparse(lambda v: float((v**3).sum()), np.ones((3, 2)), np.full((3, 2), 3.0), h=1e-5) < 1e-8
    with pytest.raises(TypeError, match="float64"):
        m.compute_numeric_gradient(f, params["W1"].astype(np.float32))
    options = {"learning_rate": 0.1, "reg": 1e-6, "num_iters": 200}
    stat = m.nn_train(params, m.nn_forward_backward, m.nn_predict, X, y, X, y, **options)
    assert stat["loss_history"][-1] < 1.0 and len(stat["loss_history"]) == len(stat["val_acc_history"]) == 200


def test_two_layer_net_class_and_script(tmp_path, capsys):
    m = example("two_layer_net")
    m.main(tmp_path / "plots")
    assert {p.name for p in (tmp_path / "plots").iterdir()} == {"history.png", "weights.png"}
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in (tmp_path / "plots").iterdir())
    out = capsys.readouterr().out
    assert out.count("right") == 4 and "wrong" not in out
    assert float(re.search(r"test ([\d.]+)%", out)[1]) > 95
    net = m.TwoLayerNet(7, 11, 3)
    X, y = np.random.default_rng(0).standard_normal((13, 7)), np.arange(13) % 3
    assert net.loss(X, y)[0] == pytest.approx(np.log(3), abs=1e-3)
    net.save(tmp_path / "net.npz")
    other = m.TwoLayerNet(7, 11, 3, seed=5)
    other.load(tmp_path / "net.npz")
    assert np.array_equal(other.predict(X), net.predict(X)) and np.array_equal(other.loss(X), net.loss(X))


def test_cs229_contract_and_plots(tmp_path, capsys):
    m = example("cs229_mnist")
    found = m.softmax(np.array([[10000.0, 10010.0, 10.0]]))
    assert np.allclose(found.sum(), 1) and found[0, 1] > 0.9999
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((23, 7)), m.one_hot_labels(rng.integers(0, 5, 23), 5)
    params = m.get_initial_params(7, 11, 5)
    kept = X.copy()
    hidden, output, loss = m.forward_prop(X, Y, params)
    assert hidden.shape == (23, 11) and loss == pytest.approx(-np.mean(np.log((output * Y).sum(axis=1))))
    plain, penalised = m.backward_prop(X, Y, params), m.backward_prop_regularized(X, Y, params, reg=0.01)
    assert np.array_equal(X, kept)
    for name in params:
        extra = 0.02 * params[name] if name.startswith("W") else 0.0
        assert np.allclose(penalised[name], plain[name] + extra, rtol=1e-12, atol=1e-14)
    for name, value in params.items():  # an independent oracle: central differences
        place = tuple(s // 2 for s in value.shape)
        moved = [
            {
                **params,
                name: value
                + h * (np.arange(value.size) == np.ravel_multi_index(place, value.shape)).reshape(value.shape),
            }
            for h in (1e-5, -1e-5)
        ]
        slope = (m.forward_prop(X, Y, moved[0])[2] - m.forward_prop(X, Y, moved[1])[2]) / 2e-5
        assert plain[name][place] == pytest.approx(slope, abs=1e-9)
    assert m.gradient_descent_epoch(X, Y, 0.1, 10, params, m.forward_prop, m.backward_prop) is None
    accuracies = m.main(["--out", str(tmp_path), "--epochs", "8"])
    assert "stand in for MNIST" in capsys.readouterr().out and min(accuracies.values()) > 0.9
    assert all((tmp_path / f"{n}.png").read_bytes().startswith(b"\x89PNG") for n in ("baseline", "regularized"))


def test_cs229_reads_npz_and_csv(tmp_path):
    m = example("cs229_mnist")
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 256, (60, 4, 4)), rng.integers(0, 10, 60)
    np.savez(tmp_path / "d.npz", train_x=X[:50], train_y=y[:50], test_x=X[50:], test_y=y[50:])
    for part, rows in (("train", slice(0, 50)), ("test", slice(50, 60))):
        np.savetxt(tmp_path / f"images_{part}.csv", X[rows].reshape(-1, 16), delimiter=",")
        np.savetxt(tmp_path / f"labels_{part}.csv", y[rows], delimiter=",")
    a, b = m.load(tmp_path / "d.npz"), m.load(tmp_path)
    assert all(np.array_equal(p, q) for p, q in zip(a[:4], b[:4], strict=True)) and a[0].shape == (50, 16)


def test_gradient_check_compares_and_draws(tmp_path, capsys):
    m = example("gradient_check")
    found = m.main(["--out", str(tmp_path / "heat.png")])
    assert [c.name for c in found] == list("yzxwb") and all(c.approx and c.maxdiff < 1e-7 for c in found)
    assert (tmp_path / "heat.png").read_bytes().startswith(b"\x89PNG") and "maxdiff" in capsys.readouterr().out
    values = m.setup(np.float64)
    gradients, (_, reference) = m.derived_gradients(values), m.reference_gradients(values)
    for name in "yzxwb":
        assert m.compare(name, gradients[name], reference[name]).maxdiff < 1e-15
    with pytest.raises(Exception, match="the reference"):
        m.compare("b", gradients["b"][None], reference["b"])
    assert not m.compare("b", -gradients["b"] * 1e-9, reference["b"] * 1e-9).approx  # small is no excuse
    dy, t = gradients["y"] * m.B, values["t"]
    target = dy[np.arange(m.B), t]
    others = np.where(np.eye(m.N)[t] == 1, 0, dy)
    assert np.array_equal(dy.argmin(axis=1), t) and (target < 0).all()
    assert (others >= 0).all() and np.allclose(others.sum(axis=1), -target, rtol=0, atol=1e-14)


@pytest.mark.slow
def test_iris_mean_accuracy_and_exact_gradients():
    m = example("iris")
    torch = needed("torch")
    accuracies = m.main(["--epochs", "3000"])
    assert len(accuracies) == 8 and np.mean(accuracies) >= 0.93
    X, y, *_ = m.split(0)

    def against_autograd(epoch, params, gradients):
        if epoch % 1000:
            return
        p = {n: torch.tensor(v, requires_grad=True) for n, v in params.items()}
        hidden = torch.relu(torch.tensor(X) @ p["W1"].T + p["b1"])
        torch.nn.functional.cross_entropy(hidden @ p["W2"].T + p["b2"], torch.tensor(y)).backward()
        for name, gradient in gradients.items():
            assert gradient.shape == params[name].shape
            assert np.abs(gradient - p[name].grad.numpy()).max() <= 1e-12

    m.train(X, y, seed=0, epochs=2001, watch=against_autograd)
