"""The forecasting networks of research code, written again for PyTorch with the parameter names of their official checkpoints, so that one
checkpoint serves them and pml. Evaluation only. Each takes x [B, T, C], marks [B, T, 4] and the decoder's marks [B, label + S, 4].
"""
import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


def average(x, kernel):
    """Over time, as long as x: the first and the last step stand for what lies outside."""
    behind = (kernel - 1) // 2
    padded = torch.cat([x[:, :1].expand(-1, kernel - 1 - behind, -1), x, x[:, -1:].expand(-1, behind, -1)], 1)
    return F.avg_pool1d(padded.transpose(1, 2), kernel, 1).transpose(1, 2)


class Split(nn.Module):
    """Season and trend."""

    def __init__(self, kernels):
        super().__init__()
        self.kernels = kernels if isinstance(kernels, list) else [kernels]
        if isinstance(kernels, list):
            self.layer = nn.Linear(1, len(kernels))

    def forward(self, x):
        if hasattr(self, "layer"):
            averages = torch.stack([average(x, k) for k in self.kernels], -1)
            trend = (averages * self.layer(x.unsqueeze(-1)).softmax(-1)).sum(-1)
        else:
            trend = average(x, self.kernels[0])
        return x - trend, trend


class DLinear(nn.Module):
    def __init__(self, seq_len, pred_len, **_):
        super().__init__()
        self.Linear_Seasonal, self.Linear_Trend = nn.Linear(seq_len, pred_len), nn.Linear(seq_len, pred_len)

    def forward(self, x, *_):
        trend = average(x, 25)
        season = (x - trend).transpose(1, 2)
        return (self.Linear_Seasonal(season) + self.Linear_Trend(trend.transpose(1, 2))).transpose(1, 2)


class Projections(nn.Module):
    def __init__(self, width, heads, inner=None):
        super().__init__()
        self.heads, self.inner_correlation = heads, inner
        for name in ("query", "key", "value", "out"):
            self.add_module(name + "_projection", nn.Linear(width, width))

    def take_heads(self, source, x):
        return getattr(self, source + "_projection")(x).unflatten(-1, (self.heads, -1))


class Softmax(Projections):
    def forward(self, x):
        q, k, v = (self.take_heads(name, x).transpose(1, 2) for name in ("query", "key", "value"))
        scores = (q @ k.transpose(2, 3) / math.sqrt(q.shape[-1])).softmax(-1)
        return self.out_projection((scores @ v).transpose(1, 2).flatten(2))


class ChannelLayer(nn.Module):
    def __init__(self, width, heads, inner):
        super().__init__()
        self.attention = Softmax(width, heads)
        self.conv1, self.conv2 = nn.Conv1d(width, inner, 1), nn.Conv1d(inner, width, 1)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x):
        x = self.norm1(x + self.attention(x))
        y = self.conv2(F.gelu(self.conv1(x.transpose(1, 2)))).transpose(1, 2)
        return self.norm2(x + y)


class Stack(nn.Module):
    def __init__(self, name, layers, norm, **parts):
        super().__init__()
        self.add_module(name, nn.ModuleList(layers))
        self.norm = norm
        for part, module in parts.items():
            self.add_module(part, module)


class ITransformer(nn.Module):
    def __init__(self, seq_len, pred_len, d_model, n_heads, e_layers, d_ff, **_):
        super().__init__()
        self.enc_embedding = nn.ModuleDict({"value_embedding": nn.Linear(seq_len, d_model)})
        layers = [ChannelLayer(d_model, n_heads, d_ff) for _ in range(e_layers)]
        self.encoder = Stack("attn_layers", layers, nn.LayerNorm(d_model))
        self.projector = nn.Linear(d_model, pred_len)

    def forward(self, x, marks, *_):
        mean = x.mean(1, keepdim=True)
        scale = (x.var(1, keepdim=True, unbiased=False) + 1e-5).sqrt()
        tokens = torch.cat([(x - mean) / scale, marks], 2).transpose(1, 2)
        h = self.enc_embedding["value_embedding"](tokens)
        for layer in self.encoder.attn_layers:
            h = layer(h)
        return self.projector(self.encoder.norm(h)).transpose(1, 2)[:, :, :x.shape[2]] * scale + mean


# ---- encoder and decoder that take series apart ----


