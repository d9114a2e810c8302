"""Right derivations as people write them, of several kinds; each formula of them is right or given."""

LOGISTIC = r"""# Logistic regression

Let $X \in \mathbb{R}^{n \times d}$, $w \in \mathbb{R}^{d}$ and $y \in \{0, 1\}^{n}$. The function $\sigma$ acts elementwise.

$$ \sigma(t) = \frac{1}{1 + e^{-t}} $$

\begin{align}
z &= X w \\
p &= \sigma(z) \\
J(w) &= -\sum_{i=1}^{n} \left( y_i \log p_i + (1 - y_i) \log (1 - p_i) \right) + \frac{\lambda}{2} \lVert w \rVert^2
\end{align}

$$ \frac{\partial p_i}{\partial z_i} = p_i (1 - p_i) $$

$$ \frac{\partial J}{\partial z} = p - y $$

$$ \nabla_w J = X^\top (p - y) + \lambda w $$

$$ \nabla_w^2 J = X^\top \operatorname{diag}(p \odot (1 - p)) X + \lambda I $$
"""

PCA = r"""\documentclass{article}
\newcommand{\R}{\mathbb{R}}
\newcommand{\T}{^\mathsf{T}}
\newcommand{\tr}{\operatorname{tr}}
\begin{document}
The data $X \in \R^{N \times D}$ have covariance
\[ S = \frac{1}{N} X\T X \]
and $W \in \R^{D \times K}$ spans the subspace.
\begin{equation}
  J = \tr(W\T S W)
\end{equation}
\[ \frac{\partial J}{\partial W} = 2 S W \]
The reconstruction error is
\begin{align*}
  E &= \frac{1}{N} \lVert X - X W W\T \rVert_F^2 \\
    &= \tr(S) - 2 \tr(W\T S W) + \tr(W\T S W W\T W)
\end{align*}
and its differential
\[ \mathrm{d}J = 2 \tr(W\T S \, \mathrm{d}W) . \]
\end{document}
"""

BATCH_NORM = r"""# Batch normalisation

$X \in \mathbb{R}^{N \times D}$, $\gamma \in \mathbb{R}^{1 \times D}$, $\beta \in \mathbb{R}^{1 \times D}$, $G \in \mathbb{R}^{N \times D}$.

$$ \mu_j = \frac{1}{N} \sum_{i=1}^{N} X_{ij} $$

$$ R_{ij} = X_{ij} - \mu_j $$

$$ v_j = \frac{1}{N} \sum_{i=1}^{N} R_{ij}^2 $$

$$ Y_{ij} = \gamma_j R_{ij} + \beta_j $$

$$ f = \sum_{i=1}^{N} \sum_{j=1}^{D} G_{ij} Y_{ij} $$

$$ \frac{\partial f}{\partial \beta_j} = \sum_{i=1}^{N} G_{ij}, \qquad \frac{\partial f}{\partial \gamma_j} = \sum_{i=1}^{N} G_{ij} R_{ij} $$

$$ \frac{\partial f}{\partial R_{ij}} = G_{ij} \gamma_j $$

$$ \frac{\partial v_j}{\partial R_{ij}} = \frac{2}{N} R_{ij} $$
"""

FACTORISATION = r"""Matrix factorisation

U: (n, k)
V: (m, k)
R: (n, m)

The residual and the loss are

    E = R − U Vᵀ
    f = ½ ‖E‖² + (λ/2) (‖U‖² + ‖V‖²)

and the gradients

    ∂f/∂E = E
    ∂f/∂U = −E V + λ U
    ∂f/∂V = −Eᵀ U + λ V
    df = −tr(Eᵀ dU Vᵀ) − tr(Eᵀ U dVᵀ) + λ tr(Uᵀ dU) + λ tr(Vᵀ dV)
"""

ATTENTION = r"""# Attention

$X \in \mathbb{R}^{n \times d}$, $W_Q \in \mathbb{R}^{d \times k}$, $W_K \in \mathbb{R}^{d \times k}$, $W_V \in \mathbb{R}^{d \times h}$.

$$
\begin{aligned}
Q &= X W_Q, & K &= X W_K, & V &= X W_V \\
S &= \frac{1}{\sqrt{k}} Q K^\top \\
A &= \mathrm{softmax}(S) \\
O &= A V
\end{aligned}
$$

With a loss $\ell$ of $O$:

$$ \frac{\partial \ell}{\partial V} = A^\top \frac{\partial \ell}{\partial O} $$

$$ \frac{\partial \ell}{\partial A} = \frac{\partial \ell}{\partial O} V^\top $$

$$ \frac{\partial \ell}{\partial Q} = \frac{1}{\sqrt{k}} \frac{\partial \ell}{\partial S} K, \qquad \frac{\partial \ell}{\partial K} = \frac{1}{\sqrt{k}} \left( \frac{\partial \ell}{\partial S} \right)^\top Q $$

$$ \frac{\partial \ell}{\partial W_V} = X^\top \frac{\partial \ell}{\partial V} $$
"""

