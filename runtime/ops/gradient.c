/* The backward pass: which gradients are wanted, where they lie, and in which order ops get to see them. */
#include "runtime/ops/gradient.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/cancel.h"
#include "runtime/ops/gradient_pool.h"

#define NONE SIZE_MAX

/* Bytes that have one gradient: a leaf, or what an entry made. */
typedef struct region {
    uintptr_t begin, end;
    float *gradient;  /* NULL: nothing has arrived yet */
    size_t i_leaf;    /* NONE: an entry's */
    size_t i_entry;   /* that made it, or, of a leaf, the first that reads it; NONE: none */
    size_t next_leaf; /* of those with the same i_entry: index of a region; NONE: none */
    bool wanted;
    bool is_read;     /* by an op, so that more may be added to its gradient */
    bool is_borrowed; /* its gradient is a seed's own: nothing is added to it */
} region;

struct pml_gradients {
    pml_gradient_pool pool;
    region *regions; /* by address */
    size_t n_regions, regions_capacity;
    size_t *of_entry; /* index of the entry's region; NONE: it made nothing */
    size_t *leaves;   /* of the entry: first region in the chain of leaves that are done with it; NONE: none */
    size_t entries_capacity, leaves_capacity;
};

pml_status pml_gradients_create(pml_gradients **gradients, pml_error *error) {
    return pml_alloc(1, sizeof **gradients, gradients, error);
}

void pml_gradients_destroy(pml_gradients *gradients) {
    if (gradients != NULL) {
        pml_gradient_pool_deinit(&gradients->pool);
        pml_free(gradients->regions);
        pml_free(gradients->of_entry);
        pml_free(gradients->leaves);
        pml_free(gradients);
    }
}

size_t pml_gradients_peak_bytes(const pml_gradients *gradients) {
    return gradients->pool.held_bytes;
}

/* ---- regions ---- */
static uintptr_t address(const pml_tensor *tensor) {
    return (uintptr_t)pml_tensor_bytes(tensor);
}

static int by_address(const void *a, const void *b) {
    const region *left = a, *right = b;
    return left->begin < right->begin ? -1 : left->begin > right->begin ? 1 : 0;
}

/* The region that holds this tensor's bytes. NULL: none. */
static region *find(const pml_gradients *gradients, const pml_tensor *tensor) {
    if (tensor->dtype != PML_DTYPE_F32 || tensor->layout != PML_LAYOUT_ROW || gradients->n_regions == 0) {
        return NULL;
    }
    const uintptr_t at = address(tensor);
    size_t low = 0, high = gradients->n_regions;
    while (high - low > 1) { /* regions[low].begin <= at < regions[high].begin, if any */
        const size_t middle = low + (high - low) / 2;
        if (gradients->regions[middle].begin <= at) {
            low = middle;
        } else {
            high = middle;
        }
    }
    region *found = &gradients->regions[low];
    return found->begin <= at && at < found->end ? found : NULL;
}

static void add_region(pml_gradients *gradients, uintptr_t begin, size_t count, size_t i_leaf, size_t i_entry,
                       float *gradient) {
    if (count > 0) {
        gradients->regions[gradients->n_regions++] = (region){.begin = begin,
                                                              .end = begin + count * sizeof(float),
                                                              .gradient = gradient,
                                                              .i_leaf = i_leaf,
                                                              .i_entry = i_entry,
                                                              .next_leaf = NONE,
                                                              .wanted = i_leaf != NONE};
    }
}

/* What entries make and leaves, sorted. */
static pml_status list_regions(pml_gradients *gradients, const pml_tape *tape, const pml_gradients_pass *pass,
                               pml_error *error) {
    pml_status status = PML_OK;
    const size_t most = SIZE_MAX / sizeof(region);
    gradients->n_regions = 0;
    PML_TRY(pml_grow(&gradients->regions, &gradients->regions_capacity, tape->count + pass->n_leaves,
                     sizeof *gradients->regions, most, "gradients", error));
    PML_TRY(pml_grow(&gradients->of_entry, &gradients->entries_capacity, tape->count, sizeof *gradients->of_entry, most,
                     "gradients", error));
    PML_TRY(pml_grow(&gradients->leaves, &gradients->leaves_capacity, tape->count, sizeof *gradients->leaves, most,
                     "gradients", error));
    for (size_t i = 0; i < pass->n_leaves; i++) {
        add_region(gradients, (uintptr_t)pass->leaves[i].values, pass->leaves[i].count, i, NONE,
                   pass->leaves[i].gradient);
    }
    for (size_t i = 0; i < tape->count; i++) {
        const pml_tensor *output = &tape->entries[i].output;
        gradients->of_entry[i] = NONE;
        gradients->leaves[i] = NONE;
        if (output->dtype == PML_DTYPE_F32) {
            add_region(gradients, address(output), pml_tensor_count(output), NONE, i, NULL);
        }
    }
    if (gradients->n_regions > 0) {
        qsort(gradients->regions, gradients->n_regions, sizeof *gradients->regions, by_address);
    }
    for (size_t i = 0; i < gradients->n_regions; i++) {
        const region *at = &gradients->regions[i];
        if (i > 0 && at->begin < gradients->regions[i - 1].end) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "two results or parameters of a step share bytes"));
        }
        if (at->i_leaf == NONE) {
            gradients->of_entry[at->i_entry] = i;
        }
    }

