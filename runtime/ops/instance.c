/* Instance normalization of a window: statistics per series, and the way back. */
#include <math.h>

#include "runtime/ops/op.h"
#include "runtime/ops/parallel.h"

static const pml_op op_statistics = {.name = "instance_statistics"}; /* of F64 results: nothing flows through them */

/* Sums over the steps of one sample: inner loops run over channels, which lie side by side. */
static void std_of_sample(const float *x, const float *observed, size_t n_steps, size_t n_channels, double floor,
                          double *loc, double *scale, double *weight) {
    for (size_t c = 0; c < n_channels; c++) {
        loc[c] = 0;
        scale[c] = 0;
        weight[c] = 0;
    }
    for (size_t t = 0; t < n_steps; t++) {
        for (size_t c = 0; c < n_channels; c++) {
            double w = observed == NULL ? 1.0 : (double)observed[t * n_channels + c];
            loc[c] += (double)x[t * n_channels + c] * w;
            weight[c] += w;
        }
    }
    for (size_t c = 0; c < n_channels; c++) {
        weight[c] = weight[c] < 1.0 ? 1.0 : weight[c];
        loc[c] /= weight[c];
    }
    for (size_t t = 0; t < n_steps; t++) {
        for (size_t c = 0; c < n_channels; c++) {
            double w = observed == NULL ? 1.0 : (double)observed[t * n_channels + c];
            double d = ((double)x[t * n_channels + c] - loc[c]) * w;
            scale[c] += d * d;
        }
    }
    for (size_t c = 0; c < n_channels; c++) {
        scale[c] = sqrt(scale[c] / weight[c] + floor);
    }
}

/* Sums of |x| and of the observations, of one sample. */
static void magnitude_of_sample(const float *x, const float *observed, size_t n_steps, size_t n_channels, double *sum,
                                double *weight) {
    for (size_t c = 0; c < n_channels; c++) {
        sum[c] = 0;
        weight[c] = 0;
    }
    for (size_t t = 0; t < n_steps; t++) {
        for (size_t c = 0; c < n_channels; c++) {
            double w = observed == NULL ? 1.0 : (double)observed[t * n_channels + c];
            sum[c] += fabs((double)x[t * n_channels + c] * w);
            weight[c] += w;
        }
    }
}

/* `scale` holds sums of |x| and `weight` observations, [B, C]; turns the sums into scales. `loc` is scratch of C. */
static void finish_mean(double *scale, const double *weight, double *loc, size_t n_batch, size_t n_channels,
                        double floor) {
    for (size_t c = 0; c < n_channels; c++) {
        double sum = 0, observations = 0;
        for (size_t b = 0; b < n_batch; b++) {
            sum += scale[b * n_channels + c];
            observations += weight[b * n_channels + c];
        }
        loc[c] = sum / (observations < 1.0 ? 1.0 : observations);
    }
    for (size_t b = 0; b < n_batch; b++) {
        for (size_t c = 0; c < n_channels; c++) {
            double w = weight[b * n_channels + c];
            double mean = w > 0 ? scale[b * n_channels + c] / (w < 1.0 ? 1.0 : w) : loc[c];
            scale[b * n_channels + c] = mean < floor ? floor : mean;
        }
    }
}

size_t pml_instance_bytes(size_t n_samples, size_t n_channels) {
    const size_t each = PML_SUM(PML_FLOATS(n_samples, n_channels, sizeof(double) / sizeof(float)),
                                pml_context_bytes(1, sizeof(pml_buffer)));
    return PML_SUM(each, each, each); /* loc, scale, and the weights that they are computed with */
}

