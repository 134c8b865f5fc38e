/* What the header lines of a reply say, as far as a client of the hub needs it. Nothing of it is trusted: texts are cut
 * to their fields, numbers are whole and checked, what cannot be read is absent. */
#ifndef PML_CONVERT_HTTP_REPLY_H
#define PML_CONVERT_HTTP_REPLY_H

#include "runtime/base/error.h"

typedef struct pml_http_rate { /* of the headers RateLimit and RateLimit-Policy */
    bool is_known;
    char name[32];    /* of the budget: "api", "resolvers" */
    uint64_t left;    /* requests that are left... */
    uint64_t reset_s; /* ...until the budget is full again in so many seconds */
    uint64_t quota;   /* 0: not told */
} pml_http_rate;

typedef struct pml_http_reply { /* zero = safe to deinit */
    unsigned status;            /* 0: none yet */
    bool has_length, has_range, has_linked_size, has_retry_after;
    uint64_t length;                               /* Content-Length */
    uint64_t range_first, range_last, range_total; /* Content-Range */
    bool is_encoded;                               /* a Content-Encoding other than identity */
    char etag[160];                                /* without W/ and quotes; "": none */
    char linked_etag[160];                         /* X-Linked-Etag likewise */
    uint64_t linked_size;                          /* X-Linked-Size */
    char commit[48];                               /* X-Repo-Commit */
    uint64_t retry_after_s;                        /* from a number or a date */
    char error_code[64], error_message[256];       /* X-Error-Code, X-Error-Message */
    char request_id[128];                          /* X-Request-Id, else X-Amz-Cf-Id, else X-Amzn-Trace-Id */
    pml_http_rate rate;
    char *location;  /* owned; NULL: none */
    char *next_link; /* of Link: <...>; rel="next"; owned; NULL: none */
} pml_http_reply;

/* Takes one header line, its end included or not. A status line begins the reply anew, so that only the last of several
 * (100 Continue) counts. Errors: MEMORY. */
pml_status pml_http_reply_line(pml_http_reply *reply, const char *line, size_t length,
                               pml_error *error) PML_WARN_UNUSED;
void pml_http_reply_deinit(pml_http_reply *reply);

#endif
