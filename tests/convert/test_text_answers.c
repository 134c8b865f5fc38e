/* What the commands on text print, against the reference's logits for the same two pairs of texts. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "formats/format.h"
#include "formats/json_document.h"
#include "tests/convert/command_fixture.h"

#define TOLERANCE 1e-6
enum { N_TEXTS = 2, MOST = 1024 };

static pml_error error;

static const char *const texts[N_TEXTS][2] = {{"the cat sat on the mat, not fast!", "new day: (good) 1 2"},
                                              {"a dog ran", "playing time series"}};

typedef struct reference { /* zero = safe to close */
    pml_source *io;
    const char *model;
} reference;

static bool reference_open(reference *r, const char *name) {
    const char *golden = pml_test_golden(pml_test_path("bert/%s", name));
    *r = (reference){0};
    if (golden == NULL) {
        pml_test_skip(name);
        return false;
    }
    PML_ASSERT_OK(pml_source_open(pml_test_path("%s/io.safetensors", golden), &r->io, &error), &error);
    r->model = test_converted(golden, pml_test_path("%s.pml", name), "");
    return true;
}

/* A copy of row `i` of a tensor of `element` bytes a value. Returns how many values it has. */
static size_t row_of(const reference *r, const char *name, size_t element, size_t i, void *row) {
    const void *bytes = NULL;
    const pml_source_tensor *tensor = pml_source_tensor_find(r->io, name);
    CU_ASSERT_PTR_NOT_NULL_FATAL(tensor);
    PML_ASSERT_OK(pml_source_tensor_view(r->io, tensor, &bytes, &error), &error);
    const size_t row_bytes = (size_t)tensor->size_bytes / N_TEXTS;
    CU_ASSERT_TRUE_FATAL(row_bytes / element <= (size_t)MOST * 4);
    memcpy(row, (const char *)bytes + i * row_bytes, row_bytes);
    return row_bytes / element;
}

/* One JSON object that `pml-run <arguments>` prints. */
static cJSON *answer_of(const char *arguments) {
    char *output = NULL;
    cJSON *root = NULL;
    CU_ASSERT_EQUAL_FATAL(pml_test_command(&output, "'%s/pml-run' %s", pml_test_binary_dir(), arguments), 0);
    PML_ASSERT_OK(pml_json_document_parse(output, strlen(output), "stdout", &root, &error), &error);
    free(output);
    return root;
}

static double number_of(const cJSON *object, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    CU_ASSERT_TRUE_FATAL(cJSON_IsNumber(item));
    return cJSON_GetNumberValue(item);
}

/* Only of those that `takes` names (NULL: of all); 0 elsewhere. */
static void softmax(double *values, size_t n, const bool *takes) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        values[i] = takes == NULL || takes[i] ? exp(values[i]) : 0;
        sum += values[i];
    }
    for (size_t i = 0; i < n; i++) {
        values[i] /= sum;
    }
}

static size_t greatest_of(const double *values, size_t n) {
    size_t best = 0;
    for (size_t i = 1; i < n; i++) {
        best = values[i] > values[best] ? i : best;
    }
    return best;
}

/* Every token of the vocabulary with the probability that the reference gives it, best first. */
static void compare_mask(const cJSON *mask, double *probabilities, size_t n_tokens) {
    const cJSON *token;
    size_t n = 0;
    softmax(probabilities, n_tokens, NULL);
    cJSON_ArrayForEach(token, cJSON_GetObjectItemCaseSensitive(mask, "tokens")) {
        const double id = number_of(token, "id"), score = number_of(token, "score");
        CU_ASSERT_TRUE_FATAL(id >= 0 && id < (double)n_tokens);
        const size_t best = greatest_of(probabilities, n_tokens);
        CU_ASSERT_DOUBLE_EQUAL(score, probabilities[(size_t)id], TOLERANCE);
        CU_ASSERT_DOUBLE_EQUAL(score, probabilities[best], TOLERANCE);
        if (n < 5) {
            CU_ASSERT_EQUAL((size_t)id, best);
        }
        probabilities[(size_t)id] = -1;
        n++;
    }
    CU_ASSERT_EQUAL(n, n_tokens);
}

