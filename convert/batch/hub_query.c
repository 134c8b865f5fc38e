#include "convert/batch/hub_query.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "convert/batch/batch_journal.h"
#include "convert/hash.h"
#include "convert/hub/hub_name.h"
#include "convert/hub/hub_session.h"
#include "convert/hub/hub_url.h"
#include "runtime/base/alloc.h"
#include "runtime/base/json_reader.h"
#include "runtime/base/publish.h"
#include "runtime/base/quote.h"

#define WHAT "the list of models"
enum { PAGE = 1000, MOST_PAGES = 10000, MOST_PAGE_BYTES = 67108864, MOST_TEXT_BYTES = 1048576 };

/* ---- one page ---------------------------------------------------------------------------------------------------- */

static pml_status read_model(pml_json_reader *reader, bool is_wanted, FILE *stream, pml_error *error) {
    pml_status status = PML_OK;
    bool has_id = false;
    if (reader->token != PML_JSON_OBJECT_BEGIN) {
        PML_TRY(pml_json_fail(reader, error, "expected a model"));
    }
    for (;;) {
        PML_TRY(pml_json_next(reader, error));
        if (reader->token == PML_JSON_OBJECT_END) {
            break;
        }
        const bool is_id = strcmp(reader->text, "id") == 0;
        if (!is_id || has_id) {
            PML_TRY(pml_json_skip(reader, error));
            continue;
        }
        PML_TRY(pml_json_expect(reader, PML_JSON_STRING, "the id of a model", error));
        if (pml_hub_repo_check(reader->text, error) != PML_OK) {
            PML_TRY(pml_json_fail(reader, error, "an id that is no repository"));
        }
        has_id = true;
        if (is_wanted) {
            (void)fprintf(stream, "hf://%s\n", reader->text);
        }
    }
    if (!has_id) {
        PML_TRY(pml_json_fail(reader, error, "a model without id"));
    }
done:
    return status;
}

pml_status pml_hub_query_read_page(const char *bytes, size_t size_bytes, uint64_t most, FILE *stream,
                                   uint64_t *n_models, pml_error *error) {
    pml_status status = PML_OK;
    pml_json_reader reader;
    pml_json_reader_init(&reader, bytes, size_bytes, 0, WHAT, MOST_TEXT_BYTES);
    PML_TRY(pml_json_expect(&reader, PML_JSON_ARRAY_BEGIN, "a list of models", error));
    for (;;) {
        PML_TRY(pml_json_next(&reader, error));
        if (reader.token == PML_JSON_ARRAY_END) {
            break;
        }
        PML_TRY(read_model(&reader, *n_models < most, stream, error));
        (*n_models)++;
    }
    PML_TRY(pml_json_expect(&reader, PML_JSON_END, "nothing more", error));
done:
    pml_json_reader_deinit(&reader);
    return status;
}

/* ---- the query --------------------------------------------------------------------------------------------------- */

static pml_status add_part(FILE *stream, const char *name, const char *value, pml_error *error) {
    char *encoded = NULL;
    if (value == NULL) {
        return PML_OK;
    }
    const pml_status status = pml_hub_url_encode(value, false, &encoded, error);
    if (status == PML_OK) {
        (void)fprintf(stream, "%s=%s&", name, encoded);
    }
    pml_free(encoded);
    return status;
}

/* "author=a&filter=f&limit=1000"; *text is for free(). */
static pml_status format_query(const pml_hub_query *query, char **text, pml_error *error) {
    pml_status status = PML_OK;
    size_t length = 0;
    *text = NULL;
    FILE *stream = open_memstream(text, &length);
    if (stream == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "out of memory for a query"));
    }
    PML_TRY(add_part(stream, "author", query->author, error));
    PML_TRY(add_part(stream, "search", query->search, error));
    for (size_t i = 0; i < query->n_filters; i++) {
        PML_TRY(add_part(stream, "filter", query->filters[i], error));
    }
    (void)fprintf(stream, "limit=%d", query->limit > 0 && query->limit < PAGE ? (int)query->limit : PAGE);
done:
    if (stream != NULL && fclose(stream) != 0 && status == PML_OK) {
        status = PML_FAIL(error, PML_E_MEMORY, "out of memory for a query");
    }
    return status;
}

