#include "runtime/train/data/masked_tokens.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "runtime/base/alloc.h"
#include "runtime/base/cancel.h"
#include "runtime/base/random.h"
#include "runtime/train/data/text_file.h"
#include "runtime/train/data/token_rows.h"
#include "runtime/train/data/token_stream.h"

enum { FIELD_LABELS = 3, WORDS_PER_TOKEN = 4 };

typedef struct masked_tokens {
    pml_dataset dataset;
    pml_token_rows rows;
    pml_masking masking;
    uint32_t mask_id, n_vocabulary;
    uint8_t *is_special; /* [n_vocabulary] */
} masked_tokens;

/* ---- drawing ---- */
static double unit(uint32_t word) {
    return (double)word * 0x1p-32;
}

/* What becomes of a chosen token. */
static uint32_t replace(const masked_tokens *m, uint32_t id, const uint32_t words[WORDS_PER_TOKEN]) {
    const double place = unit(words[1]);
    if (place < m->masking.mask_share) {
        return m->mask_id;
    }
    if (place >= m->masking.mask_share + m->masking.random_share) {
        return id;
    }
    return (uint32_t)(((uint64_t)words[2] * m->n_vocabulary) >> 32);
}

static pml_status fetch(const pml_dataset *dataset, size_t i_sample, const pml_data_key *key, void *const *values,
                        size_t *length, pml_error *error) {
    const masked_tokens *m = (const masked_tokens *)dataset;
    const uint32_t *from = m->rows.ids + pml_token_rows_begin(&m->rows, i_sample);
    const uint64_t stream = pml_data_stream_of(PML_DATA_STREAM_MASK, key->epoch);
    float *ids = values[0];
    int64_t *labels = values[FIELD_LABELS];
    (void)error;
    pml_token_rows_fetch(&m->rows, i_sample, values, length);
    for (size_t t = 0; t < *length; t++) {
        uint32_t words[WORDS_PER_TOKEN];
        labels[t] = PML_IGNORED_LABEL;
        if (m->is_special[from[t]]) {
            continue;
        }
        const uint64_t place = (uint64_t)i_sample * m->rows.n_longest + t;
        pml_random_words(key->seed, stream, place * WORDS_PER_TOKEN, WORDS_PER_TOKEN, words);
        if (unit(words[0]) < m->masking.share) {
            labels[t] = from[t];
            ids[t] = (float)replace(m, from[t], words);
        }
    }
    return PML_OK;
}

static void destroy(pml_dataset *dataset) {
    masked_tokens *m = (masked_tokens *)dataset;
    pml_token_rows_deinit(&m->rows);
    pml_free(m->is_special);
    pml_free(m);
}

/* ---- reading ---- */
static pml_status read_lines(masked_tokens *m, const pml_tokenizer *tokenizer, const char *path, size_t max_tokens,
                             pml_error *error) {
    pml_status status = PML_OK;
    const pml_encode_options options = {.max_tokens = max_tokens};
    pml_text_file file = {0};
    pml_text_line line = {0};
    pml_encoding encoding = {0};
    PML_TRY(pml_text_file_open(path, &file, error));
    while (pml_text_file_next(&file, &line)) {
        PML_TRY(pml_cancel_check(error));
        PML_TRY(pml_tokenizer_run(tokenizer, file.text + line.begin, line.end - line.begin, NULL, 0, &options,
                                  &encoding, error));
        PML_TRY(pml_token_rows_add(&m->rows, &encoding, error));
    }
done:
    pml_encoding_deinit(&encoding);
    pml_text_file_close(&file);
    return status;
}

/* A sample: the template with `n_ids` tokens in the place of its text. `tokens` has room for them. */
static pml_status add_sample(masked_tokens *m, const pml_tokenizer_spec *spec, const uint32_t *ids, size_t n_ids,
                             pml_token *tokens, pml_error *error) {
    pml_encoding encoding = {.tokens = tokens};
    for (uint32_t i = 0; i < spec->n_single; i++) {
        const pml_template_item *item = &spec->single[i];
        const size_t n = item->kind == PML_TEMPLATE_TOKEN ? 1 : n_ids;
        for (size_t k = 0; k < n; k++) {
            tokens[encoding.count++] =
                (pml_token){.id = item->kind == PML_TEMPLATE_TOKEN ? item->id : ids[k], .type_id = item->type_id};
        }
    }
    return pml_token_rows_add(&m->rows, &encoding, error);
}

