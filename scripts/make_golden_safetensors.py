#!/usr/bin/python3
"""Makes tests/goldens/safetensors: tiny valid and invalid files, each invalid one named after its fault.

valid/NAME.safetensors               must open
valid/NAME/                          a sharded checkpoint that must open
invalid/FAULT.safetensors            must be refused as invalid/FAULT.expected says
invalid/FAULT/                       the same for a sharded checkpoint

FAULT.expected is one line: the status, a TAB, a part of the message. The output depends on this script alone.
"""
import json
import pathlib
import shutil
import struct

ROOT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "goldens" / "safetensors"
VALID = ROOT / "valid"
INVALID = ROOT / "invalid"


def container(header, data=b"", length=None):
    """A file of the header's text or bytes; `length` replaces the true header length."""
    if isinstance(header, str):
        header = header.encode()
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def pack(entries, data, **options):
    return container(json.dumps(entries, separators=(",", ":")), data, **options)


def entry(dtype="F32", shape=(2,), offsets=(0, 8), **more):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets), **more}


def valid(name, content):
    (VALID / f"{name}.safetensors").write_bytes(content)


def invalid(name, content, part, status="format"):
    (INVALID / f"{name}.safetensors").write_bytes(content)
    (INVALID / f"{name}.expected").write_text(f"{status}\t{part}\n")


D8 = bytes(range(8))
D16 = bytes(range(16))
ONE = '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'


def make_valid():
    valid("one-tensor", container(ONE, D8))
    valid("leading-space", container(" \t\r\n" + ONE, D8))
    valid("header-padding", container(ONE + "  \n  ", D8))
    spread = '{ "a" : { "shape" : [ 2 ] , "data_offsets" : [ 0 , 8 ] ,\n "dtype" : "F32" } }'
    valid("spaces-everywhere", container(spread, D8))
    valid("rank-0", pack({"a": entry(shape=(), offsets=(0, 4))}, D8[:4]))
    valid("rank-8", pack({"a": entry(shape=(1, 1, 1, 1, 1, 1, 1, 2))}, D8))
    valid("no-tensors", container("{}"))
    valid("metadata-only", pack({"__metadata__": {"format": "pt"}}, b""))
    valid("metadata-empty", pack({"__metadata__": {}, "a": entry()}, D8))
    valid("metadata-last", pack({"a": entry(), "__metadata__": {"format": "pt", "note": "ä \" \\ \n"}}, D8))
    valid("unknown-key", pack({"a": entry(strides=[1, [2, {"x": None}]])}, D8))
    valid("unordered", pack({"b": entry(offsets=(8, 16)), "a": entry(offsets=(0, 8))}, D16))
    valid("zero-size", pack({"a": entry(shape=(0, 3), offsets=(0, 0))}, b""))
    valid("zero-size-ties", pack({"z": entry(shape=(0,), offsets=(8, 8)), "a": entry(shape=(0,), offsets=(0, 0)),
                                  "m": entry(offsets=(0, 8)), "b": entry(offsets=(8, 16)),
                                  "y": entry(shape=(0,), offsets=(16, 16))}, D16))
    valid("zero-size-huge-shape", pack({"a": entry(shape=(0, 2**48 - 1), offsets=(0, 0))}, b""))
    valid("misaligned", pack({"a": entry("U8", (3,), (0, 3)), "b": entry(offsets=(3, 11))}, bytes(11)))
    valid("name-empty", pack({"": entry()}, D8))
    valid("name-1024-bytes", pack({"n" * 1024: entry()}, D8))
    valid("name-escaped", container(ONE.replace('"a"', r'"\u00e4\ud83d\ude00\"\\\/\b\f\n\r\t"'), D8))
    names = "F64 F32 F16 BF16 I64 I32 I16 I8 U64 U32 U16 U8 BOOL C64 F8_E4M3 F8_E5M2 F8_E8M0 F6_E2M3 F6_E3M2 F4"
    bits = [64, 32, 16, 16, 64, 32, 16, 8, 64, 32, 16, 8, 8, 64, 8, 8, 8, 6, 6, 4]
    entries, end = {}, 0
    for name, width in zip(names.split(), bits):
        size = 4 * width // 8
        entries[name.lower()] = entry(name, (2, 2), (end, end + size))
        end += size
    valid("every-dtype", pack(entries, bytes(i % 127 for i in range(end))))