static void fill_mask(void) {
    static const char *const masked[N_TEXTS][2] = {{"the [MASK] sat on [MASK] mat, not [MASK]!", "new day: (good) 1 2"},
                                                   {"a dog [MASK]", "play[MASK] time series"}};
    static const size_t places[N_TEXTS][4] = {{2, 5, 9, 0}, {3, 6, 0, 0}};
    reference r;
    double *logits = calloc(MOST, 4 * sizeof *logits);
    if (logits == NULL || !reference_open(&r, "masked-lm")) {
        free(logits);
        return;
    }
    for (size_t i = 0; i < N_TEXTS; i++) {
        int64_t ids[MOST];
        const size_t n_places = row_of(&r, "in.input_ids", sizeof *ids, i, ids);
        const size_t n_tokens = row_of(&r, "out64.logits", sizeof *logits, i, logits) / n_places;
        cJSON *root = answer_of(pml_test_path("fill-mask '%s' '%s' --pair '%s' -k %zu --json", r.model, masked[i][0],
                                              masked[i][1], n_tokens));
        const cJSON *mask;
        size_t m = 0;
        cJSON_ArrayForEach(mask, cJSON_GetObjectItemCaseSensitive(root, "masks")) {
            CU_ASSERT_TRUE_FATAL(places[i][m] != 0);
            CU_ASSERT_EQUAL(cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(mask, "in_pair")), i == 1 && m == 1);
            compare_mask(mask, logits + places[i][m] * n_tokens, n_tokens);
            m++;
        }
        CU_ASSERT_EQUAL(places[i][m], 0);
        cJSON_Delete(root);
    }
    free(logits);
    pml_source_close(r.io);
}

static void sigmoids(double *values, size_t n) {
    for (size_t i = 0; i < n; i++) {
        values[i] = 1 / (1 + exp(-values[i]));
    }
}

static void compare_classes(const reference *r, const char *model, bool is_multi_label) {
    for (size_t i = 0; i < N_TEXTS; i++) {
        double logits[16];
        const size_t n = row_of(r, "out64.logits", sizeof *logits, i, logits);
        cJSON *root = answer_of(
            pml_test_path("classify '%s' '%s' --pair '%s' -k %zu --json", model, texts[i][0], texts[i][1], n));
        const cJSON *labels = cJSON_GetObjectItemCaseSensitive(root, "labels"), *label;
        if (is_multi_label) {
            sigmoids(logits, n);
        } else {
            softmax(logits, n, NULL);
        }
        CU_ASSERT_EQUAL(cJSON_GetArraySize(labels), (int)n);
        cJSON_ArrayForEach(label, labels) {
            const size_t best = greatest_of(logits, n);
            CU_ASSERT_DOUBLE_EQUAL(number_of(label, "score"), logits[best], TOLERANCE);
            CU_ASSERT_STRING_EQUAL(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(label, "label")),
                                   pml_test_path("LABEL_%zu", best));
            logits[best] = -1;
        }
        cJSON_Delete(root);
    }
}

static void classify(void) {
    reference r;
    if (!reference_open(&r, "seq-cls")) {
        return;
    }
    compare_classes(&r, r.model, false);
    /* The same weights under a configuration whose classes do not exclude one another. */
    const char *copy = test_copy_case("bert/seq-cls", "multi-label");
    const char *config = pml_test_path("%s/config.json", copy);
    CU_ASSERT_EQUAL(
        pml_test_command(NULL,
                         "sed -i '/\"problem_type\"/d; s/^{$/{\"problem_type\": \"multi_label_classification\",/' '%s'",
                         config),
        0);
    compare_classes(&r, test_converted(copy, "multi-label.pml", ""), true);
    pml_source_close(r.io);
}

