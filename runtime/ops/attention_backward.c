/* Backward of attention: weights are computed again, head by head, and every head adds to columns of its own. */
#include "runtime/ops/attention_heads.h"
#include "runtime/ops/op.h"
#include "runtime/ops/parallel.h"

typedef struct heads_job {
    const pml_context *context;
    const pml_attention_heads *heads;
    pml_attention_gradient of; /* whole gradients: those of a head lie in them as its operands lie in theirs */
    size_t n_shares;
    float *work; /* [n_shares][work_count] */
    size_t work_count;
} heads_job;

static float *moved(float *gradient, const float *part, const float *whole) {
    return gradient == NULL ? NULL : gradient + (part - whole);
}

static void run_share(void *user, size_t i_share) {
    const heads_job *job = user;
    const pml_attention_heads *heads = job->heads;
    const size_t n_heads = heads->options->n_heads, n = heads->n_sequences * n_heads;
    const size_t end = pml_share_begin(n, 1, job->n_shares, i_share + 1);
    for (size_t i = pml_share_begin(n, 1, job->n_shares, i_share); i < end; i++) {
        pml_attention_gradient head = job->of;
        const size_t i_scores = pml_attention_head_scores(heads, i / n_heads, i % n_heads);
        pml_attention_head_job(heads, i / n_heads, i % n_heads, &head.of);
        head.scores = head.of.scores_out;
        head.dy += head.of.y - heads->y;
        head.dy_stride = head.of.y_stride;
        head.dq = moved(head.dq, head.of.q, heads->q);
        head.dk = moved(head.dk, head.of.k, heads->k);
        head.dv = moved(head.dv, head.of.v, heads->v);
        head.dscores_out = head.dscores_out == NULL ? NULL : head.dscores_out + i_scores;
        head.dscores_in = head.dscores_in == NULL ? NULL : head.dscores_in + i_scores;
        head.work = job->work + i_share * job->work_count;
        job->context->kernels.attention_gradient_f32(&head);
    }
}

static pml_status run(pml_context *context, pml_gradients *gradients, heads_job *job, pml_error *error) {
    pml_status status = PML_OK;
    const pml_attention_heads *heads = job->heads;
    const double products = (double)pml_attention_products(heads);
    const double values = products / (2 * (double)(heads->depth > 0 ? heads->depth : 1));
    job->n_shares = pml_context_shares(context, PML_COST_MULTIPLY(2.5 * products) + PML_COST_VALUES(values));
    job->work_count = (pml_attention_gradient_work(heads->most_keys, heads->depth) + 15) / 16 * 16;
    PML_TRY(pml_gradients_scratch(gradients, job->n_shares * job->work_count, &job->work, error));
    pml_context_run(context, job->n_shares, run_share, job);

done:
    return status;
}

pml_status pml_attention_backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                                  pml_error *error) {
    pml_status status = PML_OK;
    const pml_attention_record *record = entry->attributes.data;
    const pml_tensor *q = &entry->inputs[0], *k = &entry->inputs[1], *v = &entry->inputs[2], *mask = &entry->inputs[3];
    const size_t scores_at = pml_attention_scores_at(q);
    pml_attention_heads heads;
    heads_job job = {.context = context, .heads = &heads};
    pml_tensor output = entry->output;
    if (pml_gradient_wanted(gradients, mask)) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "attention: a mask has no gradient"));
    }
    PML_TRY(pml_attention_heads_of(q, k, v, mask, &record->options, &heads, error));
    heads.y = pml_tensor_f32(&output);
    heads.scores_out = record->has_scores ? heads.y + scores_at : NULL;
    heads.dropout = record->drops ? &record->dropout : NULL;
    job.of.dy = pml_gradient_out(gradients, entry);
    job.of.dscores_out = record->has_scores ? job.of.dy + scores_at : NULL;
    PML_TRY(pml_gradient_of(gradients, q, &job.of.dq, error));
    PML_TRY(pml_gradient_of(gradients, k, &job.of.dk, error));
    PML_TRY(pml_gradient_of(gradients, v, &job.of.dv, error));
    PML_TRY(pml_gradient_of(gradients, &entry->inputs[4], &job.of.dscores_in, error));
    PML_TRY(run(context, gradients, &job, error));

done:
    return status;
}
