/* A declared search space: parameters in an order, some of which are there only where others have certain values. */
#ifndef PML_RUNTIME_TUNE_SPACE_H
#define PML_RUNTIME_TUNE_SPACE_H

#include "runtime/tune/distribution.h"

typedef struct pml_space_condition { /* holds where the parent is there and has one of the values */
    size_t i_parent;                 /* before the parameter that it belongs to */
    double *values;                  /* internal */
    size_t n_values;
} pml_space_condition;

typedef struct pml_space_parameter {
    char *name;
    pml_distribution distribution;
    uint64_t resolution;             /* of a grid: how many values of a range; 0: as many as its steps give */
    pml_space_condition *conditions; /* all must hold */
    size_t n_conditions;
} pml_space_parameter;

typedef struct pml_space { /* zero = empty, safe to deinit */
    pml_space_parameter *parameters;
    size_t n_parameters;
} pml_space;

/* {"lr": {"type": "float", "low": 1e-5, "high": 0.1, "log": true, "step": …, "resolution": …},
 *  "opt": {"type": "categorical", "choices": ["adam", "sgd"]},
 *  "momentum": {"type": "float", "low": 0, "high": 1, "if": {"opt": ["sgd"]}}}
 * Errors: NOT_FOUND, IO; FORMAT (no JSON); CONFIG (no such space); MEMORY. */
pml_status pml_space_read(const char *path, pml_space *space, pml_error *error) PML_WARN_UNUSED;
pml_status pml_space_parse(const char *json, size_t size_bytes, const char *file_name, pml_space *space,
                           pml_error *error) PML_WARN_UNUSED;
void pml_space_deinit(pml_space *space);

/* SIZE_MAX where there is none. */
size_t pml_space_find(const pml_space *space, const char *name);
/* Whether parameter i is there, given the values of those before it; NaN: not there. */
bool pml_space_is_active(const pml_space *space, size_t i_parameter, const double *values);

#endif
