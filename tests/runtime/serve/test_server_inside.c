/* The server as a library in this process: that it starts and ends whole, whatever is under way, and that failing
 * allocations cost an answer at most. Sanitizers see all of its threads here. */
#include "runtime/serve/server.h"

#include <poll.h>

#include "tests/runtime/serve/serve_fixture.h"
#include "tests/runtime/serve/serve_models.h"

typedef struct inside {
    pml_file *file;
    pml_model *model;
    pml_serve_model served;
    pml_server *server;
    served_process client; /* no process: only where to connect */
    pml_server_settings settings;
} inside;

static inside open_inside(const char *path) {
    inside i = {.settings = {.host = "127.0.0.1",
                             .max_queue = 4,
                             .max_body_bytes = 100000,
                             .max_connections = 16,
                             .max_memory_bytes = 1 << 24,
                             .batch_texts = 3,
                             .batch_tokens = 64,
                             .read_seconds = 30,
                             .idle_seconds = 30,
                             .total_seconds = 30}};
    pml_error error = {0};
    PML_ASSERT_OK(pml_file_open(path, &i.file, &error), &error);
    PML_ASSERT_OK(pml_model_create(i.file, NULL, &i.model, &error), &error);
    PML_ASSERT_OK(pml_serve_model_open(i.file, i.model, "m", false, &i.served, &error), &error);
    return i;
}

