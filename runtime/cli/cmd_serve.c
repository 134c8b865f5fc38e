/* pml-serve: an HTTP server for one model. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "runtime/base/alloc.h"
#include "runtime/base/input.h"
#include "runtime/base/json_writer.h"
#include "runtime/base/log.h"
#include "runtime/cli/run_commands.h"
#include "runtime/serve/server.h"

typedef struct serve_options {
    pml_common_options common;
    pml_model_options model;
    const char *host, *name, *api_key;
    pml_option_u64 port, max_queue, max_body, max_connections, max_memory, batch_texts, batch_tokens;
    pml_option_u64 read_timeout, idle_timeout, timeout, drain_timeout;
    bool truncate;
} serve_options;

#define NUMBER(name, field, argument, help)                                                                            \
    { (name), 0, PML_OPTION_U64, (argument), NULL, (help), offsetof(serve_options, field) }
static const pml_option option_table[] = {
    {"host", 0, PML_OPTION_TEXT, "HOST", NULL, "listen at this address (default: 127.0.0.1)",
     offsetof(serve_options, host)},
    NUMBER("port", port, "N", "and this port; 0: any that is free (default: 8080)"),
    {"model-name", 0, PML_OPTION_TEXT, "NAME", NULL, "how requests call the model (default: FILE's name)",
     offsetof(serve_options, name)},
    {"api-key", 0, PML_OPTION_TEXT, "KEY", NULL, "ask for this key (ps shows it; not PML_SERVE_API_KEY)",
     offsetof(serve_options, api_key)},
    {"truncate", 0, PML_OPTION_FLAG, NULL, NULL, "cut texts that are too long, do not refuse them",
     offsetof(serve_options, truncate)},
    NUMBER("max-queue", max_queue, "N", "requests that may wait (default: 64)"),
    NUMBER("max-body", max_body, "BYTES", "of a request (default: 1 MiB)"),
    NUMBER("max-connections", max_connections, "N", "at a time (default: 256)"),
    NUMBER("max-memory", max_memory, "BYTES", "for requests and their answers (default: 256 MiB)"),
    NUMBER("batch-texts", batch_texts, "N", "texts that are computed together (default: 32)"),
    NUMBER("batch-tokens", batch_tokens, "N", "tokens of such texts (default: 4096)"),
    NUMBER("read-timeout", read_timeout, "S", "a request must come in within S seconds (default: 30)"),
    NUMBER("idle-timeout", idle_timeout, "S", "end connections that are silent (default: 60)"),
    NUMBER("timeout", timeout, "S", "an answer may take S seconds (default: 600)"),
    NUMBER("drain-timeout", drain_timeout, "S", "what is under way at the end may (default: 30)"),
    PML_MODEL_OPTION_ROWS(serve_options),
    PML_OPTION_ROWS_END};

/* ---- settings -------------------------------------------------------------------------------------------------------
 */
typedef struct number_row {
    const char *name;
    const pml_option_u64 *given;
    uint64_t least, most, usual;
    uint64_t *value;
} number_row;

static pml_status read_numbers(const number_row *rows, size_t n_rows, pml_error *error) {
    for (size_t i = 0; i < n_rows; i++) {
        const uint64_t value = rows[i].given->is_set ? rows[i].given->value : rows[i].usual;
        if (value < rows[i].least || value > rows[i].most) {
            return PML_FAIL(error, PML_E_ARGUMENT, "--%s must be from %llu to %llu", rows[i].name,
                            (unsigned long long)rows[i].least, (unsigned long long)rows[i].most);
        }
        *rows[i].value = value;
    }
    return PML_OK;
}

static pml_status read_settings(const serve_options *o, pml_server_settings *s, uint64_t *drain_seconds,
                                pml_error *error) {
    pml_status status = PML_OK;
    uint64_t port, queue, body, connections, memory, texts, tokens, read_s, idle_s, total_s;
    const number_row rows[] = {
        {"port", &o->port, 0, 65535, 8080, &port},
        {"max-queue", &o->max_queue, 1, 1000000, 64, &queue},
        {"max-body", &o->max_body, 1, 1u << 30, 1u << 20, &body},
        {"max-connections", &o->max_connections, 1, 65535, 256, &connections},
        {"max-memory", &o->max_memory, 1u << 20, (uint64_t)1 << 40, 1u << 28, &memory},
        {"batch-texts", &o->batch_texts, 1, 65536, 32, &texts},
        {"batch-tokens", &o->batch_tokens, 1, 1u << 24, 4096, &tokens},
        {"read-timeout", &o->read_timeout, 1, 86400, 30, &read_s},
        {"idle-timeout", &o->idle_timeout, 1, 86400, 60, &idle_s},
        {"timeout", &o->timeout, 1, 86400, 600, &total_s},
        {"drain-timeout", &o->drain_timeout, 0, 86400, 30, drain_seconds},
    };
    const char *key = o->api_key != NULL ? o->api_key : getenv("PML_SERVE_API_KEY");
    PML_TRY(read_numbers(rows, sizeof rows / sizeof rows[0], error));
    if (key != NULL && key[0] == '\0') {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "the API key is empty: leave it away, or give one"));
    }
    *s = (pml_server_settings){.host = o->host != NULL ? o->host : "127.0.0.1",
                               .port = (uint16_t)port,
                               .api_key = key,
                               .max_queue = queue,
                               .max_body_bytes = body,
                               .max_connections = connections,
                               .max_memory_bytes = memory,
                               .batch_texts = texts,
                               .batch_tokens = tokens,
                               .read_seconds = (unsigned)read_s,
                               .idle_seconds = (unsigned)idle_s,
                               .total_seconds = (unsigned)total_s};
