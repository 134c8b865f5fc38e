#include "convert/hub/hub_api.h"

#include <stdio.h>
#include <string.h>

#include "convert/hub/hub_url.h"
#include "runtime/base/alloc.h"

enum { MOST_PAGES = 10000, MOST_ABOUT_BYTES = 67108864 };

/* Joins texts into an address of the caller's; a NULL ends them. */
static pml_status join(const char *const *parts, char **url, pml_error *error) {
    size_t length = 0, at = 0;
    for (size_t i = 0; parts[i] != NULL; i++) {
        length += strlen(parts[i]);
    }
    pml_status status = pml_alloc(length + 1, 1, url, error);
    for (size_t i = 0; status == PML_OK && parts[i] != NULL; i++) {
        const size_t n = strlen(parts[i]);
        memcpy(*url + at, parts[i], n);
        at += n;
    }
    return status;
}
#define JOIN(url, error, ...) join((const char *const[]){__VA_ARGS__, NULL}, (url), (error))

pml_status pml_hub_api_resolve(pml_hub_session *session, const char *repo, const char *revision,
                               char commit[PML_HUB_COMMIT_TEXT_BYTES], pml_error *error) {
    pml_status status = PML_OK;
    pml_hub_text text = {0};
    char *encoded = NULL, *url = NULL;
    char what[512];
    const char *endpoint = session->environment->endpoint;
    (void)snprintf(what, sizeof what, "%s%s%s", repo, revision != NULL ? "@" : "", revision != NULL ? revision : "");
    if (revision != NULL) {
        PML_TRY(pml_hub_url_encode(revision, false, &encoded, error));
        PML_TRY(JOIN(&url, error, endpoint, "/api/models/", repo, "/revision/", encoded));
    } else {
        PML_TRY(JOIN(&url, error, endpoint, "/api/models/", repo));
    }
    PML_TRY(pml_hub_session_get(session, url, what, MOST_ABOUT_BYTES, &text, error));
    PML_TRY(pml_hub_listing_read_commit(text.bytes, text.size_bytes, what, commit, error));
done:
    pml_hub_text_deinit(&text);
    pml_free(encoded);
    pml_free(url);
    return status;
}

pml_status pml_hub_api_list(pml_hub_session *session, const char *repo, const char *commit, pml_hub_listing *listing,
                            pml_error *error) {
    pml_status status = PML_OK;
    pml_hub_text text = {0};
    char *url = NULL;
    char what[512];
    (void)snprintf(what, sizeof what, "%s@%s: list of files", repo, commit);
    PML_TRY(JOIN(&url, error, session->environment->endpoint, "/api/models/", repo, "/tree/", commit,
                 "?recursive=true&expand=false"));
    for (unsigned i_page = 0; url != NULL; i_page++) {
        if (i_page == MOST_PAGES) {
            PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: more than %d pages", what, MOST_PAGES));
        }
        text.size_bytes = 0;
        PML_TRY(pml_hub_session_get(session, url, what, PML_HUB_MAX_LISTING_BYTES, &text, error));
        PML_TRY(pml_hub_listing_read_page(text.bytes, text.size_bytes, what, listing, error));
        pml_free(url);
        url = text.next_link;
        text.next_link = NULL;
    }
done:
    pml_hub_text_deinit(&text);
    pml_free(url);
    return status;
}

pml_status pml_hub_api_file_url(const pml_hub_session *session, const char *repo, const char *commit, const char *path,
                                char **url, pml_error *error) {
    char *encoded = NULL;
    pml_status status = pml_hub_url_encode(path, true, &encoded, error);
    if (status == PML_OK) {
        status = JOIN(url, error, session->environment->endpoint, "/", repo, "/resolve/", commit, "/", encoded);
    }
    pml_free(encoded);
    return status;
}
