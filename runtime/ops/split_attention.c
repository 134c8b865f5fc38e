/* Attention over threads: sequences, their heads and, where these are long, their queries lie one behind the other on a
 * line as long as they cost; each share is a piece of it of the same length. */
#include <math.h>

#include "runtime/ops/parallel.h"
#include "runtime/ops/split.h"

/* Queries that stay together, and how many a head has that may be cut: then packing its keys twice costs little. */
#define QUERY_GRAIN 16u
#define LEAST_QUERIES 64u

typedef struct line {
    const pml_heads *heads;
    pml_attention_fn *attend;
    size_t n_shares;
    double length;
    float *work; /* [n_shares][work_floats] */
    size_t work_floats;
} line;

typedef struct place { /* a query */
    size_t i_sequence, i_head, i_query;
} place;

/* Pairs of queries before t and keys that these see. */
static double pairs_before(const pml_attention *job, size_t t) {
    const double n = (double)t, before = (double)(job->n_keys - job->n_queries);
    return job->causal ? n * before + n * (n + 1) / 2 : n * (double)job->n_keys;
}

/* In nanoseconds: products, softmax, and packing. */
static double head_cost(const pml_attention *job) {
    const double each = 2 * PML_COST_MULTIPLY(2 * job->depth) + 1;
    const double packing = job->k_panels != NULL ? 0 : PML_COST_VALUES(job->n_keys * job->depth) / 4;
    return (double)job->n_queries + pairs_before(job, job->n_queries) * each + packing;
}

static double sequence_cost(const pml_heads *heads, size_t i_sequence, pml_attention *job) {
    heads->job(heads->user, i_sequence, 0, job);
    return head_cost(job) * (double)heads->n_heads;
}

/* The first of the queries that lie behind a share of the job's pairs. */
static size_t query_at(const pml_attention *job, double share) {
    const bool is_whole = job->n_queries < LEAST_QUERIES || (job->causal && job->scores_out != NULL);
    if (is_whole) {
        return share < 0.5 ? 0 : job->n_queries;
    }
    double t = share * (double)job->n_queries;
    if (job->causal) { /* pairs_before(t) = share of all */
        const double b = (double)(job->n_keys - job->n_queries) + 0.5;
        t = sqrt(b * b + 2 * share * pairs_before(job, job->n_queries)) - b;
    }
    const size_t grains = (size_t)(t / QUERY_GRAIN + 0.5);
    return grains * QUERY_GRAIN < job->n_queries ? grains * QUERY_GRAIN : job->n_queries;
}

/* Where share i begins; behind everything for i = n_shares. */
static place find_place(const line *l, size_t i_share) {
    const pml_heads *heads = l->heads;
    double left = l->length * (double)i_share / (double)l->n_shares;
    for (size_t i = 0; i < heads->n_sequences && i_share < l->n_shares; i++) {
        pml_attention job;
        const double cost = sequence_cost(heads, i, &job), head = cost / (double)heads->n_heads;
        if (left >= cost) {
            left -= cost;
            continue;
        }
        place p = {.i_sequence = i, .i_head = (size_t)(left / head)};
        p.i_head = p.i_head < heads->n_heads ? p.i_head : heads->n_heads - 1;
        p.i_query = query_at(&job, left / head - (double)p.i_head);
        return p;
    }
    return (place){.i_sequence = heads->n_sequences};
}

static void attend_queries(const line *l, pml_attention *job, size_t begin, size_t end, float *work) {
    if (begin >= end) {
        return;
    }
    job->q += begin * job->q_stride;
    job->y += begin * job->y_stride;
    job->mask = job->mask == NULL ? NULL : job->mask + begin * job->mask_stride;
    job->scores_in = job->scores_in == NULL ? NULL : job->scores_in + begin * job->n_keys;
    job->scores_out = job->scores_out == NULL ? NULL : job->scores_out + begin * job->n_keys;
    job->dropout_first += begin * job->dropout_stride;
    job->n_keys -= job->causal ? job->n_queries - end : 0;
    job->n_queries = end - begin;
    job->work = work;
    l->attend(job);
}

static void attend_share(void *user, size_t i_share) {
    const line *l = user;
    const place begin = find_place(l, i_share), end = find_place(l, i_share + 1);
    for (size_t i = begin.i_sequence; i <= end.i_sequence && i < l->heads->n_sequences; i++) {
        const size_t first = i == begin.i_sequence ? begin.i_head : 0;
        const size_t last = i == end.i_sequence ? end.i_head : l->heads->n_heads - 1;
        for (size_t h = first; h <= last; h++) {
            pml_attention job;
            l->heads->job(l->heads->user, i, h, &job);
            attend_queries(l, &job, i == begin.i_sequence && h == begin.i_head ? begin.i_query : 0,
                           i == end.i_sequence && h == end.i_head ? end.i_query : job.n_queries,
                           l->work + i_share * l->work_floats);
        }
    }
}

pml_status pml_split_attention(pml_context *context, const pml_heads *heads, size_t n_keys, size_t depth,
                               pml_error *error) {
    pml_status status = PML_OK;
    line l = {
        .heads = heads, .attend = context->kernels.attention_f32, .work_floats = pml_attention_work(n_keys, depth)};
    for (size_t i = 0; i < heads->n_sequences; i++) {
        pml_attention job;
        l.length += sequence_cost(heads, i, &job);
    }
    l.n_shares = pml_context_shares(context, l.length);
    const size_t mark = pml_context_mark(context);
    if (l.n_shares == 1) {
        PML_TRY(pml_context_scratch(context, l.work_floats, &l.work, error));
        attend_share(&l, 0);
        pml_context_release(context, mark, NULL);
    } else {
        const size_t work_bytes = pml_context_bytes(l.work_floats, sizeof *l.work);
        if (work_bytes > SIZE_MAX / l.n_shares) {
            PML_TRY(PML_FAIL(error, PML_E_MEMORY, "attention: scratch for %zu keys is too large", n_keys));
        }
        PML_TRY(pml_context_quantized(context, work_bytes * l.n_shares, error));
        l.work = context->quantized;
        l.work_floats = work_bytes / sizeof *l.work;
        pml_context_run(context, l.n_shares, attend_share, &l);
    }

done:
    return status;
}
