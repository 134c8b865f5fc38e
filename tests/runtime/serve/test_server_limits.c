/* Clients that are slow, many, gone, greedy or hostile, and the ends of a server. */
#include <poll.h>

#include "tests/runtime/serve/serve_fixture.h"
#include "tests/runtime/serve/serve_models.h"

/* ---- time -----------------------------------------------------------------------------------------------------------
 */

/* What a connection gets that sends this, and then nothing more. */
static void expect_for_part(const served_process *s, const char *part, unsigned status) {
    const int fd = serve_connect(s);
    CU_ASSERT_TRUE(serve_send(fd, part, strlen(part)));
    serve_answer a = serve_read(fd);
    CU_ASSERT_EQUAL(a.http_status, status);
    serve_forget(&a);
    (void)close(fd);
}

static void requests_must_come_in(void) {
    const served_process s = serve_start(serve_sentences(), "--read-timeout=1 --idle-timeout=2");
    expect_for_part(&s, "", 408);
    expect_for_part(&s, "POST /v1/embed", 408);
    expect_for_part(&s, "POST /v1/embeddings HTTP/1.1\r\nHost: h\r\nX: ", 408);
    expect_for_part(&s, "POST /v1/embeddings HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n" SERVE_JSON "\r\n{\"in",
                    408);
    /* One byte now and then is not silence, and does not help. */
    const int fd = serve_connect(&s);
    static const char head[] = "POST /v1/embeddings HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n" SERVE_JSON "\r\n";
    CU_ASSERT_TRUE(serve_send(fd, head, sizeof head - 1));
    for (unsigned n = 0; n < 600; n++) {
        struct pollfd one = {.fd = fd, .events = POLLIN};
        if (poll(&one, 1, 100) != 0 || !serve_send(fd, " ", 1)) {
            break;
        }
    }
    serve_answer a = serve_read(fd);
    CU_ASSERT_EQUAL(a.http_status, 408);
    serve_forget(&a);
    (void)close(fd);
    CU_ASSERT_TRUE(serve_metric(&s, "\npml_connections_timed_out_total ") >= 5);
    serve_stop(&s);
}

/* A connection that stays open answers again, and ends without a word when nothing more comes. */
static void connections_stay_open_for_a_while(void) {
    const served_process s = serve_start(serve_sentences(), "--idle-timeout=1");
    static const char twice[] = "GET /health HTTP/1.1\r\nHost: h\r\n\r\nGET /health HTTP/1.1\r\nHost: h\r\n\r\n";
    const int fd = serve_connect(&s);
    CU_ASSERT_TRUE(serve_send(fd, twice, sizeof twice - 1));
    char *text = serve_receive(fd);
    const char *first = strstr(text, "{\"status\":\"ok\"}");
    CU_ASSERT_PTR_NOT_NULL_FATAL(first);
    const char *second = strstr(first + 1, "{\"status\":\"ok\"}");
    CU_ASSERT_PTR_NOT_NULL_FATAL(second);
    CU_ASSERT_PTR_NULL(strstr(second, "HTTP/1.1 4"));
    free(text);
    (void)close(fd);
    serve_stop(&s);
}

static void answers_must_be_made_in_time(void) {
    const served_process s = serve_start(serve_language(), "--timeout=1");
    /* More than a second's work of the smallest model: the client is told, the next one is served. */
    const char *body = "{\"prompt\":\"a\",\"n\":128,\"max_tokens\":50,\"ignore_eos\":true}";
    serve_answer a = {0};
    for (unsigned n = 0; n < 50 && a.http_status != 408; n++) {
        int fds[16];
        for (size_t i = 0; i < 16; i++) {
            const char *request =
                pml_test_path("POST /v1/completions HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" SERVE_JSON
                              "Content-Length: %zu\r\n\r\n%s",
                              strlen(body), body);
            fds[i] = serve_connect(&s);
            CU_ASSERT_TRUE(serve_send(fds[i], request, strlen(request)));
        }
        for (size_t i = 0; i < 16; i++) { /* they run one after the other */
            serve_forget(&a);
            a = serve_read(fds[i]);
            CU_ASSERT_TRUE(a.http_status == 200 || a.http_status == 408);
            (void)close(fds[i]);
        }
    }
    SERVE_EXPECT(a, 408, "\"code\":\"timeout\"");
    SERVE_EXPECT(serve_post(&s, "/v1/completions", "{\"prompt\":\"a\",\"max_tokens\":2}"), 200, "text_completion");
    serve_stop(&s);
}

