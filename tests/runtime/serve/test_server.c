/* The whole program over sockets: every endpoint against what the other commands say of the same file, and the end. */
#include "tests/runtime/serve/serve_fixture.h"

#include "tests/runtime/serve/serve_models.h"

static const char *run_output(const char *arguments) {
    char *output = NULL;
    (void)pml_test_command(&output, "'%s/pml-run' %s", pml_test_binary_dir(), arguments);
    const char *kept = pml_test_path("%s", output);
    free(output);
    return kept;
}

/* ---- what is always there -------------------------------------------------------------------------------------------
 */
static void answers_about_itself(void) {
    const served_process s = serve_start(serve_sentences(), "");
    CU_ASSERT_NOT_EQUAL_FATAL(s.port, 0);
    SERVE_EXPECT(serve_get(&s, "/health"), 200, "\"status\":\"ok\"");
    SERVE_EXPECT(serve_get(&s, "/v1/models"), 200, "\"id\":\"sentences\",\"object\":\"model\"");
    SERVE_EXPECT(serve_get(&s, "/v1/models/sentences"), 200, "\"id\":\"sentences\"");
    SERVE_EXPECT(serve_get(&s, "/v1/models/other"), 404, "model_not_found");
    SERVE_EXPECT(serve_get(&s, "/metrics"), 200, "pml_requests_total{route=\"/health\",status=\"200\"} 1\n");
    SERVE_EXPECT(serve_get(&s, "/"), 404, "unknown_url");
    SERVE_EXPECT(serve_get(&s, "/v1/embeddings"), 405, "Allow: POST\r\n");
    SERVE_EXPECT(serve_post(&s, "/health", "{}"), 405, "Allow: GET, HEAD\r\n");
    SERVE_EXPECT(serve_ask_bytes(&s, "BREW", "/health", "", NULL, 0), 405, "method_not_allowed");
    serve_answer a = serve_ask_bytes(&s, "HEAD", "/health", "", NULL, 0);
    CU_ASSERT_TRUE(a.http_status == 200 && a.body[0] == '\0');
    serve_forget(&a);
    SERVE_EXPECT(serve_get(&s, "/health"), 200, "X-Request-Id: req-");
    serve_stop(&s);
}

/* ---- embeddings -----------------------------------------------------------------------------------------------------
 */
#define TEXTS "\"a cat\",\"the wolf also shall dwell with the lamb\",\"\",\"x\""

static void embeddings_are_those_of_embed(void) {
    const served_process s = serve_start(serve_sentences(), "");
    const char *npy = pml_test_path("%s/v.npy", pml_test_temporary_dir());
    const char *lines = pml_test_path("%s/lines.txt", pml_test_temporary_dir());
    static const char text[] = "a cat\nthe wolf also shall dwell with the lamb\n\nx\n";
    size_t size_bytes;
    pml_test_write_file(lines, text, sizeof text - 1);
    (void)run_output(pml_test_path("embed '%s' --file '%s' -o '%s'", serve_sentences(), lines, npy));
    unsigned char *vectors = pml_test_read_file(npy, &size_bytes);
    serve_answer a = serve_post(&s, "/v1/embeddings", "{\"input\":[" TEXTS "],\"model\":\"sentences\"}");
    CU_ASSERT_EQUAL(a.http_status, 200);
    const size_t head = 10 + vectors[8] + 256u * vectors[9], width = (size_bytes - head) / 4 / 4;
    const char *at = a.body;
    for (size_t i = 0; i < 4; i++) {
        at = strstr(at, "\"embedding\":[");
        CU_ASSERT_PTR_NOT_NULL_FATAL(at);
        at += 13;
        for (size_t d = 0; d < width; d++) {
            float expected;
            char *end;
            memcpy(&expected, vectors + head + (i * width + d) * 4, sizeof expected);
            CU_ASSERT_EQUAL(strtof(at, &end), expected); /* to the bit */
            at = end + 1;
        }
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(a.body, "\"object\":\"list\",\"data\":[{\"object\":\"embedding\",\"index\":0,"));
    CU_ASSERT_PTR_NOT_NULL(strstr(a.body, "\"model\":\"sentences\",\"usage\":{\"prompt_tokens\":"));
    serve_forget(&a);
    free(vectors);
    serve_stop(&s);
}

/* The vector of a text, in base64, when these others are asked for with it. */
static const char *vector_of(const served_process *s, const char *before, const char *text, const char *behind) {
    serve_answer a =
        serve_post(s, "/v1/embeddings",
                   pml_test_path("{\"encoding_format\":\"base64\",\"input\":[%s%s%s]}", before, text, behind));
    const char *at = a.body;
    for (const char *c = before; *c != '\0'; c++) {
        at = *c == ',' ? strstr(at, "\"embedding\":\"") + 1 : at;
    }
    const char *vector = serve_member(at, "\"embedding\":\"");
    CU_ASSERT_TRUE(strlen(vector) > 40);
    serve_forget(&a);
    return vector;
}

