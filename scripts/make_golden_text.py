#!/usr/bin/python3
"""Makes tests/goldens/text: files of a tokenizer and of sentence-transformers, each named after its fault.

FOLDER/FAULT.(txt|json)   replaces the file that FOLDER stands for (tests/convert/test_hostile_text.c) beside a
                          checkpoint of BERT; what is called valid-* must convert
manifest.tsv              one line each: path, status ("ok" for valid ones), a part of the message, with TABs between

The output depends on this script alone.
"""
import copy
import json
import pathlib
import shutil

ROOT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "goldens" / "text"
TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "##s"]
WORDS = "".join(token + "\n" for token in TOKENS)
ROOM = 113  # vocab_size of the checkpoint

rows = []


def put(folder, name, content, part="", status="ok"):
    if not isinstance(content, (str, bytes)):
        content = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    path = ROOT / folder / (name + (".txt" if folder == "vocab" else ".json"))
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    rows.append(f"{path.relative_to(ROOT)}\t{status}\t{part}\n")


# ---- vocab.txt -----------------------------------------------------------------------------------------------------
def without(token):
    return WORDS.replace(token + "\n", "")


def make_vocabularies():
    put("vocab", "valid-plain", WORDS)
    put("vocab", "valid-no-newline-at-end", WORDS[:-1])
    put("vocab", "valid-crlf", WORDS.replace("\n", "\r\n"))
    put("vocab", "valid-returns-only", WORDS.replace("\n", "\r"))
    put("vocab", "valid-without-pad-and-mask", without("[PAD]").replace("[MASK]\n", ""))
    put("vocab", "valid-one-empty-line", WORDS + "\n")
    put("vocab", "valid-spaces-and-controls", WORDS + " \n\t\n\x1b\n")
    put("vocab", "valid-byte-order-mark-inside", WORDS + "\ufeff\n")
    put("vocab", "valid-room-is-full", WORDS + "".join(f"t{i}\n" for i in range(ROOM - len(TOKENS))))
    put("vocab", "empty-file", "", "has no tokens", "format")
    put("vocab", "two-empty-lines", WORDS + "\n\n", "token '' is there twice, as 8 and 9", "format")
    put("vocab", "token-twice", WORDS + "the\n", "token 'the' is there twice, as 5 and 8", "format")
    put("vocab", "token-twice-after-crlf", WORDS + "the\r\n", "token 'the' is there twice, as 5 and 8", "format")
    put("vocab", "token-twice-escape-sequence", WORDS + "\x1b[31m\n" * 2, r"'\x1b[31m' is there twice", "format")
    for name, token in {"unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]"}.items():
        put("vocab", f"{name}-missing", without(token), f"token '{token}' is not in the vocabulary", "config")
    put("vocab", "byte-order-mark-at-unk", "\ufeff" + without("[PAD]"), "'[UNK]' is not", "config")
    for name, token in {
        "not-utf8": b"\xff", "cut-sequence": b"\xe4\xb8", "overlong-sequence": b"\xc0\xaf",
        "surrogate": b"\xed\xa0\x80", "beyond-unicode": b"\xf4\x90\x80\x80", "latin-1": "caf\u00e9".encode("latin-1"),
    }.items():
        put("vocab", name, WORDS.encode() + token + b"\n", "line 9 is not UTF-8", "format")
    put("vocab", "utf-16", WORDS.encode("utf-16"), "line 1 is not UTF-8", "format")
    put("vocab", "utf-16-without-mark", WORDS.encode("utf-16-le"), "line 1 has a zero byte", "format")
    put("vocab", "zero-byte", WORDS.encode() + b"a\0b\n", "line 9 has a zero byte", "format")
    put("vocab", "zero-byte-at-end", WORDS.encode() + b"\0", "line 9 has a zero byte", "format")
    put("vocab", "more-than-room", WORDS + "".join(f"t{i}\n" for i in range(ROOM + 1 - len(TOKENS))),
        f"{ROOM + 1} tokens, but the model has room for {ROOM}", "config")


# ---- tokenizer.json ------------------------------------------------------------------------------------------------
def template(*items):
    return [{kind: {"id": text, "type_id": type_id}} for kind, text, type_id in items]