def make_invalid_length():
    whole = container(ONE, D8)
    rest = len(whole) - 8
    invalid("empty-file", b"", "needs 8 bytes")
    invalid("seven-bytes", D8[:7], "needs 8 bytes")
    invalid("length-only", struct.pack("<Q", 0), "byte 8")
    invalid("length-zero", container(ONE, D8, length=0), "byte 8")
    invalid("length-one", container(ONE, D8, length=1), "byte 9")
    invalid("length-2pow63", container(ONE, D8, length=2**63), "longer than the rest")
    invalid("length-2pow64-minus-1", container(ONE, D8, length=2**64 - 1), "longer than the rest")
    invalid("length-2pow64-minus-8", container(ONE, D8, length=2**64 - 8), "longer than the rest")
    invalid("length-file-minus-8", container(ONE, D8, length=rest), "past the end of the file")
    invalid("length-file-minus-9", container(ONE, D8, length=rest - 1), "past the end of the file")
    invalid("length-file-minus-7", container(ONE, D8, length=rest + 1), "longer than the rest")
    invalid("length-one-short", container(ONE, D8, length=len(ONE) - 1), "',' or '}' is missing")
    invalid("length-one-long", container(ONE, D8, length=len(ONE) + 1), "past the end of the file")
    invalid("length-big-endian", struct.pack(">Q", len(ONE)) + ONE.encode() + D8, "big-endian")


def make_invalid_json():
    invalid("header-array", container("[]"), "an object as header")
    invalid("header-string", container('"a"'), "an object as header")
    invalid("header-number", container("1"), "an object as header")
    invalid("header-spaces", container("    "), "byte 12")
    invalid("header-words", container("hello"), "begins no JSON value")
    invalid("header-cut", container(ONE[:-10], D8), "byte 52")
    invalid("header-two-values", container(ONE + "{}", D8), "text after the end")
    invalid("header-trailing-nul", container(ONE + "\0\0", D8), "text after the end")
    invalid("header-trailing-comma", container(ONE[:-1] + ",}", D8), "a key in double quotes")
    invalid("header-leading-comma", container("{," + ONE[1:], D8), "a key in double quotes")
    invalid("header-comment", container("/**/" + ONE, D8), "begins no JSON value")
    invalid("header-single-quotes", container(ONE.replace('"', "'"), D8), "a key in double quotes")
    invalid("header-bare-key", container(ONE.replace('"a"', "a"), D8), "a key in double quotes")
    invalid("header-missing-colon", container(ONE.replace('"a":', '"a"'), D8), "':' after a key")
    invalid("header-wrong-bracket", container(ONE.replace("[2]", "[2}"), D8), "',' or ']'")
    invalid("header-byte-order-mark", container(b"\xef\xbb\xbf" + ONE.encode(), D8), "begins no JSON value")
    invalid("header-form-feed", container("\f" + ONE, D8), "begins no JSON value")
    nested = '{"a":{"x":' + "[" * 63 + "]" * 63 + "}}"
    invalid("header-nested-65", container(nested), "nested too deep")
    for fault, text in {
        "not-utf8": b"\xff",
        "utf8-overlong": b"\xc0\xaf",
        "utf8-overlong-nul": b"\xe0\x80\x80",
        "utf8-surrogate": b"\xed\xa0\x80",
        "utf8-above-10ffff": b"\xf4\x90\x80\x80",
        "utf8-cut": b"\xe2\x82",
    }.items():
        invalid(f"name-{fault}", container(ONE.encode().replace(b'"a"', b'"' + text + b'"'), D8), "not valid UTF-8")
    for fault, text, part in (
        ("lone-high-surrogate", r"\ud800", "a high surrogate"),
        ("high-surrogate-and-letter", r"\ud800\u0041", "a high surrogate"),
        ("two-high-surrogates", r"\ud800\ud800", "a high surrogate"),
        ("lone-low-surrogate", r"\udc00", "a low surrogate"),
        ("escaped-nul", r"a\u0000b", "\\u0000"),
        ("short-escape", r"\u12", "four hexadecimal digits"),
        ("wrong-hex", r"\u12g4", "four hexadecimal digits"),
        ("unknown-escape", r"\x41", "unknown escape"),
        ("raw-nul", "a\0b", "control character"),
        ("raw-newline", "a\nb", "control character"),
    ):
        invalid(f"name-{fault}", container(ONE.replace('"a"', f'"{text}"'), D8), part)
    invalid("name-1025-bytes", pack({"n" * 1025: entry()}, D8), "longer than 1024 bytes")


