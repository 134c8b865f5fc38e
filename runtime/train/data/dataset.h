/* What is trained on: samples by number, each a few named arrays. A data set does not change and keeps no place: any
 * thread may fetch any sample at any time, and gets the same bytes for the same key.
 *
 * Kinds: array_data.h (arrays in memory), series_windows.h (windows of a series), token_blocks.h (text for language
 * models), masked_tokens.h (text for masked language models), labelled_texts.h (texts with classes). */
#ifndef PML_RUNTIME_TRAIN_DATA_DATASET_H
#define PML_RUNTIME_TRAIN_DATA_DATASET_H

#include "runtime/base/dtype.h"
#include "runtime/base/error.h"
#include "runtime/base/limits.h"

#define PML_MAX_DATA_FIELDS 8u

typedef struct pml_data_field {
    const char *name; /* an input of the model, or a target: "labels", "future_values" */
    pml_dtype dtype;  /* F32 for whatever a model takes, token ids included; I64 for classes */
    size_t rank;      /* of a sample, without the batch */
    size_t shape[PML_MAX_RANK];
    /* Samples differ along axis 0, by their tokens: shape[0] is the longest, and all ragged fields of a sample are as
     * long as each other. A batch is filled up with `padding` to its longest sample. */
    bool is_ragged;
    double padding;
} pml_data_field;

/* What else a sample may depend on: data that are drawn anew in each epoch are a function of this and their number. */
typedef struct pml_data_key {
    uint64_t seed, epoch;
} pml_data_key;

typedef struct pml_dataset pml_dataset;
typedef struct pml_dataset_type {
    /* Writes sample i_sample < n_samples: values[f] has room for the shape of field f, row-major. *length is that of
     * the sample's ragged fields, >= 1 (untouched where there are none), and only so many rows of them are written. */
    pml_status (*fetch)(const pml_dataset *dataset, size_t i_sample, const pml_data_key *key, void *const *values,
                        size_t *length, pml_error *error);
    void (*destroy)(pml_dataset *dataset);
} pml_dataset_type;

struct pml_dataset { /* the first member of every kind's own struct; read-only for its users */
    const pml_dataset_type *type;
    size_t n_samples;
    size_t n_fields;
    pml_data_field fields[PML_MAX_DATA_FIELDS];
    const uint32_t *classes; /* [n_samples] one class of each sample, for weights by class; NULL: there is none */
    size_t n_classes;
    uint64_t digest; /* of all that samples are made of (XXH3): equal data, equal digest */
};

pml_status pml_dataset_fetch(const pml_dataset *dataset, size_t i_sample, const pml_data_key *key, void *const *values,
                             size_t *length, pml_error *error) PML_WARN_UNUSED;
void pml_dataset_destroy(pml_dataset *dataset); /* NULL is allowed */

/* NULL: there is no such field. */
const pml_data_field *pml_dataset_field(const pml_dataset *dataset, const char *name);
/* Elements of one sample's field, at its longest. Errors: ARGUMENT (the product is too large). */
pml_status pml_data_field_count(const pml_data_field *field, size_t *count, pml_error *error) PML_WARN_UNUSED;

/* Streams of random numbers (runtime/base/random.h) that data use: no other part of training has these high bits. */
typedef enum pml_data_stream {
    PML_DATA_STREAM_ORDER = 1, /* the order of an epoch */
    PML_DATA_STREAM_MASK = 2   /* the tokens that are masked */
} pml_data_stream;
static inline uint64_t pml_data_stream_of(pml_data_stream stream, uint64_t epoch) {
    return (uint64_t)0xda << 56 | (uint64_t)stream << 48 | (epoch & 0xffffffffffffu);
}

#endif
