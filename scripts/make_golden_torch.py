#!/usr/bin/python3
"""Makes tests/goldens/torch: tiny valid and invalid PyTorch files, each invalid one named after its fault.

valid/NAME.pth          must open
valid/NAME/             a folder that must open
invalid/FAULT.pth       must be refused as invalid/FAULT.expected says
invalid/FAULT/          the same for a folder

FAULT.expected is one line: the status, a TAB, a part of the message. The output depends on this script alone. Pickles are put together
from opcodes: nothing here is ever unpickled.
"""
import json
import pathlib
import shutil
import struct
import zlib

ROOT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "goldens" / "torch"
VALID = ROOT / "valid"
INVALID = ROOT / "invalid"
STORED, DEFLATED = 0, 8


# ---- pickles ------------------------------------------------------------------------------------------------------
def text(value):
    data = value if isinstance(value, bytes) else value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def number(value):
    if -(1 << 31) <= value < 1 << 31:
        return b"J" + struct.pack("<i", value)
    length = value.bit_length() // 8 + 1
    return b"\x8a" + bytes([length]) + value.to_bytes(length, "little", signed=True)


def found(module, name):
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n"


def tuple_of(*items):
    return b"(" + b"".join(items) + b"t"


def call(module, name, *arguments):
    return found(module, name) + tuple_of(*arguments) + b"R"


def dict_of(items, make=b"}"):
    return make + b"(" + b"".join(k + v for k, v in items) + b"u"


def named(**items):
    return [(text(k), v) for k, v in items.items()]


ORDERED = found("collections", "OrderedDict") + b")R"
NONE, TRUE, FALSE = b"N", b"\x88", b"\x89"


def storage(key="0", kind="FloatStorage", count=6, word="storage", module="torch", more=()):
    return tuple_of(text(word), found(module, kind), text(key), text("cpu"), number(count), *more) + b"Q"


def tensor(shape=(2, 3), strides=None, offset=0, held=None, more=(), offset_as=None):
    if strides is None:
        strides = [1]
        for extent in reversed(shape[1:]):
            strides.insert(0, strides[0] * extent)
        strides = strides[:len(shape)]
    return call("torch._utils", "_rebuild_tensor_v2", held or storage(), offset_as or number(offset),
                tuple_of(*map(number, shape)), tuple_of(*map(number, strides)), FALSE, ORDERED, *more)


def tensor_v3(dtype, count=6, shape=(6,)):
    return call("torch._utils", "_rebuild_tensor_v3", storage(kind="UntypedStorage", module="torch.storage", count=count), number(0),
                tuple_of(*map(number, shape)), tuple_of(*[number(1)] * len(shape)), FALSE, ORDERED, dtype)


def pickle(value, protocol=2):
    return b"\x80" + bytes([protocol]) + value + b"."


PLAIN = pickle(dict_of(named(w=tensor())))
DATA = bytes(range(24))


# ---- archives -----------------------------------------------------------------------------------------------------
class Entry:
    """What an archive says of one part: each field as it should be, unless a fault replaces it."""

    def __init__(self, name, data, method=STORED, **faults):
        self.name, self.data, self.method, self.faults = name.encode(), data, method, faults
        self.stored = faults.get("packed", data if method == STORED else deflate(data))

    def fields(self, side):
        f = self.faults

        def of(key, right):
            return f.get(f"{side}_{key}", f.get(key, right))
        return (of("name", self.name), of("flags", 0), of("method", f.get("code", self.method)), of("crc", zlib.crc32(self.data)),
                of("stored", len(self.stored)), of("size", len(self.data)), of("extra", b""))


