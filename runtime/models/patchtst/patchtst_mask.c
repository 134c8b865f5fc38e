/* PatchTST: which patches pretraining hides, where the caller does not say. */
#include <math.h>
#include <stdlib.h>

#include "runtime/base/alloc.h"
#include "runtime/base/random.h"
#include "runtime/models/patchtst/patchtst.h"

/* Streams of dropouts are numbered from 0 in every step: this one is none of theirs. */
#define MASK_STREAM (UINT64_C(0x6d61736b) << 32)

typedef struct noise {
    uint32_t word;
    size_t i_patch;
} noise;

/* The least first; of equal ones the first. */
static int by_word(const void *a, const void *b) {
    const noise *left = a, *right = b;
    if (left->word != right->word) {
        return left->word < right->word ? -1 : 1;
    }
    return left->i_patch < right->i_patch ? -1 : 1;
}

/* Of every series, or of every sample, the patches whose numbers are greatest. */
static pml_status hide_random(const patchtst *net, const pml_training *drawn, size_t n_samples, float *mask,
                              pml_error *error) {
    pml_status status = PML_OK;
    const size_t n_patches = net->n_patches, n_series = n_samples * net->n_channels;
    const size_t n_kept = (size_t)floor((double)n_patches * (1 - net->masking.ratio));
    noise *order = NULL;
    PML_TRY(pml_alloc(n_patches, sizeof *order, &order, error));
    for (size_t i = 0; i < n_series; i++) {
        const size_t i_draw = net->masking.is_same_for_channels ? i / net->n_channels : i;
        for (size_t n = 0; n < n_patches; n++) {
            order[n] = (noise){pml_random_word(drawn->seed ^ MASK_STREAM, drawn->step, i_draw * n_patches + n), n};
        }
        qsort(order, n_patches, sizeof *order, by_word);
        for (size_t n = 0; n < n_patches; n++) {
            mask[i * n_patches + order[n].i_patch] = n < n_kept ? 0 : 1;
        }
    }

done:
    pml_free(order);
    return status;
}

/* Of every sample the last patches, as many as one of the numbers says: each number for as many samples as another, the
 * first for those that are left over; which samples is drawn. */
static pml_status hide_last(const patchtst *net, const pml_training *drawn, size_t n_samples, float *mask,
                            pml_error *error) {
    pml_status status = PML_OK;
    const size_t n_numbers = net->masking.n_last, each = n_samples / n_numbers;
    uint64_t *order = NULL;
    pml_random random = {.seed = drawn->seed ^ MASK_STREAM, .stream = drawn->step};
    PML_TRY(pml_alloc(n_samples, sizeof *order, &order, error));
    for (size_t b = 0; b < n_samples; b++) {
        order[b] = b;
    }
    pml_random_shuffle(&random, order, n_samples);
    for (size_t b = 0; b < n_samples; b++) {
        const size_t left = n_samples - each * n_numbers;
        const size_t i_number = order[b] < left ? 0 : (order[b] - left) / each;
        const size_t n_hidden = (size_t)net->masking.last[i_number];
        for (size_t i = 0; i < net->n_channels * net->n_patches; i++) {
            mask[b * net->n_channels * net->n_patches + i] = i % net->n_patches + n_hidden < net->n_patches ? 0 : 1;
        }
    }

done:
    pml_free(order);
    return status;
}

pml_status pml_patchtst_draw_mask(pml_context *context, const patchtst *net, const pml_training *drawn,
                                  size_t n_samples, pml_tensor *mask, pml_error *error) {
    pml_status status = PML_OK;
    const size_t shape[] = {n_samples, net->n_channels, net->n_patches};
    PML_TRY(pml_context_step_tensor(context, PML_DTYPE_F32, shape, 3, mask, error));
    float *values = pml_tensor_f32(mask);
    if (net->masking.n_last > 0) {
        PML_TRY(hide_last(net, drawn, n_samples, values, error));
    } else {
        PML_TRY(hide_random(net, drawn, n_samples, values, error));
    }
    for (size_t i = 0; i < n_samples * net->masking.n_shown; i++) {
        const size_t b = i / net->masking.n_shown, c = (size_t)net->masking.shown[i % net->masking.n_shown];
        for (size_t n = 0; c < net->n_channels && n < net->n_patches; n++) {
            values[(b * net->n_channels + c) * net->n_patches + n] = 0;
        }
    }

done:
    return status;
}
