#include "convert/hub/http_reply.h"

#include <curl/curl.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "runtime/base/alloc.h"

enum { MAX_LINK_BYTES = 16384 };

typedef struct span { /* text that is not zero-terminated */
    const char *at;
    size_t length;
} span;

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static span trim(const char *at, size_t length) {
    while (length > 0 && is_blank(*at)) {
        at++;
        length--;
    }
    while (length > 0 && is_blank(at[length - 1])) {
        length--;
    }
    return (span){at, length};
}

static bool is_text(span s, const char *text) {
    return s.length == strlen(text) && strncasecmp(s.at, text, s.length) == 0;
}

/* The decimal number at the front of *s, which it is cut off from; false when there is none or it is too large. */
static bool take_number(span *s, uint64_t *value) {
    size_t n = 0;
    uint64_t result = 0;
    for (; n < s->length && s->at[n] >= '0' && s->at[n] <= '9'; n++) {
        if (__builtin_mul_overflow(result, 10u, &result) ||
            __builtin_add_overflow(result, (uint64_t)(s->at[n] - '0'), &result)) {
            return false;
        }
    }
    if (n == 0) {
        return false;
    }
    *value = result;
    s->at += n;
    s->length -= n;
    return true;
}

static bool take_character(span *s, char c) {
    if (s->length == 0 || *s->at != c) {
        return false;
    }
    s->at++;
    s->length--;
    return true;
}

static bool whole_number(span s, uint64_t *value) {
    return take_number(&s, value) && s.length == 0;
}

/* Copies what fits into a field; a control character ends the text. */
static void copy_text(span s, char *out, size_t n_bytes) {
    size_t n = 0;
    for (; n < s.length && n + 1 < n_bytes && (unsigned char)s.at[n] >= ' ' && s.at[n] != 0x7F; n++) {
        out[n] = s.at[n];
    }
    out[n] = '\0';
}

/* Without one W/ and the quotes; what does not fit whole is no tag of ours. */
static void copy_etag(span s, char *out, size_t n_bytes) {
    if (s.length >= 2 && s.at[0] == 'W' && s.at[1] == '/') {
        s = (span){s.at + 2, s.length - 2};
    }
    if (s.length >= 2 && s.at[0] == '"' && s.at[s.length - 1] == '"') {
        s = (span){s.at + 1, s.length - 2};
    }
    out[0] = '\0';
    if (s.length < n_bytes) {
        copy_text(s, out, n_bytes);
    }
}

/* "bytes FIRST-LAST/TOTAL" exactly. */
static void read_content_range(pml_http_reply *reply, span s) {
    uint64_t first, last, total;
    if (s.length < 6 || strncasecmp(s.at, "bytes ", 6) != 0) {
        return;
    }
    s = (span){s.at + 6, s.length - 6};
    if (take_number(&s, &first) && take_character(&s, '-') && take_number(&s, &last) && take_character(&s, '/') &&
        whole_number(s, &total) && first <= last && last < total) {
        reply->has_range = true;
        reply->range_first = first;
        reply->range_last = last;
        reply->range_total = total;
    }
}

static bool is_digits(span s) {
    size_t n = 0;
    while (n < s.length && s.at[n] >= '0' && s.at[n] <= '9') {
        n++;
    }
    return n == s.length;
}

static void read_retry_after(pml_http_reply *reply, span s) {
    char date[64];
    uint64_t seconds;
    if (whole_number(s, &seconds)) {
        reply->has_retry_after = true;
        reply->retry_after_s = seconds;
        return;
    }
    if (s.length == 0 || s.length >= sizeof date) {
        return;
    }
    if (is_digits(s)) { /* a number beyond all numbers */
        reply->has_retry_after = true;
        reply->retry_after_s = UINT64_MAX;
        return;
    }
    copy_text(s, date, sizeof date);
    const time_t when = curl_getdate(date, NULL), now = time(NULL);
    if (when != (time_t)-1) {
        reply->has_retry_after = true;
        reply->retry_after_s = when > now ? (uint64_t)(when - now) : 0;
    }
}

/* The next ';'-separated part of *s. */
static bool take_part(span *s, span *part) {
    if (s->length == 0) {
        return false;
    }
    const char *end = memchr(s->at, ';', s->length);
    const size_t n = end != NULL ? (size_t)(end - s->at) : s->length;
    *part = trim(s->at, n);
    const size_t used = end != NULL ? n + 1 : n;
    s->at += used;
    s->length -= used;
    return true;
}

/* RateLimit: "NAME";r=LEFT;t=SECONDS */
static void read_rate(pml_http_rate *rate, span s) {
    span part;
    uint64_t left = 0, reset = 0;
    bool has_left = false, has_reset = false;
    while (take_part(&s, &part)) {
        if (part.length > 2 && part.at[0] == '"' && part.at[part.length - 1] == '"') {
            copy_text((span){part.at + 1, part.length - 2}, rate->name, sizeof rate->name);
        } else if (part.length > 2 && part.at[1] == '=') {
            const span value = {part.at + 2, part.length - 2};
            has_left = (part.at[0] == 'r' && whole_number(value, &left)) || has_left;
            has_reset = (part.at[0] == 't' && whole_number(value, &reset)) || has_reset;
        }
    }
    if (has_left && has_reset) {
        rate->is_known = true;
        rate->left = left;
        rate->reset_s = reset;
    }
}