done:
    return status;
}

/* The name of a file without its folder and ".pml"; the caller's (pml_free). */
static pml_status name_of(const char *path, char **name, pml_error *error) {
    const char *slash = strrchr(path, '/');
    const char *begin = slash != NULL ? slash + 1 : path;
    size_t length = strlen(begin);
    if (length > 4 && strcmp(begin + length - 4, ".pml") == 0) {
        length -= 4;
    }
    return pml_string_copy(begin, length, name, error);
}

/* ---- what is said ---------------------------------------------------------------------------------------------------
 */
static void log_served_json(const pml_served *s) {
    char *text = NULL;
    size_t size_bytes = 0;
    pml_json_writer w;
    FILE *stream = open_memstream(&text, &size_bytes);
    if (stream == NULL) {
        return;
    }
    pml_json_writer_init(&w, stream, false);
    pml_json_begin_object(&w, NULL);
    pml_json_string(&w, "request", s->id);
    pml_json_string(&w, "method", s->method);
    pml_json_string(&w, "route", s->route);
    pml_json_u64(&w, "status", s->http_status);
    pml_json_f64(&w, "ms", (double)(int64_t)(s->seconds * 1e6) * 1e-3);
    pml_json_f64(&w, "wait_ms", (double)(int64_t)(s->wait_seconds * 1e6) * 1e-3);
    pml_json_u64(&w, "texts", s->texts);
    pml_json_u64(&w, "prompt_tokens", s->prompt_tokens);
    pml_json_u64(&w, "completion_tokens", s->completion_tokens);
    pml_json_end_object(&w);
    const pml_status status = pml_json_finish(&w, NULL);
    if (fclose(stream) == 0 && status == PML_OK) {
        (void)fwrite(text, 1, size_bytes, stderr);
    }
    free(text); /* open_memstream's own */
}

static void on_served(void *user, const pml_served *s) {
    const serve_options *o = user;
    if (o->common.json) {
        log_served_json(s);
    }
    pml_log(PML_LOG_INFO, "%s %s %s %u %.1f ms, waited %.1f ms, %llu texts, %llu tokens read, %llu generated", s->id,
            s->method, s->route, s->http_status, s->seconds * 1e3, s->wait_seconds * 1e3, (unsigned long long)s->texts,
            (unsigned long long)s->prompt_tokens, (unsigned long long)s->completion_tokens);
}

static pml_status print_address(const serve_options *o, const pml_server_settings *s, const char *model, uint16_t port,
                                pml_error *error) {
    const bool is_v6 = strchr(s->host, ':') != NULL;
    char url[300];
    (void)snprintf(url, sizeof url, "http://%s%.200s%s:%u", is_v6 ? "[" : "", s->host, is_v6 ? "]" : "", port);
    if (o->common.json) {
        pml_json_writer w;
        pml_json_writer_init(&w, stdout, false);
        pml_json_begin_object(&w, NULL);
        pml_json_string(&w, "url", url);
        pml_json_u64(&w, "port", port);
        pml_json_string(&w, "model", model);
        pml_json_end_object(&w);
        return pml_json_finish(&w, error);
    }
    (void)printf("%s\n", url);
    return fflush(stdout) == 0 ? PML_OK
                               : PML_FAIL(error, PML_E_IO, "cannot write to standard output: %s", strerror(errno));
}

/* ---- signals --------------------------------------------------------------------------------------------------------
 */