pml_status pml_op_instance_statistics(pml_context *context, const pml_tensor *x, const pml_tensor *observed,
                                      pml_instance_scaling kind, double floor, pml_tensor *loc, pml_tensor *scale,
                                      pml_error *error) {
    pml_status status = PML_OK;
    PML_OP_REQUIRE(pml_op_is(x, PML_DTYPE_F32) && x->rank == 3, "instance_statistics: x must be F32 [B, T, C]");
    PML_OP_REQUIRE(observed == NULL || (pml_op_is(observed, PML_DTYPE_F32) && pml_op_same_shape(observed, x)),
                   "instance_statistics: the observed mask must have the shape of x");
    size_t n_batch = x->shape[0], n_steps = x->shape[1], n_channels = x->shape[2];
    const size_t shape[] = {n_batch, 1, n_channels};
    pml_tensor weight;
    PML_TRY(pml_context_step_tensor(context, PML_DTYPE_F64, shape, 3, loc, error));
    PML_TRY(pml_context_step_tensor(context, PML_DTYPE_F64, shape, 3, scale, error));
    PML_TRY(pml_context_step_tensor(context, PML_DTYPE_F64, shape, 3, &weight, error));
    double *locs = pml_op_f64(loc), *scales = pml_op_f64(scale), *weights = pml_op_f64(&weight);
    for (size_t b = 0; b < n_batch; b++) {
        const float *sample = pml_tensor_f32_const(x) + b * n_steps * n_channels;
        const float *mask = observed == NULL ? NULL : pml_tensor_f32_const(observed) + b * n_steps * n_channels;
        size_t at = b * n_channels;
        if (kind == PML_INSTANCE_STD || kind == PML_INSTANCE_STD_LAST) {
            std_of_sample(sample, mask, n_steps, n_channels, floor, locs + at, scales + at, weights + at);
        } else if (kind == PML_INSTANCE_MEAN) {
            magnitude_of_sample(sample, mask, n_steps, n_channels, scales + at, weights + at);
        }
    }
    if (kind == PML_INSTANCE_MEAN && n_batch > 0) {
        finish_mean(scales, weights, locs, n_batch, n_channels, floor);
    }
    bool is_last = (kind == PML_INSTANCE_STD_LAST || kind == PML_INSTANCE_LAST) && n_steps > 0;
    for (size_t i = 0; i < n_batch * n_channels && kind != PML_INSTANCE_STD; i++) {
        size_t i_last = ((i / n_channels + 1) * n_steps - 1) * n_channels + i % n_channels;
        locs[i] = is_last ? (double)pml_tensor_f32_const(x)[i_last] : 0;
        scales[i] = kind == PML_INSTANCE_NONE || kind == PML_INSTANCE_LAST ? 1 : scales[i];
    }
    PML_TRY(pml_tape_record(context->tape, &op_statistics,
                            &(pml_op_attributes){.real = floor, .integer = {(int64_t)kind}},
                            (const pml_tensor *const[]){x, observed, loc}, 3, scale, error));

done:
    return status;
}

static pml_status check(const pml_op *op, const pml_tensor *x, const pml_tensor *loc, const pml_tensor *scale,
                        pml_error *error) {
    bool fits = pml_op_is(x, PML_DTYPE_F32) && x->rank == 3 && pml_op_is(loc, PML_DTYPE_F64) &&
                pml_op_is(scale, PML_DTYPE_F64) && loc->rank == 3 && loc->shape[0] == x->shape[0] &&
                loc->shape[1] == 1 && loc->shape[2] == x->shape[2] && pml_op_same_shape(loc, scale);
    return fits ? PML_OK
                : PML_FAIL(error, PML_E_ARGUMENT, "%s: x must be F32 [B, T, C], loc and scale F64 [B, 1, C]", op->name);
}

typedef enum direction { NORMALIZE, DENORMALIZE, NORMALIZE_GRADIENT, DENORMALIZE_GRADIENT } direction;

typedef struct rescaling {
    direction way;
    bool adds; /* gradients: += instead of = */
    size_t n_steps, n_channels;
    const double *locs, *scales; /* [B][C] */
    const float *from;           /* [B][T][C] */
    float *to;
} rescaling;

