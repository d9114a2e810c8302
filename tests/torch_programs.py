"""Small modules and functions of PyTorch: one for each operation that has a row, and whole modules."""

from tools import needed

from byhand.expr.vocabulary import VOCABULARY

torch = needed("torch")
nn = torch.nn
F = nn.functional

X, XY, XT = {"x": "N D"}, {"x": "N D", "y": "N D"}, {"x": "N K", "t": "N"}
POSITIVE, LABELS = {"x": "positive"}, {"t": "labels"}

# operation -> function, shapes, properties
OPERATIONS = {
    **{name: (lambda x, name=name: getattr(torch, name)(x), X, {}) for name in (
        "relu", "tanh", "sigmoid", "exp", "expm1", "sin", "cos", "sinh", "cosh", "erf", "asinh", "atan", "abs", "exp2", "erfc", "square", "neg",
        "selu", "celu")},
    **{name: (lambda x, name=name: getattr(torch, name)(x), X, POSITIVE) for name in ("log", "log1p", "log2", "log10", "sqrt", "rsqrt", "reciprocal")},
    **{name: (lambda x, name=name: getattr(F, name)(x), X, {}) for name in (
        "silu", "gelu", "softplus", "elu", "leaky_relu", "hardtanh", "mish", "relu6", "hardswish", "softsign", "tanhshrink")},
    "hardsigmoid": (lambda x: F.hardsigmoid(x).detach() * x, X, {}),  # its own gradient has the 1/6 of float32
    "log_sigmoid": (lambda x: F.logsigmoid(x), X, {}),
    "gelu_tanh": (lambda x: F.gelu(x, approximate="tanh"), X, {}),
    "tan": (lambda x: torch.tan(0.1 * x), X, {}),
    "asin": (lambda x: torch.asin(0.5 * torch.tanh(x)), X, {}),
    "acos": (lambda x: torch.acos(0.5 * torch.tanh(x)), X, {}),
    "sign": (lambda x: torch.sign(x) * x**3, X, {}),
    "glu": (lambda x: F.glu(x, -1), {"x": "N 6"}, {}),
    "logit": (lambda x: torch.logit(torch.sigmoid(x)), X, {}),
    "prelu": (lambda x, w: F.prelu(x, w), {"x": "N D", "w": "1"}, {}),
    "threshold": (lambda x: F.threshold(x, 0.1, 0.7), X, {}),
    "clamp": (lambda x: torch.clamp(x, -0.5, 0.7), X, {}),
    "clamp_min": (lambda x: torch.clamp_min(x, 0.2), X, {}),
    "clamp_max": (lambda x: torch.clamp_max(x, 0.2), X, {}),
    "add": (lambda x, y: torch.add(x, y, alpha=3) ** 2, XY, {}),
    "sub": (lambda x, y: torch.sub(x, y, alpha=0.5) ** 2, XY, {}),
    "rsub": (lambda x: (1 - x) ** 2, X, {}),
    "mul": (lambda x, y: x * y, XY, {}),
    "div": (lambda x, y: x / y, XY, {"y": "positive"}),
    "pow": (lambda x, y: x**3 + x**y + 2**y, XY, POSITIVE),
    "maximum": (lambda x, y: torch.maximum(x, y), XY, {}),
    "minimum": (lambda x, y: torch.minimum(x, y), XY, {}),
    "logaddexp": (lambda x, y: torch.logaddexp(x, y), XY, {}),
    "lerp": (lambda x, y: torch.lerp(x, y, 0.3) ** 2, XY, {}),
    "addcmul": (lambda x, y: torch.addcmul(x, x, y, value=0.5), XY, {}),
    "gt": (lambda x, y: torch.where(x > y, x, 2 * y), XY, {}),
    "lt": (lambda x, y: torch.where(x < y, x, 2 * y), XY, {}),
    "ge": (lambda x, y: torch.where(x >= y, x, 2 * y), XY, {}),
    "le": (lambda x, y: torch.where(x <= y, x, 2 * y), XY, {}),
    "eq": (lambda x, t: torch.where(t[:, None] == torch.arange(x.shape[1]), 3 * x, x), XT, LABELS),
    "ne": (lambda x, t: torch.where(t[:, None] != 2, 3 * x, x), XT, LABELS),
    "logical_and": (lambda x: torch.where(torch.logical_and(x > -1, x < 1), x**2, x), X, {}),
    "logical_or": (lambda x: torch.where(torch.logical_or(x < -1, x > 1), x**2, x), X, {}),
    "logical_not": (lambda x: torch.where(torch.logical_not(x < -1), x**2, x), X, {}),
    "logical_xor": (lambda x, y: torch.where(torch.logical_xor(x > 0, y > 0), x**2, x * y), XY, {}),
    "bitwise_and": (lambda x: torch.where((x > -1) & (x < 1), x**2, x), X, {}),
    "bitwise_or": (lambda x: torch.where((x < -1) | (x > 1), x**2, x), X, {}),
    "bitwise_not": (lambda x: torch.where(~(x < -1), x**2, x), X, {}),
    "masked_fill": (lambda x: (x**2).masked_fill(x > 0.3, 0.0), X, {}),
    "sum": (lambda x: (x**2).sum(0), X, {}),
    "mean": (lambda x: (x**2).mean((0, 2), keepdim=True), {"x": "N D K"}, {}),
    "var": (lambda x: x.var(0), X, {}),
    "std": (lambda x: x.std(-1, unbiased=False), X, {}),
    "var_mean": (lambda x: torch.var_mean(x, 1)[0], X, {}),
    "std_mean": (lambda x: torch.std_mean(x, 1)[0], X, {}),
    "norm": (lambda x: x.norm(dim=1), X, {}),
    "linalg_vector_norm": (lambda x: torch.linalg.vector_norm(x, 3, dim=-1), X, {}),
    "softmax": (lambda x: torch.softmax(x, 0), X, {}),
    "log_softmax": (lambda x: torch.log_softmax(x, -1), X, {}),
    "logsumexp": (lambda x: torch.logsumexp(x, 1), X, {}),
    "prod": (lambda x: x.prod(1), {"x": "N 3"}, {}),
    "linear": (lambda x, w, b: F.linear(x, w, b), {"x": "N D", "w": "K D", "b": "K"}, {}),
    "matmul": (lambda x, y: x @ y, {"x": "B N D", "y": "D K"}, {}),
    "mm": (lambda x, y: torch.mm(x, y), {"x": "N D", "y": "D K"}, {}),
    "bmm": (lambda x, y: torch.bmm(x, y), {"x": "B N D", "y": "B D K"}, {}),
    "mv": (lambda x, y: torch.mv(x, y), {"x": "N D", "y": "D"}, {}),
    "dot": (lambda x, y: torch.dot(x, y), {"x": "D", "y": "D"}, {}),
    "outer": (lambda x, y: torch.outer(x, y), {"x": "N", "y": "D"}, {}),
    "addmm": (lambda c, x, y: torch.addmm(c, x, y, beta=0.5, alpha=2), {"c": "K", "x": "N D", "y": "D K"}, {}),
    "addmv": (lambda c, x, y: torch.addmv(c, x, y), {"c": "N", "x": "N D", "y": "D"}, {}),
    "baddbmm": (lambda c, x, y: torch.baddbmm(c, x, y), {"c": "B N K", "x": "B N D", "y": "B D K"}, {}),
    "bilinear": (lambda x, y, w, b: F.bilinear(x, y, w, b), {"x": "N D", "y": "N K", "w": "F D K", "b": "F"}, {}),
    "einsum": (lambda x, y: torch.einsum("...id,...dk", x, y), {"x": "B N D", "y": "B D K"}, {}),
    "kron": (lambda x, y: torch.kron(x, y), {"x": "N D", "y": "K F"}, {}),
    "trace": (lambda x: torch.trace(x @ x), {"x": "D D"}, {}),
    "linalg_inv": (lambda x: torch.linalg.inv(x), {"x": "D D"}, {"x": "wellcond"}),
    "linalg_det": (lambda x: torch.linalg.det(x), {"x": "D D"}, {"x": "wellcond"}),
    "logdet": (lambda x: torch.logdet(x.T @ x), {"x": "D D"}, {"x": "wellcond"}),
    "linalg_solve": (lambda x, y: torch.linalg.solve(x, y), {"x": "D D", "y": "D K"}, {"x": "wellcond"}),
    "squeeze": (lambda x: x.squeeze(1) ** 2, {"x": "N 1 D"}, {}),
    "unsqueeze": (lambda x: x.unsqueeze(1) ** 2, X, {}),
    "expand": (lambda x: x[:, None].expand(-1, 3, -1) ** 2, X, {}),
    "expand_as": (lambda x, y: x.expand_as(y) * y, {"x": "D", "y": "N D"}, {}),
    "broadcast_to": (lambda x: torch.broadcast_to(x, (3, *x.shape)) ** 2, X, {}),
    "t": (lambda x: torch.tanh(x.t()), X, {}),
    "numpy_T": (lambda x: torch.tanh(x.T), X, {}),
    "mT": (lambda x: torch.tanh(x.mT), {"x": "B N D"}, {}),
    "transpose": (lambda x: torch.tanh(x.transpose(0, 2)), {"x": "B N D"}, {}),
    "swapaxes": (lambda x: torch.tanh(torch.swapaxes(x, 0, 2)), {"x": "B N D"}, {}),
    "permute": (lambda x: torch.tanh(x.permute(2, 0, 1)), {"x": "B N D"}, {}),
    "movedim": (lambda x: torch.tanh(torch.movedim(x, 0, 2)), {"x": "B N D"}, {}),
    "repeat": (lambda x: x.repeat(1, 2) ** 2, X, {}),
    "slice": (lambda x: x[:, 1:] * x[:, :-1], X, {}),
    "select": (lambda x: x[:, 0] * x[:, -1], X, {}),
    "narrow": (lambda x: x.narrow(1, 1, 3) ** 2, {"x": "N 7"}, {}),
    "split": (lambda x: x.split(2, 1)[1] ** 2, {"x": "N 6"}, {}),
    "split_with_sizes": (lambda x: x.split([1, 5], 1)[1] ** 2, {"x": "N 6"}, {}),
    "chunk": (lambda x: x.chunk(3, dim=-1)[0] * x.chunk(3, dim=-1)[2], {"x": "N 6"}, {}),
    "unbind": (lambda x: x.unbind(1)[0] * x.unbind(1)[2], {"x": "N 3"}, {}),
    "cat": (lambda x, y: torch.cat([x, y], 1) ** 2, {"x": "N D", "y": "N K"}, {}),
    "stack": (lambda x, y: torch.stack([x, y], 1) ** 2, XY, {}),
    "pad": (lambda x: F.pad(x**2, (1, 2)), X, {}),
    "roll": (lambda x: torch.roll(x, 1, 1) * x, X, {}),
    "broadcast_tensors": (lambda x, y: torch.broadcast_tensors(x, y)[0] * y, {"x": "D", "y": "N D"}, {}),
    "diagonal": (lambda x: torch.diagonal(x, dim1=1, dim2=2) ** 2, {"x": "B D D"}, {}),
    "diag": (lambda x: torch.diag(x) @ torch.diag(x), {"x": "D"}, {}),
    "diag_embed": (lambda x: torch.diag_embed(x) @ torch.diag_embed(x), {"x": "D"}, {}),
    "index": (lambda x, t: x[torch.arange(len(x)), t] ** 2, XT, LABELS),
    "index_select": (lambda x, t: torch.index_select(x, 0, t) ** 2, {"x": "V D", "t": "N"}, LABELS),
    "gather": (lambda x, t: x.gather(1, t[:, None]) ** 2, XT, LABELS),
    "embedding": (lambda x, t: F.embedding(t, x) ** 2, {"x": "V D", "t": "B T"}, LABELS),
    "one_hot": (lambda x, t: x * F.one_hot(t, 4), {"x": "N 4", "t": "N"}, LABELS),
    "layer_norm": (lambda x, g, b: F.layer_norm(x, (5,), g, b), {"x": "B T 5", "g": "5", "b": "5"}, {}),
    "rms_norm": (lambda x, g: F.rms_norm(x, (5,), g, 1e-3), {"x": "B T 5", "g": "5"}, {}),
    "batch_norm": (lambda x, g, b: F.batch_norm(x, None, None, g, b, True), {"x": "N D", "g": "D", "b": "D"}, {}),
    "instance_norm": (lambda x: F.instance_norm(x), {"x": "N D T"}, {}),
    "group_norm": (lambda x, g, b: F.group_norm(x, 1, g, b), {"x": "N D", "g": "D", "b": "D"}, {}),
    "scaled_dot_product_attention": (lambda q, k, v: F.scaled_dot_product_attention(q, k, v), {"q": "B T D", "k": "B S D", "v": "B S E"}, {}),
    "adaptive_avg_pool1d": (lambda x: F.adaptive_avg_pool1d(x**2, 1), {"x": "N C T"}, {}),
    "cross_entropy_loss": (lambda x, t: F.cross_entropy(x, t, label_smoothing=0.2), XT, LABELS),
    "nll_loss": (lambda x, t: F.nll_loss(torch.log_softmax(x, -1), t), XT, LABELS),
    "mse_loss": (lambda x, y: F.mse_loss(x, y), XY, {}),
    "l1_loss": (lambda x, y: F.l1_loss(x, y), XY, {}),
    "smooth_l1_loss": (lambda x, y: F.smooth_l1_loss(x, y, beta=0.5), XY, {}),
    "huber_loss": (lambda x, y: F.huber_loss(x, y, delta=0.5), XY, {}),
    "binary_cross_entropy": (lambda x, y: F.binary_cross_entropy(torch.sigmoid(x), y), XY, {"y": "01"}),
    "binary_cross_entropy_with_logits": (lambda x, y, w: F.binary_cross_entropy_with_logits(x, y, pos_weight=w),
                                         {"x": "N D", "y": "N D", "w": "D"}, {"y": "01", "w": "01"}),
    "kl_div": (lambda x, y: F.kl_div(torch.log_softmax(x, -1), y, reduction="batchmean"), XY, {"y": "simplexrows"}),
    "soft_margin_loss": (lambda x, y: F.soft_margin_loss(x, y), XY, {"y": "pm1"}),
    "margin_ranking_loss": (lambda a, b, y: F.margin_ranking_loss(a, b, y, margin=0.3), {"a": "N", "b": "N", "y": "N"}, {"y": "pm1"}),
    "hinge_embedding_loss": (lambda x, y: F.hinge_embedding_loss(x, y), XY, {"y": "pm1"}),
    "cosine_similarity": (lambda x, y: F.cosine_similarity(x, y, dim=-1), XY, {}),
    "cosine_embedding_loss": (lambda x, y, s: F.cosine_embedding_loss(x, y, s), {"x": "N D", "y": "N D", "s": "N"}, {"s": "pm1"}),
    "triplet_margin_loss": (lambda a, p, n: F.triplet_margin_loss(a, p, n), {"a": "N D", "p": "N D", "n": "N D"}, {}),
    "poisson_nll_loss": (lambda x, y: F.poisson_nll_loss(x, y), XY, {"y": "positive"}),
    "pairwise_distance": (lambda x, y: F.pairwise_distance(x, y), XY, {}),
    "multi_margin_loss": (lambda x, t: F.multi_margin_loss(x, t), XT, LABELS),
    "to": (lambda x: x * (x > 0).to(x.dtype), X, {}),
    "type_as": (lambda x: x * (x > 0).type_as(x), X, {}),
    "detach": (lambda x: x * x.detach() ** 2, X, {}),
    "ones_like": (lambda x: x * torch.ones_like(x) * x, X, {}),
    "zeros_like": (lambda x: torch.where(x > 0, x, torch.zeros_like(x)) ** 2, X, {}),
    "contiguous": (lambda x: x.contiguous() ** 2, X, {}),
    "clone": (lambda x: x.clone() ** 2, X, {}),
    # wait for words of the language
    "max": (lambda x: x.max(1)[0], X, {}),
    "min": (lambda x: x.min(1)[0], X, {}),
    "amax": (lambda x: x.amax(0), X, {}),
    "amin": (lambda x: x.amin((0, 1)), X, {}),
    "cumsum": (lambda x: (x**2).cumsum(1), X, {}),
    "view": (lambda x: torch.tanh(x.view(x.shape[0], 2, 3)), {"x": "N 6"}, {}),
    "reshape": (lambda x: torch.tanh(x.reshape(-1, 3)), {"x": "N 6"}, {}),
    "flatten": (lambda x: torch.tanh(x.flatten(1)), {"x": "N 2 3"}, {}),
    "unflatten": (lambda x: torch.tanh(x.unflatten(1, (2, 3))), {"x": "N 6"}, {}),
    "flip": (lambda x: x.flip(1) * x, {"x": "N 5"}, {}),
    "tril": (lambda x: torch.tril(x) @ x, {"x": "D D"}, {}),
    "triu": (lambda x: torch.triu(x, 1) @ x, {"x": "D D"}, {}),
    "conv1d": (lambda x, w, b: F.conv1d(x, w, b, stride=2, padding=1), {"x": "N C 11", "w": "F C 3", "b": "F"}, {}),
    "conv2d": (lambda x, w, b: F.conv2d(x, w, b, padding=1), {"x": "N C 6 8", "w": "F C 3 3", "b": "F"}, {}),
    "max_pool1d": (lambda x: F.max_pool1d(x, 2), {"x": "N C 8"}, {}),
    "max_pool2d": (lambda x: F.max_pool2d(x, 2), {"x": "N C 6 8"}, {}),
    "avg_pool1d": (lambda x: F.avg_pool1d(x**2, 2), {"x": "N C 8"}, {}),
    "avg_pool2d": (lambda x: F.avg_pool2d(x**2, 2), {"x": "N C 6 8"}, {}),
}  # fmt: skip

