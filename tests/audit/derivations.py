"""Derivations as texts: the errors of the seeds (SEEDS, section 9), each wrong in one line, and the correct ones."""

from typing import NamedTuple

ROW_NET = """
X: (N, D)
W1: (D, H)
b1: (1, H)
W2: (H, C)
b2: (1, C)
Y: (N, C) one_hot
Z1 = X @ W1 + 1_N @ b1
H1 = relu(Z1)
Z2 = H1 @ W2 + 1_N @ b2
P = softmax(Z2)
L = -trace(Y.T @ log(P))/N
"""
GENERAL_NET = ROW_NET.replace("relu", "σ").replace("Z1 =", "σ: function\nZ1 =", 1)
COLUMN_NET = """
x: (d, 1)
y: (k, 1)
W1: (d, h)
b1: (h, 1)
W2: (h, k)
b2: (k, 1)
z1 = W1.T @ x + b1
a1 = sigmoid(z1)
z2 = W2.T @ a1 + b2
yh = softmax(z2)
J = -sum(y*z2) + sum(y)*log(sum(exp(z2)))
"""
# y sums to one: J is the cross-entropy
COLUMN_NET = COLUMN_NET.replace("y: (k, 1)\n", "y: (k, 1) simplexcolumns\n")
COLUMN_CE = COLUMN_NET.replace("J = -sum(y*z2) + sum(y)*log(sum(exp(z2)))", "J = -sum(y*log(yh))")
IRIS = """
x: (1, d)
y: (1, k) one_hot
W1: (h, d)
W2: (k, h)
z1 = x @ W1.T
a1 = relu(z1)
z2 = a1 @ W2.T
a2 = softmax(z2)
C = -sum(y*log(a2))
"""
VECTOR_NET = """
x: (d,)
W: (h, d)
u: (h,)
z = W @ x
a = tanh(z)
L = u @ a
"""
BILINEAR = "a: (m, 1)\nX: (m, n)\nb: (n, 1)\n"
BATCH_NORM = """
X: (N, D)
g: (1, D)
c: (1, D)
G: (N, D)
mu = 1_N.T @ X/N
V = X - 1_N @ mu
s2 = 1_N.T @ V**2/N
Xh = V/sqrt(1_N @ s2 + 0.00001)
Y = (1_N @ g) * Xh + 1_N @ c
L = sum(G*Y)
"""


class Error(NamedTuple):
    """An item of the list: what stands before the wrong line, the line, its classes, what may follow."""

    item: str
    before: str
    line: str
    kinds: str
    after: str = ""


