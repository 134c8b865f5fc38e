/* One tensor packed at a time: the source file of a case, where its bytes go, and the plain definition of layouts. */
#ifndef PML_TESTS_CONVERT_PACK_FIXTURE_H
#define PML_TESTS_CONVERT_PACK_FIXTURE_H

#include "convert/pack.h"
#include "runtime/base/alloc.h"
#include "tests/convert/checkpoint.h"

/* Stored bytes of logical values [n_batches][n_rows][n_columns], element by element. The caller frees. */
static inline uint8_t *plain_layout(const float *values, pml_dtype dtype, pml_layout layout, size_t n_batches,
                                    size_t n_rows, size_t n_columns, size_t *size_bytes) {
    const size_t depth = dtype == PML_DTYPE_BF16 ? 2 : 1, each = dtype == PML_DTYPE_BF16 ? 2 : 4;
    const size_t lines = (n_rows + depth - 1) / depth, panels = (n_columns + 15) / 16;
    const size_t n =
        layout == PML_LAYOUT_ROW ? n_batches * n_rows * n_columns : n_batches * panels * lines * 16 * depth;
    uint8_t *bytes = calloc(n + 1, each);
    if (bytes == NULL) {
        abort();
    }
    for (size_t b = 0; b < n_batches; b++) {
        for (size_t i = 0; i < n_rows; i++) {
            for (size_t c = 0; c < n_columns; c++) {
                const float value = values[(b * n_rows + i) * n_columns + c];
                size_t at = (b * n_rows + i) * n_columns + c;
                if (layout == PML_LAYOUT_PANEL) {
                    at = (((b * panels + c / 16) * lines + i / depth) * 16 + c % 16) * depth + i % depth;
                }
                if (dtype == PML_DTYPE_BF16) {
                    const uint16_t rounded = pml_bf16_from_f32(value);
                    memcpy(bytes + 2 * at, &rounded, sizeof rounded);
                } else {
                    memcpy(bytes + 4 * at, &value, sizeof value);
                }
            }
        }
    }
    *size_bytes = n * each;
    return bytes;
}

typedef struct stored {
    uint8_t *bytes;
    size_t size_bytes, capacity;
    uint64_t greatest_end[8]; /* per source tensor, by the digit that ends its name */
    uint64_t n_writes;
} stored;

static inline pml_status collect(void *user, const void *bytes, size_t size_bytes, pml_error *error) {
    stored *s = user;
    (void)error;
    if (s->size_bytes + size_bytes > s->capacity) {
        s->capacity = 2 * (s->size_bytes + size_bytes);
        s->bytes = realloc(s->bytes, s->capacity);
        if (s->bytes == NULL) {
            abort();
        }
    }
    memcpy(s->bytes + s->size_bytes, bytes, size_bytes);
    s->size_bytes += size_bytes;
    s->n_writes++;
    return PML_OK;
}

typedef struct pack_case {
    const char *transform;
    unsigned source_rank;
    uint64_t source_shape[PML_MAX_RANK];
    unsigned n_parts; /* tensors stacked; 0: one that is not */
    unsigned rank;    /* of the weight */
    uint64_t shape[PML_MAX_RANK];
} pack_case;

/* A source file of one case, opened, with its weight. */
typedef struct fixture {
    pml_source *source;
    uint8_t *bytes[8];
    pml_weight_spec spec;
    pml_weight_instance weight;
    pml_mapped_part parts[8];
    pml_mapped_weight mapped;
    char name[16];
} fixture;

static inline void set_up(fixture *f, const pack_case *c, pml_dtype dtype, size_t n_blanks) {
    static unsigned n_files;
    static const char *const names[] = {"t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7"};
    test_tensor tensors[8];
    pml_error error;
    const unsigned n_parts = c->n_parts > 0 ? c->n_parts : 1;
    const char *path = pml_test_path("%s/%u.safetensors", pml_test_temporary_dir(), n_files++);
    memset(f, 0, sizeof *f);
    for (unsigned k = 0; k < n_parts; k++) {
        tensors[k] = (test_tensor){.name = names[k], .dtype = dtype, .rank = c->source_rank};
        memcpy(tensors[k].shape, c->source_shape, sizeof tensors[k].shape);
        f->bytes[k] = test_fill(dtype, test_count(&tensors[k]), 1000 * k + n_files);
        tensors[k].bytes = f->bytes[k];
    }
    test_write_safetensors(path, tensors, n_parts, n_blanks);
    if (!pml_test_ok(pml_source_open(path, &f->source, &error), &error, __FILE__, __LINE__)) {
        exit(1);
    }
    memcpy(f->name, "weight", 7);
    f->spec = (pml_weight_spec){.name = "weight", .role = PML_ROLE_MATRIX};
    f->weight = (pml_weight_instance){.name = f->name, .spec = &f->spec, .l = -1, .rank = c->rank};
    memcpy(f->weight.shape, c->shape, sizeof f->weight.shape);
    for (unsigned k = 0; k < n_parts; k++) {
        f->parts[k] = (pml_mapped_part){pml_source_tensor_find(f->source, names[k]), k};
    }
    f->mapped = (pml_mapped_weight){&f->weight, c->transform, f->parts, n_parts};
}

static inline void tear_down(fixture *f) {
    pml_source_close(f->source);
    for (size_t k = 0; k < 8; k++) {
        free(f->bytes[k]);
    }
}

#endif