class Embedding(nn.Module):
    def __init__(self, channels, marks, width):
        super().__init__()
        convolution = nn.Conv1d(channels, width, 3, padding=1, padding_mode="circular", bias=False)
        self.value_embedding = nn.ModuleDict({"tokenConv": convolution})
        self.temporal_embedding = nn.ModuleDict({"embed": nn.Linear(marks, width, bias=False)})

    def forward(self, x, marks):
        return self.value_embedding["tokenConv"](x.transpose(1, 2)).transpose(1, 2) + self.temporal_embedding["embed"](marks)


class CenteredNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layernorm = nn.LayerNorm(width)

    def forward(self, x):
        y = self.layernorm(x)
        return y - y.mean(1, keepdim=True)


class AutoCorrelation(Projections):
    """Sums of the values shifted by the delays at which queries and keys agree most, each sample by its own."""
    factor = 3

    def forward(self, x, source):
        q, k, v = self.take_heads("query", x), self.take_heads("key", source), self.take_heads("value", source)
        n, missing = q.shape[1], q.shape[1] - k.shape[1]
        k, v = (F.pad(t, (0, 0, 0, 0, 0, missing)) if missing > 0 else t[:, :n] for t in (k, v))
        spectra = [torch.fft.rfft(t.permute(0, 2, 3, 1).contiguous()) for t in (q, k)]
        agreement = torch.fft.irfft(spectra[0] * spectra[1].conj(), n).mean((1, 2))
        weights, delays = agreement.topk(int(self.factor * math.log(n)))
        weights, v = weights.softmax(-1), v.flatten(2)
        steps, doubled, total = torch.arange(n), torch.cat([v, v], 1), torch.zeros_like(v)
        for i in range(delays.shape[1]):
            index = (steps + delays[:, i:i + 1]).unsqueeze(-1).expand_as(v)
            total = total + doubled.gather(1, index) * weights[:, i, None, None]
        return self.out_projection(total)