CLS, SEP, A = ("SpecialToken", "[CLS]", 0), ("SpecialToken", "[SEP]", 0), ("Sequence", "A", 0)
B, SEP_B = ("Sequence", "B", 1), ("SpecialToken", "[SEP]", 1)
TEMPLATE = {"type": "TemplateProcessing", "single": template(CLS, A, SEP), "pair": template(CLS, A, SEP, B, SEP_B),
            "special_tokens": {}}
NORMALIZER = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None,
              "lowercase": True}
MODEL = {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
         "vocab": {token: i for i, token in enumerate(TOKENS)}}
DOCUMENT = {"version": "1.0", "added_tokens": [], "normalizer": NORMALIZER,
            "pre_tokenizer": {"type": "BertPreTokenizer"}, "post_processor": TEMPLATE,
            "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True}, "model": MODEL}
TEXT = json.dumps(DOCUMENT, separators=(",", ":"))


def document(**parts):
    return {**copy.deepcopy(DOCUMENT), **parts}


def model(**parts):
    return document(model={**MODEL, **parts})


def vocabulary(**ids):
    return model(vocab={**MODEL["vocab"], **ids})


def added(**parts):
    token = {"id": 8, "content": "<new>", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
             "special": True, **parts}
    return document(added_tokens=[{key: value for key, value in token.items() if value is not None}])


def post(single=TEMPLATE["single"], pair=TEMPLATE["pair"], **parts):
    return document(post_processor={"type": "TemplateProcessing", "single": single, "pair": pair, **parts})


def tokenizer(name, content, part="", status="format"):
    put("tokenizer", name, content, part, "ok" if name.startswith("valid-") else status)


def make_kinds():
    other = "unsupported"
    tokenizer("valid-plain", DOCUMENT)
    tokenizer("valid-bert-processing", document(post_processor={"type": "BertProcessing", "sep": ["[SEP]", 3],
                                                               "cls": ["[CLS]", 2]}))
    tokenizer("valid-no-post-processor", document(post_processor=None))
    tokenizer("valid-no-normalizer", document(normalizer=None))
    tokenizer("valid-no-decoder", document(decoder=None))
    tokenizer("valid-model-without-type", document(model={k: v for k, v in MODEL.items() if k != "type"}))
    tokenizer("valid-unknown-keys", document(of_tomorrow={"x": [1, 2.5, None, "y"]}))
    for kind in ("Unigram", "WordLevel"):
        tokenizer(f"model-{kind.lower()}", model(type=kind), f"model '{kind}' is not supported", other)
    tokenizer("model-missing", {k: v for k, v in DOCUMENT.items() if k != "model"}, "model without a type", other)
    tokenizer("model-null", document(model=None), "model: expected an object")
    tokenizer("model-list", document(model=[MODEL]), "model: expected an object")
    tokenizer("model-type-number", model(type=7), "expected a string")
    tokenizer("model-type-escape-sequence", model(type="\x1b[31m"), r"'\x1b[31m'", other)
    tokenizer("normalizer-lowercase", document(normalizer={"type": "Lowercase"}), "normalizer 'Lowercase'", other)
    tokenizer("normalizer-sequence", document(normalizer={"type": "Sequence", "normalizers": [NORMALIZER]}),
              "normalizer 'Sequence'", other)
    tokenizer("normalizer-text", document(normalizer="BertNormalizer"), "normalizer: expected an object")
    tokenizer("pre-tokenizer-whitespace", document(pre_tokenizer={"type": "Whitespace"}), "'Whitespace'", other)
    tokenizer("pre-tokenizer-null", document(pre_tokenizer=None), "pre_tokenizer", other)
    tokenizer("pre-tokenizer-missing", {k: v for k, v in DOCUMENT.items() if k != "pre_tokenizer"}, "pre_tokenizer",
              other)
    tokenizer("post-processor-byte-level", document(post_processor={"type": "ByteLevel"}), "'ByteLevel'", other)
    tokenizer("post-processor-roberta", document(post_processor={"type": "RobertaProcessing", "sep": ["[SEP]", 3],
                                                                "cls": ["[CLS]", 2]}), "'RobertaProcessing'", other)
    tokenizer("post-processor-list", document(post_processor=[]), "post_processor: expected an object")
    tokenizer("decoder-metaspace", document(decoder={"type": "Metaspace"}), "decoder 'Metaspace'", other)


def make_vocabulary_faults():
    tokenizer("vocabulary-empty", model(vocab={}), "the vocabulary is empty")
    tokenizer("vocabulary-list", model(vocab=[["the", 0.5]]), "the vocabulary is empty or no object")
    tokenizer("vocabulary-null", model(vocab=None), "the vocabulary is empty or no object")
    tokenizer("id-with-gap", vocabulary(dog=9), "token 'dog' has id 9, but there are 9 tokens: ids have gaps")
    tokenizer("id-twice", vocabulary(dog=7), "'##s' and 'dog' have one id, 7")
    tokenizer("id-negative", vocabulary(dog=-1), "expected a token id")
    tokenizer("id-2pow24", vocabulary(dog=2**24), "expected a token id")
    tokenizer("id-2pow32", vocabulary(dog=2**32), "expected a token id")
    tokenizer("id-2pow64", vocabulary(dog=2**64), "expected a token id")
    tokenizer("id-real", vocabulary(dog=8.0), "expected a token id")
    tokenizer("id-exponent", TEXT.replace('"##s":7', '"##s":7e0'), "expected a token id")
    tokenizer("id-text", vocabulary(dog="8"), "expected a token id")
    tokenizer("id-null", vocabulary(dog=None), "expected a token id")
    tokenizer("token-twice", TEXT.replace('"##s":7', '"##s":7,"the":8'), "'the' stands twice")
    tokenizer("token-twice-escaped", TEXT.replace('"##s":7', r'"##s":7,"\u0074he":8'), "'the' stands twice")
    tokenizer("token-lone-surrogate", TEXT.replace("cat", r"\ud800"), "surrogate")
    tokenizer("token-zero-escape", TEXT.replace("cat", r"c\u0000t"), r"\u0000")
    tokenizer("token-not-utf8", TEXT.encode().replace(b"cat", b"c\xfft"), "not valid UTF-8")
    tokenizer("more-than-room", vocabulary(**{f"t{i}": len(TOKENS) + i for i in range(ROOM + 1 - len(TOKENS))}),
              f"{ROOM + 1} tokens, but the model has room for {ROOM}", "config")
    tokenizer("unk-missing", model(vocab={"[CLS]": 0, "[SEP]": 1}), "'[UNK]' is not in the vocabulary", "config")
    tokenizer("unk-token-of-another-name", model(unk_token="<unk>"), "'<unk>' is not in the vocabulary", "config")
    tokenizer("word-chars-zero", model(max_input_chars_per_word=0), "max_input_chars_per_word")
    tokenizer("word-chars-negative", model(max_input_chars_per_word=-1), "max_input_chars_per_word")
    tokenizer("word-chars-text", model(max_input_chars_per_word="100"), "max_input_chars_per_word")
    tokenizer("word-chars-1025", model(max_input_chars_per_word=1025), "words of up to 1025 characters")
    tokenizer("word-chars-2pow64-minus-1", model(max_input_chars_per_word=2**64 - 1), "words of up to 4294967295")
    tokenizer("prefix-65-bytes", model(continuing_subword_prefix="#" * 65), "a prefix of 65 bytes")


def make_added_faults():
    tokenizer("valid-added-token", added())
    tokenizer("valid-added-token-of-the-vocabulary", added(id=5, content="the"))
    tokenizer("added-with-gap", added(id=9), "'<new>' has id 9, but there are 9 tokens")
    tokenizer("added-id-of-another", added(id=7), "'##s' and '<new>' have one id, 7")
    tokenizer("added-other-id-than-vocabulary", added(content="the"), "'the' has id 8, in the vocabulary it has 5")
    tokenizer("added-id-2pow24", added(id=2**24), "expected a token id")
    tokenizer("added-id-missing", added(id=None), "needs an id and a content")
    tokenizer("added-content-missing", added(content=None), "needs an id and a content")
    tokenizer("added-content-empty", added(content=""), "needs an id and a content")
    tokenizer("valid-added-256-bytes", added(content="n" * 256))
    tokenizer("added-257-bytes", added(content="n" * 257), "added token 8 has more than 256 bytes")
    tokenizer("added-content-number", added(content=5), "expected a string")
    tokenizer("added-flag-number", added(lstrip=1), "expected true or false")
    tokenizer("added-single-word", added(single_word=True), "(single_word)", "unsupported")
    tokenizer("added-normalized", added(normalized=True), "(normalized)", "unsupported")
    tokenizer("added-object", document(added_tokens={"<new>": 8}), "added_tokens: expected an array")
    tokenizer("added-of-texts", document(added_tokens=["<new>"]), "added_tokens: expected objects")


def make_template_faults():
    tokenizer("template-token-unknown", post(single=template(("SpecialToken", "<s>", 0), A)),
              "'<s>' of the template is not in the vocabulary")
    tokenizer("template-sequence-c", post(single=template(("Sequence", "C", 0))), "a Sequence of a template is A or B")
    tokenizer("template-without-text", post(single=template(CLS, SEP)), "does not hold its text exactly once")
    tokenizer("template-text-twice", post(single=template(A, A)), "does not hold its text exactly once")
    tokenizer("template-single-with-second", post(single=template(A, B)), "does not hold its text exactly once")
    tokenizer("template-pair-without-second", post(pair=template(CLS, A, SEP)), "does not hold both texts exactly once")
    tokenizer("template-65-items", post(single=template(A, *[SEP] * 64)), "the template has too many items")
    tokenizer("template-empty", post(single=[]), "does not hold its text exactly once")
    tokenizer("template-item-empty", post(single=[{}]), "an item of a template is empty")
    tokenizer("template-item-text", post(single=["A"]), "expected objects")
    tokenizer("template-item-unknown", post(single=[{"Token": {"id": "A", "type_id": 0}}]),
              "a template holds Sequence and SpecialToken")
    tokenizer("template-item-of-two", post(single=[{**template(A)[0], **template(CLS)[0]}]), "one thing, not two")
    tokenizer("template-item-without-id", post(single=[{"Sequence": {"type_id": 0}}]),
              "an item of a template needs an id")
    tokenizer("template-type-negative", post(single=template(("Sequence", "A", -1))), "expected a token id")
    tokenizer("template-pair-missing", document(post_processor={"type": "TemplateProcessing",
                                                               "single": TEMPLATE["single"]}),
              "TemplateProcessing with single and pair", "unsupported")
    tokenizer("bert-processing-without-sep", document(post_processor={"type": "BertProcessing", "cls": ["[CLS]", 2]}),
              "BertProcessing with cls and sep", "unsupported")
    tokenizer("bert-processing-sep-short", document(post_processor={"type": "BertProcessing", "cls": ["[CLS]", 2],
                                                                   "sep": ["[SEP]"]}), "expected a token id")


def make_document_faults():
    tokenizer("empty-file", "", ":1:1:")
    tokenizer("not-json", "[PAD]\n[UNK]\n", "tokenizer.json:1:2:")
    tokenizer("list", "[]", "expected an object")
    tokenizer("text", '"WordPiece"', "expected an object")
    tokenizer("empty-object", "{}", "model without a type", "unsupported")
    tokenizer("cut", TEXT[: len(TEXT) // 2], "tokenizer.json:1:")
    tokenizer("last-brace-missing", TEXT[:-1], "tokenizer.json:1:")
    tokenizer("trailing-text", TEXT + "\n{}", "tokenizer.json:2:1:")
    tokenizer("trailing-comma", TEXT[:-1] + ",}", "tokenizer.json:1:")
    tokenizer("model-twice", TEXT[:-1] + ',"model":{}}', "'model' stands twice")
    tokenizer("nested-65", TEXT[:-1] + ',"x":' + "[" * 64 + "]" * 64 + "}", "nested too deep")
    tokenizer("byte-order-mark", b"\xef\xbb\xbf" + TEXT.encode(), "tokenizer.json:1:1:")
    tokenizer("utf-16", TEXT[:40].encode("utf-16"), "tokenizer.json:1:1:")
    tokenizer("git-lfs-pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 9\n",
              "tokenizer.json:1:1:")


# ---- tokenizer.json of BPE -----------------------------------------------------------------------------------------
BPE_MODEL = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "",
             "end_of_word_suffix": "", "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
             "vocab": {"a": 0, "b": 1, "\u0120": 2, "ab": 3, "\u0120ab": 4, "<|endoftext|>": 5},
             "merges": [["a", "b"], ["\u0120", "ab"]]}
END = {"id": 5, "content": "<|endoftext|>", "single_word": False, "lstrip": False, "rstrip": False,
       "normalized": False, "special": True}
BPE_DOCUMENT = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [END], "normalizer": None,
                "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True},
                "post_processor": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False},
                "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True}, "model": BPE_MODEL}


def bpe(**parts):
    return {**copy.deepcopy(BPE_DOCUMENT), **parts}


def bpe_model(**parts):
    return bpe(model={**BPE_MODEL, **parts})


def make_bpe():
    other = "unsupported"
    tokenizer("valid-bpe", BPE_DOCUMENT)
    tokenizer("valid-bpe-merges-as-texts", bpe_model(merges=["a b", "\u0120 ab"]))
    tokenizer("valid-bpe-without-type", bpe(model={k: v for k, v in BPE_MODEL.items() if k != "type"}))
    tokenizer("valid-bpe-without-merges", bpe_model(merges=[]))
    tokenizer("valid-bpe-no-post-processor", bpe(post_processor=None))
    tokenizer("valid-bpe-template", bpe(post_processor={
        "type": "TemplateProcessing", "single": template(("SpecialToken", "<|endoftext|>", 0), A),
        "pair": template(A, ("SpecialToken", "<|endoftext|>", 0), B), "special_tokens": {}}))
    tokenizer("valid-bpe-dropout-zero", bpe_model(dropout=0.0))
    tokenizer("model-bpe-with-components-of-bert", model(type="BPE", merges=[], continuing_subword_prefix=None),
              "normalizer 'BertNormalizer' is not supported; supported: none", other)
    tokenizer("model-wordpiece-with-components-of-gpt2", bpe(model=MODEL), "pre_tokenizer 'ByteLevel'", other)
    tokenizer("bpe-without-merges-key", bpe(model={k: v for k, v in BPE_MODEL.items() if k != "merges"}),
              "BPE needs an array of merges")
    tokenizer("bpe-merges-object", bpe_model(merges={"a": "b"}), "BPE needs an array of merges")
    tokenizer("bpe-merge-number", bpe_model(merges=[7]), "merges: expected texts or pairs of texts")
    tokenizer("bpe-merge-of-one", bpe_model(merges=[["a"]]), "a string")
    tokenizer("bpe-merge-of-three", bpe_model(merges=[["a", "b", "a"]]), "the end of a merge of two tokens")
    tokenizer("bpe-merge-text-of-one", bpe_model(merges=["ab"]), "a merge is two tokens with a space between them")
    tokenizer("bpe-merge-text-of-three", bpe_model(merges=["a b a"]), "a merge is two tokens with a space")
    tokenizer("bpe-merge-empty-half", bpe_model(merges=[["", "a"]]), "a merge of 0 and 1 bytes")
    tokenizer("bpe-merge-left-absent", bpe_model(merges=[["x", "b"]]),
              "the first part of merge 1, 'x', is not in the vocabulary")
    tokenizer("bpe-merge-right-absent", bpe_model(merges=[["a", "b"], ["a", "\x1b[2J"]]),
              r"the second part of merge 2, '\x1b[2J', is not in the vocabulary")
    tokenizer("bpe-merge-result-absent", bpe_model(merges=[["b", "a"]]),
              "the result of merge 1, 'ba', is not in the vocabulary")
    tokenizer("bpe-merge-longer-than-any-token", bpe_model(merges=[["a" * 500, "b" * 500]]),
              "of merge 1, 'aaaa")
    tokenizer("bpe-merge-twice", bpe_model(merges=[["a", "b"], ["\u0120", "ab"], ["a", "b"]]),
              "merges 1 and 3 are of the same two tokens")
    tokenizer("bpe-merge-of-an-added-token", bpe(added_tokens=[END, {**END, "id": 6, "content": "x"}],
                                                 model={**BPE_MODEL, "merges": [["a", "x"]]}),
              "the second part of merge 1, 'x'")
    tokenizer("bpe-id-with-gap", bpe_model(vocab={**BPE_MODEL["vocab"], "c": 7}), "ids have gaps")
    tokenizer("bpe-id-2pow24", bpe_model(vocab={**BPE_MODEL["vocab"], "c": 2**24}), "expected a token id")
    tokenizer("bpe-byte-token", bpe_model(byte_fallback=True, vocab={**BPE_MODEL["vocab"], "<0x-1>": 6}),
              "byte_fallback", other)
    tokenizer("bpe-unk-absent", bpe_model(unk_token="<unk>"), "'<unk>' is not in the vocabulary", "config")
    for name, value in {"dropout": 0.1, "end_of_word_suffix": "</w>", "continuing_subword_prefix": "##",
                        "fuse_unk": True, "ignore_merges": True}.items():
        tokenizer(f"bpe-{name.replace('_', '-')}", bpe_model(**{name: value}), name, other)
    split = {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": False}
    tokenizer("bpe-pattern-of-its-own", bpe(pre_tokenizer={"type": "Sequence", "pretokenizers": [
        split, {"type": "ByteLevel", "use_regex": False}]}), "pre_tokenizer 'Sequence'", other)
    tokenizer("bpe-without-pattern", bpe(pre_tokenizer={"type": "ByteLevel", "use_regex": False}), "use_regex", other)
    tokenizer("bpe-normalizer-nfc", bpe(normalizer={"type": "NFC"}), "normalizer 'NFC'", other)
    tokenizer("bpe-post-processor-roberta", bpe(post_processor={"type": "RobertaProcessing", "sep": ["ab", 3],
                                                               "cls": ["a", 0]}), "'RobertaProcessing'", other)
    tokenizer("bpe-post-processor-of-bert", bpe(post_processor={"type": "BertProcessing", "sep": ["ab", 3],
                                                               "cls": ["a", 0]}), "'BertProcessing'", other)
    tokenizer("bpe-decoder-metaspace", bpe(decoder={"type": "Metaspace"}), "decoder 'Metaspace'", other)


# ---- the files beside the vocabulary -------------------------------------------------------------------------------
def make_configurations():
    def config(name, content, part="", status="format", folder="tokenizer_config"):
        put(folder, name, content, part, "ok" if name.startswith("valid-") else status)

    config("valid-empty-object", {})
    config("valid-nulls", {"do_lower_case": None, "cls_token": None, "added_tokens_decoder": None,
                           "model_max_length": None})
    config("valid-length-without-limit", {"model_max_length": 1e30})
    config("valid-token-as-object", {"cls_token": {"content": "the", "lstrip": False}})
    config("lower-case-number", {"do_lower_case": 1}, "do_lower_case is neither true, false nor null")
    config("lower-case-text", {"do_lower_case": "true"}, "do_lower_case is neither true, false nor null")
    config("strip-accents-list", {"strip_accents": []}, "strip_accents is neither true, false nor null")
    config("chinese-number", {"tokenize_chinese_chars": 0}, "tokenize_chinese_chars is neither true, false nor null")
    config("length-text", {"model_max_length": "512"}, "model_max_length is neither a number nor null")
    config("length-true", {"model_max_length": True}, "model_max_length is neither a number nor null")
    config("cls-number", {"cls_token": 2}, "cls_token is neither a text, an object with a content nor null")
    config("unk-list", {"unk_token": ["[UNK]"]}, "unk_token is neither a text")
    config("sep-object-without-content", {"sep_token": {"id": 3}}, "sep_token is neither a text")
    config("sep-unknown", {"sep_token": "</s>"}, "'</s>' is not in the vocabulary, vocab.txt", "config")
    config("decoder-list", {"added_tokens_decoder": [{"content": "[PAD]"}]}, "added_tokens_decoder is no object")
    config("decoder-number", {"added_tokens_decoder": 5}, "added_tokens_decoder is no object")
    for name, key in {"word": "x", "negative": "-1", "2pow24": "16777216", "empty": "", "spaced": " 0", "real": "1.0",
                      "many-digits": "000000000000000000000"}.items():
        config(f"decoder-id-{name}", {"added_tokens_decoder": {key: {"content": "[PAD]"}}}, "has no id or content")
    config("decoder-without-content", {"added_tokens_decoder": {"8": {}}}, "'8' has no id or content")
    config("decoder-other-id", {"added_tokens_decoder": {"1": {"content": "[PAD]"}}}, "in the vocabulary it has 0")
    config("decoder-single-word", {"added_tokens_decoder": {"8": {"content": "<new>", "single_word": True}}},
           "(single_word)", "unsupported")
    for folder in ("tokenizer_config", "special_tokens_map", "added_tokens"):
        for name, text, part in (("list", "[]", "expected an object"), ("cut", '{"a":', ":1:6:"),
                                 ("empty-file", "", ":1:1:"), ("key-twice", '{"a":1,"a":2}', "'a' stands twice"),
                                 ("nested-65", '{"a":' * 65, "nested too deep"),
                                 ("zero-escape", r'{"a":"\u0000"}', "u0000"),
                                 ("not-utf8", b'{"a":"\xff"}', "not valid UTF-8")):
            config(name, text, part, folder=folder)
    config("valid-tokens", {"cls_token": "[CLS]", "additional_special_tokens": []}, folder="special_tokens_map")
    config("mask-number", {"mask_token": 4}, "mask_token is neither a text", folder="special_tokens_map")
    config("unk-unknown", {"unk_token": "<unk>"}, "'<unk>' is not in the vocabulary", "config",
           folder="special_tokens_map")
    config("valid-new-token", {"<new>": 8}, folder="added_tokens")
    for name, value in {"text": "8", "negative": -1, "real": 8.5, "2pow24": 2**24, "null": None, "list": [8]}.items():
        config(f"id-{name}", {"<new>": value}, "'<new>' has no usable id", folder="added_tokens")
    config("id-with-gap", {"<new>": 9}, "ids have gaps", folder="added_tokens")
    config("token-empty", {"": 8}, "'' has no usable id", folder="added_tokens")


# ---- sentence-transformers -----------------------------------------------------------------------------------------
def module(kind, path, library="sentence_transformers.models."):
    return {"idx": 0, "name": "0", "path": path, "type": library + kind}


def make_modules():
    def modules(name, *content, part="", status="unsupported"):
        put("modules", name, list(content), part, "ok" if name.startswith("valid-") else status)

    first, pooling = module("Transformer", ""), module("Pooling", "1_Pooling")
    modules("valid-without-normalize", first, pooling)
    modules("valid-transformer-alone", first)
    modules("dense", first, pooling, module("Dense", "2_Dense"), part="module 2, 'sentence_transformers.models.Dense'")
    modules("clip", module("CLIPModel", ""), part="models.CLIPModel'")
    modules("module-of-another-library", module("Transformer", "", "mine."), part="'mine.Transformer'")
    modules("module-escape-sequence", module("\x1b[31m", ""), part=r"\x1b[31m")
    modules("pooling-first", pooling, part="module 0")
    modules("pooling-twice", first, pooling, module("Pooling", "2_Pooling"), part="module 2")
    modules("normalize-before-pooling", first, module("Normalize", "1_Normalize"), part="module 1")
    modules("transformer-elsewhere", module("Transformer", "0_Transformer"), part="'0_Transformer'")
    for name, path in {"parent": "../1_Pooling", "climbing": "1_Pooling/../../x", "absolute": "/etc", "empty": "",
                       "dot": "./1_Pooling", "slash": "1_Pooling/"}.items():
        modules(f"path-{name}", first, module("Pooling", path), part=f"a module lies in '{path}'")
    modules("path-escape-sequence", first, module("Pooling", "\x1b[2J"), part=r"a module lies in '\x1b[2J'")
    modules("path-number", first, module("Pooling", 1), part="'path' must be a text", status="config")
    modules("path-missing", first, {"type": pooling["type"]}, part="'path' must be a text", status="config")
    modules("type-number", {"path": "", "type": 7}, part="'type' must be a text", status="config")
    modules("of-numbers", 7, part="'type' must be a text", status="config")
    modules("empty-list", part="a list of modules is expected", status="config")
    put("modules", "object", {}, "a list of modules is expected", "config")
    put("modules", "trailing-comma", '[{"path":""},]', ":1:", "format")
    put("modules", "not-utf8", b'["a\xff"]', "not valid UTF-8", "format")
    put("modules", "empty-file", "", ":1:1:", "format")
    put("modules", "nested-65", "[" * 65, "nested too deep", "format")


def make_poolings():
    def pooling(name, part="", status="config", **content):
        put("pooling", name, content, part, "ok" if name.startswith("valid-") else status)

    pooling("valid-cls", pooling_mode_cls_token=True, include_prompt=True)
    pooling("valid-max-as-word", pooling_mode="max", embedding_dimension=32)
    pooling("none", "no pooling mode is true", pooling_mode_mean_tokens=False)
    pooling("empty-object", "no pooling mode is true")
    pooling("two-modes", "two poolings side by side", "unsupported", pooling_mode_mean_tokens=True,
            pooling_mode_cls_token=True)
    pooling("two-modes-word-and-flag", "two poolings side by side", "unsupported", pooling_mode="cls",
            pooling_mode_mean_tokens=True)
    pooling("mode-number", "'pooling_mode_mean_tokens' must be true or false", pooling_mode_mean_tokens=1)
    pooling("mode-text", "'pooling_mode_cls_token' must be true or false", pooling_mode_cls_token="true")
    pooling("mode-word-number", "'pooling_mode' must be a text", pooling_mode=1)
    pooling("mean-sqrt-len", "'pooling_mode_mean_sqrt_len_tokens'", "unsupported",
            pooling_mode_mean_sqrt_len_tokens=True)
    pooling("weighted-mean", "'pooling_mode_weightedmean_tokens'", "unsupported",
            pooling_mode_weightedmean_tokens=True)
    pooling("last-token", "'lasttoken'", "unsupported", pooling_mode="lasttoken")
    pooling("mode-of-tomorrow", "'pooling_mode_of_tomorrow'", "unsupported", pooling_mode_of_tomorrow=True)
    pooling("mode-escape-sequence", r"'\x1b[31m'", "unsupported", pooling_mode="\x1b[31m")
    pooling("prompt-excluded", "include_prompt", "unsupported", pooling_mode_mean_tokens=True, include_prompt=False)
    pooling("dimension-of-another-model", "vectors of 384 values, but the model's have 32",
            word_embedding_dimension=384, pooling_mode_mean_tokens=True)
    for name, value in {"zero": 0, "negative": -32, "text": "32", "real": 32.5, "huge": 1e300, "null": None}.items():
        pooling(f"dimension-{name}", "'word_embedding_dimension' must be an integer", word_embedding_dimension=value,
                pooling_mode_mean_tokens=True)
    put("pooling", "list", [], "is no object", "config")
    put("pooling", "cut", '{"pooling_mode":', ":1:17:", "format")
    put("pooling", "key-twice", '{"pooling_mode":"cls","pooling_mode":"max"}', "'pooling_mode' stands twice", "format")


def make_sentences():
    def sentence(name, content, part="", status="config"):
        put("sentence", name, content, part, "ok" if name.startswith("valid-") else status)

    sentence("valid-nulls", {"max_seq_length": None})
    sentence("valid-longer-than-positions", {"max_seq_length": 512, "do_lower_case": False})
    for name, value in {"zero": 0, "negative": -1, "real": 2.5, "text": "9", "true": True, "huge": 1e300,
                        "list": [9]}.items():
        sentence(f"length-{name}", {"max_seq_length": value}, "'max_seq_length' must be an integer from 1 to 1000000")
    sentence("lower-case", {"do_lower_case": True}, "do_lower_case other than false", "unsupported")
    sentence("lower-case-text", {"do_lower_case": "no"}, "do_lower_case other than false", "unsupported")
    sentence("list", [], "an object is expected")
    sentence("cut", "{", ":1:2:", "format")


def main():
    if ROOT.exists():
        shutil.rmtree(ROOT)
    ROOT.mkdir(parents=True)
    for make in (make_vocabularies, make_kinds, make_vocabulary_faults, make_added_faults, make_template_faults,
                 make_document_faults, make_bpe, make_configurations, make_modules, make_poolings, make_sentences):
        make()
    (ROOT / "manifest.tsv").write_text("".join(sorted(rows)))


if __name__ == "__main__":
    main()
