/* What PatchTST does in training alone: what is hidden, what is dropped. */
#include "runtime/models/training.h"
#include "tests/runtime/models/patchtst_reference.h"

enum { B = 6 };

static float values[B * T * C], seen[2][B * C * N * P];

typedef struct trained {
    opened o;
    pml_model *model;
} trained;

static trained begin(const build *b, size_t n_threads) {
    trained t = {.o = open_model(b, NULL)};
    fill_series(values, B);
    PML_ASSERT_OK(pml_model_create_trainable(t.o.file, &(pml_trainable_options){.seed = 5}, &t.model, &error), &error);
    PML_ASSERT_OK(pml_model_threads_set(t.model, n_threads, &error), &error);
    pml_model_context(t.model)->share_cost = 1;
    return t;
}

static void end(trained *t) {
    pml_model_destroy(t->model);
    close_model(&t->o);
}

static const float *run(pml_model *model, bool in_training, uint64_t step, const char *port) {
    const pml_array input = series(values, B);
    pml_model_training_set(model, in_training);
    pml_model_training_step_set(model, step);
    PML_ASSERT_OK(pml_model_run(model, &input, 1, &error), &error);
    return pml_model_output(model, port)->data;
}

/* Of every series that may be hidden as many patches as the ratio says, and the last layers see others in their place.
 */
static void a_share_of_patches_is_hidden(void) {
    for (int same = 0; same < 2; same++) {
        const build b = {.head = "pretraining", .mask_input = true, .mask_type = "random", .same_mask = same != 0};
        trained t = begin(&b, 1);
        memcpy(seen[0], run(t.model, true, 1, "mask"), B * C * N * sizeof(float));
        bool differs = false;
        for (size_t i = 0; i < B * C; i++) {
            size_t n_hidden = 0;
            for (size_t n = 0; n < N; n++) {
                n_hidden += seen[0][i * N + n] != 0;
                differs = differs || (i % C == 2 && seen[0][i * N + n] != seen[0][(i - 2) * N + n]);
            }
            CU_ASSERT_EQUAL(n_hidden, i % C == 1 ? 0 : 3); /* 7 - floor(7 * 0.6) */
        }
        CU_ASSERT_EQUAL(differs, !same);
        CU_ASSERT_EQUAL(memcmp(seen[0], run(t.model, true, 1, "mask"), B * C * N * sizeof(float)), 0);
        CU_ASSERT_NOT_EQUAL(memcmp(seen[0], run(t.model, true, 2, "mask"), B * C * N * sizeof(float)), 0);
        memcpy(seen[0], run(t.model, false, 3, "mask"), B * C * N * sizeof(float));
        CU_ASSERT_EQUAL(memcmp(seen[0], run(t.model, false, 4, "mask"), B * C * N * sizeof(float)), 0);
        end(&t);
    }
}

static void the_last_patches_are_hidden(void) {
    const build b = {.head = "pretraining", .mask_input = true, .mask_type = "forecast"};
    trained t = begin(&b, 1);
    const float *mask = run(t.model, true, 1, "mask");
    size_t n_samples[N + 1] = {0};
    for (size_t i = 0; i < B * C; i++) {
        size_t n_hidden = 0;
        while (n_hidden < N && mask[i * N + N - 1 - n_hidden] != 0) {
            n_hidden++;
        }
        for (size_t n = 0; n + n_hidden < N; n++) {
            CU_ASSERT_EQUAL(mask[i * N + n], 0);
        }
        n_samples[n_hidden] += i % C == 0;
        CU_ASSERT_TRUE(i % C != 1 || n_hidden == 0);
    }
    CU_ASSERT_EQUAL(n_samples[1], 3);
    CU_ASSERT_EQUAL(n_samples[3], 3);
    end(&t);
}

/* What the caller hides is hidden, and nothing else; a model that only runs draws nothing. */
static void a_mask_that_is_given_counts(void) {
    const build b = {.head = "pretraining", .mask_input = true, .mask_type = "random"};
    trained t = begin(&b, 1);
    float mask[B * C * N] = {0};
    mask[9] = 1;
    const pml_array inputs[] = {series(values, B), {.name = "mask", .data = mask, .rank = 3, .shape = {B, C, N}}};
    pml_model_training_set(t.model, true);
    PML_ASSERT_OK(pml_model_run(t.model, inputs, 2, &error), &error);
    CU_ASSERT_EQUAL(memcmp(pml_model_output(t.model, "mask")->data, mask, sizeof mask), 0);
    mask[9] = 0;
    PML_ASSERT_OK(pml_model_run(t.o.model, inputs, 1, &error), &error);
    CU_ASSERT_EQUAL(memcmp(pml_model_output(t.o.model, "mask")->data, mask, sizeof mask), 0);
    end(&t);
}

/* The same in every run of a step, whatever the number of threads; nothing in evaluation. */
static void dropout_is_a_function_of_the_step(void) {
    static const char *const heads[] = {"prediction", "pretraining", "classification"};
    for (size_t i = 0; i < 6; i++) {
        const char *port = i % 3 == 0 ? "prediction_outputs" : i % 3 == 1 ? "prediction_output" : "prediction_logits";
        build b = {.head = heads[i % 3],
                   .mask_input = i % 3 == 1,
                   .pooling = i % 3 == 2 ? "mean" : "none",
                   .use_cls_token = i >= 3,
                   .norm_type = "layernorm",
                   .channel_attention = i == 4};
        trained plain = begin(&b, 1);
        b.dropout = 0.25;
        trained one = begin(&b, 1), three = begin(&b, 3);
        const size_t each[] = {S * C, C * N * P, 4}, size = B * each[i % 3] * sizeof(float);
        memcpy(seen[0], run(one.model, true, 1, port), size);
        CU_ASSERT_EQUAL(memcmp(seen[0], run(one.model, true, 1, port), size), 0);
        CU_ASSERT_EQUAL(memcmp(seen[0], run(three.model, true, 1, port), size), 0);
        CU_ASSERT_NOT_EQUAL(memcmp(seen[0], run(one.model, true, 2, port), size), 0);
        memcpy(seen[1], run(one.model, false, 2, port), size);
        CU_ASSERT_EQUAL(memcmp(seen[1], run(plain.model, false, 1, port), size), 0);
        CU_ASSERT_NOT_EQUAL(memcmp(seen[0], seen[1], size), 0);
        end(&plain);
        end(&one);
        end(&three);
    }
}

PML_TESTS("runtime/models/patchtst_training", PML_TEST(a_share_of_patches_is_hidden),
          PML_TEST(the_last_patches_are_hidden), PML_TEST(a_mask_that_is_given_counts),
          PML_TEST(dropout_is_a_function_of_the_step))
