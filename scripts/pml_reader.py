#!/usr/bin/env python3
"""Independent reader of .pml files, version 1: structure and tensors, written from specs/pml-format.md alone.

    pml_reader.py FILE                        prints the structure as JSON
    pml_reader.py FILE --tensor NAME --npy F  writes one logical tensor as .npy

As a module: PmlFile(path).metadata, .tensors, .blobs, .tensor(name), .raw(name). Checks everything that the
specification demands of opening a file except checksums, and zero padding too. Needs numpy.
Exit status: 0, 1 for an invalid file or an unknown tensor, 3 for a file that needs a newer reader.
"""
import argparse
import json
import math
import struct
import sys

import numpy as np

MAGIC = b"\x89PML\r\n\x1a\n"
KINDS = {1: "model", 2: "adapter", 3: "checkpoint"}
DTYPES = {1: "F32", 2: "BF16", 3: "I8", 14: "C64"}
DTYPE_NUMBERS = range(1, 21)
LAYOUTS = {1: "row", 2: "panel"}
DEPTH = {"F32": 1, "BF16": 2, "I8": 4}
ELEMENT = {"F32": np.dtype("<f4"), "BF16": np.dtype("<u2"), "I8": np.dtype("i1")}
SECTIONS = ("metadata", "tensors", "strings", "blobs", "blob_data", "tensor_data")
HEADER_BYTES, TENSOR_BYTES, BLOB_BYTES, NAME_LIMIT = 256, 192, 64, 1024


class PmlError(ValueError):
    """The file is invalid."""


class PmlUnsupported(PmlError):
    """The file may be valid, but needs a newer reader."""


