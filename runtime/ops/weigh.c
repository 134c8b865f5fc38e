/* Mixtures that differ from value to value. */
#include <math.h>

#include "runtime/ops/op.h"
#include "runtime/ops/parallel.h"
#include "runtime/ops/signal.h"

typedef struct mixture {
    size_t n_parts;
    const float *parts[PML_WEIGH_MAX_PARTS], *scores; /* [count] each, [count][n_parts] */
    float *y;
    const float *g; /* backward: of y; gradients are added to, those that are wanted */
    float *d_parts[PML_WEIGH_MAX_PARTS], *d_scores;
} mixture;

static void find_weights(const float *score, size_t n_parts, double *weights) {
    double total = 0;
    float greatest = score[0];
    for (size_t k = 1; k < n_parts; k++) {
        greatest = score[k] > greatest ? score[k] : greatest;
    }
    for (size_t k = 0; k < n_parts; k++) {
        weights[k] = exp((double)score[k] - (double)greatest);
        total += weights[k];
    }
    for (size_t k = 0; k < n_parts; k++) {
        weights[k] /= total;
    }
}

static void mix(void *user, size_t begin, size_t end) {
    const mixture *job = user;
    for (size_t i = begin; i < end; i++) {
        double weights[PML_WEIGH_MAX_PARTS], sum = 0;
        find_weights(job->scores + i * job->n_parts, job->n_parts, weights);
        for (size_t k = 0; k < job->n_parts; k++) {
            sum += weights[k] * (double)job->parts[k][i];
        }
        job->y[i] = (float)sum;
    }
}

/* d part k = g w_k, d score k = g w_k (part k - y) */
static void mix_back(void *user, size_t begin, size_t end) {
    const mixture *job = user;
    for (size_t i = begin; i < end; i++) {
        double weights[PML_WEIGH_MAX_PARTS], sum = 0;
        find_weights(job->scores + i * job->n_parts, job->n_parts, weights);
        for (size_t k = 0; k < job->n_parts; k++) {
            sum += weights[k] * (double)job->parts[k][i];
        }
        for (size_t k = 0; k < job->n_parts; k++) {
            const double share = (double)job->g[i] * weights[k];
            if (job->d_parts[k] != NULL) {
                job->d_parts[k][i] += (float)share;
            }
            if (job->d_scores != NULL) {
                job->d_scores[i * job->n_parts + k] += (float)(share * ((double)job->parts[k][i] - sum));
            }
        }
    }
}

static double cost(size_t count, size_t n_parts) {
    return 20.0 * PML_COST_VALUES(count * n_parts);
}

static pml_status backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                           pml_error *error) {
    pml_status status = PML_OK;
    const size_t n_parts = entry->n_inputs - 1, count = pml_tensor_count(&entry->output);
    mixture job = {.n_parts = n_parts,
                   .scores = pml_tensor_f32_const(&entry->inputs[n_parts]),
                   .g = pml_gradient_out(gradients, entry)};
    for (size_t k = 0; k < n_parts; k++) {
        job.parts[k] = pml_tensor_f32_const(&entry->inputs[k]);
        PML_TRY(pml_gradient_of(gradients, &entry->inputs[k], &job.d_parts[k], error));
    }
    PML_TRY(pml_gradient_of(gradients, &entry->inputs[n_parts], &job.d_scores, error));
    pml_context_ranges(context, count, 16, cost(count, n_parts), mix_back, &job);

done:
    return status;
}

static const pml_op op = {.name = "weigh", .backward = backward};

pml_status pml_op_weigh(pml_context *context, const pml_tensor *parts, size_t n_parts, const pml_tensor *scores,
                        pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    const pml_tensor *inputs[PML_WEIGH_MAX_PARTS + 1];
    mixture job = {.n_parts = n_parts};
    PML_OP_REQUIRE(n_parts > 0 && n_parts <= PML_WEIGH_MAX_PARTS, "weigh: %zu parts, at most %u are possible", n_parts,
                   PML_WEIGH_MAX_PARTS);
    for (size_t k = 0; k < n_parts; k++) {
        PML_OP_REQUIRE(pml_op_is(&parts[k], PML_DTYPE_F32) && pml_op_same_shape(&parts[k], &parts[0]),
                       "weigh: the parts must be F32 of one shape");
        inputs[k] = &parts[k];
        job.parts[k] = pml_tensor_f32_const(&parts[k]);
    }
    inputs[n_parts] = scores;
    const size_t count = pml_tensor_count(&parts[0]);
    PML_OP_REQUIRE(pml_op_is(scores, PML_DTYPE_F32) && scores->rank == 2 && scores->shape[0] == count &&
                       scores->shape[1] == n_parts,
                   "weigh: scores must be F32 [%zu, %zu]", count, n_parts);
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, parts[0].shape, parts[0].rank, y, error));
    job.scores = pml_tensor_f32_const(scores);
    job.y = pml_tensor_f32(y);
    pml_context_ranges(context, count, 16, cost(count, n_parts), mix, &job);
    PML_TRY(pml_tape_record(context->tape, &op, NULL, inputs, n_parts + 1, y, error));

done:
    return status;
}