done:
    return status;
}

/* Forward over the tape: a result's gradient is wanted if that of something that it was made from is. */
static void mark_wanted(pml_gradients *gradients, const pml_tape *tape) {
    for (size_t i = 0; i < tape->count; i++) {
        const pml_tape_entry *entry = &tape->entries[i];
        for (size_t k = 0; k < entry->n_inputs; k++) {
            region *input = entry->inputs[k].dtype == PML_DTYPE_NONE ? NULL : find(gradients, &entry->inputs[k]);
            if (input == NULL || !input->wanted) {
                continue;
            }
            input->is_read = true;
            if (gradients->of_entry[i] != NONE) {
                gradients->regions[gradients->of_entry[i]].wanted = true;
            }
            if (input->i_leaf != NONE && input->i_entry == NONE) {
                input->i_entry = i;
                input->next_leaf = gradients->leaves[i];
                gradients->leaves[i] = (size_t)(input - gradients->regions);
            }
        }
    }
}

/* ---- what ops ask for ---- */
bool pml_gradient_wanted(const pml_gradients *gradients, const pml_tensor *tensor) {
    const region *at = tensor->dtype == PML_DTYPE_NONE ? NULL : find(gradients, tensor);
    return at != NULL && at->wanted;
}

pml_status pml_gradient_begin(pml_gradients *gradients, const pml_tensor *tensor, float **gradient, bool *is_new,
                              pml_error *error) {
    pml_status status = PML_OK;
    region *at = tensor->dtype == PML_DTYPE_NONE ? NULL : find(gradients, tensor);
    *gradient = NULL;
    *is_new = false;
    if (at == NULL || !at->wanted) {
        goto done;
    }
    const size_t count = (at->end - at->begin) / sizeof(float);
    const size_t first = (address(tensor) - at->begin) / sizeof(float);
    if (at->gradient == NULL) {
        PML_TRY(pml_gradient_pool_take(&gradients->pool, count, &at->gradient, error));
        *is_new = first == 0 && pml_tensor_count(tensor) == count;
        if (!*is_new) {
            memset(at->gradient, 0, count * sizeof *at->gradient);
        }
    }
    *gradient = at->gradient + first;

done:
    return status;
}

pml_status pml_gradient_of(pml_gradients *gradients, const pml_tensor *tensor, float **gradient, pml_error *error) {
    bool is_new;
    const pml_status status = pml_gradient_begin(gradients, tensor, gradient, &is_new, error);
    if (status == PML_OK && is_new) {
        memset(*gradient, 0, pml_tensor_count(tensor) * sizeof **gradient);
    }
    return status;
}

pml_status pml_gradient_add(pml_gradients *gradients, const pml_tensor *tensor, const float *values, float factor,
                            pml_error *error) {
    float *gradient;
    bool is_new;
    const pml_status status = pml_gradient_begin(gradients, tensor, &gradient, &is_new, error);
    for (size_t i = 0, n = pml_tensor_count(tensor); status == PML_OK && gradient != NULL && i < n; i++) {
        gradient[i] = is_new ? factor * values[i] : gradient[i] + factor * values[i];
    }
    return status;
}

const float *pml_gradient_out(const pml_gradients *gradients, const pml_tape_entry *entry) {
    const region *at = find(gradients, &entry->output);
    return at == NULL ? NULL : at->gradient;
}

pml_status pml_gradients_scratch(pml_gradients *gradients, size_t count, float **scratch, pml_error *error) {
    return pml_gradient_pool_scratch(&gradients->pool, count, scratch, error);
}

void pml_gradients_scratch_end(pml_gradients *gradients) {
    pml_gradient_pool_end_scratch(&gradients->pool);
}

