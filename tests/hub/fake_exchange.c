#include "tests/hub/fake_exchange.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/json_writer.h"
#include "tests/hub/fake_text.h"

const char *const fake_host_names[FAKE_N_HOSTS] = {"hub", "cdn", "plain"};
const char *const fake_place_names[FAKE_N_PLACES] = {
    [FAKE_OTHER] = "other",   [FAKE_REVISION] = "revision", [FAKE_TREE] = "tree",
    [FAKE_MODELS] = "models", [FAKE_RESOLVE] = "resolve",   [FAKE_TREE_NEXT] = "tree-next",
    [FAKE_OBJECT] = "object", [FAKE_WHOAMI] = "whoami",     [FAKE_RESOLVE_CACHE] = "resolve-cache",
};

enum { BLOCK_BYTES = 256 * 1024 };

static void release_body(fake_body *body) {
    free(body->text);
    if (body->fd > 0) {
        (void)close(body->fd);
    }
    *body =
        (fake_body){.declared_bytes = FAKE_NEVER, .stop_at = FAKE_NEVER, .stall_at = FAKE_NEVER, .flip_at = FAKE_NEVER};
}

void fake_reply_begin(fake_exchange *x, unsigned status) {
    for (size_t i = 0; i < x->n_headers; i++) {
        free(x->headers[i].name);
        free(x->headers[i].value);
    }
    x->n_headers = 0;
    x->status = status;
    release_body(&x->body);
}

void fake_reply_header(fake_exchange *x, const char *name, const char *format, ...) {
    size_t index = 0;
    while (index < x->n_headers && strcasecmp(x->headers[index].name, name) != 0) {
        index++;
    }
    if (index < x->n_headers) {
        free(x->headers[index].name);
        free(x->headers[index].value);
        x->headers[index] = x->headers[--x->n_headers];
    }
    if (format != NULL && x->n_headers < FAKE_MAX_HEADERS) {
        va_list arguments;
        va_start(arguments, format);
        x->headers[x->n_headers].name = fake_text("%s", name);
        x->headers[x->n_headers++].value = fake_text_list(format, arguments);
        va_end(arguments);
    }
}

const char *fake_reply_find(const fake_exchange *x, const char *name) {
    for (size_t i = 0; i < x->n_headers; i++) {
        if (strcasecmp(x->headers[i].name, name) == 0) {
            return x->headers[i].value;
        }
    }
    return NULL;
}

void fake_reply_text(fake_exchange *x, const char *type, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char *text = fake_text_list(format, arguments);
    va_end(arguments);
    fake_reply_header(x, "Content-Type", "%s", type);
    fake_reply_bytes(x, text, strlen(text));
}

void fake_reply_bytes(fake_exchange *x, char *bytes, uint64_t n_bytes) {
    release_body(&x->body);
    x->body.text = bytes;
    x->body.n_bytes = x->body.total_bytes = n_bytes;
}

/* The one range "bytes=A-B", "bytes=A-" or "bytes=-N"; anything else counts as none. */
static bool parse_range(const char *text, uint64_t total, uint64_t *first, uint64_t *last) {
    if (text == NULL || strncmp(text, "bytes=", 6) != 0 || strchr(text, ',') != NULL) {
        return false;
    }
    char *end = NULL;
    if (text[6] == '-') {
        uint64_t n_bytes = strtoull(text + 7, &end, 10);
        *first = n_bytes >= total ? 0 : total - n_bytes;
        *last = total - 1;
        return *end == '\0';
    }
    *first = strtoull(text + 6, &end, 10);
    if (*end != '-') {
        return false;
    }
    *last = end[1] == '\0' ? total - 1 : strtoull(end + 1, &end, 10);
    *last = *last >= total ? total - 1 : *last;
    return true;
}