static void start(inside *i) {
    pml_error error = {0};
    PML_ASSERT_OK(pml_server_create(&i->settings, &i->served, &i->server, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(i->server);
    i->client.port = pml_server_port(i->server);
}

static void close_inside(inside *i) {
    pml_server_destroy(i->server);
    pml_serve_model_close(&i->served);
    pml_model_destroy(i->model);
    pml_file_close(i->file);
}

static int begin(const inside *i, const char *path, const char *body) {
    const char *request =
        pml_test_path("POST %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" SERVE_JSON "Content-Length: %zu\r\n\r\n%s",
                      path, strlen(body), body);
    const int fd = serve_connect(&i->client);
    CU_ASSERT_TRUE(serve_send(fd, request, strlen(request)));
    return fd;
}

/* More requests at a time than wait in the queue: each is answered, or told to come again. */
static void many_requests_meet(void) {
    enum { N = 12, N_ROUNDS = 20 };
    inside i = open_inside(serve_sentences());
    size_t n_good = 0;
    start(&i);
    for (unsigned round = 0; round < N_ROUNDS; round++) {
        int fds[N];
        for (size_t k = 0; k < N; k++) {
            fds[k] = begin(&i, "/v1/embeddings", "{\"input\":[\"a\",\"b c\",\"d e f\",\"g\",\"h\"]}");
        }
        for (size_t k = 0; k < N; k++) {
            serve_answer a = serve_read(fds[k]);
            CU_ASSERT_TRUE(a.http_status == 200 || a.http_status == 503);
            CU_ASSERT_TRUE(a.http_status == 200 || strstr(a.text, "requests wait already") != NULL);
            n_good += a.http_status == 200;
            serve_forget(&a);
            (void)close(fds[k]);
        }
    }
    CU_ASSERT_TRUE(n_good >= N_ROUNDS);
    close_inside(&i);
}

/* It ends with clients in every state: connected, half a request, waiting, in the middle of a stream. */
static void ends_whatever_is_under_way(void) {
    static const char work[] = "{\"prompt\":\"a\",\"n\":128,\"max_tokens\":50,\"ignore_eos\":true,\"stream\":true}";
    for (unsigned round = 0; round < 5; round++) {
        inside i = open_inside(serve_language());
        start(&i);
        int fds[8];
        fds[0] = serve_connect(&i.client);
        fds[1] = serve_connect(&i.client);
        CU_ASSERT_TRUE(serve_send(fds[1], "POST /v1/completions HT", 23));
        for (size_t k = 2; k < 8; k++) {
            fds[k] = begin(&i, "/v1/completions", work);
        }
        char first[32];
        CU_ASSERT_TRUE(recv(fds[2], first, sizeof first, MSG_WAITALL) == (ssize_t)sizeof first);
        if (round % 2 == 1) {
            pml_server_close(i.server);
            CU_ASSERT_TRUE(pml_server_done_fd(i.server) >= 0);
        }
        close_inside(&i);
        for (size_t k = 0; k < 8; k++) {
            free(serve_receive(fds[k]));
            (void)close(fds[k]);
        }
    }
}

/* What is under way when it is closed is answered, and then it says so. */
static void says_when_it_is_done(void) {
    inside i = open_inside(serve_language());
    start(&i);
    const int fd = begin(&i, "/v1/completions", "{\"prompt\":\"a\",\"n\":20,\"max_tokens\":50,\"stream\":true}");
    char first[32];
    CU_ASSERT_TRUE(recv(fd, first, sizeof first, MSG_WAITALL) == (ssize_t)sizeof first);
    pml_server_close(i.server);
    char *text = serve_receive(fd);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "data: [DONE]"));
    free(text);
    (void)close(fd);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(i.client.port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL(connect(late, (const struct sockaddr *)(const void *)&address, sizeof address), -1);
    (void)close(late);
    struct pollfd one = {.fd = pml_server_done_fd(i.server), .events = POLLIN};
    CU_ASSERT_EQUAL(poll(&one, 1, 60000), 1);
    close_inside(&i);
}

static void an_address_in_use_is_an_error(void) {
    inside i = open_inside(serve_sentences());
    pml_error error = {0};
    pml_server *second = NULL;
    start(&i);
    pml_server_settings same = i.settings;
    same.port = i.client.port;
    PML_ASSERT_FAILS(pml_server_create(&same, &i.served, &second, &error), PML_E_IO, &error, "cannot listen at");
    same.host = "no such host.invalid";
    PML_ASSERT_FAILS(pml_server_create(&same, &i.served, &second, &error), PML_E_ARGUMENT, &error, "host");
    close_inside(&i);
}

#if !defined(__SANITIZE_THREAD__)
/* The n-th allocation behind a request fails: it is refused or dropped, and the next one is answered. */
static void failing_allocations_cost_an_answer_at_most(void) {
    inside vectors = open_inside(serve_sentences()), texts = open_inside(serve_language());
    start(&vectors);
    start(&texts);
    size_t n_failed = 0;
    for (unsigned long n = 1; n <= 120; n++) {
        const bool is_text = n % 2 == 0;
        const inside *i = is_text ? &texts : &vectors;
        pml_test_fail_allocation(n / 2 + 1, false);
        const int fd = begin(i, is_text ? "/v1/completions" : "/v1/embeddings",
                             is_text ? "{\"prompt\":[[1,2],[3]],\"max_tokens\":3,\"stop\":\"z\"}"
                                     : "{\"input\":[\"a cat\",\"b\"]}");
        serve_answer a = serve_read(fd);
        pml_test_fail_allocation(0, false);
        CU_ASSERT_TRUE(a.http_status == 200 || a.http_status == 500 || a.http_status == 0);
        n_failed += a.http_status != 200;
        serve_forget(&a);
        (void)close(fd);
        a = serve_post(&i->client, is_text ? "/v1/completions" : "/v1/embeddings",
                       is_text ? "{\"prompt\":\"a\",\"max_tokens\":1}" : "{\"input\":\"a cat\"}");
        CU_ASSERT_EQUAL(a.http_status, 200);
        serve_forget(&a);
    }
    CU_ASSERT_TRUE(n_failed >= 10);
    close_inside(&vectors);
    close_inside(&texts);
}
#define MORE_TESTS , PML_TEST(failing_allocations_cost_an_answer_at_most)
#else
#define MORE_TESTS
#endif

PML_TESTS("runtime/serve/server_inside", PML_TEST(many_requests_meet), PML_TEST(ends_whatever_is_under_way),
          PML_TEST(says_when_it_is_done), PML_TEST(an_address_in_use_is_an_error) MORE_TESTS)
