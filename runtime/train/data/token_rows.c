#include "runtime/train/data/token_rows.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "runtime/base/alloc.h"

#define MOST_TOKENS ((size_t)1 << 36)

void pml_token_rows_deinit(pml_token_rows *rows) {
    pml_free(rows->ids);
    pml_free(rows->types);
    pml_free(rows->ends);
    *rows = (pml_token_rows){0};
}

pml_status pml_token_rows_add(pml_token_rows *rows, const pml_encoding *encoding, pml_error *error) {
    pml_status status = PML_OK;
    const size_t n = encoding->count, n_ids = rows->n_ids + n;
    PML_TRY(pml_grow(&rows->ids, &rows->ids_capacity, n_ids, sizeof *rows->ids, MOST_TOKENS, "tokens", error));
    PML_TRY(pml_grow(&rows->types, &rows->types_capacity, n_ids, sizeof *rows->types, MOST_TOKENS, "tokens", error));
    PML_TRY(
        pml_grow(&rows->ends, &rows->ends_capacity, rows->n_rows + 1, sizeof *rows->ends, MOST_TOKENS, "texts", error));
    for (size_t i = 0; i < n; i++) {
        rows->ids[rows->n_ids + i] = encoding->tokens[i].id;
        rows->types[rows->n_ids + i] = encoding->tokens[i].type_id;
    }
    rows->n_ids = n_ids;
    rows->ends[rows->n_rows++] = n_ids;
    rows->n_longest = n > rows->n_longest ? n : rows->n_longest;
done:
    return status;
}

uint64_t pml_token_rows_digest(const pml_token_rows *rows) {
    uint64_t digest = XXH3_64bits(rows->ids, rows->n_ids * sizeof *rows->ids);
    digest = XXH3_64bits_withSeed(rows->types, rows->n_ids * sizeof *rows->types, digest);
    return XXH3_64bits_withSeed(rows->ends, rows->n_rows * sizeof *rows->ends, digest);
}

void pml_token_rows_describe(const pml_token_rows *rows, uint32_t pad_id, pml_dataset *dataset) {
    static const char *const names[] = {PML_FIELD_IDS, PML_FIELD_MASK, PML_FIELD_TYPES};
    for (size_t f = 0; f < 3; f++) {
        dataset->fields[f] = (pml_data_field){.name = names[f],
                                              .dtype = PML_DTYPE_F32,
                                              .rank = 1,
                                              .shape = {rows->n_longest},
                                              .is_ragged = true,
                                              .padding = f == 0 && pad_id != PML_NO_TOKEN ? (double)pad_id : 0};
    }
    dataset->n_fields = 3;
    dataset->n_samples = rows->n_rows;
}

void pml_token_rows_fetch(const pml_token_rows *rows, size_t i_row, void *const *values, size_t *length) {
    const size_t begin = pml_token_rows_begin(rows, i_row), n = rows->ends[i_row] - begin;
    float *ids = values[0], *mask = values[1], *types = values[2];
    for (size_t t = 0; t < n; t++) {
        ids[t] = (float)rows->ids[begin + t];
        mask[t] = 1;
        types[t] = (float)rows->types[begin + t];
    }
    *length = n;
}