/* RateLimit-Policy: "fixed window";"NAME";q=QUOTA;w=SECONDS */
static void read_policy(pml_http_rate *rate, span s) {
    span part;
    uint64_t quota;
    while (take_part(&s, &part)) {
        if (part.length > 2 && part.at[0] == 'q' && part.at[1] == '=' &&
            whole_number((span){part.at + 2, part.length - 2}, &quota)) {
            rate->quota = quota;
        }
    }
}

/* Replaces an owned text. */
static pml_status keep(char **field, span s, pml_error *error) {
    char *copy = NULL;
    pml_status status = s.length > MAX_LINK_BYTES ? PML_OK : pml_string_copy(s.at, s.length, &copy, error);
    pml_free(*field);
    *field = copy;
    return status;
}

/* Link: <URL>; rel="next", <URL>; rel="..." */
static pml_status read_link(pml_http_reply *reply, span s, pml_error *error) {
    while (s.length > 0) {
        const char *open = memchr(s.at, '<', s.length);
        const char *close = open != NULL ? memchr(open, '>', s.length - (size_t)(open - s.at)) : NULL;
        if (close == NULL) {
            break;
        }
        const span url = {open + 1, (size_t)(close - open) - 1};
        const size_t left = s.length - (size_t)(close + 1 - s.at);
        const char *comma = memchr(close + 1, ',', left);
        span rest = {close + 1, comma != NULL ? (size_t)(comma - close) - 1 : left}, part;
        while (take_part(&rest, &part)) {
            if (is_text(part, "rel=\"next\"") || is_text(part, "rel=next")) {
                return keep(&reply->next_link, url, error);
            }
        }
        s = comma != NULL ? (span){comma + 1, s.length - (size_t)(comma + 1 - s.at)} : (span){NULL, 0};
    }
    return PML_OK;
}

static void read_id(pml_http_reply *reply, span name, span value) {
    if (is_text(name, "x-request-id") ||
        (reply->request_id[0] == '\0' && (is_text(name, "x-amz-cf-id") || is_text(name, "x-amzn-trace-id")))) {
        copy_text(value, reply->request_id, sizeof reply->request_id);
    }
}

static pml_status read_field(pml_http_reply *reply, span name, span value, pml_error *error) {
    uint64_t number;
    if (is_text(name, "content-length")) {
        reply->has_length = whole_number(value, &reply->length);
    } else if (is_text(name, "content-range")) {
        read_content_range(reply, value);
    } else if (is_text(name, "content-encoding")) {
        reply->is_encoded = reply->is_encoded || (value.length > 0 && !is_text(value, "identity"));
    } else if (is_text(name, "etag")) {
        copy_etag(value, reply->etag, sizeof reply->etag);
    } else if (is_text(name, "x-linked-etag")) {
        copy_etag(value, reply->linked_etag, sizeof reply->linked_etag);
    } else if (is_text(name, "x-linked-size") && whole_number(value, &number)) {
        reply->has_linked_size = true;
        reply->linked_size = number;
    } else if (is_text(name, "x-repo-commit")) {
        copy_text(value, reply->commit, sizeof reply->commit);
    } else if (is_text(name, "retry-after")) {
        read_retry_after(reply, value);
    } else if (is_text(name, "x-error-code")) {
        copy_text(value, reply->error_code, sizeof reply->error_code);
    } else if (is_text(name, "x-error-message")) {
        copy_text(value, reply->error_message, sizeof reply->error_message);
    } else if (is_text(name, "ratelimit")) {
        read_rate(&reply->rate, value);
    } else if (is_text(name, "ratelimit-policy")) {
        read_policy(&reply->rate, value);
    } else if (is_text(name, "location")) {
        return keep(&reply->location, value, error);
    } else if (is_text(name, "link")) {
        return read_link(reply, value, error);
    }
    read_id(reply, name, value);
    return PML_OK;
}

pml_status pml_http_reply_line(pml_http_reply *reply, const char *line, size_t length, pml_error *error) {
    if (length >= 5 && strncasecmp(line, "HTTP/", 5) == 0) {
        const char *space = memchr(line, ' ', length);
        span rest = space != NULL ? trim(space, length - (size_t)(space - line)) : (span){line, 0};
        uint64_t number = 0;
        pml_http_reply_deinit(reply);
        reply->status = take_number(&rest, &number) && number >= 100 && number <= 999 ? (unsigned)number : 0;
        return PML_OK;
    }
    const char *colon = length > 0 ? memchr(line, ':', length) : NULL;
    if (colon == NULL) {
        return PML_OK;
    }
    const span name = trim(line, (size_t)(colon - line));
    const span value = trim(colon + 1, length - (size_t)(colon + 1 - line));
    return read_field(reply, name, value, error);
}

void pml_http_reply_deinit(pml_http_reply *reply) {
    pml_free(reply->location);
    pml_free(reply->next_link);
    *reply = (pml_http_reply){0};
}