/* ---- the pass ---- */
/* What a seed has for one region; several may hold parts of its tensor, as ops made them. A result that no op reads
 * takes the seed as it is: scores of a vocabulary are too many to be copied. */
static pml_status plant_part(pml_gradients *gradients, const pml_gradient_seed *seed, region *at, pml_error *error) {
    pml_status status = PML_OK;
    const uintptr_t begin = address(seed->tensor), end = begin + pml_tensor_count(seed->tensor) * sizeof(float);
    const uintptr_t first = begin > at->begin ? begin : at->begin, last = end < at->end ? end : at->end;
    const float *from = seed->gradient + (first - begin) / sizeof(float);
    const size_t offset = (first - at->begin) / sizeof(float), count = (last - first) / sizeof(float);
    const size_t all = (at->end - at->begin) / sizeof(float);
    if (at->gradient == NULL && count == all && at->i_leaf == NONE && !at->is_read) {
        at->gradient = (float *)(uintptr_t)from;
        at->is_borrowed = true;
        goto done;
    }
    if (at->gradient == NULL || at->is_borrowed) {
        const float *before = at->gradient;
        PML_TRY(pml_gradient_pool_take(&gradients->pool, all, &at->gradient, error));
        if (before != NULL) {
            memcpy(at->gradient, before, all * sizeof *before);
        } else {
            memset(at->gradient, 0, all * sizeof *at->gradient);
        }
        at->is_borrowed = false;
    }
    for (size_t k = 0; k < count; k++) {
        at->gradient[offset + k] += from[k];
    }

done:
    return status;
}

static pml_status plant(pml_gradients *gradients, const pml_gradients_pass *pass, pml_error *error) {
    pml_status status = PML_OK;
    for (size_t i = 0; i < pass->n_seeds; i++) {
        const pml_gradient_seed *seed = &pass->seeds[i];
        const uintptr_t begin = address(seed->tensor), end = begin + pml_tensor_count(seed->tensor) * sizeof(float);
        bool is_made = begin == end;
        for (size_t k = 0; k < gradients->n_regions; k++) {
            region *at = &gradients->regions[k];
            if (at->begin < end && begin < at->end) {
                is_made = true;
                if (at->wanted) {
                    PML_TRY(plant_part(gradients, seed, at, error));
                }
            }
        }
        if (!is_made) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "what a backward pass begins with was made by no recorded op"));
        }
    }

done:
    return status;
}

static pml_status pass_entry(pml_gradients *gradients, pml_context *context, const pml_tape_entry *entry,
                             region *output, pml_error *error) {
    pml_status status = PML_OK;
    if (output != NULL && output->wanted && output->gradient != NULL) {
        if (entry->op->backward == NULL) {
            PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "the op '%s' has no gradient", entry->op->name));
        }
        PML_TRY(entry->op->backward(context, gradients, entry, error));
    }

done:
    pml_gradient_pool_end_scratch(&gradients->pool);
    if (output != NULL && output->gradient != NULL) {
        if (!output->is_borrowed) {
            pml_gradient_pool_give(&gradients->pool, output->gradient);
        }
        output->gradient = NULL;
    }
    return status;
}

pml_status pml_gradients_run(pml_gradients *gradients, pml_context *context, const pml_gradients_pass *pass,
                             pml_error *error) {
    pml_status status = PML_OK;
    pml_tape *tape = context->tape;
    context->tape = NULL; /* a backward pass may use ops */
    const size_t mark = pml_context_mark(context);
    PML_TRY(list_regions(gradients, tape, pass, error));
    mark_wanted(gradients, tape);
    PML_TRY(plant(gradients, pass, error));
    for (size_t i = 0; pass->done != NULL && i < gradients->n_regions; i++) {
        if (gradients->regions[i].i_leaf != NONE && gradients->regions[i].i_entry == NONE) {
            pass->done(pass->user, gradients->regions[i].i_leaf); /* read by no op */
        }
    }
    for (size_t i = tape->count; i-- > 0;) {
        region *output = gradients->of_entry[i] == NONE ? NULL : &gradients->regions[gradients->of_entry[i]];
        PML_TRY(pml_cancel_check(error));
        PML_TRY(pass_entry(gradients, context, &tape->entries[i], output, error));
        pml_context_release(context, mark, NULL);
        for (size_t k = gradients->leaves[i]; pass->done != NULL && k != NONE; k = gradients->regions[k].next_leaf) {
            pass->done(pass->user, gradients->regions[k].i_leaf);
        }
    }

done:
    pml_gradient_pool_give_all(&gradients->pool);
    context->tape = tape;
    return status;
}