LAYERS = r"""# A deep network

Layers $l = 1, \dots, L$ with $W^{[l]} \in \mathbb{R}^{n_l \times n_{l-1}}$, $b^{[l]} \in \mathbb{R}^{n_l}$ and $a^{[0]} \in \mathbb{R}^{n_0}$; the
activation $g$ acts elementwise.

$$ z^{[l]} = W^{[l]} a^{[l-1]} + b^{[l]}, \qquad a^{[l]} = g(z^{[l]}), \qquad l = 1, \dots, L $$

$$ \delta^{[l]} = \frac{\partial J}{\partial z^{[l]}} $$

$$ \delta^{[l-1]} = \left( W^{[l]\top} \delta^{[l]} \right) \odot g'(z^{[l-1]}) $$

$$ \frac{\partial J}{\partial W^{[l]}} = \delta^{[l]} a^{[l-1]\top} $$

$$ \frac{\partial J}{\partial b^{[l]}} = \delta^{[l]} $$
"""

GAUSSIAN = r"""# Maximum likelihood of a Gaussian

Let $X \in \mathbb{R}^{N \times D}$ and $m \in \mathbb{R}^{D}$; $A \in \mathbb{R}^{D \times D}$ is symmetric positive definite.

$$ R = X - \mathbf{1}_N m^\top $$

$$ L = \frac{1}{2} \operatorname{tr}(R A R^\top) - \frac{N}{2} \log |A| $$

$$ \frac{\partial L}{\partial R} = R A $$

$$ \frac{\partial L}{\partial m} = -A R^\top \mathbf{1}_N $$

$$ \frac{\partial L}{\partial A} = \frac{1}{2} R^\top R - \frac{N}{2} A^{-1} $$
"""

LSTM = r"""# A step of an LSTM

$x \in \mathbb{R}^{d}$, $h \in \mathbb{R}^{k}$, $c \in \mathbb{R}^{k}$, $W_i, W_f, W_o, W_g \in \mathbb{R}^{k \times d}$ and
$U_i, U_f, U_o, U_g \in \mathbb{R}^{k \times k}$; $\sigma$ is the sigmoid, applied elementwise.

\begin{align}
i &= \sigma(W_i x + U_i h) \\
f &= \sigma(W_f x + U_f h) \\
o &= \sigma(W_o x + U_o h) \\
u &= \tanh(W_g x + U_g h) \\
s &= f \odot c + i \odot u \\
y &= o \odot \tanh(s)
\end{align}

$$ \frac{\partial L}{\partial o} = \frac{\partial L}{\partial y} \odot \tanh(s) $$

$$ \frac{\partial L}{\partial s} = \frac{\partial L}{\partial y} \odot o \odot (1 - \tanh(s) \odot \tanh(s)) $$

$$ \frac{\partial L}{\partial c} = \frac{\partial L}{\partial s} \odot f $$

$$ \frac{\partial L}{\partial u} = \frac{\partial L}{\partial s} \odot i, \qquad \frac{\partial L}{\partial i} = \frac{\partial L}{\partial s} \odot u $$
"""

SVM = r"""# The dual of a support vector machine

$K \in \mathbb{R}^{n \times n}$ is symmetric, $\alpha \in \mathbb{R}^{n}$, $y \in \mathbb{R}^{n}$.

$$ D(\alpha) = \sum_{i=1}^{n} \alpha_i - \frac{1}{2} \sum_{i=1}^{n} \sum_{j=1}^{n} \alpha_i \alpha_j y_i y_j K_{ij} $$

$$ q = \operatorname{diag}(y) K \operatorname{diag}(y) \alpha $$

$$ \frac{\partial D}{\partial \alpha} = \mathbf{1} - q $$

$$ \frac{\partial D}{\partial \alpha_k} = 1 - y_k \sum_{j=1}^{n} K_{kj} y_j \alpha_j $$

$$ \frac{\partial^2 D}{\partial \alpha_i \partial \alpha_j} = -y_i y_j K_{ij} $$
"""

KALMAN = r"""# The gain of a Kalman filter

$P \in \mathbb{R}^{n \times n}$ is symmetric positive definite, $R \in \mathbb{R}^{m \times m}$ is symmetric positive definite, and
$H \in \mathbb{R}^{m \times n}$, $K \in \mathbb{R}^{n \times m}$.

$$ S = H P H^\top + R $$

$$ Q = (I - K H) P (I - K H)^\top + K R K^\top $$

$$ = P - K H P - P H^\top K^\top + K S K^\top $$

$$ t = \operatorname{tr}(Q) $$

$$ \frac{\partial t}{\partial K} = -2 P H^\top + 2 K S $$
"""

PAGES = {
    "logistic": LOGISTIC,
    "pca": PCA,
    "batch norm": BATCH_NORM,
    "factorisation": FACTORISATION,
    "attention": ATTENTION,
    "layers": LAYERS,
    "gaussian": GAUSSIAN,
    "lstm": LSTM,
    "svm": SVM,
    "kalman": KALMAN,
}
