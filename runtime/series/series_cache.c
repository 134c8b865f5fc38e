#include "runtime/series/series_cache.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "runtime/base/alloc.h"
#include "runtime/base/cancel.h"
#include "runtime/base/log.h"
#include "runtime/base/publish.h"
#include "runtime/series/series_cache_format.h"

enum { READ_BYTES = 1 << 16 };
#define SUFFIX ".series"

/* ---- keys ---- */
static pml_status digest_file(const char *path, XXH3_state_t *state, uint64_t *size_bytes, pml_error *error) {
    pml_status status = PML_OK;
    int fd = -1;
    char *buffer = NULL;
    uint64_t file_bytes = 0;
    *size_bytes = 0;
    PML_TRY(pml_input_open(path, PML_E_ARGUMENT, &fd, &file_bytes, error));
    PML_TRY(pml_alloc(READ_BYTES, 1, &buffer, error));
    for (;;) {
        PML_TRY(pml_cancel_check(error));
        const ssize_t got = read(fd, buffer, READ_BYTES);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            PML_TRY(PML_FAIL(error, PML_E_IO, "%s: %s", path, strerror(errno)));
        }
        if (got == 0) {
            break;
        }
        (void)XXH3_128bits_update(state, buffer, (size_t)got);
        *size_bytes += (uint64_t)got;
    }
done:
    pml_free(buffer);
    if (fd >= 0) {
        (void)close(fd);
    }
    return status;
}

pml_status pml_series_key_of(const char *path, const pml_series_request *request, pml_series_key *key,
                             pml_error *error) {
    pml_status status = PML_OK;
    const bool by_name = request != NULL && request->columns != NULL;
    XXH3_state_t *state = NULL;
    void *storage = NULL;
    PML_TRY(pml_alloc_aligned(sizeof *state, &storage, error));
    state = storage;
    (void)XXH3_128bits_reset(state);
    PML_TRY(digest_file(path, state, &key->csv_bytes, error));
    const uint64_t asked[] = {PML_SERIES_CACHE_VERSION, key->csv_bytes, by_name, by_name ? request->n_columns : 0,
                              request != NULL && request->without_dates};
    (void)XXH3_128bits_update(state, asked, sizeof asked);
    for (size_t i = 0; by_name && i < request->n_columns; i++) {
        (void)XXH3_128bits_update(state, request->columns[i], strlen(request->columns[i]) + 1);
    }
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state));
    memcpy(key->bytes, canonical.digest, sizeof key->bytes);
done:
    pml_free(storage);
    return status;
}

pml_status pml_series_cache_path(const char *folder, const pml_series_key *key, char **path, pml_error *error) {
    char name[2 * sizeof key->bytes + 1];
    for (size_t i = 0; i < sizeof key->bytes; i++) {
        (void)snprintf(name + 2 * i, 3, "%02x", key->bytes[i]);
    }
    const size_t room = strlen(folder) + 1 + sizeof name + sizeof SUFFIX;
    pml_status status = pml_alloc(room, 1, path, error);
    if (status == PML_OK) {
        (void)snprintf(*path, room, "%s/%s" SUFFIX, folder, name);
    }
    return status;
}

/* ---- writing ---- */
typedef struct body_writer { /* what is written behind the header, summed up on the way */
    pml_publish *publish;
    XXH3_state_t *state;
    uint64_t at;
} body_writer;

/* Writes a part at its place, zeros before it. */
static pml_status write_part(body_writer *w, uint64_t place, const void *bytes, uint64_t size_bytes, pml_error *error) {
    static const char zeros[PML_SERIES_CACHE_ALIGNMENT];
    pml_status status = PML_OK;
    if (place > w->at) {
        (void)XXH3_64bits_update(w->state, zeros, (size_t)(place - w->at));
        PML_TRY(pml_publish_write(w->publish, w->at, zeros, (size_t)(place - w->at), error));
    }
    (void)XXH3_64bits_update(w->state, bytes, (size_t)size_bytes);
    PML_TRY(pml_publish_write(w->publish, place, bytes, (size_t)size_bytes, error));
    w->at = place + size_bytes;
done:
    return status;
}

static pml_status write_names(body_writer *w, const pml_series *series, pml_error *error) {
    pml_status status = PML_OK;
    for (size_t i = 0; i < series->n_columns; i++) {
        PML_TRY(write_part(w, w->at, series->columns[i], strlen(series->columns[i]) + 1, error));
    }
    if (series->date_column != NULL) {
        PML_TRY(write_part(w, w->at, series->date_column, strlen(series->date_column) + 1, error));
    }
done:
    return status;
}

