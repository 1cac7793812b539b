"""LLaMA pretraining in PyTorch, in full (AdamW) and with Grass, as a user would write it: what Sward is timed against."""

import torch
from torch import nn
from torch.nn import functional


class CompressedProduct(torch.autograd.Function):
    """y = x Wᵀ, whose backward gives the gradient of the selected rows (columns) alone."""

    @staticmethod
    def forward(context, x, weight, selected, by_rows, compressed):
        context.save_for_backward(x, weight, selected)
        context.by_rows = by_rows
        return functional.linear(x, weight)

    @staticmethod
    def backward(context, dy):
        x, weight, selected = context.saved_tensors
        dy_rows, x_rows = dy.flatten(0, 1), x.flatten(0, 1)
        if context.by_rows:
            gradient = dy_rows.index_select(1, selected).t() @ x_rows
        else:
            gradient = dy_rows.t() @ x_rows.index_select(1, selected)
        return dy @ weight, None, None, None, gradient


class Linear(nn.Module):
    def __init__(self, inputs, outputs, rank):
        super().__init__()
        self.weight = nn.Parameter(0.02 * torch.randn(outputs, inputs), requires_grad=rank == 0)
        self.rank = rank
        if rank:
            self.by_rows = outputs <= inputs
            self.register_buffer("selected", torch.randperm(min(inputs, outputs))[:rank].sort().values)
            shape = (rank, inputs) if self.by_rows else (outputs, rank)
            self.compressed = nn.Parameter(torch.zeros(shape))

    def forward(self, x):
        if self.rank:
            return CompressedProduct.apply(x, self.weight, self.selected, self.by_rows, self.compressed)
        return functional.linear(x, self.weight)


class Norm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return functional.rms_norm(x, self.weight.shape, self.weight, 1e-6)


def rotate(x, cosine, sine):
    a, b = x.chunk(2, -1)
    return torch.cat((a * cosine - b * sine, b * cosine + a * sine), -1)


class Block(nn.Module):
    def __init__(self, shape, rank):
        super().__init__()
        d, f = shape["hidden"], shape["ffn"]
        self.heads = shape["heads"]
        self.attention_norm, self.mlp_norm = Norm(d), Norm(d)
        self.query, self.key, self.value, self.output = (Linear(d, d, rank) for _ in range(4))
        self.gate, self.up, self.down = Linear(d, f, rank), Linear(d, f, rank), Linear(f, d, rank)

    def forward(self, x, cosine, sine):
        shape = (*x.shape[:2], self.heads, -1)
        y = self.attention_norm(x)
        q, k, v = (part(y).view(shape).transpose(1, 2) for part in (self.query, self.key, self.value))
        a = functional.scaled_dot_product_attention(rotate(q, cosine, sine), rotate(k, cosine, sine), v,
                                                    is_causal=True)
        x = x + self.output(a.transpose(1, 2).flatten(2))
        y = self.mlp_norm(x)
        return x + self.down(functional.silu(self.gate(y)) * self.up(y))


class Peer(nn.Module):
    """A LLaMA of a shape {hidden, ffn, heads, layers, vocabulary, length}; rank 0: nothing is projected."""

    def __init__(self, shape, rank):
        super().__init__()
        d, v, half = shape["hidden"], shape["vocabulary"], shape["hidden"] // shape["heads"] // 2
        self.embedding = nn.Embedding(v, d)
        self.blocks = nn.ModuleList(Block(shape, rank) for _ in range(shape["layers"]))
        self.norm, self.head = Norm(d), Linear(d, v, 0)
        angles = torch.outer(torch.arange(shape["length"]), 10000.0 ** (-torch.arange(half) / half))
        self.register_buffer("cosine", angles.cos())
        self.register_buffer("sine", angles.sin())

    def forward(self, tokens, targets):
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x, self.cosine, self.sine)
        return functional.cross_entropy(self.head(self.norm(x)).flatten(0, 1), targets.flatten())


class Trainer:
    """Model and optimizer; `update` is one step on tokens of sequences x (length + 1)."""

    def __init__(self, shape, rank, compiled, device="cpu", dtype=torch.float32):
        with torch.device(device):
            self.model = Peer(shape, rank).to(dtype)
        trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(trained, lr=1e-4, weight_decay=0, fused=True)
        self.projected = [part for part in self.model.modules() if isinstance(part, Linear) and part.rank]
        self.network = torch.compile(self.model) if compiled else self.model
        self.add = torch.compile(self.add_steps) if compiled and len(self.projected) <= 256 else self.add_steps

    def add_steps(self):
        """The compressed parameters hold the steps of Adam; they belong to the selected rows or columns."""
        for part in self.projected:
            part.weight.index_add_(0 if part.by_rows else 1, part.selected, part.compressed)
            part.compressed.zero_()

    def update(self, tokens):
        loss = self.network(tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous())
        loss.backward()
        self.optimizer.step()
        with torch.no_grad():
            self.add()
        self.optimizer.zero_grad()
        return loss
