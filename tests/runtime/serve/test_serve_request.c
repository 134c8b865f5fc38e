/* Bodies of requests: what each member may be, and hostile ones. Random ones are tests/fuzz/fuzz_serve_request.c's. */
#include "runtime/serve/serve_request.h"

#include <string.h>

#include "tests/harness.h"

static void embed_fails(const char *body, pml_status expected, const char *param, const char *part) {
    pml_embed_request r;
    pml_error error = {0};
    const char *named = NULL;
    PML_ASSERT_FAILS(pml_embed_request_read(body, strlen(body), &r, &named, &error), expected, &error, part);
    CU_ASSERT_TRUE(param == NULL ? named == NULL : named != NULL && strcmp(named, param) == 0);
    pml_embed_request_deinit(&r);
}

static void completion_fails(const char *body, pml_status expected, const char *param, const char *part) {
    pml_completion_request r;
    pml_error error = {0};
    const char *named = NULL;
    PML_ASSERT_FAILS(pml_completion_request_read(body, strlen(body), &r, &named, &error), expected, &error, part);
    CU_ASSERT_TRUE(param == NULL ? named == NULL : named != NULL && strcmp(named, param) == 0);
    pml_completion_request_deinit(&r);
}

static void reads_inputs(void) {
    static const struct {
        const char *body;
        size_t count, n_ids; /* of the last */
        const char *text;    /* of the last */
    } cases[] = {{"{\"input\":\"a cat\"}", 1, 0, "a cat"},
                 {"{\"input\":\"\"}", 1, 0, ""},
                 {"{\"input\":[\"a\",\"\\u00e9 \\ud83d\\ude00\"]}", 2, 0, "\xc3\xa9 \xf0\x9f\x98\x80"},
                 {"{\"input\":[1,2,3]}", 1, 3, NULL},
                 {"{\"input\":[[1],[4294967294,0]],\"model\":null}", 2, 2, NULL},
                 {" {\"encoding_format\":\"float\", \"user\":\"u\" , \"input\" : [ \"x\" ] } \n", 1, 0, "x"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pml_embed_request r;
        pml_error error = {0};
        const char *param;
        PML_ASSERT_OK(pml_embed_request_read(cases[i].body, strlen(cases[i].body), &r, &param, &error), &error);
        CU_ASSERT_EQUAL_FATAL(r.inputs.count, cases[i].count);
        const pml_serve_input *last = &r.inputs.items[r.inputs.count - 1];
        CU_ASSERT_EQUAL(last->n_ids, cases[i].n_ids);
        if (cases[i].text != NULL) {
            CU_ASSERT_STRING_EQUAL(last->text, cases[i].text);
            CU_ASSERT_EQUAL(last->text_bytes, strlen(cases[i].text));
        } else {
            CU_ASSERT_EQUAL(last->ids[0], cases[i].n_ids == 3 ? 1u : 4294967294u);
        }
        pml_embed_request_deinit(&r);
    }
}

static void refuses_inputs(void) {
    static const char *const wrong[] = {"1",          "true",         "{}",       "[]",        "[[]]",    "[1,\"a\"]",
                                        "[\"a\",1]",  "[[1],\"a\"]",  "[[1],[]]", "[-1]",      "[1.5]",   "[1e2]",
                                        "[[1,null]]", "[4294967295]", "[null]",   "[[\"a\"]]", "[[[1]]]", "[true]"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        embed_fails(pml_test_path("{\"input\":%s}", wrong[i]), PML_E_ARGUMENT, "input", "'input' must be");
        completion_fails(pml_test_path("{\"prompt\":%s}", wrong[i]), PML_E_ARGUMENT, "prompt", "'prompt' must be");
    }
    embed_fails("{}", PML_E_ARGUMENT, "input", "must be there");
    embed_fails("{\"input\":null}", PML_E_ARGUMENT, "input", "must be there");
}

static void refuses_members(void) {
    embed_fails("{\"input\":\"a\",\"inputs\":1}", PML_E_FORMAT, NULL, "unknown member 'inputs'");
    embed_fails("{\"input\":\"a\",\"input\":\"b\"}", PML_E_FORMAT, "input", "twice");
    embed_fails("{\"input\":\"a\",\"\\u0069nput\":\"b\"}", PML_E_FORMAT, "input", "twice");
    embed_fails("{\"input\":\"a\",\"dimensions\":0}", PML_E_ARGUMENT, "dimensions", "whole number");
    embed_fails("{\"input\":\"a\",\"dimensions\":\"3\"}", PML_E_ARGUMENT, "dimensions", "whole number");
    embed_fails("{\"input\":\"a\",\"encoding_format\":\"int8\"}", PML_E_ARGUMENT, "encoding_format", "base64");
    embed_fails("{\"input\":\"a\",\"model\":7}", PML_E_ARGUMENT, "model", "a text");
    completion_fails("{\"prompt\":\"a\",\"logprobs\":0}", PML_E_UNSUPPORTED, "logprobs", "not supported");
    completion_fails("{\"prompt\":\"a\",\"best_of\":2}", PML_E_UNSUPPORTED, "best_of", "not supported");
    completion_fails("{\"prompt\":\"a\",\"suffix\":\"b\"}", PML_E_UNSUPPORTED, "suffix", "not supported");
    completion_fails("{\"prompt\":\"a\",\"logit_bias\":{\"1\":2}}", PML_E_UNSUPPORTED, "logit_bias", "not supported");
    completion_fails("{\"prompt\":\"a\",\"presence_penalty\":0.5}", PML_E_UNSUPPORTED, "presence_penalty",
                     "not supported");
    completion_fails("{\"prompt\":\"a\",\"temperature\":2.1}", PML_E_ARGUMENT, "temperature", "from 0 to 2");
    completion_fails("{\"prompt\":\"a\",\"top_p\":-0.1}", PML_E_ARGUMENT, "top_p", "from 0 to 1");
    completion_fails("{\"prompt\":\"a\",\"max_tokens\":-1}", PML_E_ARGUMENT, "max_tokens", "whole number");
    completion_fails("{\"prompt\":\"a\",\"max_tokens\":1.5}", PML_E_ARGUMENT, "max_tokens", "whole number");
    completion_fails("{\"prompt\":\"a\",\"n\":0}", PML_E_ARGUMENT, "n", "from 1 to 128");
    completion_fails("{\"prompt\":[\"a\",\"b\"],\"n\":65}", PML_E_ARGUMENT, "n", "more than 128 texts");
    completion_fails("{\"prompt\":\"a\",\"stop\":[\"a\",\"b\",\"c\",\"d\",\"e\"]}", PML_E_ARGUMENT, "stop",
                     "at most 4");
    completion_fails("{\"prompt\":\"a\",\"stop\":\"\"}", PML_E_ARGUMENT, "stop", "none of them empty");
    completion_fails("{\"prompt\":\"a\",\"stream\":1}", PML_E_ARGUMENT, "stream", "true or false");
    completion_fails("{\"prompt\":\"a\",\"stream_options\":{\"include_usage\":true}}", PML_E_ARGUMENT, "stream_options",
                     "goes with 'stream'");
    completion_fails("{\"prompt\":\"a\",\"stream\":true,\"stream_options\":{\"x\":true}}", PML_E_ARGUMENT,
                     "stream_options", "include_usage");
    completion_fails("{\"prompt\":\"a\",\"seed\":1.5}", PML_E_ARGUMENT, "seed", "whole number");
}

static void reads_completions(void) {
    static const char body[] =
        "{\"prompt\":[\"a\",\"b\"],\"max_tokens\":5,\"n\":2,\"temperature\":0.5,\"top_p\":0,\"top_k\":7,\"min_p\":0.1,"
        "\"repetition_penalty\":1.5,\"seed\":-1,\"stop\":[\"x\",\"yy\"],\"stream\":true,\"echo\":true,\"user\":\"u\","
        "\"stream_options\":{\"include_usage\":true},\"logprobs\":null,\"best_of\":1,\"logit_bias\":{},\"suffix\":\"\","
        "\"presence_penalty\":0,\"frequency_penalty\":0.0,\"ignore_eos\":true,\"model\":\"m\"}";
    pml_completion_request r;
    pml_error error = {0};
    const char *param;
    PML_ASSERT_OK(pml_completion_request_read(body, sizeof body - 1, &r, &param, &error), &error);
    CU_ASSERT_TRUE(r.prompts.count == 2 && r.max_tokens == 5 && r.n == 2 && r.has_seed &&
                   r.sampling.seed == UINT64_MAX);
    CU_ASSERT_TRUE(r.sampling.temperature == 0.5 && r.sampling.top_p > 0 && r.sampling.top_p < 1e-9 &&
                   r.sampling.top_k == 7 && r.sampling.min_p == 0.1 && r.sampling.repetition_penalty == 1.5);
    CU_ASSERT_TRUE(r.is_stream && r.includes_usage && r.echoes && r.ignores_end && r.n_stops == 2);
    CU_ASSERT_STRING_EQUAL(r.stops[1], "yy");
    CU_ASSERT_STRING_EQUAL(r.model, "m");
    pml_completion_request_deinit(&r);
    PML_ASSERT_OK(pml_completion_request_read("{\"prompt\":\"a\"}", 14, &r, &param, &error), &error);
    CU_ASSERT_TRUE(r.max_tokens == 16 && r.n == 1 && !r.has_seed && r.sampling.temperature == 1 &&
                   r.sampling.top_p == 1 && r.sampling.repetition_penalty == 1 && !r.is_stream && r.n_stops == 0);
    pml_completion_request_deinit(&r);
}

static void hostile_bodies_are_errors(void) {
    static const char *const wrong[] = {"",
                                        "{",
                                        "[]",
                                        "null",
                                        "\"a\"",
                                        "{\"input\"",
                                        "{\"input\":\"a\"} x",
                                        "{\"input\":\"a\",}",
                                        "{\"input\":\"\\u0000\"}",
                                        "{\"input\":\"\\ud800\"}",
                                        "{\"input\":\"\xff\"}",
                                        "{\"input\":\"\xc0\x80\"}",
                                        "\xef\xbb\xbf{}",
                                        "{\"input\":\"a",
                                        "{\"dimensions\":2.}",
                                        "{\"input\":[1e400]}"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        pml_embed_request r;
        pml_error error = {0};
        const char *param;
        PML_ASSERT_FAILS(pml_embed_request_read(wrong[i], strlen(wrong[i]), &r, &param, &error), PML_E_FORMAT, &error,
                         "");
        pml_embed_request_deinit(&r);
    }
    char *deep = malloc(200001);
    memset(deep, '[', 200000);
    deep[200000] = '\0';
    memcpy(deep, "{\"input\":", 9);
    pml_embed_request r;
    const char *param;
    CU_ASSERT_NOT_EQUAL(pml_embed_request_read(deep, 200000, &r, &param, NULL), PML_OK);
    pml_embed_request_deinit(&r);
    free(deep);
}

static void many_texts_are_bounded(void) {
    enum { MOST = 400000 };
    char *body = malloc(MOST);
    size_t n = (size_t)snprintf(body, MOST, "{\"input\":[");
    for (unsigned i = 0; i < PML_MAX_SERVE_INPUTS + 1; i++) {
        n += (size_t)snprintf(body + n, MOST - n, "%s\"t%u\"", i > 0 ? "," : "", i);
    }
    n += (size_t)snprintf(body + n, MOST - n, "]}");
    embed_fails(body, PML_E_ARGUMENT, "input", "more than 2048 texts");
    n = (size_t)snprintf(body, MOST, "{\"input\":[");
    for (unsigned i = 0; i < 100000; i++) {
        n += (size_t)snprintf(body + n, MOST - n, "%s7", i > 0 ? "," : "");
    }
    n += (size_t)snprintf(body + n, MOST - n, "]}");
    pml_embed_request r;
    pml_error error = {0};
    const char *param;
    PML_ASSERT_OK(pml_embed_request_read(body, n, &r, &param, &error), &error);
    CU_ASSERT_TRUE(r.inputs.count == 1 && r.inputs.items[0].n_ids == 100000);
    pml_embed_request_deinit(&r);
    free(body);
}

static void failing_allocations_are_errors(void) {
    static const char body[] = "{\"prompt\":[[1,2],[3]],\"stop\":[\"x\"],\"model\":\"m\"}";
    for (unsigned long n = 1;; n++) {
        pml_completion_request r;
        pml_error error = {0};
        const char *param;
        pml_test_fail_allocation(n, false);
        const pml_status status = pml_completion_request_read(body, sizeof body - 1, &r, &param, &error);
        pml_test_fail_allocation(0, false);
        pml_completion_request_deinit(&r);
        if (status == PML_OK) {
            CU_ASSERT_TRUE(n > 3);
            break;
        }
        CU_ASSERT_EQUAL_FATAL(status, PML_E_MEMORY);
    }
}

PML_TESTS("runtime/serve/serve_request", PML_TEST(reads_inputs), PML_TEST(refuses_inputs), PML_TEST(refuses_members),
          PML_TEST(reads_completions), PML_TEST(hostile_bodies_are_errors), PML_TEST(many_texts_are_bounded),
          PML_TEST(failing_allocations_are_errors))