def deflate(data):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def archive(*entries, before=b"", between=b"", after=b"", comment=b"", n_entries=None, zip64=False, directory_shift=0):
    out, places = bytearray(before), []
    for e in entries:
        name, flags, method, crc, stored, size, extra = e.fields("local")
        places.append(e.faults.get("offset", len(out)))
        out += struct.pack("<IHHHIIIIHH", 0x04034B50, 20, flags, method, 0, crc, stored, size, len(name), len(extra))
        out += name + extra + e.stored + e.faults.get("descriptor", b"")
    out += between
    start = len(out)
    for e, place in zip(entries, places):
        name, flags, method, crc, stored, size, extra = e.fields("central")
        out += struct.pack("<IHHHHIIIIHHHHHII", 0x02014B50, 20, 20, flags, method, 0, crc, stored, size, len(name), len(extra), 0,
                           e.faults.get("disk", 0), 0, 0, min(place, 0xFFFFFFFF))
        out += name + extra
    size, count = len(out) - start, len(entries) if n_entries is None else n_entries
    if zip64:
        place = len(out)
        out += struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, count, count, size, start)
        out += struct.pack("<IIQI", 0x07064B50, 0, place, 1)
        count = 0xFFFF
    out += struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, count, count, size, start + directory_shift, len(comment)) + comment
    return bytes(out + after)


def checkpoint(pickled=PLAIN, data=DATA, more=(), method=STORED, pickle_faults=None, data_faults=None, **options):
    return archive(Entry("x/data.pkl", pickled, method, **(pickle_faults or {})),
                   Entry("x/data/0", data, method, **(data_faults or {})), *more, **options)


def row(root, keys=("0",), data=((6, DATA),), version=1001, little=TRUE, after=b""):
    magic = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
    machine = dict_of(named(protocol_version=number(1001), little_endian=little))
    listed = b"](" + b"".join(map(text, keys)) + b"e"
    body = b"".join(struct.pack("<q", count) + held for count, held in data)
    return magic + pickle(number(version)) + pickle(machine) + root + pickle(listed) + body + after


def valid(name, content):
    (VALID / f"{name}.pth").write_bytes(content)


def invalid(name, content, part, status="format"):
    (INVALID / f"{name}.pth").write_bytes(content)
    (INVALID / f"{name}.expected").write_text(f"{status}\t{part}\n")