void fake_reply_file(fake_exchange *x, const char *on_disk, uint64_t total_bytes) {
    uint64_t first = 0, last = total_bytes == 0 ? 0 : total_bytes - 1;
    bool is_range = parse_range(x->range, total_bytes, &first, &last);
    fake_reply_header(x, "Accept-Ranges", "bytes");
    if (is_range && (total_bytes == 0 || first > last)) {
        x->status = 416;
        fake_reply_header(x, "Content-Range", "bytes */%llu", (unsigned long long)total_bytes);
        return;
    }
    release_body(&x->body);
    x->body.fd = open(on_disk, O_RDONLY | O_CLOEXEC);
    if (x->body.fd < 0) {
        (void)fprintf(stderr, "fake_hub: %s: %s\n", on_disk, strerror(errno));
        x->status = 500;
        return;
    }
    x->status = is_range ? 206 : 200;
    x->body.total_bytes = total_bytes;
    x->body.offset = first;
    x->body.n_bytes = total_bytes == 0 ? 0 : last - first + 1;
    x->is_bytes = strcmp(x->method, "GET") == 0;
    if (is_range) {
        fake_reply_header(x, "Content-Range", "bytes %llu-%llu/%llu", (unsigned long long)first,
                          (unsigned long long)last, (unsigned long long)total_bytes);
    }
}

char *fake_reply_expand(const fake_exchange *x, const char *text) {
    char *self = fake_text("%s%s%s%s", x->origins[x->host], x->raw_path, *x->query != '\0' ? "?" : "", x->query);
    const struct {
        const char *name, *value;
    } names[] = {{"{hub}", x->origins[FAKE_HUB]},     {"{cdn}", x->origins[FAKE_CDN]}, {"{self}", self},
                 {"{plain}", x->origins[FAKE_PLAIN]}, {"{path}", x->raw_path},         {"{query}", x->query}};
    char *out = fake_text("%s", "");
    while (*text != '\0') {
        size_t length = 1;
        const char *put = text;
        int put_length = 1;
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
            if (strncmp(text, names[i].name, strlen(names[i].name)) == 0) {
                length = strlen(names[i].name);
                put = names[i].value;
                put_length = (int)strlen(put);
            }
        }
        char *longer = fake_text("%s%.*s", out, put_length, put);
        free(out);
        out = longer;
        text += length;
    }
    free(self);
    return out;
}

/* ---- sending ---------------------------------------------------------------------------------------------------- */
static int socket_of(const fake_exchange *x) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info != NULL ? info->connect_fd : -1;
}

/* Waits, but not for a client that has gone away. */
static void wait_ms(const fake_exchange *x, uint64_t ms) {
    const struct timespec slice = {.tv_nsec = 10 * 1000000};
    for (uint64_t gone = 0; gone < ms; gone += 10) {
        char byte = 0;
        ssize_t got = recv(socket_of(x), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
            return;
        }
        struct timespec rest = {.tv_nsec = (long)(ms - gone) * 1000000};
        (void)nanosleep(ms - gone < 10 ? &rest : &slice, NULL);
    }
}

/* A socket that is "connected to nothing" resets its peer at once. */
static void reset_connection(fake_exchange *x) {
    struct sockaddr nothing = {.sa_family = AF_UNSPEC};
    (void)connect(socket_of(x), &nothing, sizeof nothing);
}

static void spoil(const fake_body *body, uint64_t at, char *bytes, size_t count) {
    uint64_t position = body->offset + at;
    for (size_t i = 0; body->is_garbage && i < count; i++) {
        bytes[i] = (char)((position + i) * 0x9E3779B97F4A7C15u >> 56);
    }
    if (body->flip_at >= position && body->flip_at < position + count) {
        bytes[body->flip_at - position] ^= 1;
    }
}