static pml_status read_packed(masked_tokens *m, const pml_tokenizer *tokenizer, const char *const *paths,
                              size_t n_paths, size_t max_tokens, pml_error *error) {
    pml_status status = PML_OK;
    const pml_tokenizer_spec *spec = pml_tokenizer_get_spec(tokenizer);
    pml_token_stream stream = {0};
    pml_token *tokens = NULL;
    size_t n_added = 0;
    for (uint32_t i = 0; i < spec->n_single; i++) {
        n_added += spec->single[i].kind == PML_TEMPLATE_TOKEN;
    }
    if (max_tokens <= n_added) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "%zu tokens leave no room for text beside the template's %zu",
                         max_tokens, n_added));
    }
    const size_t room = max_tokens - n_added;
    PML_TRY(pml_token_stream_read(tokenizer, paths, n_paths, &(pml_stream_options){.by_line = false}, &stream, error));
    PML_TRY(pml_alloc(max_tokens, sizeof *tokens, &tokens, error));
    for (size_t at = 0; at < stream.n_ids; at += room) {
        const size_t n_left = stream.n_ids - at;
        PML_TRY(add_sample(m, spec, stream.ids + at, n_left < room ? n_left : room, tokens, error));
    }
done:
    pml_free(tokens);
    pml_token_stream_deinit(&stream);
    return status;
}

static pml_status mark_special(masked_tokens *m, const pml_tokenizer_spec *spec, pml_error *error) {
    const uint32_t known[] = {spec->cls_id,  spec->sep_id, spec->pad_id, spec->unk_id,
                              spec->mask_id, spec->bos_id, spec->eos_id};
    pml_status status = pml_alloc(spec->n_tokens, 1, &m->is_special, error);
    for (size_t i = 0; status == PML_OK && i < sizeof known / sizeof known[0]; i++) {
        if (known[i] < spec->n_tokens) {
            m->is_special[known[i]] = 1;
        }
    }
    for (uint32_t i = 0; status == PML_OK && i < spec->n_added; i++) {
        m->is_special[spec->added[i].id] |= spec->added[i].is_special;
    }
    return status;
}

static pml_status check(const pml_tokenizer_spec *spec, const pml_masking *masking, pml_error *error) {
    if (spec->mask_id == PML_NO_TOKEN) {
        return PML_FAIL(error, PML_E_UNSUPPORTED, "the tokenizer has no mask token");
    }
    const double both = masking->mask_share + masking->random_share;
    if (!(masking->share > 0 && masking->share <= 1) || !(masking->mask_share >= 0) || !(masking->random_share >= 0) ||
        !(both <= 1 + 1e-9)) {
        return PML_FAIL(error, PML_E_ARGUMENT,
                        "%g of the tokens are to be chosen, and of those %g masked and %g replaced: no such shares",
                        masking->share, masking->mask_share, masking->random_share);
    }
    return PML_OK;
}

pml_status pml_masked_tokens_create(const pml_tokenizer *tokenizer, const char *const *paths, size_t n_paths,
                                    const pml_masked_options *options, pml_dataset **dataset, pml_error *error) {
    static const pml_dataset_type type = {fetch, destroy};
    static const pml_masking usual = {0.15, 0.8, 0.1};
    pml_status status = PML_OK;
    const pml_tokenizer_spec *spec = pml_tokenizer_get_spec(tokenizer);
    masked_tokens *made = NULL;
    *dataset = NULL;
    PML_TRY(pml_alloc(1, sizeof *made, &made, error));
    made->dataset.type = &type;
    made->masking = options->masking != NULL ? *options->masking : usual;
    made->mask_id = spec->mask_id;
    made->n_vocabulary = spec->n_tokens;
    PML_TRY(check(spec, &made->masking, error));
    PML_TRY(mark_special(made, spec, error));
    if (options->by_line) {
        for (size_t i = 0; i < n_paths; i++) {
            PML_TRY(read_lines(made, tokenizer, paths[i], options->max_tokens, error));
        }
    } else {
        PML_TRY(read_packed(made, tokenizer, paths, n_paths, options->max_tokens, error));
    }
    if (made->rows.n_rows == 0) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: no text", n_paths > 0 ? paths[0] : "no file"));
    }
    pml_token_rows_describe(&made->rows, spec->pad_id, &made->dataset);
    made->dataset.fields[made->dataset.n_fields++] = (pml_data_field){.name = PML_FIELD_LABELS,
                                                                      .dtype = PML_DTYPE_I64,
                                                                      .rank = 1,
                                                                      .shape = {made->rows.n_longest},
                                                                      .is_ragged = true,
                                                                      .padding = PML_IGNORED_LABEL};
    made->dataset.digest =
        XXH3_64bits_withSeed(&made->masking, sizeof made->masking, pml_token_rows_digest(&made->rows));
    *dataset = &made->dataset;
    made = NULL;
done:
    pml_dataset_destroy(made != NULL ? &made->dataset : NULL);
    return status;
}