def make_invalid_duplicates():
    body = ONE[5:-1]
    invalid("duplicate-tensor", container('{"a":' + body + ',"a":' + body + "}", D8), "stands twice")
    invalid("duplicate-tensor-escaped", container('{"a":' + body + r',"\u0061":' + body + "}", D8), "stands twice")
    other = body.replace("F32", "I32")
    invalid("duplicate-tensor-other-dtype", container('{"a":' + body + ',"a":' + other + "}", D8), "stands twice")
    invalid("duplicate-metadata", container('{"__metadata__":{},"__metadata__":{}}'), "stands twice")
    invalid("duplicate-metadata-key", container('{"__metadata__":{"k":"1","k":"1"}}'), "stands twice")
    invalid("duplicate-metadata-key-escaped", container(r'{"__metadata__":{"k":"1","\u006b":"2"}}'), "stands twice")
    for key, value in (("dtype", '"F32"'), ("shape", "[2]"), ("data_offsets", "[0,8]")):
        twice = ONE.replace(f'"{key}":{value}', f'"{key}":{value},"{key}":{value}')
        invalid(f"duplicate-{key}", container(twice, D8), "stands twice")


def make_invalid_numbers():
    for fault, text in {
        "negative": "-4", "minus-zero": "-0", "exponent": "2e0", "exponent-1e3": "1e3", "fraction": "2.0",
        "2pow48": str(2**48), "2pow64": str(2**64), "string": '"2"', "null": "null", "true": "true", "array": "[2]",
    }.items():
        invalid(f"shape-{fault}", container(ONE.replace("[2]", f"[{text}]"), D8), "shape must hold plain integers")
        invalid(f"offset-{fault}", container(ONE.replace("[0,8]", f"[0,{text}]"), D8),
                "data_offsets must hold plain integers")
    for fault, text, part in (
        ("leading-zero", "02", "',' or ']'"), ("plus", "+2", "begins no JSON value"), ("hex", "0x2", "',' or ']'"),
        ("nan", "NaN", "begins no JSON value"), ("infinity", "Infinity", "begins no JSON value"),
        ("minus", "-", "needs a digit"), ("point", "2.", "needs a digit"), ("bare-exponent", "2e", "needs a digit"),
        ("point-first", ".2", "begins no JSON value"), ("too-large", "1e999", "too large"),
        ("1025-digits", "1" * 1025, "1024 characters"),
    ):
        invalid(f"shape-{fault}", container(ONE.replace("[2]", f"[{text}]"), D8), part)
        invalid(f"offset-{fault}", container(ONE.replace("[0,8]", f"[0,{text}]"), D8), part)
    shape = [2**24, 2**24, 2**24]
    invalid("shape-product-overflows", pack({"a": entry(shape=shape, offsets=(0, 0))}, b""), "overflows 64 bits")
    shape = [2**40, 2**21]
    invalid("shape-bits-overflow", pack({"a": entry(shape=shape, offsets=(0, 0))}, b""), "overflows 64 bits")
    invalid("shape-too-large", pack({"a": entry(shape=(3,))}, D8), "shape needs 12 bytes")
    invalid("shape-too-small", pack({"a": entry(shape=(1,))}, D8), "shape needs 4 bytes")
    invalid("shape-zero-with-bytes", pack({"a": entry(shape=(0,))}, D8), "shape needs 0 bytes")
    invalid("shape-rank-0-two-elements", pack({"a": entry(shape=())}, D8), "shape needs 4 bytes")
    invalid("shape-rank-9", pack({"a": entry(shape=(1, 1, 1, 1, 1, 1, 1, 1, 2))}, D8), "9 dimensions", "unsupported")
    invalid("shape-f4-odd", pack({"a": entry("F4", (3,), (0, 2))}, D8[:2]), "whole bytes")
    invalid("shape-f6-odd", pack({"a": entry("F6_E2M3", (1,), (0, 1))}, D8[:1]), "whole bytes")
    invalid("shape-not-array", container(ONE.replace("[2]", "2"), D8), "shape must be an array")
    invalid("offset-not-array", container(ONE.replace("[0,8]", '{"begin":0}'), D8), "data_offsets must be an array")
    invalid("offset-none", container(ONE.replace("[0,8]", "[]"), D8), "two integers")
    invalid("offset-one", container(ONE.replace("[0,8]", "[0]"), D8), "two integers")
    invalid("offset-three", container(ONE.replace("[0,8]", "[0,8,8]"), D8), "two integers")