static ssize_t read_body(void *state, uint64_t at, char *buffer, size_t capacity) {
    fake_exchange *x = state;
    fake_body *body = &x->body;
    uint64_t edge = body->n_bytes;
    if (body->stall_at != FAKE_NEVER && at >= body->stall_at) {
        wait_ms(x, body->stall_ms);
        body->stall_at = FAKE_NEVER;
    }
    if (body->stop_at != FAKE_NEVER && at >= body->stop_at) {
        if (body->resets) {
            wait_ms(x, 20); /* what was sent arrives before the reset does */
            reset_connection(x);
        }
        return body->framing == FAKE_BARE && !body->resets ? MHD_CONTENT_READER_END_OF_STREAM
                                                           : MHD_CONTENT_READER_END_WITH_ERROR;
    }
    if (at >= edge && body->declared_bytes != FAKE_NEVER && at < body->declared_bytes) {
        size_t count = body->declared_bytes - at < capacity ? (size_t)(body->declared_bytes - at) : capacity;
        memset(buffer, 'x', count); /* declared longer than the file is */
        body->sent_bytes += count;
        return (ssize_t)count;
    }
    edge = body->stop_at < edge ? body->stop_at : edge;
    edge = body->stall_at < edge ? body->stall_at : edge;
    uint64_t left = at < edge ? edge - at : 0;
    if (left == 0) {
        return MHD_CONTENT_READER_END_OF_STREAM;
    }
    size_t count = left < capacity ? (size_t)left : capacity;
    if (body->drip_bytes > 0) {
        wait_ms(x, body->drip_ms);
        count = count < body->drip_bytes ? count : (size_t)body->drip_bytes;
    }
    if (body->text != NULL) {
        memcpy(buffer, body->text + body->offset + at, count);
    } else {
        ssize_t got = pread(body->fd, buffer, count, (off_t)(body->offset + at));
        if (got <= 0) {
            return MHD_CONTENT_READER_END_WITH_ERROR;
        }
        count = (size_t)got;
    }
    spoil(body, at, buffer, count);
    body->sent_bytes += count;
    return (ssize_t)count;
}

enum MHD_Result fake_reply_send(fake_exchange *x) {
    wait_ms(x, x->delay_ms);
    if (x->closes) {
        if (x->body.resets) {
            reset_connection(x);
        }
        return MHD_NO;
    }
    const fake_body *body = &x->body;
    uint64_t size = body->framing != FAKE_LENGTH         ? MHD_SIZE_UNKNOWN
                    : body->declared_bytes != FAKE_NEVER ? body->declared_bytes
                                                         : body->n_bytes;
    struct MHD_Response *response = MHD_create_response_from_callback(size, BLOCK_BYTES, read_body, x, NULL);
    if (response == NULL) {
        return MHD_NO;
    }
    if (body->framing == FAKE_BARE) {
        (void)MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
    }
    for (size_t i = 0; i < x->n_headers; i++) {
        (void)MHD_add_response_header(response, x->headers[i].name, x->headers[i].value);
    }
    enum MHD_Result result = MHD_queue_response(x->connection, x->status, response);
    MHD_destroy_response(response);
    return result;
}

/* ---- afterwards ------------------------------------------------------------------------------------------------- */
void fake_exchange_log(const fake_exchange *x, FILE *stream) {
    pml_json_writer w;
    pml_json_writer_init(&w, stream, false);
    pml_json_begin_object(&w, NULL);
    pml_json_string(&w, "host", fake_host_names[x->host]);
    pml_json_string(&w, "method", x->method);
    pml_json_string(&w, "place", fake_place_names[x->place]);
    pml_json_string(&w, "path", x->path);
    pml_json_string(&w, "query", x->query);
    pml_json_string(&w, "range", x->range);
    pml_json_bool(&w, "has_authorization", x->has_authorization);
    pml_json_u64(&w, "status", x->closes ? 0 : x->status);
    pml_json_u64(&w, "bytes", x->body.sent_bytes);
    pml_json_bool(&w, "is_bytes", x->is_bytes);
    pml_json_string(&w, "faults", x->faults);
    pml_json_end_object(&w);
    pml_error error;
    if (pml_json_finish(&w, &error) != PML_OK) {
        abort();
    }
}

void fake_exchange_destroy(fake_exchange *x) {
    fake_reply_begin(x, 0);
    free(x->raw_path);
    free(x->path);
    free(x->query);
    free(x->faults);
    free(x);
}
