/* Whole models give the same bits on any number of threads, in every stored form: converted from small checkpoints,
 * with work split however small it is. */
#include <stdio.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/models/model.h"
#include "tests/runtime/models/gpt2_file.h"

static const size_t thread_counts[] = {1, 2, 3, 5};
static const char *const dtypes[] = {"f32", "bf16", "int8", "int8-g64"};
enum { N_COUNTS = 4, N_DTYPES = 4, BATCH = 3, TOKENS = 7, MOST_VALUES = 1 << 20 };

static pml_error error;
static float *first; /* what one thread computed */
static size_t n_first;

/* Notes the values of one thread, and compares those of more. */
static void check_values(const float *values, size_t count, bool is_first, size_t *at) {
    CU_ASSERT_TRUE_FATAL(*at + count <= MOST_VALUES);
    if (is_first) {
        memcpy(first + *at, values, count * sizeof *first);
        n_first = *at + count;
    }
    CU_ASSERT_TRUE(*at + count <= n_first && memcmp(first + *at, values, count * sizeof *first) == 0);
    *at += count;
}

static void split_everything(pml_model *model, size_t n_threads) {
    PML_ASSERT_OK(pml_model_threads_set(model, n_threads, &error), &error);
    CU_ASSERT_EQUAL(pml_model_threads(model), n_threads);
    pml_model_context(model)->share_cost = 1e-3;
}

static size_t make_inputs(pml_model *model, pml_array *inputs) {
    size_t n_inputs = 0;
    for (size_t i = 0; i < pml_model_n_inputs(model); i++) {
        const pml_model_port *port = pml_model_input_at(model, i);
        if (port->optional) {
            continue;
        }
        pml_array *input = &inputs[n_inputs++];
        float *values = NULL;
        size_t count = 1;
        *input = (pml_array){.name = port->name, .rank = port->rank};
        for (unsigned axis = 0; axis < port->rank; axis++) {
            input->shape[axis] = axis == 0 ? BATCH : axis == port->token_axis ? TOKENS : port->shape[axis];
            count *= input->shape[axis];
        }
        PML_ASSERT_OK(pml_alloc(count, sizeof *values, &values, &error), &error);
        unsigned long long state = 5;
        for (size_t k = 0; k < count; k++) {
            const float value = gpt2_next_value(&state);
            values[k] = port->index_below == 2  ? 1
                        : port->index_below > 0 ? (float)(k * 31 % port->index_below)
                                                : value;
        }
        input->data = values;
    }
    return n_inputs;
}

static void check_runs(pml_model *model) {
    pml_array inputs[PML_MODEL_MAX_PORTS];
    const size_t n_inputs = make_inputs(model, inputs);
    for (size_t t = 0; t < N_COUNTS; t++) {
        uint64_t before = 0;
        split_everything(model, thread_counts[t]);
        for (unsigned turn = 0; turn < 3; turn++) {
            size_t at = 0;
            PML_ASSERT_OK(pml_model_run(model, inputs, n_inputs, &error), &error);
            before = turn == 0 ? pml_allocation_count() : before;
            for (size_t i = 0; i < pml_model_n_outputs(model); i++) {
                const pml_array *output = pml_model_output_at(model, i);
                size_t count = 1;
                for (size_t axis = 0; axis < output->rank; axis++) {
                    count *= output->shape[axis];
                }
                if (output->data != NULL) {
                    check_values(output->data, count, t == 0 && turn == 0, &at);
                }
            }
            CU_ASSERT_TRUE(at > 0 && at == n_first);
        }
        CU_ASSERT_EQUAL(pml_allocation_count(), before);
        CU_ASSERT_EQUAL(pml_model_context(model)->pool != NULL, t > 0);
    }
    for (size_t i = 0; i < n_inputs; i++) {
        pml_free((void *)(uintptr_t)inputs[i].data);
    }
}

/* Two texts of different lengths in one session: prompts together, then token by token. */
static void check_session(pml_model *model) {
    for (size_t t = 0; t < N_COUNTS; t++) {
        pml_session *session = NULL;
        uint32_t ids[20];
        size_t at = 0;
        split_everything(model, thread_counts[t]);
        PML_ASSERT_OK(pml_session_create(model, 2, 40, &session, &error), &error);
        for (size_t i = 0; i < 20; i++) {
            ids[i] = (uint32_t)(i * 7 % pml_session_vocabulary(session));
        }
        for (size_t step = 0; step < 6; step++) {
            const pml_session_tokens texts[] = {{0, ids + step, step == 0 ? 20 : 1},
                                                {1, ids + step, step == 0 ? 3 : 1}};
            PML_ASSERT_OK(pml_session_feed(session, texts, 2, &error), &error);
            for (size_t i = 0; i < 2; i++) {
                const float *scores = NULL;
                PML_ASSERT_OK(pml_session_next(session, i, &scores, &error), &error);
                check_values(scores, pml_session_vocabulary(session), t == 0, &at);
            }
        }
        CU_ASSERT_EQUAL(pml_model_context(model)->pool != NULL, t > 0);
        pml_session_destroy(session);
    }
}

static void check_case(const char *name) {
    const char *golden = pml_test_golden(name);
    if (golden == NULL) {
        pml_test_skip(pml_test_path("golden %s is absent", name));
        return;
    }
    first = malloc(MOST_VALUES * sizeof *first);
    for (size_t i = 0; i < N_DTYPES; i++) {
        static unsigned n_files;
        const char *path = pml_test_path("%s/t%u.pml", pml_test_temporary_dir(), n_files++);
        char *output = NULL;
        const int code = pml_test_command(&output, "'%s/pml-convert' '%s' --dtype %s -o '%s'", pml_test_binary_dir(),
                                          golden, dtypes[i], path);
        if (code != 0) {
            (void)printf("\n    %s", output);
        }
        free(output);
        CU_ASSERT_EQUAL_FATAL(code, 0);
        pml_file *file = NULL;
        pml_model *model = NULL;
        PML_ASSERT_OK(pml_file_open(path, &file, &error), &error);
        PML_ASSERT_OK(pml_model_create(file, NULL, &model, &error), &error);
        check_runs(model);
        if (strncmp(name, "gpt2", 4) == 0) {
            check_session(model);
        }
        pml_model_destroy(model);
        pml_file_close(file);
    }
    free(first);
}

static void bert(void) {
    check_case("bert/masked-lm");
}

static void patchtst(void) {
    check_case("patchtst/hf-ci-prediction");
}

static void patchtst_with_scores_from_layer_to_layer(void) {
    check_case("patchtst/off-42like");
}

static void gpt2(void) {
    check_case("gpt2/hf-lm");
}

static void gpt2_of_random_weights(void) {
    gpt2_opened opened = gpt2_open(&(gpt2_build){.head = "language_model"});
    first = malloc(MOST_VALUES * sizeof *first);
    check_runs(opened.model);
    check_session(opened.model);
    pml_model_destroy(opened.model);
    pml_file_close(opened.file);
    free(first);
}

PML_TESTS("convert/model_threads", PML_TEST(bert), PML_TEST(patchtst),
          PML_TEST(patchtst_with_scores_from_layer_to_layer), PML_TEST(gpt2), PML_TEST(gpt2_of_random_weights))