def make_invalid_entries():
    invalid("dtype-unknown", container(ONE.replace("F32", "F99"), D8), "'F99' is unknown", "unsupported")
    invalid("dtype-lower-case", container(ONE.replace("F32", "f32"), D8), "'f32' is unknown", "unsupported")
    invalid("dtype-empty", container(ONE.replace("F32", ""), D8), "'' is unknown", "unsupported")
    invalid("dtype-escape-sequence", container(ONE.replace("F32", r"\u001b[31m"), D8), r"\x1b[31m", "unsupported")
    invalid("dtype-number", container(ONE.replace('"F32"', "32"), D8), "dtype must be a string")
    lines = {"dtype": '"dtype":"F32",', "shape": '"shape":[2],', "data_offsets": ',"data_offsets":[0,8]'}
    for key, text in lines.items():
        invalid(f"entry-without-{key}", container(ONE.replace(text, ""), D8), f"{key} is missing")
    invalid("entry-null", container('{"a":null}'), "described by an object")
    invalid("entry-array", container('{"a":[]}'), "described by an object")
    invalid("entry-empty", container('{"a":{}}'), "dtype is missing")
    invalid("metadata-number", container('{"__metadata__":{"k":1}}'), "a string as value")
    invalid("metadata-null", container('{"__metadata__":{"k":null}}'), "a string as value")
    invalid("metadata-object", container('{"__metadata__":{"k":{}}}'), "a string as value")
    invalid("metadata-array", container('{"__metadata__":[]}'), "an object as __metadata__")
    invalid("metadata-string", container('{"__metadata__":"x"}'), "an object as __metadata__")


def make_invalid_ranges():
    def two(first, second, data=D16):
        return pack({"a": entry(offsets=first), "b": entry(offsets=second)}, data)

    invalid("hole", two((0, 8), (12, 20), bytes(20)), "a hole lies before it")
    invalid("hole-of-one", two((0, 8), (9, 17), bytes(17)), "a hole lies before it")
    invalid("hole-at-start", pack({"a": entry(offsets=(8, 16))}, D16), "a hole lies before it")
    invalid("overlap", two((0, 8), (4, 12), D16[:12]), "overlaps the tensor before it")
    invalid("overlap-of-one", two((0, 8), (7, 15), D16[:15]), "overlaps the tensor before it")
    invalid("overlap-same-bytes", two((0, 8), (0, 8), D8), "overlaps the tensor before it")
    many = {f"t{i}": entry(offsets=(0, 8)) for i in range(50)}
    invalid("overlap-fifty-on-same-bytes", pack(many, D8), "overlaps the tensor before it")
    inside = {"a": entry(), "b": entry(shape=(0,), offsets=(4, 4))}
    invalid("overlap-zero-size-inside", pack(inside, D8), "overlaps the tensor before it")
    invalid("hole-before-zero-size", pack({"a": entry(), "b": entry(shape=(0,), offsets=(9, 9))}, bytes(9)),
            "a hole lies before it")
    invalid("trailing-byte", container(ONE, D8 + b"\0"), "1 bytes behind the last tensor")
    invalid("trailing-eight-bytes", container(ONE, D16), "8 bytes behind the last tensor")
    invalid("trailing-bytes-without-tensors", container("{}", D8), "8 bytes behind the last tensor")
    invalid("data-one-short", container(ONE, D8[:7]), "past the end of the file")
    invalid("data-missing", container(ONE), "past the end of the file")
    invalid("offset-past-end", pack({"a": entry(offsets=(8, 16))}, D8), "past the end of the file")
    invalid("offset-far-past-end", pack({"a": entry(offsets=(2**48 - 9, 2**48 - 1))}, D8), "past the end of the file")
    invalid("offset-zero-size-past-end", pack({"a": entry(shape=(0,), offsets=(9, 9))}, D8), "past the end of the file")
    invalid("offset-2pow64-minus-1", pack({"a": entry(offsets=(2**64 - 8, 2**64 - 1))}, D8), "plain integers")
    invalid("offsets-reversed", pack({"a": entry(offsets=(8, 0))}, D8), "ends before it begins")