/* The first text asks, the second one is the context; its tokens and the first one, "no answer", take part. */
static void answer(void) {
    static const char *const words[N_TEXTS][8] = {{"new", "day", ":", "(", "good", ")", "1", "2"},
                                                  {"play", "ing", "time", "series"}};
    reference r;
    if (!reference_open(&r, "qa")) {
        return;
    }
    for (size_t i = 0; i < N_TEXTS; i++) {
        double starts[MOST], ends[MOST];
        int64_t types[MOST];
        bool takes[MOST] = {true};
        const size_t n = row_of(&r, "out64.start_logits", sizeof *starts, i, starts);
        (void)row_of(&r, "out64.end_logits", sizeof *ends, i, ends);
        (void)row_of(&r, "in.token_type_ids", sizeof *types, i, types);
        size_t first = 0, last = 0; /* the context, without the [SEP] behind it */
        for (size_t t = 0; t < n; t++) {
            first = first == 0 && types[t] == 1 ? t : first;
            last = types[t] == 1 ? t - 1 : last;
        }
        for (size_t t = first; t <= last; t++) {
            takes[t] = true;
        }
        softmax(starts, n, takes);
        softmax(ends, n, takes);
        double best = 0;
        size_t begin = 0, end = 0;
        for (size_t s = first; s <= last; s++) {
            for (size_t e = s; e <= last; e++) {
                begin = starts[s] * ends[e] > best ? s : begin;
                end = starts[s] * ends[e] > best ? e : end;
                best = starts[s] * ends[e] > best ? starts[s] * ends[e] : best;
            }
        }
        cJSON *root = answer_of(
            pml_test_path("answer '%s' --question '%s' --context '%s' --json", r.model, texts[i][0], texts[i][1]));
        const cJSON *one = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(root, "answers"), 0);
        CU_ASSERT_DOUBLE_EQUAL(number_of(one, "score"), best, TOLERANCE);
        const char *found = texts[i][1] + (size_t)number_of(one, "start");
        const char *behind = texts[i][1] + (size_t)number_of(one, "end");
        const char *head = words[i][begin - first], *tail = words[i][end - first];
        CU_ASSERT_EQUAL(strncmp(found, head, strlen(head)), 0);
        CU_ASSERT_EQUAL(strncmp(behind - strlen(tail), tail, strlen(tail)), 0);
        cJSON_Delete(root);
    }
    pml_source_close(r.io);
}

/* A text that is longer than the model takes is cut, and that is said; cutting on demand is not worth a word. */
static void cuts_are_said(void) {
    reference r;
    if (!reference_open(&r, "qa")) {
        return;
    }
    char words[1024] = "";
    for (size_t i = 0; i < 100; i++) {
        (void)snprintf(words + strlen(words), sizeof words - strlen(words), "the cat ");
    }
    char *output = NULL;
    const char *run =
        pml_test_path("'%s/pml-run' answer '%s' --question cat --context '%s'", pml_test_binary_dir(), r.model, words);
    CU_ASSERT_EQUAL(pml_test_command(&output, "(%s 2>&1 >/dev/null)", run), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "1 of 1 texts have more than the 64 tokens"));
    free(output);
    CU_ASSERT_EQUAL(pml_test_command(&output, "(%s --max-tokens 12 2>&1 >/dev/null)", run), 0);
    CU_ASSERT_STRING_EQUAL(output, "");
    free(output);
    CU_ASSERT_EQUAL(pml_test_command(&output, "'%s/pml-run' answer '%s' --question cat --context ''",
                                     pml_test_binary_dir(), r.model),
                    0);
    CU_ASSERT_STRING_EQUAL(output, "\n");
    free(output);
    pml_source_close(r.io);
}

PML_TESTS("convert/text_answers", PML_TEST(fill_mask), PML_TEST(classify), PML_TEST(answer), PML_TEST(cuts_are_said))
