#include "convert/hub/hub_environment.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "convert/hub/hub_url.h"
#include "runtime/base/alloc.h"
#include "runtime/base/input.h"

#define DEFAULT_ENDPOINT "https://huggingface.co"
enum { MAX_TOKEN_BYTES = 4096, MAX_TOKEN_FILE_BYTES = 65536, MAX_SECONDS = 86400 };

/* The first of the variables that is set to more than nothing, or NULL. */
static const char *first_of(const char *const *names) {
    for (size_t i = 0; names[i] != NULL; i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && value[0] != '\0') {
            return value;
        }
    }
    return NULL;
}
#define VARIABLE(...) first_of((const char *const[]){__VA_ARGS__, NULL})

static bool is_true(const char *name) {
    static const char *const words[] = {"1", "on", "yes", "true"};
    const char *value = getenv(name);
    for (size_t i = 0; value != NULL && i < sizeof words / sizeof words[0]; i++) {
        if (strcasecmp(value, words[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- paths ---- */

/* Appends to a path of PATH_MAX bytes; false when it does not fit. */
static bool append(char *path, size_t *length, const char *text, size_t n) {
    if (n >= PATH_MAX - *length) {
        return false;
    }
    memcpy(path + *length, text, n);
    *length += n;
    path[*length] = '\0';
    return true;
}

/* Expands "~/" in front and "$NAME", "${NAME}" anywhere; a variable that is not set stays as it is written. */
static pml_status expand(const char *text, char **path, pml_error *error) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
    char made[PATH_MAX] = "";
    size_t length = 0;
    bool fits = true;
    const char *home = getenv("HOME");
    if (text[0] == '~' && (text[1] == '/' || text[1] == '\0') && home != NULL) {
        fits = append(made, &length, home, strlen(home));
        text++;
    }
    while (*text != '\0' && fits) {
        const size_t braced = text[0] == '$' && text[1] == '{' ? 1 : 0;
        const size_t n = text[0] == '$' ? strspn(text + 1 + braced, letters) : 0;
        char name[256];
        if (n == 0 || n >= sizeof name || (braced && text[2 + n] != '}')) {
            fits = append(made, &length, text++, 1);
            continue;
        }
        memcpy(name, text + 1 + braced, n);
        name[n] = '\0';
        const size_t used = 1 + n + 2 * braced;
        const char *value = getenv(name);
        fits = value != NULL ? append(made, &length, value, strlen(value)) : append(made, &length, text, used);
        text += used;
    }
    return fits ? pml_string_copy(made, length, path, error)
                : PML_FAIL(error, PML_E_CONFIG, "the path of the hub's cache is too long");
}

/* `parent`/`name`. */
static pml_status join(const char *parent, const char *name, char **path, pml_error *error) {
    char made[PATH_MAX];
    const int n = snprintf(made, sizeof made, "%s/%s", parent, name);
    return n >= 0 && (size_t)n < sizeof made ? pml_string_copy(made, (size_t)n, path, error)
                                             : PML_FAIL(error, PML_E_CONFIG, "the path of the hub's cache is too long");
}

/* The folder of everything the hub's clients keep. */
static pml_status find_home(char **home, pml_error *error) {
    pml_status status = PML_OK;
    char *base = NULL;
    const char *given = VARIABLE("HF_HOME"), *cache = VARIABLE("XDG_CACHE_HOME");
    if (given != NULL) {
        PML_TRY(expand(given, home, error));
    } else {
        PML_TRY(expand(cache != NULL ? cache : "~/.cache", &base, error));
        PML_TRY(join(base, "huggingface", home, error));
    }
done:
    pml_free(base);
    return status;
}

static pml_status find_cache(const pml_hub_given *given, const char *home, char **cache, pml_error *error) {
    const char *text = given->cache_dir != NULL ? given->cache_dir : VARIABLE("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE");
    if (text != NULL && text[0] != '\0') {
        return expand(text, cache, error);
    }
    return join(home, "hub", cache, error);
}

/* ---- the token ---- */

/* Copies a token without line ends and the blanks around it; none is left when there is nothing else. */
static pml_status take_token(const char *text, char **token, pml_error *error) {
    char made[MAX_TOKEN_BYTES];
    size_t length = 0;
    bool fits = true;
    pml_status status = PML_OK;
    for (; *text != '\0' && fits; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c == '\r' || c == '\n' || (length == 0 && (c == ' ' || c == '\t'))) {
            continue;
        }
        fits = length + 1 < sizeof made && c < 0x7F && (c >= ' ' || c == '\t');
        made[length] = (char)c;
        length += fits;
    }
    while (length > 0 && (made[length - 1] == ' ' || made[length - 1] == '\t')) {
        length--;
    }
    made[length] = '\0';
    if (!fits || strpbrk(made, " \t") != NULL) {
        status = PML_FAIL(error, PML_E_CONFIG, "the token holds characters that no token has");
    } else if (length > 0) {
        status = pml_string_copy(made, length, token, error);
    }
    explicit_bzero(made, sizeof made);
    return status;
}

static pml_status read_token_file(const char *path, char **token, pml_error *error) {
    pml_status status = PML_OK;
    char *text = NULL;
    size_t length = 0;
    PML_TRY(pml_input_read(path, PML_E_CONFIG, MAX_TOKEN_FILE_BYTES, &text, &length, error));
    PML_TRY(take_token(text, token, error));
done:
    if (text != NULL) {
        explicit_bzero(text, length);
    }
    pml_free(text);
    return status;
}

/* The file in which logging in leaves the token; there need not be one. */
static pml_status read_login(const char *home, char **token, pml_error *error) {
    pml_status status = PML_OK;
    char *path = NULL;
    const char *named = VARIABLE("HF_TOKEN_PATH");
    PML_TRY(named != NULL ? expand(named, &path, error) : join(home, "token", &path, error));
    if (access(path, F_OK) == 0) {
        PML_TRY(read_token_file(path, token, error));
    }
done:
    pml_free(path);
    return status;
}

static pml_status find_token(const pml_hub_given *given, const char *home, char **token, pml_error *error) {
    if (given->token != NULL) {
        return take_token(given->token, token, error);
    }
    if (given->token_file != NULL) {
        return read_token_file(given->token_file, token, error);
    }
    if (is_true("HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
        return PML_OK;
    }
    const char *variable = VARIABLE("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN");
    if (variable != NULL) {
        pml_status status = take_token(variable, token, error);
        if (status != PML_OK || *token != NULL) {
            return status;
        }
    }
    return read_login(home, token, error);
}

/* ---- times ---- */

/* Seconds in a variable, as milliseconds. */
static pml_status read_seconds(const char *name, double if_absent, uint64_t *ms, pml_error *error) {
    const char *text = VARIABLE(name);
    char *end = NULL;
    double seconds = if_absent;
    if (text != NULL) {
        seconds = strtod(text, &end);
        if (end == text || *end != '\0' || !(seconds > 0 && seconds <= MAX_SECONDS)) {
            return PML_FAIL(error, PML_E_CONFIG, "%s: expected seconds above 0", name);
        }
    }
    *ms = (uint64_t)(seconds * 1000) + 1;
    return PML_OK;
}

static pml_status read_scale(double *scale, pml_error *error) {
    const char *text = VARIABLE("PML_HUB_TIME_SCALE");
    char *end = NULL;
    *scale = 1;
    if (text != NULL) {
        *scale = strtod(text, &end);
        if (end == text || *end != '\0' || !(*scale > 0 && *scale <= 1)) {
            return PML_FAIL(error, PML_E_CONFIG, "PML_HUB_TIME_SCALE: expected a number above 0, at most 1");
        }
    }
    return PML_OK;
}

pml_status pml_hub_environment_read(const pml_hub_given *given, pml_hub_environment *environment, pml_error *error) {
    static const pml_hub_given nothing;
    pml_status status = PML_OK;
    pml_hub_environment made = {0};
    char *home = NULL;
    given = given != NULL ? given : &nothing;
    const char *endpoint = given->endpoint != NULL ? given->endpoint : VARIABLE("HF_ENDPOINT");
    PML_TRY(pml_hub_url_endpoint(endpoint != NULL ? endpoint : DEFAULT_ENDPOINT, &made.endpoint, error));
    PML_TRY(find_home(&home, error));
    PML_TRY(find_cache(given, home, &made.cache_dir, error));
    made.is_offline = given->offline || is_true("HF_HUB_OFFLINE") || is_true("TRANSFORMERS_OFFLINE");
    if (!made.is_offline) {
        PML_TRY(find_token(given, home, &made.token, error));
    }
    made.no_symlinks = is_true("HF_HUB_DISABLE_SYMLINKS");
    PML_TRY(read_seconds("HF_HUB_ETAG_TIMEOUT", 10, &made.reply_ms, error));
    PML_TRY(read_seconds("HF_HUB_DOWNLOAD_TIMEOUT", 10, &made.read_ms, error));
    PML_TRY(read_scale(&made.time_scale, error));
    made.http_proxy = VARIABLE("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY");
    made.https_proxy = VARIABLE("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY");
    made.no_proxy = VARIABLE("no_proxy", "NO_PROXY");
    made.ca_file = VARIABLE("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE");
    made.ca_directory = VARIABLE("SSL_CERT_DIR");
    *environment = made;
    made = (pml_hub_environment){0};
done:
    pml_hub_environment_deinit(&made);
    pml_free(home);
    return status;
}

void pml_hub_environment_deinit(pml_hub_environment *environment) {
    if (environment->token != NULL) {
        explicit_bzero(environment->token, strlen(environment->token));
    }
    pml_free(environment->token);
    pml_free(environment->endpoint);
    pml_free(environment->cache_dir);
    *environment = (pml_hub_environment){0};
}
