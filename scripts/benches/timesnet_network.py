"""TimesNet of Time-Series-Library, written again for PyTorch with the parameter names of its checkpoints. Evaluation only. All samples of a
batch share the periods that the mean over them has.
"""
import math

import torch
from torch import nn
from torch.nn import functional as F

from .series_networks import Embedding


def sines(n_steps, width):
    table = torch.zeros(n_steps, width)
    angle = torch.arange(n_steps).float().unsqueeze(1) * torch.exp(torch.arange(0, width, 2).float() * -(math.log(10000.0) / width))
    table[:, 0::2], table[:, 1::2] = angle.sin(), angle.cos()[:, :width // 2]
    return table.unsqueeze(0)


class Positions(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.register_buffer("pe", sines(5000, width))


class Inception(nn.Module):
    def __init__(self, n_in, n_out, n_kernels):
        super().__init__()
        self.kernels = nn.ModuleList(nn.Conv2d(n_in, n_out, 2 * k + 1, padding=k) for k in range(n_kernels))

    def forward(self, x):
        return torch.stack([kernel(x) for kernel in self.kernels], -1).mean(-1)


class Block(nn.Module):
    def __init__(self, width, inner, n_kernels, n_periods):
        super().__init__()
        self.n_periods = n_periods
        self.conv = nn.Sequential(Inception(width, inner, n_kernels), nn.GELU(), Inception(inner, width, n_kernels))

    def forward(self, x):
        n_samples, n_steps, width = x.shape
        amplitudes = torch.fft.rfft(x, dim=1).abs().mean(-1)
        strength = amplitudes.mean(0)
        strength[0] = 0
        chosen = strength.topk(self.n_periods).indices
        total, shares = x, amplitudes[:, chosen].softmax(1)
        for i, frequency in enumerate(chosen.tolist()):
            period = n_steps // frequency
            n_rows = -(-n_steps // period)
            image = F.pad(x, (0, 0, 0, n_rows * period - n_steps)).view(n_samples, n_rows, period, width).permute(0, 3, 1, 2)
            folded = self.conv(image).permute(0, 2, 3, 1).reshape(n_samples, -1, width)[:, :n_steps]
            total = total + folded * shares[:, i, None, None]
        return total


class TimesNet(nn.Module):
    def __init__(self, seq_len, pred_len, enc_in, c_out, d_model, d_ff, e_layers, top_k, num_kernels, task_name, num_class=0, **_):
        super().__init__()
        self.task, self.pred_len = task_name, pred_len
        self.enc_embedding = Embedding(enc_in, 4, d_model)
        self.enc_embedding.position_embedding = Positions(d_model)
        self.model = nn.ModuleList(Block(d_model, d_ff, num_kernels, top_k) for _ in range(e_layers))
        self.layer_norm = nn.LayerNorm(d_model)
        if task_name == "long_term_forecast":
            self.predict_linear = nn.Linear(seq_len, seq_len + pred_len)
        self.projection = nn.Linear(d_model * seq_len, num_class) if task_name == "classification" else nn.Linear(d_model, c_out)

    def encode(self, x, marks):
        embed = self.enc_embedding
        h = embed.value_embedding["tokenConv"](x.transpose(1, 2)).transpose(1, 2) + embed.position_embedding.pe[:, :x.shape[1]]
        h = h if marks is None else h + embed.temporal_embedding["embed"](marks)
        if self.task == "long_term_forecast":
            h = self.predict_linear(h.transpose(1, 2)).transpose(1, 2)
        for block in self.model:
            h = self.layer_norm(block(h))
        return h

    def forward(self, x, marks, *_):
        """marks: of a classification, 1 for each step of the series and 0 behind its end."""
        if self.task == "classification":
            return self.projection((F.gelu(self.encode(x, None)) * marks.unsqueeze(-1)).flatten(1))
        mean = x.mean(1, keepdim=True)
        scale = (x.var(1, keepdim=True, unbiased=False) + 1e-5).sqrt()
        y = self.projection(self.encode((x - mean) / scale, marks if self.task == "long_term_forecast" else None))
        return (y * scale + mean)[:, -(self.pred_len or y.shape[1]):]