/* ---- numbers --------------------------------------------------------------------------------------------------------
 */
static void connections_are_bounded(void) {
    const served_process s = serve_start(serve_sentences(), "--max-connections=4 --read-timeout=1");
    enum { N = 10 };
    int fds[N];
    for (size_t i = 0; i < N; i++) {
        fds[i] = serve_connect(&s);
        (void)serve_send(fds[i], "GET /he", 7);
    }
    for (size_t i = 0; i < N; i++) { /* each is ended: refused, or for being slow */
        char *text = serve_receive(fds[i]);
        CU_ASSERT_TRUE(text[0] == '\0' || strncmp(text, "HTTP/1.1 408", 12) == 0);
        free(text);
        (void)close(fds[i]);
    }
    SERVE_EXPECT(serve_get(&s, "/health"), 200, "ok");
    serve_stop(&s);
}

static void memory_is_bounded(void) {
    const served_process s = serve_start(serve_sentences(), "--max-memory=1048576 --max-body=400000");
    char *body = malloc(400001);
    size_t n = (size_t)snprintf(body, 400000, "{\"input\":[");
    for (unsigned i = 0; i < 2048; i++) {
        n += (size_t)snprintf(body + n, 400000 - n, "%s\"word%u\"", i > 0 ? "," : "", i);
    }
    (void)snprintf(body + n, 400000 - n, "]}");
    SERVE_EXPECT(serve_post(&s, "/v1/embeddings", body), 503, "Retry-After: 1\r\n");
    SERVE_EXPECT(serve_post(&s, "/v1/embeddings", body), 503, "\"code\":\"overloaded\"");
    free(body);
    SERVE_EXPECT(serve_post(&s, "/v1/embeddings", "{\"input\":\"a cat\"}"), 200, "\"embedding\""); /* given back */
    /* What was asked for lies before this request's own end. */
    CU_ASSERT_EQUAL(serve_metric(&s, "\npml_memory_bytes "), 0);
    serve_stop(&s);
}

/* Bodies whose length is not told, whole and too large. */
static void chunked_bodies_are_read(void) {
    const served_process s = serve_start(serve_sentences(), "--max-body=100");
    static const char head[] = "POST /v1/embeddings HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" SERVE_JSON
                               "Transfer-Encoding: chunked\r\n\r\n";
    const char *small = pml_test_path("%s5\r\n{\"inp\r\na\r\nut\":\"ab\"} \r\n0\r\n\r\n", head);
    int fd = serve_connect(&s);
    CU_ASSERT_TRUE(serve_send(fd, small, strlen(small)));
    SERVE_EXPECT(serve_read(fd), 200, "\"embedding\"");
    (void)close(fd);
    fd = serve_connect(&s);
    CU_ASSERT_TRUE(serve_send(fd, head, sizeof head - 1));
    for (unsigned i = 0; i < 20; i++) {
        CU_ASSERT_TRUE(serve_send(fd, "a\r\n          \r\n", 15));
    }
    CU_ASSERT_TRUE(serve_send(fd, "0\r\n\r\n", 5));
    SERVE_EXPECT(serve_read(fd), 413, "body_too_large");
    (void)close(fd);
    /* One that its client asks about first. */
    static const char asks[] =
        "POST /v1/embeddings HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n" SERVE_JSON "Content-Length: 101\r\n\r\n";
    fd = serve_connect(&s);
    CU_ASSERT_TRUE(serve_send(fd, asks, sizeof asks - 1));
    SERVE_EXPECT(serve_read(fd), 413, "body_too_large");
    (void)close(fd);
    /* One that is larger than anybody waits for. */
    SERVE_EXPECT(serve_ask_bytes(&s, "POST", "/v1/embeddings", SERVE_JSON "Content-Length: 99999999999\r\n", NULL, 0),
                 413, "body_too_large");
    serve_stop(&s);
}

