#include "runtime/train/data/token_stream.h"

#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/cancel.h"
#include "runtime/train/data/text_file.h"

#define PIECE_BYTES ((size_t)1 << 18)
#define MOST_TOKENS ((size_t)1 << 36)

typedef struct stream_reader {
    const pml_tokenizer *tokenizer;
    const pml_stream_options *options;
    pml_token_stream *stream;
    bool may_cut;
    pml_encoding encoding;
} stream_reader;

void pml_token_stream_deinit(pml_token_stream *stream) {
    pml_free(stream->ids);
    *stream = (pml_token_stream){0};
}

/* Whether a text may be cut at a line end: not where an added token may reach over it, nor where each piece would get a
 * space of its own. */
static bool may_cut(const pml_tokenizer_spec *spec) {
    bool may = !spec->adds_space;
    for (uint32_t i = 0; i < spec->n_added; i++) {
        const pml_token_text *text = &spec->tokens[spec->added[i].id];
        may = may && !spec->added[i].strips_left && !spec->added[i].strips_right &&
              memchr(text->bytes, '\n', text->size_bytes) == NULL;
    }
    return may;
}

static bool is_visible(char c) {
    return c > ' ' && c < 0x7f;
}

/* Where the piece that begins at `begin` ends: behind a lone line end between visible characters. White space there is
 * that one character in either case, and words end at it. */
static size_t piece_end(const stream_reader *r, const char *text, size_t size_bytes, size_t begin) {
    for (size_t at = begin + PIECE_BYTES; r->may_cut && at < size_bytes; at++) {
        if (text[at - 1] == '\n' && is_visible(text[at - 2]) && is_visible(text[at])) {
            return at;
        }
    }
    return size_bytes;
}

static pml_status put(stream_reader *r, uint32_t id, pml_error *error) {
    pml_token_stream *stream = r->stream;
    pml_status status =
        pml_grow(&stream->ids, &stream->capacity, stream->n_ids + 1, sizeof *stream->ids, MOST_TOKENS, "tokens", error);
    if (status == PML_OK) {
        stream->ids[stream->n_ids++] = id;
    }
    return status;
}

static pml_status read_text(stream_reader *r, const char *text, size_t size_bytes, pml_error *error) {
    static const pml_encode_options bare = {.no_special = true};
    pml_status status = PML_OK;
    for (size_t begin = 0; begin < size_bytes;) {
        const size_t end = piece_end(r, text, size_bytes, begin);
        PML_TRY(pml_cancel_check(error));
        PML_TRY(pml_tokenizer_run(r->tokenizer, text + begin, end - begin, NULL, 0, &bare, &r->encoding, error));
        for (size_t i = 0; i < r->encoding.count; i++) {
            PML_TRY(put(r, r->encoding.tokens[i].id, error));
        }
        begin = end;
    }
    if (r->options->separates) {
        PML_TRY(put(r, r->options->separator, error));
    }
done:
    return status;
}

static pml_status read_file(stream_reader *r, const char *path, pml_error *error) {
    pml_status status = PML_OK;
    pml_text_file file = {0};
    pml_text_line line = {0};
    PML_TRY(pml_text_file_open(path, &file, error));
    while (r->options->by_line && pml_text_file_next(&file, &line)) {
        PML_TRY(read_text(r, file.text + line.begin, line.end - line.begin, error));
    }
    if (!r->options->by_line) {
        PML_TRY(read_text(r, file.text, file.size_bytes, error));
    }
done:
    pml_text_file_close(&file);
    return status;
}

pml_status pml_token_stream_read(const pml_tokenizer *tokenizer, const char *const *paths, size_t n_paths,
                                 const pml_stream_options *options, pml_token_stream *stream, pml_error *error) {
    pml_status status = PML_OK;
    stream_reader r = {.tokenizer = tokenizer,
                       .options = options,
                       .stream = stream,
                       .may_cut = may_cut(pml_tokenizer_get_spec(tokenizer))};
    for (size_t i = 0; i < n_paths; i++) {
        PML_TRY(read_file(&r, paths[i], error));
    }
done:
    pml_encoding_deinit(&r.encoding);
    return status;
}