WORDS = {
    "max": "max", "min": "min", "amax": "max", "amin": "min", "cumsum": "cumsum", "flip": "reshape", "conv1d": "conv1d", "conv2d": "conv2d",
    **dict.fromkeys(("view", "reshape", "flatten", "unflatten", "tril", "triu"), "reshape"), **{f"{k}_pool{n}d": f"{k}_pool{n}d" for k in ("max", "avg") for n in (1, 2)},
}  # fmt: skip
MISSING = {name for name, word in WORDS.items() if word not in VOCABULARY}
OPERATIONS = {name: row for name, row in OPERATIONS.items() if name not in MISSING}


class Tower(nn.Module):
    """Layers in a loop, one variable bound again and again."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(9, 9) for _ in range(3))

    def forward(self, x):
        for layer in self.layers:
            h = torch.relu(layer(x))
            x = x + h
        return x


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(9, 4, bias=False)
        self.decoder = nn.Linear(4, 9, bias=False)
        self.decoder.weight = nn.Parameter(torch.zeros(9, 4))

    def forward(self, x):
        code = torch.tanh(self.encoder(x))
        return self.decoder(code) + x @ self.encoder.weight.T @ self.encoder.weight


class Recurrence(nn.Module):
    """Steps written out, an LSTM cell, a sequence of known length."""

    def __init__(self):
        super().__init__()
        self.cell, self.head = nn.LSTMCell(3, 4), nn.Linear(4, 2)

    def forward(self, x, h, c):
        for step in range(3):
            h, c = self.cell(x[:, step], (h, c))
        score = self.head(h)
        return score


class Sequence(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.run = kind(3, 4, num_layers=2, batch_first=True)

    def forward(self, x, h):
        return self.run(x, h)[0]


class Stopped(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(9, 5), nn.Linear(9, 5)

    def forward(self, x):
        target = self.two(x).detach()
        with torch.no_grad():
            weight = torch.sigmoid(self.two(x))
        return weight * (self.one(x) - target) ** 2


class InPlace(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(9, 5)

    def forward(self, x):
        y = self.linear(x)
        y += 1.0
        y = (0.1 * y).mul_(x[:, :5]).add_(0.7)
        return nn.functional.relu(y.sub_(0.2), inplace=True)


class Kept(nn.Module):
    """Statistics that were kept, in evaluation."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(9)
        self.norm.running_mean += 0.3
        self.norm.running_var += 0.7
        self.eval()

    def forward(self, x):
        return torch.tanh(self.norm(x))