static void rescale_samples(void *user, size_t begin, size_t end) {
    const rescaling *job = user;
    const size_t n_channels = job->n_channels, each = job->n_steps * n_channels;
    for (size_t b = begin; b < end; b++) {
        const double *locs = job->locs + b * n_channels, *scales = job->scales + b * n_channels;
        const float *from = job->from + b * each;
        float *to = job->to + b * each;
        for (size_t at = 0; at < each; at += n_channels) {
            switch (job->way) {
            case NORMALIZE:
                for (size_t c = 0; c < n_channels; c++) {
                    to[at + c] = (float)(((double)from[at + c] - locs[c]) / scales[c]);
                }
                break;
            case DENORMALIZE:
                for (size_t c = 0; c < n_channels; c++) {
                    to[at + c] = (float)((double)from[at + c] * scales[c] + locs[c]);
                }
                break;
            case NORMALIZE_GRADIENT:
                for (size_t c = 0; c < n_channels; c++) {
                    const float value = (float)((double)from[at + c] / scales[c]);
                    to[at + c] = job->adds ? to[at + c] + value : value;
                }
                break;
            default:
                for (size_t c = 0; c < n_channels; c++) {
                    const float value = (float)((double)from[at + c] * scales[c]);
                    to[at + c] = job->adds ? to[at + c] + value : value;
                }
            }
        }
    }
}

static void rescale_all(pml_context *context, const pml_tensor *x, const pml_tensor *loc, const pml_tensor *scale,
                        rescaling *job) {
    job->n_steps = x->shape[1];
    job->n_channels = x->shape[2];
    job->locs = pml_op_f64_const(loc);
    job->scales = pml_op_f64_const(scale);
    pml_context_ranges(context, x->shape[0], 1, PML_COST_VALUES(pml_tensor_count(x)), rescale_samples, job);
}

static pml_status pass_back(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry, direction way,
                            pml_error *error) {
    pml_status status = PML_OK;
    rescaling job = {.way = way, .from = pml_gradient_out(gradients, entry)};
    bool is_new;
    PML_TRY(pml_gradient_begin(gradients, &entry->inputs[0], &job.to, &is_new, error));
    job.adds = !is_new;
    if (job.to != NULL) {
        rescale_all(context, &entry->inputs[0], &entry->inputs[1], &entry->inputs[2], &job);
    }

done:
    return status;
}

static pml_status normalize_backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                                     pml_error *error) {
    return pass_back(context, gradients, entry, NORMALIZE_GRADIENT, error);
}

static pml_status denormalize_backward(pml_context *context, pml_gradients *gradients, const pml_tape_entry *entry,
                                       pml_error *error) {
    return pass_back(context, gradients, entry, DENORMALIZE_GRADIENT, error);
}

static const pml_op op_normalize = {.name = "instance_normalize", .backward = normalize_backward};
static const pml_op op_denormalize = {.name = "instance_denormalize", .backward = denormalize_backward};

static pml_status rescale(pml_context *context, const pml_op *op, direction way, const pml_tensor *x,
                          const pml_tensor *loc, const pml_tensor *scale, pml_tensor *y, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(check(op, x, loc, scale, error));
    PML_TRY(pml_context_tensor(context, PML_DTYPE_F32, x->shape, x->rank, y, error));
    rescaling job = {.way = way, .from = pml_tensor_f32_const(x), .to = pml_tensor_f32(y)};
    rescale_all(context, x, loc, scale, &job);
    PML_TRY(pml_tape_record(context->tape, op, NULL, (const pml_tensor *const[]){x, loc, scale}, 3, y, error));

done:
    return status;
}

pml_status pml_op_instance_normalize(pml_context *context, const pml_tensor *x, const pml_tensor *loc,
                                     const pml_tensor *scale, pml_tensor *y, pml_error *error) {
    return rescale(context, &op_normalize, NORMALIZE, x, loc, scale, y, error);
}

pml_status pml_op_instance_denormalize(pml_context *context, const pml_tensor *x, const pml_tensor *loc,
                                       const pml_tensor *scale, pml_tensor *y, pml_error *error) {
    return rescale(context, &op_denormalize, DENORMALIZE, x, loc, scale, y, error);
}
