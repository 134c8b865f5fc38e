#include "runtime/train/data/token_blocks.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "runtime/base/alloc.h"
#include "runtime/train/data/token_rows.h"

typedef struct token_blocks {
    pml_dataset dataset;
    size_t n_tokens;
    pml_token_stream stream;
} token_blocks;

static pml_status fetch(const pml_dataset *dataset, size_t i_sample, const pml_data_key *key, void *const *values,
                        size_t *length, pml_error *error) {
    const token_blocks *b = (const token_blocks *)dataset;
    const uint32_t *from = b->stream.ids + i_sample * b->n_tokens;
    float *ids = values[0];
    int64_t *labels = values[1];
    (void)key, (void)length, (void)error;
    for (size_t t = 0; t < b->n_tokens; t++) {
        ids[t] = (float)from[t];
        labels[t] = from[t + 1];
    }
    return PML_OK;
}

static void destroy(pml_dataset *dataset) {
    pml_token_stream_deinit(&((token_blocks *)dataset)->stream);
    pml_free(dataset);
}

pml_status pml_token_blocks_create(pml_token_stream *stream, const char *name, size_t n_tokens, pml_dataset **dataset,
                                   pml_error *error) {
    static const pml_dataset_type type = {fetch, destroy};
    pml_status status = PML_OK;
    token_blocks *made = NULL;
    *dataset = NULL;
    if (n_tokens == 0) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "a block has at least 1 token"));
    }
    if (stream->n_ids <= n_tokens) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: %zu tokens; a block and the token behind it are %zu", name,
                         stream->n_ids, n_tokens + 1));
    }
    PML_TRY(pml_alloc(1, sizeof *made, &made, error));
    made->n_tokens = n_tokens;
    made->dataset =
        (pml_dataset){.type = &type,
                      .n_samples = (stream->n_ids - 1) / n_tokens,
                      .n_fields = 2,
                      .fields = {{.name = PML_FIELD_IDS, .dtype = PML_DTYPE_F32, .rank = 1, .shape = {n_tokens}},
                                 {.name = PML_FIELD_LABELS, .dtype = PML_DTYPE_I64, .rank = 1, .shape = {n_tokens}}},
                      .digest = XXH3_64bits_withSeed(stream->ids, stream->n_ids * sizeof *stream->ids, n_tokens)};
    made->stream = *stream;
    *stream = (pml_token_stream){0};
    *dataset = &made->dataset;
done:
    return status;
}