/* ---- hostile bytes --------------------------------------------------------------------------------------------------
 */
static void hostile_bytes_are_answered(void) {
    const served_process s = serve_start(serve_sentences(), "--read-timeout=1"); /* some are never whole */
    static const char *const requests[] = {
        "\r\n\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "GET /%00%0d%0aX HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        "POST /v1/embeddings HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
        "POST /v1/embeddings HTTP/1.1\r\nHost: h\r\nContent-Length: 1e9\r\n\r\n",
        "POST /v1/embeddings HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "GET /../../etc/passwd HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"};
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        const int fd = serve_connect(&s);
        (void)serve_send(fd, requests[i], strlen(requests[i]));
        (void)shutdown(fd, SHUT_WR);
        char *text = serve_receive(fd);
        CU_ASSERT_PTR_NULL(strstr(text, "HTTP/1.1 200"));
        free(text);
        (void)close(fd);
    }
    char *deep = malloc(900001);
    memset(deep, '[', 900000);
    deep[900000] = '\0';
    memcpy(deep, "{\"input\":", 9);
    SERVE_EXPECT(serve_post(&s, "/v1/embeddings", deep), 400, "invalid_request_error");
    memset(deep, '7', 900000);
    memcpy(deep, "{\"input\":[", 10);
    for (size_t i = 11; i < 899998; i += 2) {
        deep[i] = ',';
    }
    memcpy(deep + 899997, "7]}", 3);
    SERVE_EXPECT(serve_post(&s, "/v1/embeddings", deep), 400, "this model takes at most");
    /* A head that is too large. */
    memset(deep, 'x', 900000);
    memcpy(deep, "GET /", 5);
    const int fd = serve_connect(&s);
    (void)serve_send(fd, deep, 900000);
    char *text = serve_receive(fd);
    CU_ASSERT_PTR_NULL(strstr(text, "HTTP/1.1 200"));
    free(text);
    (void)close(fd);
    free(deep);
    SERVE_EXPECT(serve_get(&s, "/health"), 200, "ok");
    serve_stop(&s);
}

/* What clients write stands nowhere in the log, however much it tells. */
static void logs_hold_nothing_of_clients(void) {
    for (unsigned json = 0; json < 2; json++) {
        const served_process s = serve_start(serve_sentences(), json ? "-v -v --json" : "-v -v");
        serve_answer a = serve_post(&s, "/v1/embeddings", "{\"input\":\"secret words\"}");
        CU_ASSERT_EQUAL(a.http_status, 200);
        const char *id = serve_member(a.text, "X-Request-Id: ");
        char *line = strndup(id, strcspn(id, "\r"));
        serve_forget(&a);
        SERVE_EXPECT(serve_post(&s, "/v1/embeddings", "{\"input\":\"secret words\",\"model\":\"secret\"}"), 404, "");
        SERVE_EXPECT(serve_post(&s, "/v1/embeddings", "{\"secret\":\"secret words\"}"), 400, "");
        SERVE_EXPECT(serve_get(&s, "/secret?secret=secret"), 404, "");
        SERVE_EXPECT(serve_ask_bytes(&s, "SECRET", "/health", "Authorization: Bearer secret\r\n", NULL, 0), 405, "");
        serve_stop(&s);
        size_t size_bytes;
        char *log = (char *)pml_test_read_file(s.log, &size_bytes);
        CU_ASSERT_PTR_NULL(strcasestr(log, "secret"));
        CU_ASSERT_PTR_NOT_NULL(strstr(log, line));
        CU_ASSERT_PTR_NOT_NULL(
            strstr(log, json ? "\"route\":\"/v1/embeddings\",\"status\":404," : "/v1/embeddings 404"));
        free(log);
        free(line);
    }
}