static void check_companions(const char *file) {
    const served_process s = serve_start(file, "--batch-texts=5");
    const char *alone = vector_of(&s, "", "\"a cat\"", "");
    CU_ASSERT_STRING_EQUAL(vector_of(&s, "", "\"a cat\"", ",\"the wolf also shall dwell\""), alone);
    CU_ASSERT_STRING_EQUAL(vector_of(&s, "\"b\",\"c d e f g\",\"h i\",", "\"a cat\"", ",\"x\",\"y z\",\"w\""), alone);
    const char *ids = run_output(pml_test_path("tokenize '%s' --ids 'a cat'", file));
    char *list = strdup(ids);
    for (char *c = list; *c != '\0'; c++) {
        *c = *c == ' ' ? ',' : *c == '\n' ? ' ' : *c;
    }
    serve_answer a =
        serve_post(&s, "/v1/embeddings", pml_test_path("{\"encoding_format\":\"base64\",\"input\":[%s]}", list));
    CU_ASSERT_STRING_EQUAL(serve_member(a.body, "\"embedding\":\""), alone);
    serve_forget(&a);
    free(list);
    /* Many at a time, so that batches mix requests. */
    enum { N = 24 };
    int fds[N];
    for (size_t i = 0; i < N; i++) {
        const char *body =
            pml_test_path("{\"encoding_format\":\"base64\",\"input\":[\"a cat\",\"%0*zu\"]}", (int)i + 1, i);
        const char *request =
            pml_test_path("POST /v1/embeddings HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" SERVE_JSON
                          "Content-Length: %zu\r\n\r\n%s",
                          strlen(body), body);
        fds[i] = serve_connect(&s);
        CU_ASSERT_TRUE(serve_send(fds[i], request, strlen(request)));
    }
    for (size_t i = 0; i < N; i++) {
        a = serve_read(fds[i]);
        CU_ASSERT_TRUE(a.http_status == 200 && strcmp(serve_member(a.body, "\"embedding\":\""), alone) == 0);
        serve_forget(&a);
        (void)close(fds[i]);
    }
    serve_stop(&s);
}

static void companions_change_nothing(void) {
    static const char *const dtypes[] = {"f32", "bf16", "int8", "int8-g32"};
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        check_companions(serve_sentences_as(dtypes[i]));
    }
}

