#include "convert/hub/hub_url.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "runtime/base/alloc.h"
#include "runtime/base/quote.h"

pml_status pml_hub_url_encode(const char *text, bool keeps_slash, char **encoded, pml_error *error) {
    static const char digits[] = "0123456789ABCDEF";
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    pml_status status = pml_alloc(strlen(text) + 1, 3, encoded, error);
    if (status != PML_OK) {
        return status;
    }
    char *out = *encoded;
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        if (strchr(plain, *at) != NULL || (keeps_slash && *at == '/')) {
            *out++ = (char)*at;
        } else {
            *out++ = '%';
            *out++ = digits[*at >> 4];
            *out++ = digits[*at & 15];
        }
    }
    *out = '\0';
    return PML_OK;
}

/* Scheme, host and port of an address, owned by libcurl. */
typedef struct origin {
    char *scheme, *host, *port;
} origin;

static void origin_deinit(origin *o) {
    curl_free(o->scheme);
    curl_free(o->host);
    curl_free(o->port);
    *o = (origin){0};
}

static bool origin_read(CURLU *url, origin *o) {
    return curl_url_get(url, CURLUPART_SCHEME, &o->scheme, 0) == CURLUE_OK &&
           curl_url_get(url, CURLUPART_HOST, &o->host, 0) == CURLUE_OK &&
           curl_url_get(url, CURLUPART_PORT, &o->port, CURLU_DEFAULT_PORT) == CURLUE_OK;
}

static bool has_part(CURLU *url, CURLUPart part) {
    char *text = NULL;
    const bool has = curl_url_get(url, part, &text, 0) == CURLUE_OK && text != NULL && text[0] != '\0';
    curl_free(text);
    return has;
}

static bool is_web(const origin *o) {
    return strcasecmp(o->scheme, "https") == 0 || strcasecmp(o->scheme, "http") == 0;
}

static bool is_too_long(const char *text) {
    return strlen(text) >= PML_HUB_MAX_URL_BYTES;
}

pml_status pml_hub_url_endpoint(const char *text, char **endpoint, pml_error *error) {
    pml_status status = PML_OK;
    pml_quoted quoted;
    origin o = {0};
    CURLU *url = curl_url();
    size_t length = strlen(text);
    *endpoint = NULL;
    if (url == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "out of memory for an address"));
    }
    if (is_too_long(text) || curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK ||
        !origin_read(url, &o) || !is_web(&o) || has_part(url, CURLUPART_USER) || has_part(url, CURLUPART_PASSWORD)) {
        /* Not shown: what is wrong may be a password in front of the host. */
        PML_TRY(PML_FAIL(error, PML_E_CONFIG,
                         "the endpoint must be http://HOST[:PORT] or https://HOST[:PORT], without user or password"));
    }
    if (has_part(url, CURLUPART_QUERY) || has_part(url, CURLUPART_FRAGMENT)) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "the endpoint %s must have no query", pml_quote(&quoted, text)));
    }
    while (length > 0 && text[length - 1] == '/') {
        length--;
    }
    PML_TRY(pml_string_copy(text, length, endpoint, error));
done:
    origin_deinit(&o);
    curl_url_cleanup(url);
    return status;
}

static bool parse_origin(const char *text, origin *o) {
    CURLU *url = curl_url();
    const bool parsed = url != NULL && curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
                        origin_read(url, o);
    curl_url_cleanup(url);
    return parsed;
}

bool pml_hub_url_same_origin(const char *a, const char *b) {
    origin one = {0}, other = {0};
    const bool same = parse_origin(a, &one) && parse_origin(b, &other) && strcasecmp(one.scheme, other.scheme) == 0 &&
                      strcasecmp(one.host, other.host) == 0 && strcmp(one.port, other.port) == 0;
    origin_deinit(&one);
    origin_deinit(&other);
    return same;
}

bool pml_hub_url_is_https(const char *url) {
    return strncasecmp(url, "https://", 8) == 0;
}

pml_status pml_hub_url_redirect(const char *from, const char *location, bool allow_http, char **to, pml_error *error) {
    pml_status status = PML_OK;
    pml_quoted quoted;
    origin o = {0};
    char *joined = NULL;
    CURLU *url = curl_url();
    *to = NULL;
    if (url == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "out of memory for an address"));
    }
    if (is_too_long(location) || curl_url_set(url, CURLUPART_URL, from, 0) != CURLUE_OK ||
        curl_url_set(url, CURLUPART_URL, location, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK || !origin_read(url, &o)) {
        PML_TRY(PML_FAIL(error, PML_E_NETWORK, "the server redirects to what is no address"));
    }
    if (!is_web(&o)) {
        PML_TRY(PML_FAIL(error, PML_E_NETWORK, "the server redirects to the scheme %s: refused",
                         pml_quote(&quoted, o.scheme)));
    }
    if (strcasecmp(o.scheme, "http") == 0 && (!allow_http || pml_hub_url_is_https(from))) {
        PML_TRY(PML_FAIL(error, PML_E_NETWORK,
                         "the server redirects to http on host %s, which nothing protects: refused",
                         pml_quote(&quoted, o.host)));
    }
    if (has_part(url, CURLUPART_USER) || has_part(url, CURLUPART_PASSWORD)) {
        PML_TRY(PML_FAIL(error, PML_E_NETWORK, "the server redirects to an address with a user name: refused"));
    }
    (void)curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0);
    if (curl_url_get(url, CURLUPART_URL, &joined, 0) != CURLUE_OK || is_too_long(joined)) {
        PML_TRY(PML_FAIL(error, PML_E_NETWORK, "the server redirects to what is no address"));
    }
    PML_TRY(pml_string_copy(joined, strlen(joined), to, error));
done:
    curl_free(joined);
    origin_deinit(&o);
    curl_url_cleanup(url);
    return status;
}

void pml_hub_url_show(const char *url, char *shown, size_t n_bytes) {
    const size_t length = strcspn(url, "?#");
    size_t n = 0;
    for (; n < length && n + 1 < n_bytes; n++) {
        shown[n] = url[n] > ' ' && url[n] < 0x7F ? url[n] : '?';
    }
    shown[n] = '\0';
}