/* The signals that end a server, but for those that whoever started us has it ignore. */
static void list_signals(sigset_t *set) {
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
    (void)sigemptyset(set);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        struct sigaction now;
        if (sigaction(ends[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN) {
            (void)sigaddset(set, ends[i]);
        }
    }
}

static int read_signal(int fd) {
    struct signalfd_siginfo info;
    return read(fd, &info, sizeof info) == (ssize_t)sizeof info ? (int)info.ssi_signo : 0;
}

/* Serves until a signal comes, then until what is under way is done or its time is over. A second signal ends the
 * process as if it had never been held. *signal_number: the first. */
static pml_status serve_until_signal(pml_server *server, int signal_fd, uint64_t drain_seconds, int *signal_number,
                                     pml_error *error) {
    struct pollfd both[2] = {{.fd = signal_fd, .events = POLLIN}, {.fd = -1, .events = POLLIN}};
    int timeout_ms = -1;
    for (;;) {
        const int n = poll(both, 2, timeout_ms);
        if (n < 0 && errno != EINTR) {
            return PML_FAIL(error, PML_E_IO, "poll: %s", strerror(errno));
        }
        const int got = n > 0 && both[0].revents != 0 ? read_signal(signal_fd) : 0;
        if (got != 0 && *signal_number != 0) {
            sigset_t one;
            (void)signal(got, SIG_DFL);
            (void)sigemptyset(&one);
            (void)sigaddset(&one, got);
            (void)raise(got);
            (void)sigprocmask(SIG_UNBLOCK, &one, NULL);
        } else if (got != 0) {
            *signal_number = got;
            pml_log(PML_LOG_INFO, "no more requests are taken; what is under way goes on for at most %llu s",
                    (unsigned long long)drain_seconds);
            pml_server_close(server);
            both[1].fd = pml_server_done_fd(server);
            timeout_ms = (int)(drain_seconds * 1000);
        } else if (*signal_number != 0 && n >= 0) {
            return PML_OK; /* all is done, or the time is over */
        }
    }
}

/* Lets the held signal through to the command's own handler, which ends the program in the usual way. */
static pml_status end_by(int signal_number, const sigset_t *set, pml_error *error) {
    (void)raise(signal_number);
    (void)sigprocmask(SIG_UNBLOCK, set, NULL);
    return PML_FAIL(error, PML_E_INTERRUPTED, "ended by a signal");
}

static pml_status serve(const serve_options *o, const char *path, pml_error *error) {
    pml_status status = PML_OK;
    pml_server_settings settings;
    pml_loaded loaded = {0};
    pml_serve_model model = {0};
    pml_server *server = NULL;
    uint64_t drain_seconds;
    char *name = NULL;
    sigset_t set;
    int signal_fd = -1, signal_number = 0;
    PML_TRY(read_settings(o, &settings, &drain_seconds, error));
    settings.served = on_served;
    settings.user = (void *)(uintptr_t)o;
    PML_TRY(o->name != NULL ? pml_string_copy(o->name, strlen(o->name), &name, error) : name_of(path, &name, error));
    PML_TRY(pml_loaded_open(path, &o->model, &loaded, error));
    status = pml_serve_model_open(loaded.file, loaded.model, name, o->truncate, &model, error);
    if (status != PML_OK) {
        PML_TRY(pml_error_prefix(error, status, "%s", path));
    }
    (void)signal(SIGPIPE, SIG_IGN); /* clients go away; that ends connections only */
    list_signals(&set);
    (void)sigprocmask(SIG_BLOCK, &set, NULL); /* threads inherit it */
    signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signal_fd < 0) {
        PML_TRY(PML_FAIL(error, PML_E_IO, "signalfd: %s", strerror(errno)));
    }
    PML_TRY(pml_server_create(&settings, &model, &server, error));
    PML_TRY(print_address(o, &settings, name, pml_server_port(server), error));
    PML_TRY(serve_until_signal(server, signal_fd, drain_seconds, &signal_number, error));
done:
    pml_server_destroy(server);
    pml_serve_model_close(&model);
    pml_loaded_close(&loaded);
    pml_free(name);
    if (signal_fd >= 0) {
        (void)close(signal_fd);
    }
    return status == PML_OK ? end_by(signal_number, &set, error) : status;
}

static pml_status run(const void *options, char **operands, unsigned n_operands, pml_error *error) {
    (void)n_operands;
    return serve(options, operands[0], error);
}

extern const pml_command pml_cmd_serve;
const pml_command pml_cmd_serve = {
    .name = "serve",
    .operands = "FILE",
    .summary = "Answer requests over HTTP as OpenAI's API does: /v1/embeddings, /v1/completions.",
    .examples = "pml-run serve model.pml --port 8080\n"
                "curl localhost:8080/v1/embeddings -H 'Content-Type: application/json' \\\n"
                "     -d '{\"input\": [\"a cat\", \"a kitten\"]}'",
    .options = option_table,
    .options_bytes = sizeof(serve_options),
    .least_operands = 1,
    .most_operands = 1,
    .run = run,
};
