/* Models made from nothing: a configuration, and weights as a family's layers begin with them. */
#ifndef PML_RUNTIME_TRAIN_NEW_MODEL_H
#define PML_RUNTIME_TRAIN_NEW_MODEL_H

#include "runtime/file/reader.h"
#include "runtime/train/fresh_config.h"

typedef struct pml_new_model {   /* borrowed; NULL or 0: nothing */
    const char *family;          /* "dlinear" */
    const char *config;          /* a JSON file of canonical keys */
    const char *const *settings; /* "key=value", which go before those of the file */
    size_t n_settings;
    const char *data;     /* a CSV file, or JSON lines of a classifier: they decide sizes that nobody gave */
    bool is_single;       /* of the series, one column is trained on */
    const pml_file *text; /* a .pml with the tokenizer to take; must be open */
    uint64_t seed;        /* of weights and of what is drawn of the configuration */
} pml_new_model;

/* The metadata that the file of such a model has: the same for the same description, so that they tell whether a file
 * is of it. Errors: NOT_FOUND (no such family, naming those that there are), UNSUPPORTED, those of
 * pml_fresh_config_read, _set and _complete, of pml_series_read and of the tokenizer. */
pml_status pml_new_model_describe(const pml_new_model *model, pml_metadata **metadata,
                                  pml_error *error) PML_WARN_UNUSED;

/* Writes the model as a .pml, whole or not at all; same description, same bytes. Replaces an older file. Weights are
 * F32; element i of a weight depends on the seed, the weight's name and i alone. Errors: those of
 * pml_new_model_describe, of pml_schema_weights and of writing. */
pml_status pml_new_model_write(const pml_new_model *model, const char *path, pml_error *error) PML_WARN_UNUSED;

#endif
