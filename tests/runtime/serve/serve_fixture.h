/* A server as a user starts it, and a client of plain sockets, which can also send what no library would. */
#ifndef PML_TESTS_RUNTIME_SERVE_SERVE_FIXTURE_H
#define PML_TESTS_RUNTIME_SERVE_SERVE_FIXTURE_H

#include <arpa/inet.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness.h"

typedef struct served_process {
    pid_t pid;
    uint16_t port;
    const char *log; /* its stderr */
} served_process;

/* Starts pml-serve, through pml-run, on `file` with further arguments (words apart by single spaces). */
static inline served_process serve_start(const char *file, const char *arguments) {
    static unsigned n_servers;
    served_process s = {.log = pml_test_path("%s/serve-%u.log", pml_test_temporary_dir(), n_servers++)};
    char *words = strdup(arguments), line[256] = "", *argv[40] = {NULL};
    size_t n = 0;
    int out[2];
    argv[n++] = (char *)(uintptr_t)pml_test_path("%s/pml-run", pml_test_binary_dir());
    argv[n++] = (char[]){"serve"};
    argv[n++] = (char *)(uintptr_t)file;
    argv[n++] = (char[]){"--port=0"};
    for (char *word = strtok(words, " "); word != NULL && n < 39; word = strtok(NULL, " ")) {
        argv[n++] = word;
    }
    CU_ASSERT_EQUAL_FATAL(pipe(out), 0);
    s.pid = fork();
    if (s.pid == 0) {
        (void)dup2(out[1], STDOUT_FILENO);
        (void)close(out[0]);
        (void)close(out[1]);
        if (freopen(s.log, "w", stderr) != NULL) {
            (void)execv(argv[0], argv);
        }
        _exit(99);
    }
    (void)close(out[1]);
    FILE *stream = fdopen(out[0], "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    if (fgets(line, sizeof line, stream) != NULL) {
        const char *host = strstr(line, "127.0.0.1:");
        s.port = host != NULL ? (uint16_t)strtoul(host + 10, NULL, 10) : 0;
    }
    (void)fclose(stream);
    free(words);
    return s;
}

/* Waits for its end: exit code, or 128 + signal. */
static inline int serve_wait(const served_process *s) {
    int status = 0;
    (void)waitpid(s->pid, &status, 0);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Ends it as a service manager does and asserts that it ended so. */
static inline void serve_stop(const served_process *s) {
    (void)kill(s->pid, SIGTERM);
    const int code = serve_wait(s);
    CU_ASSERT_EQUAL(code, 128 + SIGTERM);
    if (code != 128 + SIGTERM) {
        (void)pml_test_command(NULL, "cat '%s'", s->log);
    }
}

static inline int serve_connect(const served_process *s) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct timeval limit = {.tv_sec = 60}; /* a hang is a failure, not a stuck test */
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(s->port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    CU_ASSERT_EQUAL_FATAL(connect(fd, (const struct sockaddr *)(const void *)&address, sizeof address), 0);
    return fd;
}

/* False when the server ended the connection meanwhile. */
static inline bool serve_send(int fd, const void *bytes, size_t size_bytes) {
    for (size_t at = 0; at < size_bytes;) {
        const ssize_t n = send(fd, (const char *)bytes + at, size_bytes - at, MSG_NOSIGNAL);
        if (n <= 0) {
            return false;
        }
        at += (size_t)n;
    }
    return true;
}

/* All that comes until the server ends the connection; the caller frees. */
static inline char *serve_receive(int fd) {
    size_t n = 0, capacity = 65536;
    char *text = malloc(capacity + 1);
    for (ssize_t got = 1; got > 0; n += got > 0 ? (size_t)got : 0) {
        if (n == capacity) {
            capacity *= 2;
            text = realloc(text, capacity + 1);
        }
        got = recv(fd, text + n, capacity - n, 0);
    }
    text[n] = '\0';
    return text;
}

typedef struct serve_answer {
    unsigned http_status; /* 0: there was none */
    char *text;           /* head and body; owned */
    const char *body;     /* "" where there is none */
} serve_answer;

static inline void serve_forget(serve_answer *a) {
    free(a->text);
    *a = (serve_answer){0};
}

static inline serve_answer serve_read(int fd) {
    serve_answer a = {.text = serve_receive(fd), .body = ""};
    if (strncmp(a.text, "HTTP/1.1 ", 9) == 0) {
        a.http_status = (unsigned)strtoul(a.text + 9, NULL, 10);
        const char *end = strstr(a.text, "\r\n\r\n");
        a.body = end != NULL ? end + 4 : "";
    }
    return a;
}

/* One request on a connection of its own. `headers`: further ones, each with its end of line. `body` NULL: none. */
static inline serve_answer serve_ask_bytes(const served_process *s, const char *method, const char *path,
                                           const char *headers, const void *body, size_t body_bytes) {
    char head[2048];
    const int fd = serve_connect(s);
    int n =
        snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: here\r\nConnection: close\r\n%s", method, path, headers);
    if (body != NULL) {
        n += snprintf(head + n, sizeof head - (size_t)n, "Content-Length: %zu\r\n", body_bytes);
    }
    n += snprintf(head + n, sizeof head - (size_t)n, "\r\n");
    (void)(serve_send(fd, head, (size_t)n) && serve_send(fd, body, body_bytes));
    serve_answer a = serve_read(fd);
    (void)close(fd);
    return a;
}

#define SERVE_JSON "Content-Type: application/json\r\n"

static inline serve_answer serve_get(const served_process *s, const char *path) {
    return serve_ask_bytes(s, "GET", path, "", NULL, 0);
}

static inline serve_answer serve_post(const served_process *s, const char *path, const char *body) {
    return serve_ask_bytes(s, "POST", path, SERVE_JSON, body, strlen(body));
}

/* Asserts status and that the answer contains `part`. */
#define SERVE_EXPECT(answer, status, part) CU_ASSERT_TRUE(serve_expect((answer), (status), (part), __FILE__, __LINE__))
static inline bool serve_expect(serve_answer a, unsigned status, const char *part, const char *file, int line) {
    const bool fits = a.http_status == status && strstr(a.text, part) != NULL;
    if (!fits) {
        (void)printf("\n    %s:%d: expected %u and '%s'; the answer is:\n%.2000s\n", file, line, status, part, a.text);
    }
    serve_forget(&a);
    return fits;
}

/* Text behind `key` in an answer up to the next quote; lives until the program ends. */
static inline const char *serve_member(const char *text, const char *key) {
    const char *at = strstr(text, key);
    if (at == NULL) {
        return "";
    }
    at += strlen(key);
    return pml_test_path("%.*s", (int)strcspn(at, "\""), at);
}

/* The value of a metric's line, which `line` begins; -1: there is none. */
static inline double serve_metric(const served_process *s, const char *line) {
    serve_answer a = serve_get(s, "/metrics");
    const char *at = strstr(a.body, line);
    const double value = at != NULL ? strtod(at + strlen(line), NULL) : -1;
    serve_forget(&a);
    return value;
}

#endif