static pml_status ask(const pml_hub_query *query, const pml_hub_environment *environment, const char *text,
                      FILE *stream, uint64_t *n_models, pml_error *error) {
    pml_status status = PML_OK;
    pml_hub_session session = {0};
    pml_hub_text page = {0};
    char *url = NULL;
    const uint64_t most = query->limit > 0 ? query->limit : UINT64_MAX;
    const size_t room = strlen(environment->endpoint) + strlen(text) + 32;
    PML_TRY(pml_hub_session_init(&session, environment, 0, error));
    PML_TRY(pml_alloc(room, 1, &url, error));
    (void)snprintf(url, room, "%s/api/models?%s", environment->endpoint, text);
    for (unsigned i_page = 0; url != NULL && *n_models < most; i_page++) {
        if (i_page == MOST_PAGES) {
            PML_TRY(PML_FAIL(error, PML_E_FORMAT, WHAT ": more than %d pages", MOST_PAGES));
        }
        page.size_bytes = 0;
        PML_TRY(pml_hub_session_get(&session, url, WHAT, MOST_PAGE_BYTES, &page, error));
        PML_TRY(pml_hub_query_read_page(page.bytes, page.size_bytes, most, stream, n_models, error));
        pml_free(url);
        url = page.next_link;
        page.next_link = NULL;
    }
done:
    pml_hub_text_deinit(&page);
    pml_free(url);
    pml_hub_session_deinit(&session);
    return status;
}

static pml_status make_list(const pml_hub_query *query, const pml_hub_environment *environment, const char *text,
                            const char *path, bool replace, pml_error *error) {
    pml_status status = PML_OK;
    pml_publish *publish = NULL;
    char *list = NULL;
    size_t length = 0;
    uint64_t n_models = 0;
    pml_quoted quoted;
    FILE *stream = open_memstream(&list, &length);
    if (stream == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "out of memory for " WHAT));
    }
    (void)fprintf(stream, "# %s/api/models?%s\n", environment->endpoint, text);
    PML_TRY(ask(query, environment, text, stream, &n_models, error));
    const int closed = fclose(stream);
    stream = NULL;
    if (closed != 0) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "out of memory for " WHAT));
    }
    if (n_models == 0) {
        PML_TRY(PML_FAIL(error, PML_E_NOT_FOUND, "%s has no model that fits the query",
                         pml_quote(&quoted, environment->endpoint)));
    }
    PML_TRY(pml_publish_begin(path, length, true, &publish, error));
    PML_TRY(pml_publish_write(publish, 0, list, length, error));
    if (!replace && access(path, F_OK) == 0) {
        goto done; /* another shard was faster: its list is everybody's */
    }
    pml_publish *finished = publish;
    publish = NULL; /* commit frees it whatever happens */
    PML_TRY(pml_publish_commit(finished, error));
done:
    pml_publish_abort(publish);
    if (stream != NULL) {
        (void)fclose(stream);
    }
    free(list);
    return status;
}

pml_status pml_hub_query_list(const pml_hub_query *query, const pml_hub_given *given, const char *folder, bool refresh,
                              char **path, pml_error *error) {
    pml_status status = PML_OK;
    pml_hub_environment environment = {0};
    char *text = NULL;
    char target[PATH_MAX], key[4096], hash[PML_SHA256_TEXT_BYTES];
    *path = NULL;
    PML_TRY(pml_hub_environment_read(given, &environment, error));
    PML_TRY(format_query(query, &text, error));
    (void)snprintf(key, sizeof key, "%s %s %llu", environment.endpoint, text, (unsigned long long)query->limit);
    PML_TRY(pml_hash_bytes(key, strlen(key), hash, error));
    PML_TRY(pml_journal_make_folder(folder, error));
    if (snprintf(target, sizeof target, "%s/" PML_BATCH_FOLDER "/query-%.16s.txt", folder, hash) >=
        (int)sizeof target) {
        PML_TRY(PML_FAIL(error, PML_E_IO, "the path of the output folder is too long"));
    }
    if (refresh || access(target, F_OK) != 0) {
        if (environment.is_offline) {
            PML_TRY(PML_FAIL(error, PML_E_NOT_FOUND, "offline, and the hub was not asked for these models before"));
        }
        PML_TRY(make_list(query, &environment, text, target, refresh, error));
    }
    PML_TRY(pml_string_copy(target, strlen(target), path, error));
done:
    free(text);
    pml_hub_environment_deinit(&environment);
    return status;
}
