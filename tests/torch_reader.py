"""Reads a state_dict that torch.save wrote as an archive, without any code of the converter or of PyTorch."""
import collections
import pickle
import zipfile

import numpy as np

CODES = {"DoubleStorage": "<f8", "FloatStorage": "<f4", "HalfStorage": "<f2", "LongStorage": "<i8", "ByteStorage": "u1"}


class Reader(pickle.Unpickler):
    """Knows three globals and the storages; anything else is an error."""

    def __init__(self, archive, prefix):
        super().__init__(archive.open(prefix + "data.pkl"))
        self.archive, self.prefix = archive, prefix

    def find_class(self, module, name):
        known = {("collections", "OrderedDict"): collections.OrderedDict,
                 ("torch._utils", "_rebuild_tensor_v2"): rebuild,
                 ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor}
        if module == "torch" and name in CODES:
            return CODES[name]
        return known[module, name]

    def persistent_load(self, pid):
        _, code, key, _, _ = pid
        return np.frombuffer(self.archive.read(self.prefix + "data/" + key), code)


def rebuild(storage, offset, shape, strides, *_):
    view = np.lib.stride_tricks.as_strided(storage[offset:], shape, [s * storage.itemsize for s in strides])
    return view.astype(np.float32)


def read(path):
    """Name -> float32 array."""
    with zipfile.ZipFile(path) as archive:
        pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        return Reader(archive, pickles[0][:-len("data.pkl")]).load()