def write_bins(values, indices, n):
    """[B, H, E, modes] at these bins of a spectrum that is zero elsewhere, back in time: [B, H, E, n]."""
    spectrum = torch.zeros(*values.shape[:3], n // 2 + 1, dtype=values.dtype)
    spectrum[..., indices] = values
    return torch.fft.irfft(spectrum, n)


def complex_weights(heads, width, count, scale):
    size = (heads, width // heads, width // heads, count)
    return nn.Parameter(scale * torch.complex(torch.randn(size), torch.randn(size)))


class Fourier(nn.Module):
    def __init__(self, heads, width, indices):
        super().__init__()
        self.index, self.weights1 = indices, complex_weights(heads, width, len(indices), (width // heads) ** -0.5)

    def forward(self, q, _):
        spectrum = torch.fft.rfft(q.permute(0, 2, 3, 1))[..., self.index]
        product = torch.einsum("bhim,hiom->bhom", spectrum, self.weights1)
        return write_bins(product, list(range(len(self.index))), q.shape[1])


class FourierCross(nn.Module):
    def __init__(self, heads, width, indices_q, indices_kv):
        super().__init__()
        self.index_q, self.index_kv = indices_q, indices_kv
        self.weights1 = complex_weights(heads, width, len(indices_q), width ** 2 / 8 * (width // heads) ** -0.5)

    def forward(self, q, k):
        of_q = torch.fft.rfft(q.permute(0, 2, 3, 1))[..., self.index_q]
        of_k = torch.fft.rfft(k.permute(0, 2, 3, 1))[..., self.index_kv]
        scores = torch.einsum("bhex,bhey->bhxy", of_q, of_k).tanh()
        taken = torch.einsum("bhxy,bhey->bhex", scores, of_k)
        product = torch.einsum("bhex,heox->bhox", taken, self.weights1)
        width = q.shape[2] * q.shape[3]
        return write_bins(product / width / width, self.index_q, q.shape[1])


class Frequencies(Projections):
    """The result [B, H, E, n] is read as [B, n, H E] without being moved, as upstream reads it."""

    def forward(self, x, source):
        q, k, v = self.take_heads("query", x), self.take_heads("key", source), self.take_heads("value", source)
        del v  # upstream projects it, too, and does not use it
        return self.out_projection(self.inner_correlation(q, k).contiguous().view(*x.shape))


class SeasonalLayer(nn.Module):
    """Of the encoder; with channels and a second attention, of the decoder."""

    def __init__(self, width, inner, kernels, attention, cross=None, channels=0):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv1d(width, inner, 1, bias=False), nn.Conv1d(inner, width, 1, bias=False)
        self.decomp1, self.decomp2 = Split(kernels), Split(kernels)
        if cross is None:
            self.attention = attention
            return
        self.decomp3, self.self_attention, self.cross_attention = Split(kernels), attention, cross
        self.projection = nn.Conv1d(width, channels, 3, padding=1, padding_mode="circular", bias=False)

    def feed(self, x):
        return x + self.conv2(F.gelu(self.conv1(x.transpose(1, 2)))).transpose(1, 2)

    def encode(self, x):
        x, _ = self.decomp1(x + self.attention(x, x))
        return self.decomp2(self.feed(x))[0]

    def decode(self, x, encoded):
        x, trend1 = self.decomp1(x + self.self_attention(x, x))
        x, trend2 = self.decomp2(x + self.cross_attention(x, encoded))
        x, trend3 = self.decomp3(self.feed(x))
        return x, self.projection((trend1 + trend2 + trend3).transpose(1, 2)).transpose(1, 2)


class Seasonal(nn.Module):
    def __init__(self, arguments):
        super().__init__()
        a = arguments
        self.label_len, self.pred_len = a["label_len"], a["pred_len"]
        self.decomp = Split(a["moving_avg"])
        self.enc_embedding, self.dec_embedding = (Embedding(a["enc_in"], 4, a["d_model"]) for _ in range(2))
        own, decoded, cross = self.attentions(a)
        common = a["d_model"], a["d_ff"], a["moving_avg"]
        layers = [SeasonalLayer(*common, own()) for _ in range(a["e_layers"])]
        self.encoder = Stack("attn_layers", layers, CenteredNorm(a["d_model"]))
        layers = [SeasonalLayer(*common, decoded(), cross(), a["c_out"]) for _ in range(a["d_layers"])]
        self.decoder = Stack("layers", layers, CenteredNorm(a["d_model"]), projection=nn.Linear(a["d_model"], a["c_out"]))

    def forward(self, x, marks, decoder_marks):
        season, trend = self.decomp(x)
        season = F.pad(season[:, -self.label_len:], (0, 0, 0, self.pred_len))
        trend = torch.cat([trend[:, -self.label_len:], x.mean(1, keepdim=True).expand(-1, self.pred_len, -1)], 1)
        encoded, h = self.enc_embedding(x, marks), self.dec_embedding(season, decoder_marks)
        for layer in self.encoder.attn_layers:
            encoded = layer.encode(encoded)
        encoded = self.encoder.norm(encoded)
        for layer in self.decoder.layers:
            h, more = layer.decode(h, encoded)
            trend = trend + more
        return (trend + self.decoder.projection(self.decoder.norm(h)))[:, -self.pred_len:]


class Autoformer(Seasonal):
    def __init__(self, **arguments):
        super().__init__(arguments)

    @staticmethod
    def attentions(a):
        make = lambda: AutoCorrelation(a["d_model"], a["n_heads"])  # noqa: E731
        return make, make, make


SEED = 2021  # of the frequencies, which no checkpoint holds


def draw(n_steps, modes):
    """Some of the frequencies of so many steps, by numpy's global generator."""
    indices = list(range(n_steps // 2))
    np.random.shuffle(indices)
    return sorted(indices[:modes])


class FEDformer(Seasonal):
    def __init__(self, **arguments):
        super().__init__(arguments)

    @staticmethod
    def attentions(a):
        np.random.seed(SEED)
        n_decoded = a["seq_len"] // 2 + a["pred_len"]
        sets = [draw(n, a["modes"]) for n in (a["seq_len"], n_decoded, n_decoded, a["seq_len"])]
        width, heads = a["d_model"], a["n_heads"]
        own, decoded, cross = Fourier(heads, width, sets[0]), Fourier(heads, width, sets[1]), FourierCross(heads, width, *sets[2:])
        return tuple((lambda inner=inner: Frequencies(width, heads, inner)) for inner in (own, decoded, cross))


NETWORKS = {"DLinear": DLinear, "iTransformer": ITransformer, "Autoformer": Autoformer, "FEDformer": FEDformer}