ERRORS = (
    Error("E0.1", ROW_NET, "dZ2 = -Y/N", "NI", "dW2 = H1.T @ dZ2"),
    Error("E0.2", "z: (n, 1)", "d(relu(z)) = step(z)*dz for all z", "H"),
    Error(
        "E0.3",
        "x: (n, 1)\ny: (n, 1)\na: (n, 1)\nf: ()\nJ: (1, n)",
        "code: f + J @ (x + y - a) = (f + J @ (x - a)) + (f + J @ (y - a))",
        "N",
    ),
    Error("E0.5", VECTOR_NET, "dW = dz @ x.T", "T", "dx = W.T @ dz"),
    Error("E0.6", "x: (d, 1)\nW: (k, d)\ny: (k, 1) \nz = W @ x", "a = relu(z)", "H", "L = -trace(y.T @ a)"),
    Error("E1.1", "Jf: (m, n)\ng: (m, 1)", "nabla = Jf @ g", "T"),
    Error("E1.2", "X: (m, n)\nY: (n, k)", "d(X @ Y) = X @ dY + Y @ dX", "NT", "d(X @ Y) = dX @ Y + X @ dY"),
    Error(
        "E1.3",
        BILINEAR + "f = a.T @ exp(X @ b)",
        "df = tr((aᵀ exp(X b))ᵀ ⊙ d(X b))",
        "T",
        "df = tr((a ⊙ exp(X b))ᵀ d(X b))",
    ),
    Error("E1.4", BILINEAR + "f = a.T @ exp(X @ b)", "∂f/∂X = a ⊙ exp(X b) bᵀ", "T", "∂f/∂X = (a ⊙ exp(X b)) bᵀ"),
    Error("E1.5", "X: (m, n)\nB: (n, k)\nY = X @ B", "dY = tr((∂Y/∂X)ᵀ dX)", "T", "dY = dX @ B"),
    Error("E1.6", ROW_NET.split("P =")[0], "P = softmax(W2 @ (relu(X @ W1 + 1_N @ b1)) + 1_N @ b2)", "T"),
    Error("E1.7", ROW_NET, "dZ2 = N*P - Y", "N", "dW2 = H1.T @ dZ2"),
    Error("E1.8", ROW_NET, "dZ2 = dH1 @ W2 + H1 @ dW2 + db2", "T", "dZ2 = dH1 @ W2 + H1 @ dW2 + 1_N @ db2"),
    Error("E1.9", ROW_NET, "1_N: (1, N)", "D"),
    Error("E1.10", ROW_NET + "λ: ()", "R = L + λ*(W1**2 + W2**2)", "T"),
    Error("E1.11", ROW_NET, "P[0, 1] = softmax(Z2[0, 1])", "N"),
    Error("E1.12", "Z: (N, C)", "code: logP = log(softmax(Z))", "M"),
    Error("E1.13", GENERAL_NET, "dZ1 = dH1 ⊙ (H1 > 0)", "H", "dZ1 = dH1 ⊙ σ'(Z1)"),
    Error("E1.17a", BATCH_NORM, "dg = Xhᵀ 1_Nᵀ dY", "T", "dg = 1_Nᵀ (dY ⊙ Xh)"),
    Error("E1.17b", BATCH_NORM, "dmu = -(2/N)*(1_N @ ds2) ⊙ (X - 1_N @ mu)", "T", "dc = 1_N.T @ dY"),
    Error("E1.17c", BATCH_NORM, "dXh = dY ⊙ g", "T", "dXh = dY ⊙ (1_N @ g)"),
    Error("E1.17d", "x: (N, D)\nm: (N, D)\ns: (N, D) positive\nxh = (x - m)/s", "xh = x - m", "N"),
    Error("E1.18", "", "code: (f(x + 1e-7) - f(x - 1e-7))/2e-7 in float32", "M"),
    Error("E1.19", "", "code: (relu(x + h) - relu(x - h))/(2*h) at x = 1e-8, h = 1e-6", "H"),
    Error(
        "E1.20",
        "x: (n,)\ny: (n,)",
        "code: max(abs(x - y))/max(abs(x) + abs(y)) = max(abs(x - y))/(max(abs(x)) + max(abs(y)))",
        "N",
    ),
    Error(
        "E2.1",
        COLUMN_NET.split("z2 =")[0].replace("b2: (k, 1)", "b2: (h, 1)"),
        "z2 = W2.T @ a1 + b2",
        "D",
        "yh = softmax(z2)",
    ),
    Error("E2.3", COLUMN_NET, "∂z2/∂a1 = W2", "T", "∂z2/∂a1 = W2ᵀ"),
    Error("E2.4", COLUMN_NET, "∂z2/∂W2: (h, 1)", "D"),
    Error("E2.5", COLUMN_NET, "∂z2/∂b2 = ones(k, k)", "N", "∂z2/∂b2 = eye(k)"),
    Error("E2.6", COLUMN_NET, "(yh - y)ᵀ = yh - y", "T"),
    Error("E2.7", COLUMN_NET, "∂J/∂b1 = ∂J/∂z1 @ eye(h)", "T", "∂J/∂b1 = ∂J/∂z1"),
    Error("E2.8", COLUMN_CE, "∂J/∂yh = yh - y", "N", "∂J/∂yh = -y/yh"),
    Error("E2.9", COLUMN_NET, "∂J/∂W1 = outer(x, ∂J/∂z1.T)", "T", "∂J/∂W1 = x @ ∂J/∂z1.T"),
    Error("E2.11", COLUMN_NET.split("z2 =")[0] + "a2: (k, 1)\n", "z2 = W2.T @ a2 + b2", "D"),
    Error("E2.13", "x: (d, 1) in 0..255\nW1: (d, h)\nz1 = W1.T @ x", "a1 = sigmoid(z1)", "M"),
    Error("E2.14", ROW_NET, "dW2 = H1.T @ (P - Y)", "N", "dW2 = H1.T @ (P - Y)/N"),
    Error("E2.15", COLUMN_NET, "∂J/∂z2 = y*(yh - 1)", "N", "∂J/∂z2 = yh - y"),
    Error("E3.1", ROW_NET, "db2 = sum(dZ2, 0)", "T", "db2 = 1_N.T @ dZ2"),
    Error("E3.2", "g: (n,)\nt: (n,)", "code: allclose(g, t, rtol=1e-5)", "M"),
    Error("E3.3", "S: (B, C)", "code: loss = -log(softmax(S))[0, 0] in float32", "M"),
    Error("E3.9", "z: (n, 1)", "d(relu(z)) = diag(step(z)) @ dz for all z", "H", "d(relu(z)) = diag(step(z)) @ dz"),
    Error("E3.10", "", "code: exp(1)/(exp(1) + 26*exp(-1)) = 1", "N"),
    Error("E3.12", ROW_NET, "code: max(abs(N*dZ2)) > 1", "N", "code: max(abs(N*dZ2)) <= 1"),
    Error("E3.13", "x: ()\nz = x*x\ny = z*z", "dx + dx = 12*x**3", "N", "dx = 4*x**3"),
    Error(
        "E3.14",
        "X: (B, d)\nW: (d, h)\nU: (B, h)\nZ = X @ W\nA = softmax(Z)\nL = sum(U*A)",
        "dZ = dA ⊙ A ⊙ (1 - A)",
        "H",
        "dW = X.T @ dZ",
    ),
    Error("E4.1", "w: (n,)\nx: (n,)\nb: ()", "z = w @ x + b = sum(w*x)", "D"),
    Error(
        "E4.2", "t: ()\nx = sin(t)\ny = t**2\nf = 2*x*y**3", "df/dt = 0", "N", "df/dt = 2*y**3*cos(t) + 6*x*y**2*2*t"
    ),
    Error("E4.3", IRIS, "diag(a2) = a2", "T"),
    Error("E4.4", IRIS, "∂C/∂z2 = ∂C/∂a2 ⊙ a2 ⊙ (1 - a2)", "HN", "∂C/∂z2 = a2 - y"),
    Error("E4.5", IRIS, "∂C/∂W2: (k, k)", "D"),
    Error(
        "E4.6",
        "a: (1, n)\nW: (n, n)\ny: (1, n)\nz = a @ W.T\nC = sum((z - y)**2)",
        "∂C/∂W = aᵀ ∂C/∂z",
        "N",
        "∂C/∂W = (∂C/∂z)ᵀ a",
    ),
    Error("E4.7", IRIS + "A = 1_k @ a1", "∂C/∂W2 = kron(∂C/∂z2, A)", "T", "∂C/∂W2 = diag(∂C/∂z2) @ A"),
    Error("E4.8", IRIS, "∂C/∂W1 = (∂C/∂z2 @ W2) ⊙ relu'(z1)ᵀ x", "T", "∂C/∂W1 = ((∂C/∂z2 @ W2) ⊙ relu'(z1))ᵀ x"),
    Error(
        "E4.9",
        "X: (B, d)\nW: (d, h)\nU: (B, h)\nZ = X @ W\nL = sum(U*tanh(Z))",
        "code: max(abs(dW - X.T @ dZ)) > 0.001",
        "N",
        "dW = X.T @ dZ",
    ),
    Error("E4.10", IRIS, "∂a2/∂z2 = diag(a2 ⊙ (1 - a2))", "H", "∂a2/∂z2 = diag(a2) - a2ᵀ a2"),
)

