/* Dropout: what is dropped is a function of where it stands, so a backward pass finds it again. */
#include "runtime/ops/op.h"
#include "runtime/ops/parallel.h"

static void run_range(void *user, size_t begin, size_t end) {
    const void *const *both = user;
    const pml_context *context = both[0];
    pml_dropout job = *(const pml_dropout *)both[1];
    job.first = begin;
    job.n = end - begin;
    job.x += begin;
    job.y += begin;
    context->kernels.dropout_f32(&job);
}

static void split(pml_context *context, const pml_dropout *job) {
    pml_context_ranges(context, job->n, PML_DROPOUT_GROUP, PML_COST_VALUES(job->n), run_range,
                       (const void *[]){context, job});
}

static pml_status backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                           pml_error *error) {
    pml_status status = PML_OK;
    const int64_t *at = entry->attributes.integer;
    bool is_new;
    pml_dropout job = {
        .mask = pml_dropout_mask_of((uint64_t)at[1], (uint64_t)at[2], (uint64_t)at[0], entry->attributes.real),
        .n = pml_tensor_count(&entry->output),
        .x = pml_gradient_out(gradients, entry)};
    PML_TRY(pml_gradient_begin(gradients, &entry->inputs[0], &job.y, &is_new, error));
    if (job.y != NULL) {
        job.adds = !is_new;
        split(context, &job);
    }

done:
    return status;
}

static const pml_op op = {.name = "dropout", .backward = backward};

pml_status pml_op_dropout(pml_context *context, const pml_tensor *x, double p, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    pml_training *training = context->training;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && p >= 0 && p <= 1, "dropout: x must be F32, p from 0 to 1");
    if (training == NULL || p == 0) {
        *y = *x;
        goto done;
    }
    PML_OP_REQUIRE(pml_tensor_count(x) <= PML_DROPOUT_MAX, "dropout: too many elements");
    const pml_tensor from = *x;
    const uint64_t number = training->n_dropouts++;
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, from.shape, from.rank, y, error));
    split(context, &(pml_dropout){.mask = pml_dropout_mask_of(training->seed, training->step, number, p),
                                  .n = pml_tensor_count(&from),
                                  .x = pml_tensor_f32_const(&from),
                                  .y = pml_tensor_f32(y)});
    PML_TRY(pml_tape_record(
        context->tape, &op,
        &(pml_op_attributes){.real = p, .integer = {(int64_t)number, (int64_t)training->seed, (int64_t)training->step}},
        (const pml_tensor *const[]){&from}, 1, y, error));

done:
    return status;
}
