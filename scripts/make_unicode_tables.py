#!/usr/bin/env python3
"""Writes runtime/text/unicode_tables.def: what BERT's normaliser and pre-tokeniser, and GPT-2's splitting pattern, do with every code
point.

    scripts/make_unicode_tables.py > runtime/text/unicode_tables.def      (needs the Python package `tokenizers`)

The tables are asked of the `tokenizers` library itself, because it mixes Unicode versions: its marks and decompositions are older than
its letters. Frozen as data, they give the same token ids on every machine, whatever Unicode library is installed there.
"""
import unicodedata

import tokenizers
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer, ByteLevel

CODES = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
SPLIT = BertPreTokenizer()
BYTE_LEVEL = ByteLevel(add_prefix_space=False)


def normaliser(clean=False, chinese=False, strip=False, lower=False):
    return BertNormalizer(clean_text=clean, handle_chinese_chars=chinese, strip_accents=strip, lowercase=lower).normalize_str


def pieces(text):
    return [piece for piece, _ in SPLIT.pre_tokenize_str(text)]


def classify(code, cleaned, spaced):
    text = "a" + chr(code) + "b"
    if cleaned(text) == "ab":
        return "REMOVED"
    if spaced(text) != text:
        return "CJK"
    parts = pieces(text)
    return "SPACE" if parts == ["a", "b"] else "PUNCTUATION" if len(parts) == 3 else None


def class_ranges():
    cleaned, spaced = normaliser(clean=True), normaliser(chinese=True)
    ranges = []
    for code in CODES:
        kind = classify(code, cleaned, spaced)
        if kind and ranges and ranges[-1][2] == kind and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        elif kind:
            ranges.append([code, code, kind])
    return ranges


def split_ranges():
    """Classes of GPT-2's pattern: what stays in one piece with characters of a class is of that class."""
    ranges = []
    for code in CODES:
        whole = {name: len(BYTE_LEVEL.pre_tokenize_str(beside + chr(code) + beside)) == 1
                 for name, beside in (("LETTER", "a"), ("NUMBER", "1"), ("OTHER", "!"))}
        assert sum(whole.values()) <= 1, hex(code)
        kind = next((name for name, fits in whole.items() if fits), "SPACE")
        if kind != "OTHER" and ranges and ranges[-1][2] == kind and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        elif kind != "OTHER":
            ranges.append([code, code, kind])
    return ranges


def changes(function):
    return {code: [ord(c) for c in function(chr(code))] for code in CODES if function(chr(code)) != chr(code)}


def runs(pairs):
    """Ascending (code, image) pairs as [first, last, step, difference] with step 1 or 2."""
    out = []
    for code, image in pairs:
        difference = image - code
        if out and out[-1][3] == difference:
            gap = code - out[-1][1]
            if gap == out[-1][2] or (out[-1][0] == out[-1][1] and gap <= 2):
                out[-1][1], out[-1][2] = code, gap
                continue
        out.append([code, code, 1, difference])
    return out


def mark_ranges(codes):
    """[first, last, whether the marks end a run of marks that are put in order]."""
    ranges = []
    for code in codes:
        starter = int(unicodedata.combining(chr(code)) == 0)
        if ranges and ranges[-1][1] == code - 1 and ranges[-1][2] == starter:
            ranges[-1][1] = code
        else:
            ranges.append([code, code, starter])
    return ranges


def combining(stripped):
    """Classes of the marks that stay and yet change places, as the library orders them; the class only matters relatively."""
    strip = normaliser(strip=True)
    found = {}
    for code in CODES:
        value = unicodedata.combining(chr(code))
        if value and stripped.get(code) != []:
            found[code] = value
    moved = {}
    for a, x in found.items():
        for b, y in found.items():
            if x > y and strip("q" + chr(a) + chr(b)) == "q" + chr(b) + chr(a):
                moved[a], moved[b] = x, y
    return moved


def emit(macro, rows):
    line = ""
    for row in rows:
        item = f"{macro}({', '.join(row)})"
        if len(line) + len(item) > 118:
            print(line)
            line = ""
        line += (" " if line else "") + item
    print(line)


def hexes(codes):
    return [f"0x{c:04X}" for c in codes]


def main():
    lower, stripped = changes(normaliser(lower=True)), changes(normaliser(strip=True))
    hangul = range(0xAC00, 0xD7A4)
    for code in hangul:
        assert stripped.pop(code) == [ord(c) for c in unicodedata.normalize("NFD", chr(code))]
    both = normaliser(strip=True, lower=True)
    for code in CODES:
        image = stripped.get(code, [code]) if code not in hangul else [ord(c) for c in unicodedata.normalize("NFD", chr(code))]
        assert [ord(c) for c in both(chr(code))] == [x for c in image for x in lower.get(c, [c])], hex(code)
    special = {code: image for code, image in lower.items() if len(image) != 1}
    assert special == {0x130: [0x69, 0x307]}
    marks = mark_ranges(code for code, image in stripped.items() if not image)
    long = {code: image for code, image in stripped.items() if len(image) > 1}
    assert max(map(len, long.values())) <= 3
    print("/* What tokenizers do with code points: made by scripts/make_unicode_tables.py from tokenizers\n"
          f" * {tokenizers.__version__}. Do not edit. Hangul syllables, and U+0130 in lower case, are the code's. */")
    print("/* clang-format off */")
    print("#ifdef PML_CLASS")
    emit("PML_CLASS", [hexes([a, b]) + [kind] for a, b, kind in class_ranges()])
    print("#endif\n/* First, last, step, difference. */\n#ifdef PML_LOWER")
    emit("PML_LOWER", [hexes([a, b]) + [str(step), str(d)] for a, b, step, d in runs([(c, i[0]) for c, i in lower.items() if len(i) == 1])])
    print("#endif\n/* Accents: what is stripped whole; 1: nothing is put in order across it. */\n#ifdef PML_MARK")
    emit("PML_MARK", [hexes([a, b]) + [str(starter)] for a, b, starter in marks])
    print("#endif\n/* What is left of a letter without its accents: one code point. */\n#ifdef PML_BASE")
    emit("PML_BASE", [hexes([c, i[0]]) for c, i in stripped.items() if len(i) == 1])
    print("#endif\n/* Two or three code points (0: no third). */\n#ifdef PML_BASES")
    emit("PML_BASES", [hexes([c] + (i + [0])[:3]) for c, i in long.items()])
    print("#endif\n/* Marks that stay but are put in the order of these classes. */\n#ifdef PML_COMBINING")
    emit("PML_COMBINING", [hexes([c]) + [str(v)] for c, v in sorted(combining(stripped).items())])
    print("#endif\n/* Classes of GPT-2's splitting pattern; what is not listed is none of them. */\n#ifdef PML_SPLIT")
    emit("PML_SPLIT", [hexes([a, b]) + [kind] for a, b, kind in split_ranges()])
    print("#endif")


main()