CORRECT = {
    "S0.1 chain and neuron": VECTOR_NET + "dz = da ⊙ (1 - a**2)\ndW = outer(dz, x)\ndx = W.T @ dz\nda = u",
    "S0.10 raw logit NLL": "x: (d, 1)\nW1: (h, d)\nW2: (k, h)\ny: (k, 1)\nz1 = W1 @ x\na1 = relu(z1)\nz2 = W2 @ a1\nl = -trace(yᵀ z2)\n"
    "dz2 = -y\ndW2 = dz2 @ a1ᵀ\nda1 = W2ᵀ dz2\ndz1 = da1 ⊙ (z1 > 0)\ndW1 = dz1 xᵀ\ndx = W1ᵀ dz1",
    "S0.17 softmax": "z: (k, 1)\np = softmax(z)\n∂p/∂z = diag(p) - p pᵀ\ny: (k, 1) simplexcolumns\nl = -sum(y*log(p))\n∂l/∂p = -y/p\n∂l/∂z = (diag(p) - p pᵀ) ∂l/∂p = p - y",
    "S1.10 rules": "X: (n, n) wellcond\nY: (n, n)\nA: (m, n)\nB: (m, n) positive\nd(X + Y) = dX + dY\nd(X @ Y) = dX @ Y + X @ dY\nd(Xᵀ) = dXᵀ\n"
    "d(tr(X)) = tr(dX)\nd(inv(X)) = -inv(X) dX inv(X)\nd(det(X)) = det(X)*tr(inv(X) dX)\nd(A*B) = B*dA + A*dB\n"
    "d(A/B) = (dA*B - A*dB)/B**2\nd(tanh(A)) = (1 - tanh(A)**2)*dA",
    "S1.21 bilinear": BILINEAR + "f = aᵀ X b\ndf = aᵀ dX b = tr(b aᵀ dX)\n∂f/∂X = a bᵀ\n∂f/∂a = X b\n∂f/∂b = Xᵀ a",
    "S1.22 exp": BILINEAR + "f = aᵀ exp(X b)\ndf = aᵀ (exp(X b) ⊙ d(X b))\n∂f/∂X = (a ⊙ exp(X b)) bᵀ",
    "S1.24 network": GENERAL_NET + "dZ2 = (P - Y)/N\ndW2 = H1ᵀ dZ2\ndb2 = 1_Nᵀ dZ2\ndH1 = dZ2 W2ᵀ\ndZ1 = dH1 ⊙ σ'(Z1)\ndW1 = Xᵀ dZ1\ndb1 = 1_Nᵀ dZ1\ndX = dZ1 W1ᵀ\n"
    "dL = tr((∂L/∂Z2)ᵀ dZ2)\ndZ2 = dH1 W2 + H1 dW2 + 1_N db2\ndL/dW2 = H1.T @ (P - Y)/N",
    "S1.34 regularised": ROW_NET + "λ: ()\nR = L + λ*(sum(W1**2) + sum(W2**2))\ndZ2 = (P - Y)/N\ndW2 = H1.T @ dZ2 + 2*λ*W2\ndZ1 = (dZ2 @ W2.T) * (H1 > 0)\ndW1 = X.T @ dZ1 + 2*λ*W1\ndb1 = 1_N.T @ dZ1",
    "S1.40 batch normalisation": BATCH_NORM + "dY = G\ndc = 1_Nᵀ dY\ndg = 1_Nᵀ (dY ⊙ Xh)\ndXh = dY ⊙ (1_N g)\n"
    "dX = (dXh - 1_N 1_Nᵀ dXh/N - Xh ⊙ (1_N 1_Nᵀ (dXh ⊙ Xh))/N)/sqrt(1_N s2 + 0.00001)",
    "S2.3 columns": COLUMN_CE + "∂J/∂z2 = yh - y\n∂J/∂W2 = a1 (yh - y)ᵀ\n∂J/∂b2 = yh - y\n∂J/∂a1 = W2 (yh - y)\n∂J/∂z1 = (W2 (yh - y)) ⊙ a1 ⊙ (1 - a1)\n"
    "∂J/∂W1 = x ((W2 (yh - y)) ⊙ a1 ⊙ (1 - a1))ᵀ\n∂J/∂b1 = ∂J/∂z1\n∂J/∂x = W1 ∂J/∂z1\n∂z2/∂a1 = W2ᵀ\n∂z2/∂b2 = I_k\n∂a1/∂z1 = diag(a1 ⊙ (1 - a1))\n∂z2/∂W2: (k, h, k)",
    "S3.7 layer": "X: (B, d)\nW: (d, h)\nb: (1, h)\nU: (B, h)\nZ = X W + 1_B b\nY = tanh(Z)\nL = sum(U ⊙ Y)\ndY = U\ndZ = dY ⊙ (1 - Y ⊙ Y)\ndX = dZ Wᵀ\ndW = Xᵀ dZ\ndb = 1_Bᵀ dZ",
    "S3.10 cross-entropy": "S: (B, N)\nt: (B,) labels\nL = mean(cross_entropy(S, t))\n∂L/∂S = -(one_hot(t, N) - softmax(S))/B\ncode: logP = log_softmax(S)",
    "S4.1 total derivative": "t: ()\nx = sin(t)\ny = t**2\nf = 2*x*y**3\n∂f/∂x = 2*y**3\n∂f/∂y = 6*x*y**2\ndx/dt = cos(t)\ndy/dt = 2*t\ndf/dt = ∂f/∂x dx/dt + ∂f/∂y dy/dt".replace("∂f/∂x dx/dt + ∂f/∂y dy/dt", "∂f/∂x * dx/dt + ∂f/∂y * dy/dt"),
    "S4.24 iris": IRIS + "∂C/∂z2 = a2 - y\n∂C/∂W2 = (∂C/∂z2)ᵀ a1\n∂C/∂a1 = ∂C/∂z2 W2\n∂z2/∂a1 = W2\n∂C/∂W1 = ((∂C/∂z2 W2) ⊙ relu'(z1))ᵀ x\n∂C/∂z1 = ∂C/∂a1 ⊙ (z1 > 0)",
    "S4.36 neuron": "X: (N, d)\nw: (d,)\nb: ()\ny: (N,)\nu = X @ w + ones(N)*b\nC = mean((relu(u) - y)**2)\ne = step(u)*(relu(u) - y)\n∂C/∂w = 2/N*(X.T @ e)\n∂C/∂b = 2/N*sum(e)",
}  # fmt: skip
