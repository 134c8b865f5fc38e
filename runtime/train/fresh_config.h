/* The configuration of a model that is made from nothing: what its maker says, what its data say, and what the family
 * has where neither does (pml_fresh_spec). */
#ifndef PML_RUNTIME_TRAIN_FRESH_CONFIG_H
#define PML_RUNTIME_TRAIN_FRESH_CONFIG_H

#include "runtime/schema/schema.h"

typedef struct pml_fresh_facts {   /* of the data */
    size_t n_channels;             /* 0: there is no series */
    bool has_dates;                /* the series has a date a row */
    size_t n_labels;               /* classes of texts; 0: there are none */
    char frequency;                /* its step: 's', 't', 'h' ...; 0: not known */
    const pml_metadata *tokenizer; /* of the file that the tokenizer is from; NULL: there is none */
    uint64_t seed;                 /* of what is drawn */
} pml_fresh_facts;

/* Sets "config.<key>" for the keys of a JSON object in memory; `name` is what messages call it. Errors: FORMAT (not
 * such an object, with line and column), CONFIG (a key that the family does not have, a value of another type; with
 * line and column), MEMORY. */
pml_status pml_fresh_config_read(const pml_schema *schema, const void *bytes, size_t size_bytes, const char *name,
                                 pml_metadata *metadata, pml_error *error) PML_WARN_UNUSED;
/* Sets one of "key=value"; lists are numbers with commas. Replaces what was there. Errors: CONFIG, ARGUMENT (no '='),
 * MEMORY. */
pml_status pml_fresh_config_set(const pml_schema *schema, const char *setting, pml_metadata *metadata,
                                pml_error *error) PML_WARN_UNUSED;
/* Sets what is not there yet, and checks the whole. Errors: CONFIG (naming the key), UNSUPPORTED (a fresh model of that
 * kind is not made), MEMORY. */
pml_status pml_fresh_config_complete(const pml_schema *schema, const pml_fresh_facts *facts, pml_metadata *metadata,
                                     pml_error *error) PML_WARN_UNUSED;

#endif