def folder(kind, name, files, expected=None):
    place = (VALID if kind == "valid" else INVALID) / name
    place.mkdir()
    for file, content in files.items():
        (place / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    if expected:
        (INVALID / f"{name}.expected").write_text(f"{expected[0]}\t{expected[1]}\n")


def index(**places):
    return json.dumps({"metadata": {}, "weight_map": places})


def shard(name, key="0"):
    return checkpoint(pickle(dict_of(named(**{name: tensor(held=storage(key))}))))


def make_valid():
    valid("plain", checkpoint())
    valid("deflated", checkpoint(method=DEFLATED))
    valid("ordered", checkpoint(pickle(dict_of(named(w=tensor()), ORDERED))))
    valid("ordered-from-pairs", checkpoint(pickle(call("collections", "OrderedDict", b"](](" + text("w") + tensor() + b"ee"))))
    valid("attributes-dropped", checkpoint(pickle(dict_of(named(w=tensor()), ORDERED) + dict_of(named(_metadata=ORDERED)) + b"b")))
    valid("size-call", checkpoint(pickle(dict_of(named(w=call(
        "torch._utils", "_rebuild_tensor_v2", storage(), number(0), call("torch", "Size", tuple_of(number(6))), tuple_of(number(1)),
        FALSE, ORDERED))))))
    valid("python2-names", checkpoint(pickle(dict_of([(b"U\x01w", tensor())]))))
    valid("zip64-end", checkpoint(zip64=True))
    wide = struct.pack("<HHQQ", 1, 16, len(PLAIN), len(PLAIN))
    valid("zip64-sizes", checkpoint(pickle_faults={"stored": 0xFFFFFFFF, "size": 0xFFFFFFFF, "extra": wide}))
    crc = zlib.crc32(PLAIN)
    for kind, descriptor in (("", struct.pack("<IIII", 0x08074B50, crc, len(PLAIN), len(PLAIN))),
                             ("-unmarked", struct.pack("<III", crc, len(PLAIN), len(PLAIN))),
                             ("-64", struct.pack("<IIQQ", 0x08074B50, crc, len(PLAIN), len(PLAIN)))):
        valid("sizes-behind-data" + kind, checkpoint(pickle_faults={
            "flags": 8, "local_crc": 0, "local_stored": 0, "local_size": 0, "descriptor": descriptor}))
    valid("byte-order-little", checkpoint(more=[Entry("x/byteorder", b"little")]))
    valid("comment", checkpoint(comment=b"made by hand"))
    valid("unknown-global-in-optimizer", checkpoint(pickle(dict_of(named(
        state_dict=dict_of(named(w=tensor())), optimizer=call("posix", "system", text("touch PWNED")))))))
    valid("storage-of-optimizer-missing", checkpoint(pickle(dict_of(named(
        model=dict_of(named(w=tensor())), optimizer=dict_of(named(m=tensor(held=storage("9")))))))))
    valid("plain-values-beside-tensors", checkpoint(pickle(dict_of(named(w=tensor(), version=number(3), note=NONE)))))
    valid("strides-of-single-extents", checkpoint(pickle(dict_of(named(w=tensor((1, 6), (99, 1)))))))
    valid("no-elements-odd-strides", checkpoint(pickle(dict_of(named(w=tensor((0, 3), (7, 9), 5), v=tensor())))))
    doubled = tuple_of(number(1)) + b"".join(b"q" + bytes([i]) + b"h" + bytes([i]) + b"\x86" for i in range(40))
    valid("settings-without-end", checkpoint(pickle(dict_of(named(model=dict_of(named(w=tensor())), config=dict_of(named(a=doubled)))))))
    valid("settings-in-a-circle", checkpoint(pickle(dict_of(named(
        model=dict_of(named(w=tensor())), config=b"}q\1(" + text("n") + number(1) + text("self") + b"h\1u")))))
    valid("row", row(PLAIN))
    valid("row-without-elements", row(pickle(dict_of(named(w=tensor((0,), (1,), held=storage(count=0))))), data=((0, b""),)))
    folder("valid", "sharded", {"pytorch_model.bin.index.json": index(a="one.bin", b="two.bin"), "one.bin": shard("a"),
                                "two.bin": shard("b")})
    folder("valid", "one-ckpt", {"last.ckpt": checkpoint()})
    header = b'{"w":{"dtype":"F32","shape":[6],"data_offsets":[0,24]}}'
    folder("valid", "one-ckpt-of-safetensors", {"last.ckpt": struct.pack("<Q", len(header)) + header + DATA})


def make_pickles():
    def bad(name, value, part, status="format", protocol=2):
        invalid("pickle-" + name, checkpoint(pickle(value, protocol)), part, status)

    weights = dict_of(named(w=tensor()))
    for name, opcode in (("append", b"a"), ("setitem", NONE + b"s")):
        for kind, target in (("tuple", b")"), ("none", NONE), ("text", text("x")), ("tensor", tensor()), ("global", found("torch", "Size")),
                             ("other", b"}" if name == "append" else b"]")):
            bad(f"{name}-to-{kind}", target + NONE + opcode, "no such container")
    for name, opcode in (("appends", b"e"), ("setitems", b"u")):
        for kind, target in (("tuple", b")"), ("number", number(1)), ("storage", storage()), ("other", b"}" if name == "appends" else b"]")):
            bad(f"{name}-to-{kind}", target + b"(" + NONE + NONE + opcode, "no such container")
    bad("setitems-odd", b"}(" + NONE + b"u", "a key without a value")
    for name, value in (("append", b"]a"), ("setitem", b"}" + NONE + b"s"), ("tuple1", b"\x85"), ("tuple3", NONE + b"\x87"), ("reduce", b")R"),
                        ("build", b"}b"), ("binput", b"q\0"), ("memoize", b"\x94"), ("persistent", b"Q"), ("stack-global", text("a") + b"\x93"),
                        ("below-mark", NONE + NONE + b"(\x86"), ("container-below-mark", b"](" + NONE + b"a")):
        bad("underflow-" + name, value, "too few values")
    for name, opcode in (("tuple", b"t"), ("appends", b"]e"), ("setitems", b"}u")):
        bad("no-mark-" + name, opcode, "no mark")
    bad("memo-missing", b"h\x05", "never made")
    bad("memo-long-missing", b"j\xff\xff\xff\xff", "never made")
    bad("memo-far", NONE + b"r\xff\xff\xff\xff", "memo number")
    bad("stop-with-two", NONE + NONE, "something else than one value")
    bad("stop-with-none", b"", "something else than one value")
    bad("stop-with-mark", NONE + b"(", "something else than one value")
    bad("empty-tuple-at-bottom", b"(t", "no dict of tensors", "unsupported")
    bad("self-referential-list", b"]q\0h\0a", "no dict of tensors", "unsupported")
    bad("self-referential-dict", b"}q\0" + text("w") + b"h\0s", "no dict of tensors", "unsupported")
    bad("long1-255", b"\x8a\xff" + b"\x7f" * 255, "no dict of tensors", "unsupported")
    bad("long1-cut", b"\x8a\xff" + b"\x7f" * 20, "ends in the middle")
    bad("text-cut", b"X\xff\xff\xff\x7fabc", "ends in the middle")
    bad("text-huge", b"X\xff\xff\xff\xffabc", "ends in the middle")
    bad("frame-beyond", b"\x95" + b"\xff" * 8 + NONE, "frame")
    bad("global-without-end", b"cposix", "sound name")
    bad("global-one-line", b"cposix\nsystem", "sound name")
    bad("global-long", b"c" + b"m" * 5000 + b"\nx\n", "sound name")
    bad("stack-global-of-numbers", number(1) + number(2) + b"\x93", "sound name")
    bad("protocol-6", weights, "protocol above 5", "unsupported", protocol=6)
    for name, opcode in (("string", b"S'x'\n"), ("inst", b"iposix\nsystem\n"), ("obj", b"(o"), ("ext1", b"\x82\1"), ("ext4", b"\x84\1\0\0\0"),
                         ("persid", b"Px\n"), ("int", b"I1\n"), ("next-buffer", b"\x97"), ("pop", b"0"), ("dup", b"2"), ("none-such", b"\xff")):
        bad("opcode-" + name, opcode, "opcode 0x", "unsupported")
    bad("call-of-text", text("posix.system") + b")R", "no function")
    bad("call-of-tensor", tensor() + b")R", "no function")
    bad("call-without-tuple", found("posix", "system") + text("touch PWNED") + b"R", "no tuple")
    bad("ordered-of-text", call("collections", "OrderedDict", text("x")), "than pairs")
    bad("ordered-of-triples", call("collections", "OrderedDict", b"](](" + NONE * 3 + b"ee"), "than pairs")
    bad("build-on-plain-dict", b"}}b", "attributes")
    bad("build-on-tensor", tensor() + b"}b", "attributes")
    invalid("pickle-trailing", checkpoint(PLAIN + b"x"), "follows the end of the pickle")
    invalid("pickle-empty", checkpoint(b""), "ends before its end mark")
    invalid("pickle-without-stop", checkpoint(PLAIN[:-1]), "ends before its end mark")
    bad("key-twice", dict_of([(text("w"), tensor()), (text("w"), tensor())]), "stands twice")
    bad("wrapper-twice", dict_of([(text("model"), weights), (text("model"), weights)]), "stands twice")
    bad("key-number", dict_of([(number(1), tensor())]), "name of a tensor")
    bad("key-zero-byte", dict_of([(text(b"a\0b"), tensor())]), "name of a tensor")
    bad("key-not-utf8", dict_of([(text(b"\xff\xfe"), tensor())]), "name of a tensor")
    bad("key-long", dict_of([(text("k" * 1025), tensor())]), "name of a tensor")
    bad("no-tensors", b"}", "no dict of tensors", "unsupported")
    bad("list-of-tensors", b"]" + tensor() + b"a", "no dict of tensors", "unsupported")
    bad("nested-unknown-key", dict_of(named(net=weights)), "tensors lie below 'net'", "unsupported")


def make_globals():
    def bad(name, value, part="unsupported global"):
        invalid("global-" + name, checkpoint(pickle(value)), part, "unsupported")

    weights = dict_of(named(w=tensor()))
    run = call("posix", "system", text("touch PWNED"))
    bad("run", run, "unsupported global 'posix.system'")
    bad("run-as-weight", dict_of(named(w=tensor(), v=run)), "unsupported global 'posix.system'")
    bad("run-beside-weights", dict_of(named(state_dict=weights, payload=run)), "unsupported global 'posix.system'")
    bad("run-in-list", dict_of(named(state_dict=weights, extra=b"](" + NONE + run + b"e")))
    bad("run-in-tuple", dict_of(named(w=tensor(), extra=tuple_of(run))))
    bad("run-in-key", dict_of([(text("w"), tensor()), (b"}" + run + NONE + b"s", NONE)][:1] + [(text("d"), b"}" + run + NONE + b"s")]))
    bad("bare", dict_of(named(w=tensor(), v=found("posix", "system"))))
    bad("new-object", dict_of(named(w=tensor(), v=found("subprocess", "Popen") + b")\x81")))
    bad("stack-global", dict_of(named(w=tensor(), v=text("builtins") + text("eval") + b"\x93" + tuple_of(text("1")) + b"R")),
        "unsupported global 'builtins.eval'")
    for module, name in (("builtins", "exec"), ("numpy.testing._private.utils", "runstring"), ("pip", "main"), ("torch", "load"),
                         ("torch.jit.unsupported_tensor_ops", "execWrapper"), ("asyncio.unix_events", "_UnixSubprocessTransport._start"),
                         ("torch.serialization", "load"), ("bdb", "Bdb.run"), ("cProfile", "runctx"), ("pydoc", "pipepager"),
                         ("torch.utils._config_module", "ConfigModule.load_config"), ("timeit", "timeit"), ("operator", "attrgetter")):
        bad(f"{module}-{name}".replace(".", "-").replace("_", "-").lower(), dict_of(named(w=call(module, name, text("x")))),
            f"unsupported global '{module}.{name}'"[:60])
    bad("near-miss-name", dict_of(named(w=call("torch._utils", "_rebuild_tensor_v22", storage()))))
    bad("near-miss-module", dict_of(named(w=call("torch._utilsx", "_rebuild_tensor_v2", storage()))))
    bad("whole-module", call("torch.nn.modules.linear", "Linear"), "unsupported global 'torch.nn.modules.linear.Linear'")
    bad("escape-sequence", dict_of(named(w=call("\x1b[31mposix", "system"))))
    bad("called-twice", dict_of(named(w=call("builtins", "getattr", text("x")) + tuple_of(text("y")) + b"R")))
    bad("filled", dict_of(named(w=tensor(), v=found("evil", "Dict") + b")\x81(" + text("k") + NONE + b"u")))


def make_tensors():
    def bad(name, value, part, status="format", **options):
        invalid("tensor-" + name, checkpoint(pickle(dict_of(named(w=value))), **options), part, status)

    bad("past-end", tensor((7,)), "past the end of its storage")
    bad("offset-past-end", tensor((2, 3), offset=1), "past the end of its storage")
    bad("offset-huge", tensor((2, 3), offset=2**62), "past the end of its storage")
    bad("offset-negative", tensor((1,), offset=-1), "malformed")
    bad("offset-text", tensor((1,), offset_as=text("0")), "malformed")
    bad("offset-long", tensor((1,), offset_as=number(2**80)), "malformed")
    bad("stride-past-end", tensor((2, 3), (4, 1)), "past the end of its storage")
    bad("stride-negative", tensor((2, 3), (-3, 1)), "something else than sizes")
    bad("stride-overflow", tensor((3, 3), (2**62, 1)), "overflow")
    bad("stride-sum-overflow", tensor((2, 2, 2), (2**62, 2**62, 2**62 + 2**61)), "past the end of its storage")
    bad("shape-negative", tensor((-2, 3), (3, 1)), "something else than sizes")
    bad("shape-overflow", tensor((2**32, 2**32), (0, 0)), "overflows 64 bits")
    bad("shape-bytes-overflow", tensor((2**62, 1), (0, 0)), "overflows 64 bits")
    bad("shape-repeated", tensor((2**40,), (0,)), "are repeated", "unsupported")
    bad("shape-longer-than-strides", tensor((2, 3), (1,)), "belong together")
    bad("shape-of-text", call("torch._utils", "_rebuild_tensor_v2", storage(), number(0), text("6"), tuple_of(number(1)), FALSE, ORDERED),
        "belong together")
    bad("rank-9", tensor((1,) * 9, (1,) * 9), "9 dimensions", "unsupported")
    bad("too-few-arguments", call("torch._utils", "_rebuild_tensor_v2", storage()), "malformed")
    bad("no-arguments", call("torch._utils", "_rebuild_parameter"), "malformed")
    bad("parameter-of-none", call("torch._utils", "_rebuild_parameter", NONE, TRUE, ORDERED), "malformed")
    bad("parameter-of-parameter", call("torch._utils", "_rebuild_parameter",
                                       call("torch._utils", "_rebuild_parameter", tensor(), TRUE, ORDERED), TRUE, ORDERED), "malformed")
    bad("conjugate", tensor(more=[dict_of(named(conj=TRUE))]), "conjugate", "unsupported")
    bad("storage-none", tensor(held=NONE), "in the place of its storage")
    bad("storage-number", tensor(held=number(1) + b"Q"), "malformed identity")
    bad("storage-word", tensor(held=storage(word="module")), "malformed identity")
    bad("storage-key-missing", tensor(held=storage("7")), "missing in the archive")
    bad("storage-key-outside", tensor(held=storage("../../../etc/passwd")), "missing in the archive")
    bad("storage-key-zero-byte", tensor(held=storage(b"0\0x")), "malformed")
    bad("storage-count-negative", tensor(held=storage(count=-1)), "malformed identity")
    bad("storage-count-small", tensor((5,), held=storage(count=5)), "24 bytes, not the 20")
    bad("storage-count-large", tensor((7,), held=storage(count=7)), "24 bytes, not the 28")
    bad("storage-count-overflow", tensor((1,), held=storage(count=2**62)), "overflows 64 bits")
    bad("storage-view", tensor(held=storage(more=[tuple_of(text("1"), number(0), number(6))])), "view of another", "unsupported")
    bad("storage-of-unknown-type", tensor(held=storage(kind="QInt8Storage")), "type that is not supported", "unsupported")
    bad("storage-untyped-v2", tensor((24,), held=storage(kind="UntypedStorage", module="torch.storage", count=24)), "no dtype")
    bad("v3-of-unknown-dtype", tensor_v3(found("torch", "qint8"), 24), "dtype that is not supported", "unsupported")
    bad("v3-past-end", tensor_v3(found("torch", "float64"), 24, (4,)), "past the end of its storage")
    invalid("storage-crc", checkpoint(data_faults={"crc": 1}), "checksum")
    invalid("storage-crc-deflated-pickle", checkpoint(method=DEFLATED, pickle_faults={"crc": 1}), "checksum")


def make_archives():
    def bad(name, content, part, status="format"):
        invalid("zip-" + name, content, part, status)

    for side in ("local", "central"):
        bad(f"{side}-name-differs", checkpoint(data_faults={f"{side}_name": b"x/data/1"}), "another name")
        bad(f"{side}-method-differs", checkpoint(data_faults={f"{side}_method": DEFLATED}), "")
        bad(f"{side}-size-differs", checkpoint(data_faults={f"{side}_size": 23}), "")
        bad(f"{side}-crc-differs", checkpoint(data_faults={f"{side}_crc": 5}), "checksum")
        bad(f"{side}-flags-differ", checkpoint(data_faults={f"{side}_flags": 2}), "flags")
    bad("encrypted", checkpoint(data_faults={"flags": 1}), "encrypted", "unsupported")
    bad("encrypted-strongly", checkpoint(data_faults={"flags": 0x41}), "encrypted", "unsupported")
    bad("masked", checkpoint(data_faults={"flags": 0x2000}), "encrypted", "unsupported")
    bad("patched", checkpoint(data_faults={"flags": 0x20}), "flags", "unsupported")
    bad("bzip2", checkpoint(data_faults={"code": 12}), "deflate", "unsupported")
    bad("crc-of-pickle", checkpoint(pickle_faults={"crc": 7}), "checksum")
    bad("twice", checkpoint(more=[Entry("x/data/0", DATA)]), "stands twice")
    bad("pickle-twice", checkpoint(more=[Entry("y/data.pkl", PLAIN)]), "two data.pkl")
    bad("overlap", archive(Entry("x/data.pkl", PLAIN), Entry("x/data/0", DATA), Entry("x/data/0", DATA, offset=len(PLAIN) + 40)), "")
    inner = archive(Entry("x/data/1", DATA))
    holder = Entry("x/data/0", inner)
    bad("overlap-inside", archive(Entry("x/data.pkl", PLAIN), holder,
                                  Entry("x/data/1", DATA, offset=30 + 10 + len(PLAIN) + 30 + 8)), "overlaps")
    bad("prepended", checkpoint(before=b"#!/bin/sh\n"), "no format that pml reads", "unsupported")
    bad("prepended-unadjusted", b"PK\3\4" + checkpoint(), "before the archive")
    bad("second-end-in-comment", checkpoint(comment=archive()), "two end records")
    bad("trailing", checkpoint(after=b"x"), "no end record")
    bad("cut", checkpoint()[:-1], "no end record")
    bad("entries-fewer", checkpoint(n_entries=1), "more than its number of entries")
    bad("entries-more", checkpoint(n_entries=3), "")
    bad("entries-none", checkpoint(n_entries=0), "more than its number of entries")
    bad("directory-elsewhere", checkpoint(directory_shift=-4), "")
    bad("gap-before-end", archive(Entry("x/data.pkl", PLAIN), directory_shift=-1), "")
    bad("other-disk", checkpoint(data_faults={"disk": 1}), "disk", "unsupported")
    bad("name-empty", archive(Entry("", b"")), "name of an entry")
    bad("name-zero-byte", archive(Entry("x/data.pkl\0y", PLAIN)), "name of an entry")
    bad("offset-far", checkpoint(data_faults={"offset": 0x7FFFFFFF}), "no local header")
    bad("extra-malformed", checkpoint(data_faults={"extra": struct.pack("<HH", 1, 500)}), "extra field")
    bad("zip64-size-missing", checkpoint(data_faults={"size": 0xFFFFFFFF, "stored": 0xFFFFFFFF, "extra": struct.pack("<HHQ", 1, 8, 24)}),
        "extra field")
    bad("size-2-60", checkpoint(data_faults={"size": 0xFFFFFFFF, "stored": 0xFFFFFFFF,
                                             "extra": struct.pack("<HHQQ", 1, 16, 1 << 60, 1 << 60)}), "past the end of the file")
    bad("bomb", checkpoint(data_faults={"code": DEFLATED, "packed": deflate(bytes(99)), "size": 0x7FFFFFFF}), "thousand times")
    bad("bomb-pickle", checkpoint(b"(" * (3 << 20), method=DEFLATED), "more than allowed")
    bad("deflate-longer", checkpoint(method=DEFLATED, pickle_faults={"size": len(PLAIN) - 1}), "does not have the size")
    bad("deflate-shorter", checkpoint(method=DEFLATED, pickle_faults={"size": len(PLAIN) + 1}), "does not have the size")
    bad("deflate-damaged", checkpoint(method=DEFLATED, pickle_faults={"packed": b"\xff" * 40}), "damaged")
    bad("deflate-cut", checkpoint(method=DEFLATED, pickle_faults={"packed": deflate(PLAIN)[:-4]}), "damaged")
    bad("descriptor-wrong", checkpoint(pickle_faults={"flags": 8, "local_crc": 0, "local_stored": 0, "local_size": 0,
                                                      "descriptor": bytes(16)}), "other sizes")
    bad("big-endian", checkpoint(more=[Entry("x/byteorder", b"big")]), "little-endian", "unsupported")
    bad("byte-order-unknown", checkpoint(more=[Entry("x/byteorder", b"little-endian")]), "little-endian", "unsupported")
    bad("torchscript-code", checkpoint(more=[Entry("x/code/__torch__.py", b"")]), "TorchScript", "unsupported")
    bad("torchscript-constants", checkpoint(more=[Entry("x/constants.pkl", PLAIN)]), "TorchScript", "unsupported")
    bad("without-pickle", archive(Entry("x/readme.txt", b"hello")), "no data.pkl", "unsupported")
    bad("pickle-deep", archive(Entry("x/y/data.pkl", PLAIN)), "no data.pkl", "unsupported")


def make_rows():
    def bad(name, content, part, status="format"):
        invalid("row-" + name, content, part, status)

    bad("magic", b"\x80\x02\x8a\x0a" + bytes(10) + row(PLAIN)[14:], "row of pickles", "unsupported")
    bad("version", row(PLAIN, version=1002), "other than 1001", "unsupported")
    bad("big-endian", row(PLAIN, little=FALSE), "little-endian", "unsupported")
    bad("key-missing", row(PLAIN, keys=()), "list of storages")
    bad("key-twice", row(PLAIN, keys=("0", "0"), data=((6, DATA),) * 2), "list of storages")
    bad("key-other", row(PLAIN, keys=("1",)), "list of storages")
    bad("count-differs", row(PLAIN, data=((5, DATA),)), "another size")
    bad("count-negative", row(PLAIN, data=((-1, DATA),)), "another size")
    bad("data-cut", row(PLAIN, data=((6, DATA[:-1]),)), "past the end of the file")
    bad("trailing", row(PLAIN, after=b"x"), "follows the last storage")
    two = dict_of(named(w=tensor(), v=tensor((3,), held=storage(kind="DoubleStorage", count=3))))
    bad("storage-in-two-ways", row(pickle(two)), "in two ways")
    bad("run", row(pickle(dict_of(named(w=tensor(), payload=call("posix", "system", text("touch PWNED")))))), "unsupported global", "unsupported")
    bad("bare-pickle", PLAIN, "row of pickles", "unsupported")
    bad("only-preamble", row(PLAIN)[:22], "ends before its end mark")


def make_others():
    invalid("pytorch1", b"PYTORCH1" + bytes(120), "PYTORCH1", "unsupported")
    tar = bytearray(1024)
    tar[:6], tar[257:262] = b"pickle", b"ustar"
    invalid("tar", bytes(tar), "tar file", "unsupported")
    invalid("empty", b"", "no format that pml reads", "unsupported")
    invalid("text", b"hello world, this is no checkpoint\n", "no format that pml reads", "unsupported")
    name = "pytorch_model.bin.index.json"
    folder("invalid", "index-shard-missing", {name: index(a="one.bin")}, ("not found", "one.bin"))
    folder("invalid", "index-shard-outside", {name: index(a="../one.bin")}, ("format", "same directory"))
    folder("invalid", "index-tensor-missing", {name: index(a="one.bin", b="one.bin"), "one.bin": shard("a")}, ("format", "lacks the tensor"))
    folder("invalid", "index-tensor-unlisted", {name: index(a="one.bin"), "one.bin": shard("b")}, ("format", "does not list"))
    folder("invalid", "index-tensor-in-two", {name: index(a="one.bin", b="two.bin"), "one.bin": shard("a"), "two.bin": shard("a")},
           ("format", "is in"))
    folder("invalid", "index-shard-safetensors", {name: index(a="one.bin"), "one.bin": struct.pack("<Q", 2) + b"{}"},
           ("unsupported", "row of pickles"))
    folder("invalid", "two-ckpt", {"a.ckpt": checkpoint(), "b.ckpt": checkpoint()}, ("argument", "holds 2 checkpoints"))


def main():
    shutil.rmtree(ROOT, ignore_errors=True)
    VALID.mkdir(parents=True)
    INVALID.mkdir()
    make_valid()
    make_pickles()
    make_globals()
    make_tensors()
    make_archives()
    make_rows()
    make_others()


if __name__ == "__main__":
    main()