def align(value, alignment):
    return -(-value // alignment) * alignment


def need(condition, offset, message):
    if not condition:
        raise PmlError(f"byte {offset}: {message}")


def printable(text):
    return all(ord(c) >= 0x20 and ord(c) != 0x7F for c in text)


class Cursor:
    """Steps through the metadata section (§4)."""

    def __init__(self, data, offset):
        self.data, self.offset, self.at = data, offset, 0

    def take(self, size, what):
        need(size <= len(self.data) - self.at, self.offset + self.at, f"{what} runs past the metadata")
        part = self.data[self.at:self.at + size]
        self.at += size
        return part

    def text(self, length, what):
        padded = align(length + 1, 8)
        part = self.take(padded, what)
        need(not any(part[length:]), self.offset + self.at, f"padding after {what} is not zero")
        need(0 not in part[:length], self.offset + self.at, f"{what} contains a zero")
        try:
            return bytes(part[:length]).decode("utf-8")
        except UnicodeDecodeError as cause:
            raise PmlError(f"byte {self.offset + self.at}: {what}: {cause}") from None

    def string(self, what):
        return self.text(struct.unpack("<Q", self.take(8, what))[0], what)


def read_metadata(data, offset):
    """The section as a dict: key -> bool, int, float, str, or a list of the last three."""
    need(8 <= len(data) <= 64 << 20, offset, "metadata of an impossible size")
    cursor = Cursor(data, offset)
    count, reserved = struct.unpack("<II", cursor.take(8, "count"))
    need(reserved == 0 and count <= 65536, offset, "metadata count")
    metadata, previous = {}, None
    for _ in range(count):
        key_bytes, kind, n = struct.unpack("<IIQ", cursor.take(16, "entry"))
        need(1 <= key_bytes <= NAME_LIMIT, offset + cursor.at, "key length")
        key = cursor.text(key_bytes, "key")
        need(printable(key), offset + cursor.at, "key has control characters")
        need(previous is None or previous < key.encode(), offset + cursor.at, f"key {key!r} is not in order")
        previous = key.encode()
        need(kind != 0, offset + cursor.at, f"{key}: type 0")
        if kind > 7:
            raise PmlUnsupported(f"{key}: metadata type {kind}")
        need(kind > 4 or n == 1, offset + cursor.at, f"{key}: a scalar of {n} elements")
        if kind in (4, 7):
            need(n <= len(data), offset + cursor.at, f"{key}: count")
            values = [cursor.string(key) for _ in range(n)]
        else:
            code = {1: "Q", 2: "q", 3: "d", 5: "q", 6: "d"}[kind]
            need(n <= len(data) // 8, offset + cursor.at, f"{key}: count")
            values = list(struct.unpack(f"<{n}{code}", cursor.take(8 * n, key)))
        if kind == 1:
            need(values[0] in (0, 1), offset + cursor.at, f"{key}: a bool of {values[0]}")
            values = [bool(values[0])]
        metadata[key] = values if kind > 4 else values[0]
    need(cursor.at == len(data), offset + cursor.at, "bytes after the last metadata entry")
    return metadata


def stored_bytes(dtype, layout, shape):
    """§9: bytes of an extent."""
    if dtype == "C64":
        real = stored_bytes("F32", layout, shape)
        return align(real, 64) + real
    if layout == "row":
        need(dtype != "I8", 0, "I8 is stored in panels only")
        return math.prod(shape) * ELEMENT[dtype].itemsize
    need(len(shape) >= 2, 0, "panel needs a matrix")
    return math.prod(shape[:-2]) * -(-shape[-1] // 16) * -(-shape[-2] // DEPTH[dtype]) * 64


def side_bytes(dtype, shape, group_rows):
    """§10: bytes of scales, and of sums."""
    if dtype != "I8":
        need(group_rows == 0, 0, "groups without I8")
        return 0
    if group_rows not in (0, 32, 64):
        raise PmlUnsupported(f"groups of {group_rows} rows")
    groups = 1 if group_rows == 0 else -(-shape[-2] // group_rows)
    return math.prod(shape[:-2]) * -(-shape[-1] // 16) * groups * 16 * (4 if group_rows == 0 else 2)


def unpack_panels(data, dtype, shape):
    """Stored panels -> array of the logical shape, elements as stored; padding must be zero."""
    depth, batch = DEPTH[dtype], math.prod(shape[:-2])
    rows, columns = shape[-2], shape[-1]
    lines, panels = -(-rows // depth), -(-columns // 16)
    a = np.frombuffer(data, ELEMENT[dtype]).reshape(batch, panels, lines, 16, depth)
    a = a.transpose(0, 2, 4, 1, 3).reshape(batch, lines * depth, panels * 16)
    bits = a.view(f"u{a.dtype.itemsize}")
    if bits[:, rows:, :].any() or bits[:, :, columns:].any():
        raise PmlError("padding inside a panel is not zero")
    return np.ascontiguousarray(a[:, :rows, :columns]).reshape(shape)


def widen(a, dtype):
    """BF16 bits -> float32; the rest unchanged."""
    return (a.astype(np.uint32) << 16).view(np.float32) if dtype == "BF16" else a


class PmlFile:
    def __init__(self, path):
        with open(path, "rb") as stream:
            self.data = stream.read()
        self._read_header()
        offset, size = self.sections["metadata"]
        self.metadata = read_metadata(self.data[offset:offset + size], offset)
        self._string_at = 0
        self._read_tensors()
        self._read_blobs()
        need(self._string_at == self.sections["strings"][1], self.sections["strings"][0], "strings that nobody owns")

    def _zeros(self, start, end, what):
        need(not any(self.data[start:end]), start, f"{what} is not zero")

    def _read_header(self):
        data = self.data
        need(len(data) >= HEADER_BYTES, len(data), "too short for a .pml file")
        need(data[:8] == MAGIC, 0, "not a .pml file")
        major, self.minor, header_bytes, kind, flags, file_bytes = struct.unpack_from("<HHIIIQ", data, 8)
        need(major != 0x0100, 8, "the bytes of the version are swapped")
        if major > 1:
            raise PmlUnsupported(f"format version {major}.{self.minor}")
        need(major == 1, 8, "version 0")
        self.newer = self.minor > 0
        need(header_bytes == HEADER_BYTES or self.newer and header_bytes % 64 == 0 and
             HEADER_BYTES < header_bytes <= 65536, 12, "header size")
        need(file_bytes == len(data), 24, f"the file has {len(data)} bytes, its header says {file_bytes}")
        i_part, n_parts = struct.unpack_from("<II", data, 32)
        self.content_digest, self.base_digest = data[48:64], data[64:80]
        numbers = struct.unpack_from("<12Q", data, 80)
        self.sections = dict(zip(SECTIONS, zip(numbers[::2], numbers[1::2])))
        end = header_bytes
        for name, (offset, size) in self.sections.items():
            need(offset == align(end, 64) and offset + size <= len(data), offset, f"section {name} is misplaced")
            if name != "tensor_data":
                self._zeros(end, offset, "padding before " + name)
            end = offset + size
        need(end == len(data), end, "bytes after the last section")
        self._read_rest_of_header(kind, flags, i_part, n_parts)

    def _read_rest_of_header(self, kind, flags, i_part, n_parts):
        need(kind != 0, 16, "kind 0")
        if kind not in KINDS:
            raise PmlUnsupported(f"kind {kind}")
        self.kind = KINDS[kind]
        self._check_flags(flags, 20)
        need(1 <= i_part <= n_parts, 32, "part number")
        if n_parts != 1:
            raise PmlUnsupported("a file of several parts")
        need(kind != 1 or not any(self.base_digest), 64, "a model with a base")
        if not self.newer:
            self._zeros(192, 256, "reserved part of the header")
        (self.n_tensors, self.tensor_bytes, self.n_blobs, self.blob_bytes) = struct.unpack_from("<4I", self.data, 176)
        for name, n, size, known in (("tensors", self.n_tensors, self.tensor_bytes, TENSOR_BYTES),
                                     ("blobs", self.n_blobs, self.blob_bytes, BLOB_BYTES)):
            need(size == known or self.newer and size % 8 == 0 and known < size <= 4096, 176, "record size")
            need(n * size == self.sections[name][1], 176, "count of " + name)
        need(self.n_tensors <= 4_000_000 and self.n_blobs <= 1024, 176, "too many records")

    def _check_flags(self, flags, offset):
        if self.newer and flags >> 16:
            raise PmlUnsupported(f"flags {flags:#x} at byte {offset}")
        need(self.newer or flags == 0, offset, "flags")

    def _string(self, offset, length, least):
        start, size = self.sections["strings"]
        need(least <= length <= NAME_LIMIT, start + offset, "length of a string")
        need(offset == self._string_at and offset + length < size, start + offset, "a string is misplaced")
        raw = self.data[start + offset:start + offset + length]
        need(self.data[start + offset + length] == 0 and 0 not in raw, start + offset, "end of a string")
        self._string_at += length + 1
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as cause:
            raise PmlError(f"byte {start + offset}: {cause}") from None
        need(printable(text), start + offset, "control characters in a string")
        return text

    def _extent(self, end, offset, size, expected, what):
        need(size == expected, offset, f"{what}: {size} bytes, {expected} needed")
        if size == 0:
            need(offset == 0, offset, f"{what}: offset without bytes")
            return end
        need(offset == align(end, 4096 if size >= 4096 else 64), offset, f"{what} is misplaced")
        need(offset + size <= len(self.data), offset, f"{what} runs past the end of the file")
        self._zeros(end, offset, "padding before " + what)
        return offset + size

    def _read_tensors(self):
        table, end, previous = self.sections["tensors"][0], self.sections["tensor_data"][0], None
        start, size = self.sections["blob_data"]
        self._zeros(start + size, end, "padding before the tensor data")
        self.tensors = {}
        for i in range(self.n_tensors):
            at = table + i * self.tensor_bytes
            (name_at, name_bytes, steps_bytes, steps_at, dtype, layout, rank, flags, *rest) = struct.unpack_from(
                "<QIIQIIII8Q3Q3Q3QdIf", self.data, at)
            shape, (data_at, data_bytes, checksum) = rest[:8], rest[8:11]
            scales, sums, (error, group_rows, factor) = rest[11:14], rest[14:17], rest[17:]
            name = self._string(name_at, name_bytes, 1)
            transforms = self._string(steps_at, steps_bytes, 0)
            need(previous is None or previous < name.encode(), at, f"{name!r} is not in order")
            previous = name.encode()
            need(dtype != 0 and layout != 0, at + 24, f"{name}: dtype or layout 0")
            if dtype not in DTYPES or layout not in LAYOUTS:
                raise PmlUnsupported(f"{name}: dtype {dtype}, layout {layout}")
            dtype, layout = DTYPES[dtype], LAYOUTS[layout]
            if dtype == "I8" and layout == "row":
                raise PmlUnsupported(f"{name}: I8 in rows")
            self._check_flags(flags, at + 36)
            need(rank <= 8 and all(shape[:rank]) and not any(shape[rank:]), at + 32, f"{name}: shape")
            need(math.isfinite(error) and math.copysign(1, error) > 0, at + 176, f"{name}: quantization error")
            need(math.isfinite(factor) and math.copysign(1, factor) > 0 and (group_rows or factor == 0), at + 188,
                 f"{name}: scale factor")
            shape = tuple(shape[:rank])
            need(layout == "row" or rank >= 2, at + 32, f"{name}: panel needs a matrix")
            end = self._extent(end, data_at, data_bytes, stored_bytes(dtype, layout, shape), name)
            side = side_bytes(dtype, shape, group_rows)
            end = self._extent(end, scales[0], scales[1], side, "scales of " + name)
            end = self._extent(end, sums[0], sums[1], side, "sums of " + name)
            self.tensors[name] = {
                "dtype": dtype, "layout": layout, "shape": shape, "offset": data_at, "bytes": data_bytes,
                "checksum": f"{checksum:016x}", "transforms": transforms, "quantization_error": error,
                "group_rows": group_rows, "scale_factor": factor, "scales": (scales[0], scales[1]),
                "sums": (sums[0], sums[1])}
        need(align(end, 64) == len(self.data), end, "the file does not end with the last tensor")
        self._read_max_errors()
        self._zeros(end, len(self.data), "padding at the end")

    def _read_max_errors(self):
        """§4: `max_error` of each tensor; None where it is not recorded."""
        errors = self.metadata.get("provenance.max_errors")
        if errors is not None:
            if not isinstance(errors, list) or len(errors) != len(self.tensors):
                raise PmlError("provenance.max_errors is not one number per tensor")
            for error, (name, tensor) in zip(errors, self.tensors.items()):
                if not (0 <= error < math.inf) or (error > 0) != (tensor["quantization_error"] > 0):
                    raise PmlError(f"{name}: a greatest error of {error}")
        for i, tensor in enumerate(self.tensors.values()):
            tensor["max_error"] = None if errors is None else errors[i]

    def _read_blobs(self):
        table, (end, size), previous = self.sections["blobs"][0], self.sections["blob_data"], None
        limit = end + size
        self.blobs = {}
        for i in range(self.n_blobs):
            at = table + i * self.blob_bytes
            name_at, name_bytes, flags, offset, size, checksum = struct.unpack_from("<QIIQQQ", self.data, at)
            name = self._string(name_at, name_bytes, 1)
            need(previous is None or previous < name.encode(), at, f"blob {name!r} is not in order")
            previous = name.encode()
            self._check_flags(flags, at + 12)
            if not self.newer:
                self._zeros(at + 40, at + 64, "reserved part of a blob record")
            need(offset == align(end, 64) and offset + size <= limit, at + 16, f"blob {name!r} is misplaced")
            self._zeros(end, offset, "padding before a blob")
            end = offset + size
            self.blobs[name] = {"offset": offset, "bytes": size, "checksum": f"{checksum:016x}"}
        need(end == limit, end, "the blob data does not end with the last blob")

    def raw(self, name):
        """The stored bytes."""
        t = self.tensors[name]
        return self.data[t["offset"]:t["offset"] + t["bytes"]]

    def blob(self, name):
        b = self.blobs[name]
        return self.data[b["offset"]:b["offset"] + b["bytes"]]

    def _real(self, data, dtype, t):
        if t["layout"] == "panel":
            return unpack_panels(data, dtype, t["shape"])
        return np.frombuffer(data, ELEMENT[dtype]).reshape(t["shape"])

    def quantized(self, name):
        """I8: (q, scales, sums) in logical order: q [batch...][in][out], the others [batch...][groups][out]."""
        t = self.tensors[name]
        groups = 1 if t["group_rows"] == 0 else -(-t["shape"][-2] // t["group_rows"])
        panels, out = -(-t["shape"][-1] // 16), t["shape"][-1]
        sides = []
        for key, code in (("scales", "<f4" if t["group_rows"] == 0 else "<f2"),
                          ("sums", "<i4" if t["group_rows"] == 0 else "<i2")):
            offset, size = t[key]
            a = np.frombuffer(self.data[offset:offset + size], code).reshape(-1, panels, groups, 16)
            a = a.transpose(0, 2, 1, 3).reshape(-1, groups, panels * 16)
            if a[:, :, out:].any():
                raise PmlError(f"{name}: {key} of padding columns are not zero")
            sides.append(a[:, :, :out].reshape(t["shape"][:-2] + (groups, out)))
        q = self._real(self.raw(name), "I8", t)
        if (q == -128).any() or not np.isfinite(sides[0]).all():
            raise PmlError(f"{name}: a value of -128, or a scale that is not finite")
        step = t["group_rows"] or q.shape[-2]
        parts = [q[..., k * step:(k + 1) * step, :].sum(axis=-2, dtype=np.int64) for k in range(groups)]
        if not np.array_equal(np.stack(parts, axis=-2), sides[1]):
            raise PmlError(f"{name}: sums are not those of the values")
        return (q, *sides)

    def tensor(self, name):
        """The logical tensor: float32, or complex64 for C64; I8 is multiplied by its scales."""
        t = self.tensors[name]
        if t["dtype"] == "C64":
            raw = self.raw(name)
            size = stored_bytes("F32", t["layout"], t["shape"])
            if any(raw[size:align(size, 64)]):
                raise PmlError(f"{name}: padding between the complex parts is not zero")
            real, imaginary = self._real(raw[:size], "F32", t), self._real(raw[align(size, 64):], "F32", t)
            result = np.empty(t["shape"], np.complex64)
            result.real, result.imag = real, imaginary
            return result
        if t["dtype"] == "I8":
            q, scales, _ = self.quantized(name)
            scales = scales.astype(np.float32)
            if t["group_rows"]:
                scales = scales * np.float32(t["scale_factor"])
                scales = np.repeat(scales, t["group_rows"], axis=-2)[..., :q.shape[-2], :]
            return q.astype(np.float32) * scales
        return widen(self._real(self.raw(name), t["dtype"], t), t["dtype"])

    def structure(self):
        return {"version": f"1.{self.minor}", "kind": self.kind, "bytes": len(self.data),
                "content_digest": self.content_digest.hex(), "base_digest": self.base_digest.hex(),
                "metadata": self.metadata, "tensors": self.tensors, "blobs": self.blobs}


def main():
    parser = argparse.ArgumentParser(description="Reads .pml files, version 1.")
    parser.add_argument("file")
    parser.add_argument("--tensor", metavar="NAME", help="the tensor to write")
    parser.add_argument("--npy", metavar="OUT", help="where to write it")
    options = parser.parse_args()
    if (options.tensor is None) != (options.npy is None):
        parser.error("--tensor and --npy belong together")
    try:
        file = PmlFile(options.file)
        if options.tensor is None:
            json.dump(file.structure(), sys.stdout, indent=1)
            print()
        elif options.tensor in file.tensors:
            with open(options.npy, "wb") as stream:
                np.save(stream, file.tensor(options.tensor))
        else:
            sys.exit(f"{options.file}: there is no tensor {options.tensor!r}")
    except PmlUnsupported as error:
        print(f"{options.file}: unsupported: {error}", file=sys.stderr)
        sys.exit(3)
    except PmlError as error:
        print(f"{options.file}: invalid: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
