"""Holds scripts/pml_reader.py against the golden files: check_goldens.py SCRIPTS_FOLDER GOLDENS_FOLDER."""
import glob
import os
import re
import sys

import numpy as np

sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
from pml_reader import PmlError, PmlFile, PmlUnsupported  # noqa: E402

FOLDER = sys.argv[2]
# What only a checksum shows: the reader does not compute XXH3.
NEEDS_XXH3 = {"checksum-wrong", "content-digest-wrong", "blob-byte-flipped", "tensor-byte-flipped"}


def values(shape, seed=0):
    """What the tests put into a tensor: multiples of 1/2, exact in BF16."""
    i = np.arange(int(np.prod(shape)), dtype=np.int64) + seed
    return (((i * 7) % 61 - 30) / 2).astype(np.float32).reshape(shape)


def expected_int8(shape, group_rows):
    q = (values(shape) * 2).astype(np.float32)
    rows, columns = np.arange(shape[-2]), np.arange(shape[-1])
    groups = rows // group_rows if group_rows else rows * 0
    scale = 2.0 ** ((columns[None, :] + groups[:, None]) % 4) / 4
    return (q * scale * (0.5 if group_rows else 1)).astype(np.float32)


def check_rich(path):
    file = PmlFile(path)
    assert file.metadata == {"config.flag": True, "config.n": -3, "general.family": "demo",
                             "series.columns": ["HUFL", ""]}, file.metadata
    assert file.blob("selftest") == b"12345" and file.blob("x") == b"abc"
    for name, tensor in file.tensors.items():
        shape = tensor["shape"]
        if tensor["dtype"] == "C64":
            want = values(shape) + 1j * values(shape, 5)
        elif tensor["dtype"] == "I8":
            want = expected_int8(shape, tensor["group_rows"])
            q, _, sums = file.quantized(name)
            rows = tensor["group_rows"] or shape[-2]
            for k in range(sums.shape[-2]):
                part = q[..., k * rows:(k + 1) * rows, :].astype(np.int64).sum(-2)
                assert np.array_equal(part, sums[..., k, :]), name
        else:
            want = values(shape)
        got = file.tensor(name)
        assert got.dtype == (np.complex64 if tensor["dtype"] == "C64" else np.float32), name
        assert np.array_equal(got, want), name


def judge(path):
    """'ok', 'format' or 'unsupported'; unpacks everything, so that padding is looked at too."""
    try:
        file = PmlFile(path)
        for name in file.tensors:
            file.tensor(name)
        return "ok"
    except PmlUnsupported:
        return "unsupported"
    except PmlError:
        return "format"


def check_specification():
    """The dump of specs/pml-format.md, section 17, is the golden file."""
    with open(os.path.join(FOLDER, "v1.0-minimal.pml"), "rb") as stream:
        left = bytearray(stream.read())
    with open(os.path.join(sys.argv[1], "..", "specs", "pml-format.md"), encoding="utf-8") as stream:
        lines = re.findall(r"^([0-9a-f]{3})  ((?:[0-9a-f]{2} ){15}[0-9a-f]{2})", stream.read(), re.MULTILINE)
    for offset, line in lines:
        start = int(offset, 16)
        assert left[start:start + 16] == bytes.fromhex(line), offset
        left[start:start + 16] = bytes(16)
    assert lines and not any(left), "the dump leaves out bytes that are not zero"


def main():
    check_specification()
    for name in ("v1.0-int8-complex.pml", "v1.7-newer-minor.pml"):
        check_rich(os.path.join(FOLDER, name))
    for name in ("v1.0-minimal.pml", "v1.0-base.pml"):
        assert judge(os.path.join(FOLDER, name)) == "ok", name
    n, failures = 0, []
    for path in sorted(glob.glob(os.path.join(FOLDER, "invalid", "*.pml"))):
        fault = os.path.basename(path)[:-4]
        with open(path[:-4] + ".expected", encoding="utf-8") as stream:
            status = stream.readline().strip()
        want = "ok" if fault in NEEDS_XXH3 else "unsupported" if status == "unsupported" else "format"
        got = judge(path)
        if got != want:
            failures.append(f"{fault}: {got}, not {want}")
        n += 1
    if failures or n < 100:
        sys.exit("\n".join(failures + [f"{n} invalid files"]))


main()
