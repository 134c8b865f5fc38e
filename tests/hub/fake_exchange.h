/* One request and the reply to it: first as a hub would give it, then as the faults change it, then sent and logged. */
#ifndef PML_TESTS_HUB_FAKE_EXCHANGE_H
#define PML_TESTS_HUB_FAKE_EXCHANGE_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tests/hub/fake_repos.h"

/* The listeners of one program. The third speaks plain HTTP where the others speak HTTPS. */
typedef enum fake_host { FAKE_HUB, FAKE_CDN, FAKE_PLAIN, FAKE_N_HOSTS } fake_host;
extern const char *const fake_host_names[FAKE_N_HOSTS];

/* What kind of place of the protocol a request is. */
typedef enum fake_place {
    FAKE_OTHER,
    FAKE_REVISION,
    FAKE_TREE,
    FAKE_TREE_NEXT,
    FAKE_MODELS,
    FAKE_RESOLVE,
    FAKE_RESOLVE_CACHE,
    FAKE_OBJECT, /* an LFS object on the second host */
    FAKE_WHOAMI,
    FAKE_N_PLACES
} fake_place;
extern const char *const fake_place_names[FAKE_N_PLACES];

typedef enum fake_framing { FAKE_LENGTH, FAKE_CHUNKED, FAKE_BARE } fake_framing; /* bare: ended by closing */

#define FAKE_NEVER UINT64_MAX

typedef struct fake_body {
    char *text; /* owned bytes, or NULL: bytes of a file */
    int fd;
    uint64_t offset, n_bytes, total_bytes; /* of the file: this reply's range of it */
    fake_framing framing;
    uint64_t declared_bytes; /* what Content-Length says; FAKE_NEVER: n_bytes */
    uint64_t stop_at;        /* the connection ends after so many bytes of this reply */
    bool resets;             /* … by a reset */
    uint64_t stall_at;       /* nothing more for stall_ms after so many bytes */
    uint64_t stall_ms;
    uint64_t flip_at; /* this byte of the file has one bit changed */
    bool is_garbage;
    uint64_t drip_bytes, drip_ms; /* at most so many bytes at once, each after a wait */
    uint64_t sent_bytes;
} fake_body;

#define FAKE_MAX_HEADERS 64

typedef struct fake_exchange {
    struct MHD_Connection *connection;
    fake_host host;
    const char *const *origins; /* of the listeners, such as http://127.0.0.1:8080 */
    char method[8];
    char *raw_path, *path, *query;                /* as sent; decoded; behind '?', "" if none */
    const char *range;                            /* header, or NULL */
    bool has_authorization, is_known, is_refused; /* a token was sent; it is the right one; it is a wrong one */
    fake_place place;
    bool is_bytes; /* the reply carries a file's bytes */
    const fake_revision *revision;
    const fake_file *file;

    unsigned status;
    struct {
        char *name, *value;
    } headers[FAKE_MAX_HEADERS];
    size_t n_headers;
    fake_body body;
    bool closes;       /* no reply at all */
    uint64_t delay_ms; /* before it */
    char *faults;      /* names, for the log; NULL: none */
} fake_exchange;

/* ---- the reply -------------------------------------------------------------------------------------------------- */
void fake_reply_begin(fake_exchange *x, unsigned status); /* drops all headers and the body */
/* Replaces a header of that name, whatever its case; `format` NULL removes it. */
void fake_reply_header(fake_exchange *x, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
const char *fake_reply_find(const fake_exchange *x, const char *name);
void fake_reply_text(fake_exchange *x, const char *type, const char *format, ...) __attribute__((format(printf, 3, 4)));
void fake_reply_bytes(fake_exchange *x, char *bytes, uint64_t n_bytes); /* takes `bytes` */
/* The bytes of a file, or the range of it that was asked for: sets status 200, 206 or 416. */
void fake_reply_file(fake_exchange *x, const char *on_disk, uint64_t total_bytes);
/* {hub}, {cdn}, {plain}, {self}, {path}, {query} replaced; the caller frees. */
char *fake_reply_expand(const fake_exchange *x, const char *text);
enum MHD_Result fake_reply_send(fake_exchange *x);

/* One JSON line. */
void fake_exchange_log(const fake_exchange *x, FILE *stream);
void fake_exchange_destroy(fake_exchange *x);

#endif
