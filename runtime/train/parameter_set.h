/* What an update goes over: the parameters of a run as arrays, their groups, and one pass over all of them.
 *
 * All elements, one parameter after the other, are cut into parts of PML_PARAMETER_PART. Parts depend on sizes alone
 * and are what threads take, so that results are the same for any number of threads. */
#ifndef PML_RUNTIME_TRAIN_PARAMETER_SET_H
#define PML_RUNTIME_TRAIN_PARAMETER_SET_H

#include "runtime/ops/context.h"

#define PML_PARAMETER_PART 16384u
#define PML_PARAMETER_MAX_SLOTS 2u
#define PML_PARAMETER_MAX_GROUPS 16u

typedef struct pml_parameter_view { /* the arrays belong to the caller */
    const char *name;
    size_t count;
    float *value;
    float *gradient;
    float *slots[PML_PARAMETER_MAX_SLOTS]; /* of an optimizer: [count] each, zeros before the first step */
    size_t i_group;
} pml_parameter_view;

typedef struct pml_parameter_group {
    const char *pattern; /* of names, as fnmatch has it: * ? [...] */
    double lr_scale;     /* of the learning rate; 0: the parameter stays as it is */
    double weight_decay; /* NAN: the optimizer's */
} pml_parameter_group;

typedef struct pml_parameter_set { /* all zero = valid, safe to deinit */
    pml_parameter_view *views;     /* borrowed */
    size_t n_views;
    pml_parameter_group groups[PML_PARAMETER_MAX_GROUPS]; /* the last one fits every name */
    size_t n_groups;
    /* private */
    size_t n_elements, n_parts;
    size_t *first_views; /* [n_parts]: where a part begins */
    size_t *skipped;     /* [n_parts]: elements of that view before it */
    double *sums;        /* [n_parts] */
} pml_parameter_set;

/* Prepares a set whose views must not change in number or count. Errors: MEMORY, ARGUMENT (sizes overflow). */
pml_status pml_parameter_set_init(pml_parameter_set *set, pml_parameter_view *views, size_t n_views,
                                  pml_error *error) PML_WARN_UNUSED;
void pml_parameter_set_deinit(pml_parameter_set *set);

/* Puts each parameter into the first group whose pattern fits: specs [n_specs] are "PATTERN:lr_scale=0.1,
 * weight_decay=0", either or both; parameters that none fits get the optimizer's own. The texts must outlive the set.
 * Errors: ARGUMENT (no pattern, unknown keys, too many groups, a pattern that fits no parameter). */
pml_status pml_parameter_set_group(pml_parameter_set *set, const char *const *specs, size_t n_specs,
                                   pml_error *error) PML_WARN_UNUSED;

/* Elements begin .. begin + count - 1 of a view; may add to *sum. */
typedef void pml_parameter_fn(void *user, size_t i_view, size_t begin, size_t count, double *sum);
/* Calls fn for all elements, part by part, side by side where there are threads; the sum of all sums, in order.
 * `cost` is of an element, in nanoseconds. Allocates nothing. */
double pml_parameter_set_run(pml_parameter_set *set, pml_context *context, double cost, pml_parameter_fn *fn,
                             void *user);

#endif