/* ---- clients that leave, servers that end ---------------------------------------------------------------------------
 */
#define LONG_WORK "{\"prompt\":\"a\",\"n\":128,\"max_tokens\":50,\"ignore_eos\":true,\"stream\":true}"

/* Sends a request for a long stream and reads its beginning. */
static int begin_stream(const served_process *s) {
    const char *request = pml_test_path("POST /v1/completions HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" SERVE_JSON
                                        "Content-Length: %zu\r\n\r\n%s",
                                        strlen(LONG_WORK), LONG_WORK);
    char first[64];
    const int fd = serve_connect(s);
    CU_ASSERT_TRUE(serve_send(fd, request, strlen(request)));
    CU_ASSERT_TRUE(recv(fd, first, sizeof first, MSG_WAITALL) == (ssize_t)sizeof first);
    CU_ASSERT_EQUAL(strncmp(first, "HTTP/1.1 200", 12), 0);
    return fd;
}

static void work_for_nobody_ends(void) {
    const served_process s = serve_start(serve_language(), "");
    double n_cancelled = 0;
    for (unsigned n = 0; n < 50 && n_cancelled < 1; n++) {
        (void)close(begin_stream(&s));
        SERVE_EXPECT(serve_post(&s, "/v1/completions", "{\"prompt\":\"a\",\"max_tokens\":1}"), 200, "");
        n_cancelled = serve_metric(&s, "\npml_requests_cancelled_total ");
    }
    CU_ASSERT_TRUE(n_cancelled >= 1);
    serve_stop(&s);
}

static void what_is_under_way_is_finished(void) {
    const served_process s = serve_start(serve_language(), "");
    const int fd = begin_stream(&s);
    CU_ASSERT_EQUAL(kill(s.pid, SIGTERM), 0);
    char *text = serve_receive(fd);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "data: [DONE]"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"index\":127,"));
    free(text);
    (void)close(fd);
    CU_ASSERT_EQUAL(serve_wait(&s), 128 + SIGTERM);
}

static void time_to_finish_is_bounded(void) {
    const served_process s = serve_start(serve_language(), "--drain-timeout=0");
    const int fd = begin_stream(&s);
    CU_ASSERT_EQUAL(kill(s.pid, SIGINT), 0);
    CU_ASSERT_EQUAL(serve_wait(&s), 128 + SIGINT);
    free(serve_receive(fd));
    (void)close(fd);
}

static void a_second_signal_ends_it_at_once(void) {
    const served_process s = serve_start(serve_language(), "--drain-timeout=86400 --read-timeout=86400");
    const int fd = serve_connect(&s); /* a request that never comes in */
    CU_ASSERT_TRUE(serve_send(fd, "GET /health HTTP/1.1\r\nX: ", 25));
    SERVE_EXPECT(serve_get(&s, "/health"), 200, "");
    CU_ASSERT_EQUAL(kill(s.pid, SIGTERM), 0);
    for (int status = 0; waitpid(s.pid, &status, WNOHANG) == 0;) { /* the first one alone never ends it */
        (void)kill(s.pid, SIGINT);
        (void)poll(NULL, 0, 20);
    }
    CU_ASSERT_EQUAL(kill(s.pid, 0), -1);
    (void)close(fd);
}

PML_TESTS("runtime/serve/server_limits", PML_TEST(requests_must_come_in), PML_TEST(connections_stay_open_for_a_while),
          PML_TEST(answers_must_be_made_in_time), PML_TEST(connections_are_bounded), PML_TEST(memory_is_bounded),
          PML_TEST(chunked_bodies_are_read), PML_TEST(hostile_bytes_are_answered),
          PML_TEST(logs_hold_nothing_of_clients), PML_TEST(work_for_nobody_ends),
          PML_TEST(what_is_under_way_is_finished), PML_TEST(time_to_finish_is_bounded),
          PML_TEST(a_second_signal_ends_it_at_once))