static pml_series_cache_header describe(const pml_series_key *key, const pml_series *series) {
    const pml_stamp_form *form = &series->stamp_form;
    pml_series_cache_header header = {.version = PML_SERIES_CACHE_VERSION,
                                      .csv_bytes = key->csv_bytes,
                                      .n_rows = series->n_rows,
                                      .n_columns = series->n_columns,
                                      .fraction_digits = form->fraction_digits};
    memcpy(header.magic, PML_SERIES_CACHE_MAGIC, sizeof header.magic);
    memcpy(header.key, key->bytes, sizeof header.key);
    header.flags = (series->stamps_us != NULL ? PML_SERIES_HAS_DATES : 0u) |
                   (series->lines != NULL ? PML_SERIES_HAS_LINES : 0u) | (form->has_time ? PML_SERIES_STAMP_TIME : 0u) |
                   (form->has_seconds ? PML_SERIES_STAMP_SECONDS : 0u) | (form->has_t ? PML_SERIES_STAMP_T : 0u) |
                   (form->has_z ? PML_SERIES_STAMP_Z : 0u);
    for (size_t i = 0; i < series->n_columns; i++) {
        header.names_bytes += strlen(series->columns[i]) + 1;
    }
    header.names_bytes += series->date_column != NULL ? strlen(series->date_column) + 1 : 0;
    return header;
}

pml_status pml_series_cache_write(const char *path, const pml_series_key *key, const pml_series *series,
                                  pml_error *error) {
    pml_status status = PML_OK;
    pml_series_cache_header header = describe(key, series);
    pml_series_cache_places places;
    body_writer w = {.at = sizeof header};
    void *storage = NULL;
    if (!pml_series_cache_place(&header, &places)) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "%s: the series is too large to be kept", path));
    }
    header.file_bytes = places.end;
    PML_TRY(pml_alloc_aligned(sizeof *w.state, &storage, error));
    w.state = storage;
    (void)XXH3_64bits_reset(w.state);
    PML_TRY(pml_publish_begin(path, places.end, true, &w.publish, error));
    PML_TRY(write_names(&w, series, error));
    if (places.stamps != 0) {
        PML_TRY(write_part(&w, places.stamps, series->stamps_us, 8 * header.n_rows, error));
    }
    if (places.lines != 0) {
        PML_TRY(write_part(&w, places.lines, series->lines, 8 * header.n_rows, error));
    }
    PML_TRY(write_part(&w, places.values, series->values, 8 * header.n_rows * header.n_columns, error));
    header.body_checksum = XXH3_64bits_digest(w.state);
    header.header_checksum = XXH3_64bits(&header, offsetof(pml_series_cache_header, header_checksum));
    PML_TRY(pml_publish_write(w.publish, 0, &header, sizeof header, error));
    pml_publish *publish = w.publish;
    w.publish = NULL;
    PML_TRY(pml_publish_commit(publish, error));
done:
    pml_publish_abort(w.publish);
    pml_free(storage);
    return status;
}

/* ---- opening ---- */
/* Whether there is a cache that can be used. Any fault of it is a reason to make it anew, and no error. */
static bool find_kept(const char *path, const pml_series_key *key, pml_series_cache *cache) {
    pml_error error = {0};
    if (pml_file_map_open(path, PML_E_FORMAT, &cache->map, &error) != PML_OK) {
        return false;
    }
    if (pml_series_cache_view(cache->map.data, cache->map.size_bytes, key, &cache->view, &error) != PML_OK) {
        pml_log(PML_LOG_INFO, "%s is made anew: %s", path, error.message);
        pml_file_map_close(&cache->map);
        return false;
    }
    cache->series = &cache->view;
    cache->was_kept = true;
    return true;
}

/* Keeps what was read, unless the file has changed meanwhile. */
static void keep(const char *csv_path, const pml_series_request *request, const char *folder, const char *path,
                 const pml_series_key *key, const pml_series *series) {
    pml_error error = {0};
    pml_series_key again;
    if (pml_series_key_of(csv_path, request, &again, &error) != PML_OK || again.csv_bytes != key->csv_bytes ||
        memcmp(again.bytes, key->bytes, sizeof again.bytes) != 0) {
        pml_log(PML_LOG_INFO, "%s changed while it was read, and is not kept", csv_path);
        return;
    }
    (void)mkdir(folder, 0777);
    if (pml_series_cache_write(path, key, series, &error) != PML_OK) {
        pml_log(PML_LOG_INFO, "%s is not kept: %s", csv_path, error.message);
    }
}

pml_status pml_series_cache_open(const char *path, const pml_series_request *request, const char *folder,
                                 pml_series_cache *cache, pml_error *error) {
    pml_status status = PML_OK;
    pml_series_key key;
    char *kept_path = NULL;
    *cache = (pml_series_cache){0};
    if (folder != NULL) {
        PML_TRY(pml_series_key_of(path, request, &key, error));
        PML_TRY(pml_series_cache_path(folder, &key, &kept_path, error));
        if (find_kept(kept_path, &key, cache)) {
            goto done;
        }
    }
    PML_TRY(pml_series_read(path, request, &cache->parsed, error));
    cache->series = cache->parsed;
    if (folder != NULL) {
        keep(path, request, folder, kept_path, &key, cache->parsed);
    }
done:
    pml_free(kept_path);
    return status;
}

void pml_series_cache_close(pml_series_cache *cache) {
    pml_free(cache->view.columns);
    pml_file_map_close(&cache->map);
    pml_series_destroy(cache->parsed);
    *cache = (pml_series_cache){0};
}