# name -> module, shapes, properties, variables of the source, inputs to differentiate
MODULES = {
    "tower": (Tower, {"x": "N D"}, {}, ("h1", "h2", "h3"), ("x",)),
    "tied": (Tied, {"x": "N 9"}, {}, ("code",), ("x",)),
    "recurrence": (Recurrence, {"x": "N 3 3", "h": "N 4", "c": "N 4"}, {}, ("score",), ("x", "h", "c")),
    "gru": (lambda: Sequence(nn.GRU), {"x": "N 3 3", "h": "2 N 4"}, {}, (), ("x", "h")),
    "rnn": (lambda: Sequence(nn.RNN), {"x": "N 3 3", "h": "2 N 4"}, {}, (), ("x", "h")),
    "gru_cell": (lambda: nn.GRUCell(3, 4), {"input": "N 3", "hx": "N 4"}, {}, (), ("input", "hx")),
    "stopped": (Stopped, {"x": "N D"}, {}, ("target",), ("x",)),
    "in_place": (InPlace, {"x": "N D"}, {}, (), ("x",)),
    "kept": (Kept, {"x": "N D"}, {}, (), ("x",)),
    "padded": (lambda: nn.Embedding(7, 5, padding_idx=2), {"input": "N"}, {"input": "labels"}, (), ()),
}


