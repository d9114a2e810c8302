"""Gradients of networks by hand in plain NumPy, with the mistakes of the catalogue in them; no code of the library."""

import numpy as np

ACTIVATIONS = {
    "tanh": (np.tanh, lambda z, a: 1 - np.tanh(z) ** 2, lambda x: 1 - x**2),
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda z, a: 1 / (2 + 2 * np.cosh(z)), lambda x: x * (1 - x)),
    "relu": (lambda z: np.maximum(z, 0), lambda z, a: (z > 0) * 1.0, lambda x: (x > 0) * 1.0),
}  # fmt: skip
LOSS = (1, 2, 3, 4, 5, 6, 7, 12, 13, 14, 15, 29)
EVERY_LAYER = (8, 9, 10, 11, 17, 18, 25, 26, 27)
INNER = (16, 19, 20, 21, 22, 23, 28)  # a hidden layer is involved
ELSEWHERE = (24, 30, 31, 32, 33, 34, 35, 36)
SAME_WIDTHS = (16, 17, 18, 19, 23)  # make wrong arrays of a possible shape


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def network(rng, same=False, samples=None):
    """Values of a random 3-layer network: X, y, W1, b1, ..., lam."""
    n = samples or int(rng.integers(8, 20))
    sizes = [int(s) for s in rng.choice(np.arange(3, 12), 4, replace=False)]
    if same:
        sizes[1] = sizes[2] = sizes[0]
    while n in sizes:
        n += 1
    values = {
        "X": rng.standard_normal((n, sizes[0])),
        "y": rng.integers(0, sizes[3], n),
        "lam": 0.05 + 0.1 * rng.random(),
    }
    for k in (1, 2, 3):
        values[f"W{k}"] = rng.standard_normal(sizes[k - 1 : k + 1]) / np.sqrt(sizes[k - 1])
        values[f"b{k}"] = 0.3 * rng.standard_normal(sizes[k])
    return values, sizes


def forward(values, activation):
    f = ACTIVATIONS[activation][0]
    h, z = [values["X"]], [None]
    for k in (1, 2, 3):
        z.append(h[-1] @ values[f"W{k}"] + values[f"b{k}"])
        h.append(f(z[-1]) if k < 3 else softmax(z[-1]))
    return h, z


def gradient(values, activation, mistakes=()):
    """The gradient of mean cross-entropy + lam * sum of squared weights, with mistakes (number, layer) in it."""
    made = dict(mistakes)
    f, slope, formula = ACTIVATIONS[activation]
    values = {n: np.asarray(v) if n == "y" else np.asarray(v, dtype=float) for n, v in values.items()}
    h, z = forward(values, activation)
    lam, y, p = values["lam"], values["y"], h[3]
    n, classes = p.shape
    labels = (y - 1) % classes if 12 in made else y
    one_hot = np.zeros_like(p) if 13 in made else np.eye(classes)[labels]
    d = (p - one_hot) / n
    if 14 in made:
        d = -one_hot * (1 - p) / n
    if 15 in made:
        d = d * p * (1 - p)
    for number, factor in ((1, n), (2, 1 / n), (3, 1 / classes), (4, 1 / np.log(2)), (5, 1 / np.log(10)), (7, -1)):
        if number in made:
            d = d * factor
    if 29 in made:
        d = d * (np.arange(n) == n // 2)[:, None]
    weights = {k: values[f"W{k}"].copy() for k in (1, 2, 3)}
    found = {}
    for k in (3, 2, 1):

        def here(number, k=k):
            return number in made and made[number] in (k, 0)

        if here(28):
            d = np.zeros_like(d)
        below = h[k - 1]
        if here(16):
            below = z[k - 1]
        if here(17):
            below = h[k] if k < 3 else h[k - 2]
        dw = below.T @ d
        if here(18):
            dw = dw.T
        penalty = 2 * lam * weights[k]
        for number, factor in ((8, 0.0), (9, 2.0), (10, 1 / n)):
            if here(number):
                penalty = factor * penalty
        db = d[0] if here(25) else d.mean(axis=0) if here(26) else 0 * d[0] if here(27) else d.sum(axis=0)
        if here(11):
            db = db + 2 * lam * values[f"b{k}"]
        found[f"W{k}"], found[f"b{k}"] = dw + penalty, db
        if 30 in made:
            weights[k] = weights[k] - 0.05 * found[f"W{k}"]
        if k == 1:
            break
        dh = d @ (weights[k] if here(19) else weights[k].T)
        zk, a = z[k - 1], h[k - 1]
        s = slope(zk, a)
        if here(20):
            s = np.ones_like(zk)
        if here(21):
            s = slope(a, f(a))
        if here(22):
            s = formula(zk)
        if here(23):
            s = slope(z[3 - k + 1], h[3 - k + 1])
        if here(24):
            s = (dh > 0) * 1.0
        d = dh * s
    if 6 in made:
        found = {name: -g for name, g in found.items()}
    return found


def cases(activation):
    """(mistake, layer) that change the gradient of such a network."""
    rows = [(m, 0) for m in LOSS] + [(m, k) for m in EVERY_LAYER for k in (1, 2, 3)] + [(m, 0) for m in (8, 9, 10, 11)]
    rows += [
        (16, 2),
        (16, 3),
        (19, 2),
        (20, 2),
        (20, 3),
        (21, 2),
        (21, 3),
        (22, 2),
        (22, 3),
        (23, 2),
        (23, 3),
        (28, 1),
        (28, 2),
        (30, 0),
    ]
    if activation == "relu":
        rows = [r for r in rows if r[0] not in (21, 22)] + [(24, 2), (24, 3)]
    return [r for r in rows if r != (18, 3) and r != (17, 3)]
