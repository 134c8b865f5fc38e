#include "runtime/text/sampler.h"

#include <math.h>

#include "runtime/base/alloc.h"

typedef struct candidate {
    double score;
    uint32_t id;
} candidate;

struct pml_sampler {
    pml_sampling sampling;
    uint32_t n_tokens;
    uint64_t state;        /* of the random numbers */
    bool *is_seen;         /* [n_tokens] */
    candidate *candidates; /* [n_tokens] */
    double *weights;       /* [n_tokens] of the candidates that are left */
};

pml_status pml_sampler_create(const pml_sampling *sampling, uint32_t n_tokens, pml_sampler **sampler,
                              pml_error *error) {
    pml_status status = PML_OK;
    pml_sampler *made = NULL;
    *sampler = NULL;
    if (!(sampling->temperature >= 0 && sampling->temperature < INFINITY)) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "a temperature is a number from 0 on, not %g", sampling->temperature));
    }
    if (!(sampling->top_p > 0 && sampling->top_p <= 1)) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "top-p is above 0 and at most 1, not %g", sampling->top_p));
    }
    if (!(sampling->min_p >= 0 && sampling->min_p <= 1)) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "min-p is from 0 to 1, not %g", sampling->min_p));
    }
    if (!(sampling->repetition_penalty > 0 && sampling->repetition_penalty < INFINITY) || n_tokens == 0) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "a repetition penalty is above 0, not %g, and there are %u tokens",
                         sampling->repetition_penalty, n_tokens));
    }
    PML_TRY(pml_alloc(1, sizeof *made, &made, error));
    made->sampling = *sampling;
    made->n_tokens = n_tokens;
    made->state = sampling->seed;
    PML_TRY(pml_alloc(n_tokens, sizeof *made->is_seen, &made->is_seen, error));
    PML_TRY(pml_alloc(n_tokens, sizeof *made->candidates, &made->candidates, error));
    PML_TRY(pml_alloc(n_tokens, sizeof *made->weights, &made->weights, error));
    *sampler = made;
    made = NULL;
done:
    pml_sampler_destroy(made);
    return status;
}

void pml_sampler_destroy(pml_sampler *sampler) {
    if (sampler != NULL) {
        pml_free(sampler->is_seen);
        pml_free(sampler->candidates);
        pml_free(sampler->weights);
        pml_free(sampler);
    }
}

void pml_sampler_see(pml_sampler *sampler, uint32_t id) {
    if (id < sampler->n_tokens) {
        sampler->is_seen[id] = true;
    }
}

/* From 0 to below 1. SplitMix64 (Steele, Lea, Flood 2014). */
static double random_share(pml_sampler *sampler) {
    uint64_t x = sampler->state += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return (double)((x ^ x >> 31) >> 11) * 0x1p-53;
}

static double penalized(const pml_sampler *sampler, const float *scores, uint32_t id) {
    const double score = (double)scores[id], penalty = sampler->sampling.repetition_penalty;
    return !sampler->is_seen[id] ? score : score < 0 ? score * penalty : score / penalty;
}

static uint32_t likeliest(const pml_sampler *sampler, const float *scores) {
    uint32_t best = 0;
    double most = penalized(sampler, scores, 0);
    for (uint32_t id = 1; id < sampler->n_tokens; id++) {
        const double score = penalized(sampler, scores, id);
        if (score > most) {
            most = score;
            best = id;
        }
    }
    return best;
}

/* ---- candidates, likeliest first: a heap, of which only as many are taken as are kept ------------------------------
 */

static bool comes_before(const candidate *a, const candidate *b) {
    return a->score != b->score ? a->score > b->score : a->id < b->id;
}

static void sift_down(candidate *heap, uint32_t n, uint32_t at) {
    const candidate moved = heap[at];
    for (size_t child = 2 * (size_t)at + 1; child < n; child = 2 * (size_t)at + 1) {
        child += child + 1 < n && comes_before(&heap[child + 1], &heap[child]);
        if (comes_before(&moved, &heap[child])) {
            break;
        }
        heap[at] = heap[child];
        at = (uint32_t)child;
    }
    heap[at] = moved;
}

static void make_heap(candidate *heap, uint32_t n) {
    for (uint32_t at = n / 2; at-- > 0;) {
        sift_down(heap, n, at);
    }
}

/* The likeliest of n, which changes places with the last one. */
static candidate take(candidate *heap, uint32_t n) {
    const candidate top = heap[0];
    heap[0] = heap[n - 1];
    heap[n - 1] = top;
    if (n > 1) {
        sift_down(heap, n - 1, 0);
    }
    return top;
}

/* ---- chance -------------------------------------------------------------------------------------------------------
 */

/* Leaves at the end of the array the candidates that top_k and top_p keep, the likeliest last; returns how many. Their
 * weights are in sampler->weights, by the same place. */
static uint32_t keep_likeliest(pml_sampler *sampler, double greatest) {
    const pml_sampling *s = &sampler->sampling;
    const uint32_t n = sampler->n_tokens;
    const uint32_t most = s->top_k > 0 && s->top_k < n ? (uint32_t)s->top_k : n;
    double total = 0, before = 0;
    uint32_t n_kept = 0;
    make_heap(sampler->candidates, n);
    if (most == n) { /* probabilities are shares of all */
        for (uint32_t i = 0; i < n; i++) {
            total += exp(sampler->candidates[i].score - greatest);
        }
    }
    for (; n_kept < most && (most < n || before < s->top_p * total); n_kept++) {
        const double weight = exp(take(sampler->candidates, n - n_kept).score - greatest);
        sampler->weights[n - 1 - n_kept] = weight;
        before += weight;
    }
    if (most < n) { /* shares of the k likeliest */
        const uint32_t n_candidates = n_kept;
        total = before;
        before = 0;
        for (n_kept = 0; n_kept < n_candidates && before < s->top_p * total; n_kept++) {
            before += sampler->weights[n - 1 - n_kept];
        }
    }
    return n_kept;
}

uint32_t pml_sampler_choose(pml_sampler *sampler, const float *scores) {
    const pml_sampling *s = &sampler->sampling;
    const uint32_t n = sampler->n_tokens, best = likeliest(sampler, scores);
    if (s->temperature == 0) {
        return best;
    }
    const double greatest = penalized(sampler, scores, best) / s->temperature;
    for (uint32_t id = 0; id < n; id++) {
        sampler->candidates[id] = (candidate){penalized(sampler, scores, id) / s->temperature, id};
    }
    uint32_t n_kept = n;
    double total = 0;
    if ((s->top_k > 0 && s->top_k < n) || s->top_p < 1) {
        n_kept = keep_likeliest(sampler, greatest);
    } else {
        for (uint32_t i = 0; i < n; i++) {
            sampler->weights[i] = exp(sampler->candidates[i].score - greatest);
        }
    }
    for (uint32_t i = n - n_kept; i < n; i++) { /* the greatest weight is 1 */
        sampler->weights[i] = sampler->weights[i] >= s->min_p ? sampler->weights[i] : 0;
        total += sampler->weights[i];
    }
    double rest = random_share(sampler) * total;
    uint32_t chosen = best;
    for (uint32_t i = n; i-- > n - n_kept;) {
        if (sampler->weights[i] > 0) {
            chosen = sampler->candidates[i].id;
            rest -= sampler->weights[i];
            if (rest < 0) {
                break;
            }
        }
    }
    return chosen;
}
