/* PatchTST once more, in double, with loops and nothing else: what the model's results are compared with. Works on the
 * files that patchtst_builder.h makes, in layout `row`. Every array is indexed [sample][channel][token][feature]. */
#ifndef PML_TESTS_RUNTIME_MODELS_PATCHTST_REFERENCE_H
#define PML_TESTS_RUNTIME_MODELS_PATCHTST_REFERENCE_H

#include <stdarg.h>

#include "tests/runtime/models/patchtst_builder.h"

typedef struct reference { /* results for B samples */
    double loc[8][C], scale[8][C];
    double patches[8][C][N][P], hidden[8][C][N + 1][D];
    double head[3][8][C * S * N * P]; /* per projection: flat, in the order of the port */
} reference;

static const pml_file *reference_file;

static inline const float *weight(const char *format, ...) {
    char name[128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    const pml_file_tensor *tensor = pml_file_tensor_find(reference_file, name);
    return tensor == NULL ? NULL : pml_file_tensor_data(reference_file, tensor);
}

static inline double at(const float *values, size_t i) {
    return values == NULL ? 0 : (double)values[i];
}

static inline void scale_series(const build *b, const float *x, const float *observed, size_t n_samples, reference *r) {
    bool is_std = strcmp(or_text(b->scaling, "std"), "std") == 0;
    bool is_mean = strcmp(or_text(b->scaling, "std"), "mean") == 0;
    double all_sum[C] = {0}, all_count[C] = {0}, count[8][C] = {{0}};
    for (size_t i = 0; i < n_samples * C; i++) {
        size_t s = i / C, c = i % C;
        double sum = 0, magnitude = 0, squares = 0;
        for (size_t t = 0; t < T; t++) {
            double w = observed == NULL ? 1 : (double)observed[(s * T + t) * C + c];
            sum += w * (double)x[(s * T + t) * C + c];
            magnitude += w * fabs((double)x[(s * T + t) * C + c]);
            count[s][c] += w;
        }
        all_sum[c] += magnitude;
        all_count[c] += count[s][c];
        double divisor = count[s][c] < 1 ? 1 : count[s][c];
        r->loc[s][c] = is_std ? sum / divisor : 0;
        for (size_t t = 0; t < T; t++) {
            double w = observed == NULL ? 1 : (double)observed[(s * T + t) * C + c];
            double d = w * ((double)x[(s * T + t) * C + c] - r->loc[s][c]);
            squares += d * d;
        }
        r->scale[s][c] = is_std ? sqrt(squares / divisor + 1e-5) : is_mean ? magnitude / divisor : 1;
    }
    for (size_t i = 0; is_mean && i < n_samples * C; i++) {
        size_t s = i / C, c = i % C;
        if (count[s][c] == 0) {
            r->scale[s][c] = all_sum[c] / (all_count[c] < 1 ? 1 : all_count[c]);
        }
        r->scale[s][c] = r->scale[s][c] < 1e-10 ? 1e-10 : r->scale[s][c];
    }
}

static inline void norm_rows(const build *b, size_t layer, int which, double *row) {
    const float *w = weight("encoder.layer.%zu.norm%d.weight", layer, which);
    const float *bias = weight("encoder.layer.%zu.norm%d.bias", layer, which);
    const float *means = weight("encoder.layer.%zu.norm%d.mean", layer, which);
    const float *variances = weight("encoder.layer.%zu.norm%d.var", layer, which);
    double mean = 0, variance = 0;
    for (size_t d = 0; d < D; d++) {
        mean += row[d] / D;
    }
    for (size_t d = 0; d < D; d++) {
        variance += (row[d] - mean) * (row[d] - mean) / D;
    }
    bool is_batch = strcmp(or_text(b->norm_type, "batchnorm"), "batchnorm") == 0;
    for (size_t d = 0; d < D; d++) {
        double m = is_batch ? at(means, d) : mean, v = is_batch ? at(variances, d) : variance;
        row[d] = (row[d] - m) / sqrt(v + 1e-5) * at(w, d) + at(bias, d);
    }
}

/* y [n_out] = x [n_in] . w + bias */
static inline void product(const double *x, const float *w, const float *bias, size_t n_in, size_t n_out, double *y) {
    for (size_t o = 0; o < n_out; o++) {
        y[o] = at(bias, o);
        for (size_t i = 0; i < n_in; i++) {
            y[o] += x[i] * (double)w[i * n_out + o];
        }
    }
}

static inline void project_rows(size_t layer, const char *which, double x[][D], size_t n, double y[][D]) {
    for (size_t i = 0; i < n; i++) {
        product(x[i], weight("encoder.layer.%zu.attention.%s.weight", layer, which),
                weight("encoder.layer.%zu.attention.%s.bias", layer, which), D, D, y[i]);
    }
}

/* One sublayer over one sequence of n tokens, in place. */
static inline void attend_reference(const build *b, size_t layer, int norm, double *tokens[], size_t n) {
    double x[N + 1][D], q[N + 1][D], k[N + 1][D], v[N + 1][D], mixed[N + 1][D], out[N + 1][D];
    for (size_t i = 0; i < n; i++) {
        memcpy(x[i], tokens[i], sizeof x[i]);
        if (!b->post_norm) {
            norm_rows(b, layer, norm, x[i]);
        }
    }
    project_rows(layer, "q", x, n, q);
    project_rows(layer, "k", x, n, k);
    project_rows(layer, "v", x, n, v);
    for (size_t i = 0; i < n * 2; i++) {
        size_t t = i / 2, first = i % 2 * (D / 2);
        double weights[N + 1], total = 0, greatest = -INFINITY;
        for (size_t s = 0; s < n; s++) {
            weights[s] = 0;
            for (size_t d = first; d < first + D / 2; d++) {
                weights[s] += q[t][d] * k[s][d] / sqrt(D / 2);
            }
            greatest = weights[s] > greatest ? weights[s] : greatest;
        }
        for (size_t s = 0; s < n; s++) {
            weights[s] = exp(weights[s] - greatest);
            total += weights[s];
        }
        for (size_t d = first; d < first + D / 2; d++) {
            mixed[t][d] = 0;
            for (size_t s = 0; s < n; s++) {
                mixed[t][d] += weights[s] / total * v[s][d];
            }
        }
    }
    project_rows(layer, "out", mixed, n, out);
    for (size_t i = 0; i < n; i++) {
        for (size_t d = 0; d < D; d++) {
            tokens[i][d] += out[i][d];
        }
        if (b->post_norm) {
            norm_rows(b, layer, norm, tokens[i]);
        }
    }
}

static inline void feed_reference(const build *b, size_t layer, double *token) {
    double x[D], up[F], down[D];
    memcpy(x, token, sizeof x);
    if (!b->post_norm) {
        norm_rows(b, layer, 3, x);
    }
    product(x, weight("encoder.layer.%zu.ffn.up.weight", layer), weight("encoder.layer.%zu.ffn.up.bias", layer), D, F,
            up);
    for (size_t f = 0; f < F; f++) {
        up[f] = up[f] / 2 * (1 + erf(up[f] / sqrt(2)));
    }
    product(up, weight("encoder.layer.%zu.ffn.down.weight", layer), weight("encoder.layer.%zu.ffn.down.bias", layer), F,
            D, down);
    for (size_t d = 0; d < D; d++) {
        token[d] += down[d];
    }
    if (b->post_norm) {
        norm_rows(b, layer, 3, token);
    }
}

static inline void encode_reference(const build *b, size_t n_samples, reference *r) {
    size_t n_tokens = N + (b->use_cls_token ? 1 : 0);
    double *tokens[N + 1];
    for (size_t layer = 0; layer < 2; layer++) {
        for (size_t i = 0; i < n_samples * C; i++) {
            for (size_t t = 0; t < n_tokens; t++) {
                tokens[t] = r->hidden[i / C][i % C][t];
            }
            attend_reference(b, layer, 1, tokens, n_tokens);
        }
        for (size_t i = 0; b->channel_attention && i < n_samples * n_tokens; i++) {
            for (size_t c = 0; c < C; c++) {
                tokens[c] = r->hidden[i / n_tokens][c][i % n_tokens];
            }
            attend_reference(b, layer, 2, tokens, C);
        }
        for (size_t i = 0; i < n_samples * C * n_tokens; i++) {
            feed_reference(b, layer, r->hidden[i / n_tokens / C][i / n_tokens % C][i % n_tokens]);
        }
    }
}

/* features[D] of one series: the first token, the mean or the maximum. */
static inline void reduce_reference(const build *b, double tokens[][D], double *features) {
    bool is_mean = strcmp(or_text(b->pooling, "none"), "mean") == 0;
    for (size_t d = 0; d < D; d++) {
        double mean = 0, greatest = -INFINITY;
        for (size_t t = 0; t < N; t++) {
            mean += tokens[t][d] / N;
            greatest = tokens[t][d] > greatest ? tokens[t][d] : greatest;
        }
        features[d] = b->use_cls_token ? tokens[0][d] : is_mean ? mean : greatest;
    }
}

static inline void head_reference(const build *b, size_t n_samples, size_t k, reference *r) {
    const float *w = weight("head.%zu.weight", k), *bias = weight("head.%zu.bias", k);
    const char *head = or_text(b->head, "prediction");
    bool is_flat = strcmp(or_text(b->pooling, "none"), "none") == 0 && !b->use_cls_token;
    for (size_t s = 0; s < n_samples && w != NULL; s++) {
        double all[C * D], *result = r->head[k][s];
        for (size_t c = 0; c < C; c++) {
            double *tokens = r->hidden[s][c][0], features[D], out[S];
            reduce_reference(b, r->hidden[s][c], features);
            memcpy(all + c * D, features, sizeof features);
            if (strcmp(head, "prediction") == 0) {
                size_t n_in = is_flat ? N * D : D, own = b->separate_projection ? c : 0;
                product(is_flat ? tokens : features, w + own * n_in * S, bias + own * S, n_in, S, out);
                for (size_t i = 0; i < S; i++) {
                    result[i * C + c] = out[i];
                }
            } else if (strcmp(head, "pretraining") == 0) {
                for (size_t n = 0; n < N; n++) {
                    product(r->hidden[s][c][n + (b->use_cls_token ? 1 : 0)], w, bias, D, P, result + (c * N + n) * P);
                }
            }
        }
        if (strcmp(head, "classification") == 0 || strcmp(head, "regression") == 0) {
            product(all, w, bias, C * D, 4, result);
        }
    }
}

/* `observed` and `mask` may be NULL. */
static inline void compute_reference(const build *b, const pml_file *file, const float *x, const float *observed,
                                     const float *mask, size_t n_samples, reference *r) {
    reference_file = file;
    const float *w = weight("patch_embedding.weight"), *bias = weight("patch_embedding.bias");
    const float *position = weight("position"), *cls = weight("cls_token");
    scale_series(b, x, observed, n_samples, r);
    for (size_t i = 0; i < n_samples * C * N; i++) {
        size_t s = i / N / C, c = i / N % C, n = i % N, shift = b->use_cls_token ? 1 : 0;
        double patch[P], *token = r->hidden[s][c][n + shift];
        for (size_t p = 0; p < P; p++) {
            double value = (double)x[(s * T + n * 4 + p) * C + c]; /* (30 - 6) % 4 == 0: nothing is skipped */
            r->patches[s][c][n][p] = patch[p] = (value - r->loc[s][c]) / r->scale[s][c];
            if (mask != NULL && mask[i] != 0) {
                patch[p] = 0.5;
            }
        }
        size_t own = b->separate_embedding ? c : 0;
        product(patch, w + own * P * D, bias + own * D, P, D, token);
        for (size_t d = 0; d < D; d++) {
            token[d] += at(position, (n + shift) * D + d);
            r->hidden[s][c][0][d] = b->use_cls_token ? at(cls, d) + at(position, d) : r->hidden[s][c][0][d];
        }
    }
    encode_reference(b, n_samples, r);
    for (size_t k = 0; k < 3; k++) {
        head_reference(b, n_samples, k, r);
    }
}

#endif