# ---- sharded checkpoints -------------------------------------------------------------------------------------------
SHARD_A = pack({"a": entry(), "c": entry(offsets=(8, 16))}, D16)
SHARD_B = pack({"b": entry()}, D8)
WHOLE_MAP = {"a": "1.safetensors", "b": "2.safetensors", "c": "1.safetensors"}


def index_folder(base, name, index, shards=None):
    folder = base / name
    folder.mkdir()
    if not isinstance(index, (str, bytes)):
        index = json.dumps(index, indent=1)
    (folder / "model.safetensors.index.json").write_bytes(index if isinstance(index, bytes) else index.encode())
    if shards is None:
        shards = {"1.safetensors": SHARD_A, "2.safetensors": SHARD_B}
    for file_name, content in shards.items():
        (folder / file_name).write_bytes(content)


def invalid_index(name, index, part, status="format", shards=None):
    index_folder(INVALID, name, index, shards)
    (INVALID / f"{name}.expected").write_text(f"{status}\t{part}\n")


def make_indexes():
    index_folder(VALID, "index", {"metadata": {"total_size": 24}, "weight_map": WHOLE_MAP})
    index_folder(VALID, "index-without-metadata", {"weight_map": WHOLE_MAP})
    index_folder(VALID, "index-total-size-lies", {"metadata": {"total_size": 25}, "weight_map": WHOLE_MAP})
    index_folder(VALID, "index-total-size-text", {"metadata": {"total_size": "24", "x": [1]}, "weight_map": WHOLE_MAP})
    index_folder(VALID, "index-unknown-keys", {"x": {"y": [None]}, "weight_map": WHOLE_MAP, "z": 1.5})

    here = "only files of the same directory"
    for fault, shard in {
        "parent": "../1.safetensors", "absolute": "/etc/passwd", "climbing": "a/../../1.safetensors",
        "subdirectory": "x/1.safetensors", "current-directory": "./1.safetensors", "backslash": "\\\\host\\share\\x",
        "backslash-parent": "..\\1.safetensors", "empty": "", "dot": ".", "dot-dot": "..", "drive": "C:1.safetensors",
        "trailing-slash": "1.safetensors/", "newline": "1\n.safetensors", "escape-sequence": "\u001b[31m1",
        "256-bytes": "n" * 256, "home": "~/1.safetensors", "url": "file:///etc/passwd",
    }.items():
        invalid_index(f"shard-{fault}", {"weight_map": {**WHOLE_MAP, "a": shard}}, here)
    invalid_index("shard-nul", '{"weight_map":{"a":"1.safetensors\\u0000/../x"}}', "\\u0000")
    invalid_index("shard-number", {"weight_map": {"a": 1}}, "a file name as value")
    invalid_index("shard-null", {"weight_map": {"a": None}}, "a file name as value")
    invalid_index("shard-list", {"weight_map": {"a": ["1.safetensors"]}}, "a file name as value")
    invalid_index("shard-missing", {"weight_map": WHOLE_MAP}, "'2.safetensors': is missing", "not found",
                  {"1.safetensors": SHARD_A})
    invalid_index("shard-empty-file", {"weight_map": WHOLE_MAP}, "needs 8 bytes", "format",
                  {"1.safetensors": SHARD_A, "2.safetensors": b""})
    invalid_index("shard-truncated", {"weight_map": WHOLE_MAP}, "past the end of the file", "format",
                  {"1.safetensors": SHARD_A, "2.safetensors": SHARD_B[:-1]})
    invalid_index("shard-is-the-index", {"weight_map": {"a": "model.safetensors.index.json"}}, "longer than the rest")
    invalid_index("shard-lacks-tensor", {"weight_map": {**WHOLE_MAP, "d": "2.safetensors"}}, "lacks the tensor 'd'")
    invalid_index("tensor-in-two-shards", {"weight_map": WHOLE_MAP}, "is in 1.safetensors too", "format",
                  {"1.safetensors": SHARD_A, "2.safetensors": pack({"a": entry(), "b": entry(offsets=(8, 16))}, D16)})
    invalid_index("tensor-in-other-shard", {"weight_map": {**WHOLE_MAP, "c": "2.safetensors"}},
                  "should be in 2.safetensors but is in 1.safetensors")
    invalid_index("tensor-not-listed", {"weight_map": {"a": "1.safetensors", "b": "2.safetensors"}}, "does not list it")
    invalid_index("weight-map-missing", {"metadata": {}}, "weight_map is missing")
    invalid_index("weight-map-empty", {"weight_map": {}}, "weight_map is empty")
    invalid_index("weight-map-array", {"weight_map": ["1.safetensors"]}, "an object as weight_map")
    invalid_index("weight-map-null", {"weight_map": None}, "an object as weight_map")
    invalid_index("weight-map-twice", '{"weight_map":{"a":"1.safetensors"},"weight_map":{}}', "weight_map stands twice")
    invalid_index("weight-map-duplicate", '{"weight_map":{"a":"1.safetensors","a":"2.safetensors"}}',
                  "tensor 'a' stands twice")
    invalid_index("weight-map-duplicate-escaped", r'{"weight_map":{"a":"1.safetensors","\u0061":"2.safetensors"}}',
                  "tensor 'a' stands twice")
    invalid_index("weight-map-long-name", {"weight_map": {"n" * 1025: "1.safetensors"}}, "longer than 1024 bytes")
    invalid_index("metadata-twice", '{"metadata":{},"metadata":{}}', "metadata stands twice")
    invalid_index("metadata-list", {"metadata": [], "weight_map": WHOLE_MAP}, "an object as metadata")
    invalid_index("total-size-twice", '{"metadata":{"total_size":1,"total_size":1}}', "total_size stands twice")
    invalid_index("index-empty-file", "", ":1:1:")
    invalid_index("index-array", "[]", "an object as index")
    invalid_index("index-cut", '{"weight_map":{"a":"1.safe', ":1:27:")
    invalid_index("index-trailing-text", '{"weight_map":{"a":"1.safetensors"}}\n}', ":2:1:")
    invalid_index("index-nested-65", '{"x":' + "[" * 64 + "]" * 64 + "}", "nested too deep")
    invalid_index("index-not-utf8", b'{"weight_map":{"\xff":"1.safetensors"}}', "not valid UTF-8")
    invalid_index("index-of-pytorch-files", {"weight_map": {"a": "pytorch_model-00001-of-00002.bin"}},
                  "PyTorch file", "unsupported", {})


def main():
    if ROOT.exists():
        shutil.rmtree(ROOT)
    VALID.mkdir(parents=True)
    INVALID.mkdir()
    for make in (make_valid, make_invalid_length, make_invalid_json, make_invalid_duplicates, make_invalid_numbers,
                 make_invalid_entries, make_invalid_ranges, make_indexes):
        make()


if __name__ == "__main__":
    main()