static void refuses_what_it_cannot_do(void) {
    const served_process s = serve_start(serve_sentences(), "--max-body=2000");
    static const struct {
        const char *path, *body;
        unsigned status;
        const char *part;
    } cases[] = {
        {"/v1/embeddings", "{\"input\":\"a\",\"model\":\"gpt-4\"}", 404, "the model 'gpt-4' is not here"},
        {"/v1/embeddings", "{\"input\":\"a\",\"dimensions\":3}", 400,
         "\"param\":\"dimensions\",\"code\":\"unsupported\""},
        {"/v1/embeddings", "{\"input\":[999999]}", 400, "there is no token 999999"},
        {"/v1/embeddings", "{\"input\":[]}", 400, "\"param\":\"input\""},
        {"/v1/embeddings", "{\"input\":\"\xff\"}", 400, "not valid UTF-8"},
        {"/v1/embeddings", "{\"input\":\"a\"", 400, "invalid_request_error"},
        {"/v1/embeddings", "", 400, "invalid_request_error"},
        {"/v1/completions", "{\"prompt\":\"a\"}", 400, "does not go on with texts"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        SERVE_EXPECT(serve_post(&s, cases[i].path, cases[i].body), cases[i].status, cases[i].part);
    }
    char *large = malloc(40001);
    memset(large, ' ', 40000);
    large[40000] = '\0';
    SERVE_EXPECT(serve_post(&s, "/v1/embeddings", large), 413, "body_too_large");
    memset(large, 'a', 1500);
    for (size_t i = 1; i < 1500; i += 2) {
        large[i] = ' ';
    }
    SERVE_EXPECT(serve_post(&s, "/v1/embeddings", pml_test_path("{\"input\":\"%.1500s\"}", large)), 400,
                 "tokens that this model takes");
    free(large);
    SERVE_EXPECT(serve_ask_bytes(&s, "POST", "/v1/embeddings", "Content-Type: text/plain\r\n", "{\"input\":\"a\"}", 13),
                 415, "application/json");
    SERVE_EXPECT(serve_ask_bytes(&s, "POST", "/v1/embeddings", "", "{\"input\":\"a\"}", 13), 415, "application/json");
    serve_stop(&s);
}

static void cuts_texts_when_told_to(void) {
    const served_process s = serve_start(serve_sentences(), "--truncate");
    char text[3001];
    for (size_t i = 0; i < 3000; i++) {
        text[i] = i % 2 == 0 ? 'a' : ' ';
    }
    text[3000] = '\0';
    SERVE_EXPECT(serve_post(&s, "/v1/embeddings", pml_test_path("{\"input\":\"%s\"}", text)), 200, "\"embedding\"");
    serve_stop(&s);
}

/* ---- completions ----------------------------------------------------------------------------------------------------
 */
static void completions_are_those_of_generate(void) {
    const served_process s = serve_start(serve_language(), "--model-name=bytes");
    const char *out = run_output(pml_test_path("generate '%s' 'In the' -n 12 --json", serve_language()));
    const char *wanted = serve_member(out, "{\"text\":\"");
    CU_ASSERT_TRUE(strlen(wanted) > 0);
    serve_answer a = serve_post(&s, "/v1/completions",
                                "{\"prompt\":\"In the\",\"max_tokens\":12,\"temperature\":0,\"model\":\"bytes\"}");
    CU_ASSERT_STRING_EQUAL(serve_member(a.body, "\"choices\":[{\"text\":\""), wanted);
    CU_ASSERT_PTR_NOT_NULL(strstr(a.body, "\"finish_reason\":\"length\"}],\"usage\":{\"prompt_tokens\":6,"
                                          "\"completion_tokens\":12,\"total_tokens\":18}"));
    serve_forget(&a);
    SERVE_EXPECT(serve_post(&s, "/v1/completions",
                            "{\"prompt\":[73,110,32,116,104,101],\"max_tokens\":12,\"temperature\":0,\"echo\":true}"),
                 200, pml_test_path("\"text\":\"In the%s\"", wanted));
    /* As many as there is room for. */
    SERVE_EXPECT(serve_post(&s, "/v1/completions", "{\"prompt\":\"In the\",\"max_tokens\":100000}"), 200,
                 "\"completion_tokens\":45,");
    SERVE_EXPECT(serve_post(&s, "/v1/completions", "{\"prompt\":\"In the\",\"max_tokens\":0,\"echo\":true}"), 200,
                 "[{\"text\":\"In the\",\"index\":0,\"logprobs\":null,\"finish_reason\":\"length\"}]");
    SERVE_EXPECT(
        serve_post(&s, "/v1/completions", "{\"prompt\":\"123456789 123456789 123456789 123456789 123456789 1\"}"), 400,
        "more than the 50 tokens");
    SERVE_EXPECT(serve_post(&s, "/v1/completions", "{\"prompt\":\"\"}"), 400, "nothing to go on from");
    SERVE_EXPECT(serve_post(&s, "/v1/completions", "{\"prompt\":\"a\",\"logprobs\":1}"), 400, "\"param\":\"logprobs\"");
    a = serve_post(&s, "/v1/completions", "{\"prompt\":[\"ab\",\"cd\"],\"n\":2,\"max_tokens\":3,\"seed\":4}");
    CU_ASSERT_PTR_NOT_NULL(strstr(a.body, "\"index\":3,"));
    CU_ASSERT_PTR_NULL(strstr(a.body, "\"index\":4,"));
    serve_answer again =
        serve_post(&s, "/v1/completions", "{\"prompt\":[\"ab\",\"cd\"],\"n\":2,\"max_tokens\":3,\"seed\":4}");
    CU_ASSERT_STRING_EQUAL(strstr(a.body, "\"choices\""), strstr(again.body, "\"choices\""));
    serve_forget(&a);
    serve_forget(&again);
    serve_stop(&s);
}

/* The texts of all events of a stream, one behind the other; lives until the program ends. */
static const char *streamed_text(const char *body) {
    const char *text = "";
    for (const char *at = strstr(body, "\"text\":\""); at != NULL; at = strstr(at + 1, "\"text\":\"")) {
        text = pml_test_path("%s%s", text, serve_member(at, "\"text\":\""));
    }
    return text;
}

static void streams_are_the_same_text(void) {
    const served_process s = serve_start(serve_language(), "");
    serve_answer whole =
        serve_post(&s, "/v1/completions", "{\"prompt\":\"In the\",\"max_tokens\":30,\"temperature\":0}");
    serve_answer a = serve_post(&s, "/v1/completions",
                                "{\"prompt\":\"In the\",\"max_tokens\":30,\"temperature\":0,\"stream\":true,"
                                "\"stream_options\":{\"include_usage\":true}}");
    CU_ASSERT_EQUAL(a.http_status, 200);
    CU_ASSERT_PTR_NOT_NULL(strstr(a.text, "Content-Type: text/event-stream\r\n"));
    CU_ASSERT_STRING_EQUAL(streamed_text(a.body), serve_member(whole.body, "\"text\":\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(a.body, "\"finish_reason\":\"length\"}]}\n\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(a.body, "\"choices\":[],\"usage\":{\"prompt_tokens\":6,\"completion_tokens\":30,"));
    CU_ASSERT_PTR_NOT_NULL(strstr(a.body, "data: [DONE]\n\n"));
    serve_forget(&a);
    /* A text that ends it. */
    const char *text = serve_member(whole.body, "\"text\":\"");
    if (text[0] != '\\' && text[0] != '\0' && (unsigned char)text[0] < 0x80) {
        SERVE_EXPECT(serve_post(&s, "/v1/completions",
                                pml_test_path("{\"prompt\":\"In the\",\"temperature\":0,\"stop\":[\"%c\"]}", text[0])),
                     200, "\"text\":\"\",\"index\":0,\"logprobs\":null,\"finish_reason\":\"stop\"");
    }
    serve_forget(&whole);
    serve_stop(&s);
}

/* ---- keys, programs beside programs ---------------------------------------------------------------------------------
 */
static void asks_for_its_key(void) {
    CU_ASSERT_EQUAL(setenv("PML_SERVE_API_KEY", "open sesame", 1), 0);
    const served_process s = serve_start(serve_sentences(), "");
    CU_ASSERT_EQUAL(unsetenv("PML_SERVE_API_KEY"), 0);
    SERVE_EXPECT(serve_get(&s, "/health"), 200, "ok");
    SERVE_EXPECT(serve_get(&s, "/v1/models"), 401, "WWW-Authenticate: Bearer\r\n");
    SERVE_EXPECT(serve_get(&s, "/v1/nothing"), 401, "invalid_api_key");
    SERVE_EXPECT(serve_post(&s, "/v1/embeddings", "{\"input\":\"a\"}"), 401, "invalid_api_key");
    SERVE_EXPECT(serve_ask_bytes(&s, "GET", "/v1/models", "Authorization: Bearer open sesam\r\n", NULL, 0), 401, "");
    SERVE_EXPECT(serve_ask_bytes(&s, "GET", "/v1/models", "Authorization: Bearer open sesame\r\n", NULL, 0), 200, "");
    serve_stop(&s);
}

static void programs_lie_beside_programs(void) {
    char *output = NULL;
    const char *folder = pml_test_fresh_dir("alone");
    CU_ASSERT_EQUAL(pml_test_command(NULL, "cp '%s/pml-run' '%s'", pml_test_binary_dir(), folder), 0);
    CU_ASSERT_EQUAL(pml_test_command(&output, "'%s/pml-run' serve x.pml", folder), 66);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "pml-serve: it is not installed beside this one"));
    free(output);
    CU_ASSERT_EQUAL(pml_test_command(&output, "'%s/pml-run' --help", folder), 0);
    CU_ASSERT_PTR_NULL(strstr(output, "\n  serve"));
    free(output);
    CU_ASSERT_EQUAL(pml_test_command(&output, "'%s/pml-run' --help", pml_test_binary_dir()), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "\n  serve"));
    free(output);
    CU_ASSERT_EQUAL(pml_test_command(&output, "'%s/pml-run' -v serve nothing.pml", pml_test_binary_dir()), 66);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "pml-serve: error: "));
    free(output);
    CU_ASSERT_EQUAL(pml_test_command(&output, "'%s/pml-run' help serve", pml_test_binary_dir()), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "Usage: pml-serve FILE"));
    free(output);
    CU_ASSERT_EQUAL(pml_test_command(&output, "'%s/pml-serve' x.pml --port 70000", pml_test_binary_dir()), 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "--port must be from 0 to 65535"));
    free(output);
    CU_ASSERT_EQUAL(pml_test_command(&output, "'%s/pml-run' serv", pml_test_binary_dir()), 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "did you mean 'serve'?"));
    free(output);
}

PML_TESTS("runtime/serve/server", PML_TEST(answers_about_itself), PML_TEST(embeddings_are_those_of_embed),
          PML_TEST(companions_change_nothing), PML_TEST(refuses_what_it_cannot_do), PML_TEST(cuts_texts_when_told_to),
          PML_TEST(completions_are_those_of_generate), PML_TEST(streams_are_the_same_text), PML_TEST(asks_for_its_key),
          PML_TEST(programs_lie_beside_programs))
