#include "convert/hub/hub_name.h"

#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/quote.h"
#include "runtime/base/utf8.h"

#define ADDRESS_PREFIX "hf://"
enum { MAX_PART_BYTES = 96 };

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* One part of a repository's name: words, '-' and '.', beginning and ending with a word. */
static bool is_repo_part(const char *text, size_t length) {
    if (length == 0 || length > MAX_PART_BYTES || !is_word(text[0]) || !is_word(text[length - 1])) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (!is_word(text[i]) && text[i] != '-' && text[i] != '.') {
            return false;
        }
        if (i > 0 && text[i] == text[i - 1] && (text[i] == '-' || text[i] == '.')) {
            return false; /* "--" separates the parts of a cache folder's name; ".." leads upwards */
        }
    }
    return true;
}

pml_status pml_hub_repo_check(const char *repo, pml_error *error) {
    pml_quoted quoted;
    const size_t length = strlen(repo);
    const char *slash = strchr(repo, '/');
    bool fits = slash == NULL
                    ? is_repo_part(repo, length)
                    : is_repo_part(repo, (size_t)(slash - repo)) && is_repo_part(slash + 1, strlen(slash + 1));
    fits = fits && !(length >= 4 && strcmp(repo + length - 4, ".git") == 0);
    return fits ? PML_OK
                : PML_FAIL(error, PML_E_ARGUMENT, "%s is not the name of a repository: expected org/name",
                           pml_quote(&quoted, repo));
}

static bool is_hex(const char *text, size_t n_digits) {
    return strlen(text) == n_digits && strspn(text, "0123456789abcdef") == n_digits;
}

bool pml_hub_is_commit(const char *text) {
    return is_hex(text, PML_HUB_COMMIT_TEXT_BYTES - 1);
}

bool pml_hub_is_hash(const char *text) {
    return is_hex(text, PML_HUB_COMMIT_TEXT_BYTES - 1) || is_hex(text, PML_HUB_HASH_TEXT_BYTES - 1);
}

/* git's rules for the name of a reference, part by part. */
static bool is_reference_part(const char *text, size_t length) {
    return length > 0 && text[0] != '.' && text[0] != '-' && text[length - 1] != '.' &&
           !(length >= 5 && strncmp(text + length - 5, ".lock", 5) == 0);
}

pml_status pml_hub_revision_check(const char *revision, pml_error *error) {
    pml_quoted quoted;
    const size_t length = strlen(revision);
    bool fits = length > 0 && length <= PML_HUB_MAX_REVISION_BYTES && strstr(revision, "..") == NULL &&
                strstr(revision, "@{") == NULL && strcmp(revision, "@") != 0;
    for (size_t i = 0; fits && i < length; i++) {
        const unsigned char c = (unsigned char)revision[i];
        fits = c > ' ' && c < 0x7F && strchr("~^:?*[\\\"'<>|", c) == NULL;
    }
    for (const char *at = revision; fits && at != NULL;) {
        const char *slash = strchr(at, '/');
        fits = is_reference_part(at, slash != NULL ? (size_t)(slash - at) : strlen(at));
        at = slash != NULL ? slash + 1 : NULL;
    }
    return fits ? PML_OK
                : PML_FAIL(error, PML_E_ARGUMENT, "%s is not a revision: expected a branch, a tag or a commit",
                           pml_quote(&quoted, revision));
}

static bool is_path_part(const char *text, size_t length) {
    return length > 0 && length <= 255 && !(length == 1 && text[0] == '.') &&
           !(length == 2 && text[0] == '.' && text[1] == '.');
}

pml_status pml_hub_path_check(const char *path, pml_error *error) {
    pml_quoted quoted;
    const size_t length = strlen(path);
    bool fits = length > 0 && length <= PML_HUB_MAX_PATH_BYTES && !(length > 1 && is_word(path[0]) && path[1] == ':');
    for (size_t i = 0, n = 0; fits && i < length; i += n) {
        const unsigned char c = (unsigned char)path[i];
        n = pml_utf8_length((const uint8_t *)path + i, length - i);
        fits = n > 0 && c >= ' ' && c != 0x7F && c != '\\';
    }
    for (const char *at = path; fits && at != NULL;) {
        const char *slash = strchr(at, '/');
        fits = is_path_part(at, slash != NULL ? (size_t)(slash - at) : strlen(at));
        at = slash != NULL ? slash + 1 : NULL;
    }
    return fits ? PML_OK
                : PML_FAIL(error, PML_E_FORMAT, "%s cannot be the path of a file in a repository",
                           pml_quote(&quoted, path));
}

bool pml_hub_source_is_address(const char *text) {
    return strncmp(text, ADDRESS_PREFIX, strlen(ADDRESS_PREFIX)) == 0;
}

pml_status pml_hub_source_parse(const char *text, pml_hub_source *source, pml_error *error) {
    pml_status status = PML_OK;
    pml_hub_source made = {0};
    if (pml_hub_source_is_address(text)) {
        text += strlen(ADDRESS_PREFIX);
    }
    const char *at = strchr(text, '@');
    PML_TRY(pml_string_copy(text, at != NULL ? (size_t)(at - text) : strlen(text), &made.repo, error));
    PML_TRY(pml_hub_repo_check(made.repo, error));
    if (at != NULL) {
        PML_TRY(pml_hub_revision_check(at + 1, error));
        PML_TRY(pml_string_copy(at + 1, strlen(at + 1), &made.revision, error));
    }
    *source = made;
    made = (pml_hub_source){0};
done:
    pml_hub_source_deinit(&made);
    return status;
}

void pml_hub_source_deinit(pml_hub_source *source) {
    pml_free(source->repo);
    pml_free(source->revision);
    *source = (pml_hub_source){0};
}