class Block(nn.Module):
    """A block of a transformer as it is written: fused heads, a mask in a buffer, sizes read off the input."""

    def __init__(self):
        super().__init__()
        self.n1, self.n2, self.qkv, self.proj = nn.LayerNorm(12), nn.LayerNorm(12), nn.Linear(12, 36), nn.Linear(12, 12)
        self.up, self.down = nn.Linear(12, 20), nn.Linear(20, 12)
        self.register_buffer("mask", torch.tril(torch.ones(16, 16)).view(1, 1, 16, 16))

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = self.qkv(self.n1(x)).split(c, dim=2)
        q, k, v = (a.view(b, t, 3, c // 3).transpose(1, 2) for a in (q, k, v))
        scores = (q @ k.transpose(-2, -1)) / (k.size(-1) ** 0.5)
        weights = F.softmax(scores.masked_fill(self.mask[:, :, :t, :t] == 0, float("-inf")), dim=-1)
        heads = (weights @ v).transpose(1, 2).contiguous().view(b, t, c)
        x = x + self.proj(heads)
        return x + self.down(F.gelu(self.up(self.n2(x))))


MODULES |= {
    "block": (Block, {"x": "B 16 12"}, {}, ("scores", "weights", "heads"), ("x",)),
    "self_attention": (lambda: nn.TransformerEncoderLayer(12, 3, 20, 0.0, batch_first=True), {"src": "B 5 12"}, {}, (), ("src",)),
    "groups": (lambda: nn.GroupNorm(2, 6), {"input": "N 6 5"}, {}, (), ("input",)),
    "convolutions": (
        lambda: nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(48, 2)),
        {"input": "N 3 6 8"}, {}, (), ("input",),
    ),
}  # fmt: skip
