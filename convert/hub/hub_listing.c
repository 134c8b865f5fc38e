#include "convert/hub/hub_listing.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/json_reader.h"
#include "runtime/base/json_writer.h"
#include "runtime/base/quote.h"

enum { MAX_STRING_BYTES = 65536, LISTING_VERSION = 1 };

/* What one entry says, from either kind of list. */
typedef struct entry {
    char path[PML_HUB_MAX_PATH_BYTES + 1];
    bool is_file;
    bool has_size, has_lfs_size;
    uint64_t size_bytes, lfs_size_bytes;
    char oid[PML_HUB_COMMIT_TEXT_BYTES];
    char sha256[PML_HUB_HASH_TEXT_BYTES];
    char xet_hash[PML_HUB_HASH_TEXT_BYTES];
} entry;

/* What a key of an entry means, in each place where it may stand. */
typedef enum field {
    FIELD_TYPE,
    FIELD_PATH,
    FIELD_SIZE,
    FIELD_OID,
    FIELD_LFS,
    FIELD_LFS_SIZE,
    FIELD_SHA256,
    FIELD_XET
} field;
typedef struct key {
    const char *name;
    field field;
} key;
static const key page_keys[] = {{"type", FIELD_TYPE}, {"path", FIELD_PATH},   {"size", FIELD_SIZE}, {"oid", FIELD_OID},
                                {"lfs", FIELD_LFS},   {"xetHash", FIELD_XET}, {NULL, FIELD_TYPE}};
static const key page_lfs_keys[] = {{"oid", FIELD_SHA256}, {"size", FIELD_LFS_SIZE}, {NULL, FIELD_TYPE}};
static const key kept_keys[] = {{"size", FIELD_SIZE},         {"blob_id", FIELD_OID},  {"lfs_sha256", FIELD_SHA256},
                                {"lfs_size", FIELD_LFS_SIZE}, {"xet_hash", FIELD_XET}, {NULL, FIELD_TYPE}};

void pml_hub_listing_deinit(pml_hub_listing *listing) {
    pml_free(listing->files);
    pml_names_deinit(&listing->names);
    *listing = (pml_hub_listing){0};
}

const pml_hub_file *pml_hub_listing_find(const pml_hub_listing *listing, const char *path) {
    size_t i_file;
    return pml_names_find(&listing->names, path, strlen(path), &i_file) ? &listing->files[i_file] : NULL;
}

/* ---- reading ---- */

static pml_status read_text(pml_json_reader *reader, char *text, size_t n_bytes, const char *what, pml_error *error) {
    if (reader->token != PML_JSON_STRING || reader->text_bytes >= n_bytes) {
        return pml_json_fail(reader, error, what);
    }
    memcpy(text, reader->text, reader->text_bytes + 1);
    return PML_OK;
}

static pml_status read_size(pml_json_reader *reader, bool *has, uint64_t *size_bytes, pml_error *error) {
    if (reader->token != PML_JSON_NUMBER || !reader->is_u64 || reader->u64 > INT64_MAX) {
        return pml_json_fail(reader, error, "a size is not a whole number");
    }
    *has = true;
    *size_bytes = reader->u64;
    return PML_OK;
}

static pml_status read_entry(pml_json_reader *reader, const key *keys, entry *e, unsigned depth, pml_error *error);

/* The value of one key is the current token. */
static pml_status read_field(pml_json_reader *reader, field what, entry *e, unsigned depth, pml_error *error) {
    pml_status status = PML_OK;
    if (reader->token == PML_JSON_NULL) {
        return PML_OK; /* null is as good as nothing */
    }
    switch (what) {
    case FIELD_TYPE:
        e->is_file = reader->token == PML_JSON_STRING && strcmp(reader->text, "file") == 0;
        break;
    case FIELD_PATH:
        status = read_text(reader, e->path, sizeof e->path, "the path of a file is no text, or too long", error);
        break;
    case FIELD_SIZE:
        status = read_size(reader, &e->has_size, &e->size_bytes, error);
        break;
    case FIELD_LFS_SIZE:
        status = read_size(reader, &e->has_lfs_size, &e->lfs_size_bytes, error);
        break;
    case FIELD_OID:
        status = read_text(reader, e->oid, sizeof e->oid, "the hash of a file is no git hash", error);
        break;
    case FIELD_SHA256:
        status = read_text(reader, e->sha256, sizeof e->sha256, "the hash of a file is no SHA-256", error);
        break;
    case FIELD_XET:
        if (reader->token == PML_JSON_STRING && pml_hub_is_hash(reader->text)) {
            memcpy(e->xet_hash, reader->text, reader->text_bytes + 1);
        }
        break;
    case FIELD_LFS:
        status = reader->token != PML_JSON_OBJECT_BEGIN || depth > 0
                     ? pml_json_fail(reader, error, "\"lfs\" is not an object")
                     : read_entry(reader, page_lfs_keys, e, depth + 1, error);
        break;
    }
    return status;
}

/* The members of an object whose '{' is the current token. */
static pml_status read_entry(pml_json_reader *reader, const key *keys, entry *e, unsigned depth, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_json_next(reader, error));
    while (reader->token == PML_JSON_KEY) {
        const key *k = keys;
        while (k->name != NULL && strcmp(k->name, reader->text) != 0) {
            k++;
        }
        if (k->name == NULL) {
            PML_TRY(pml_json_skip(reader, error));
        } else {
            PML_TRY(pml_json_next(reader, error));
            PML_TRY(read_field(reader, k->field, e, depth, error));
        }
        PML_TRY(pml_json_next(reader, error));
    }
done:
    return status;
}

pml_status pml_hub_listing_add(pml_hub_listing *listing, const char *path, const char *hash, uint64_t size_bytes,
                               pml_error *error) {
    pml_status status = PML_OK;
    pml_quoted quoted;
    size_t i_name;
    bool is_new;
    PML_TRY(pml_hub_path_check(path, error));
    if (!pml_hub_is_hash(hash)) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "the file %s has no hash", pml_quote(&quoted, path)));
    }
    PML_TRY(pml_grow(&listing->files, &listing->capacity, listing->count + 1, sizeof *listing->files, PML_HUB_MAX_FILES,
                     "files in a repository", error));
    PML_TRY(pml_names_add(&listing->names, path, strlen(path), PML_HUB_MAX_FILES, "files in a repository", &i_name,
                          &is_new, error));
    if (!is_new) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "the file %s is listed twice", pml_quote(&quoted, path)));
    }
    pml_hub_file *file = &listing->files[listing->count++];
    *file = (pml_hub_file){.path = pml_names_at(&listing->names, i_name), .size_bytes = size_bytes};
    memcpy(file->hash, hash, strlen(hash) + 1);
done:
    return status;
}

/* Checks an entry and adds it. */
static pml_status add(pml_hub_listing *listing, const pml_json_reader *reader, const entry *e, pml_error *error) {
    pml_status status = PML_OK;
    pml_quoted quoted;
    const bool is_lfs = e->sha256[0] != '\0';
    const char *hash = is_lfs ? e->sha256 : e->oid;
    if (!(e->has_size || (is_lfs && e->has_lfs_size)) || (strlen(hash) == PML_HUB_HASH_TEXT_BYTES - 1) != is_lfs) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: the file %s has no size or no hash", reader->file_name,
                         pml_quote(&quoted, e->path)));
    }
    status = pml_hub_listing_add(listing, e->path, hash, is_lfs && e->has_lfs_size ? e->lfs_size_bytes : e->size_bytes,
                                 error);
    if (status != PML_OK) {
        PML_TRY(pml_error_prefix(error, status, "%s", reader->file_name));
    }
    pml_hub_file *file = &listing->files[listing->count - 1];
    memcpy(file->xet_hash, e->xet_hash, sizeof file->xet_hash);
    if (pml_hub_is_commit(e->oid)) {
        memcpy(file->blob_id, e->oid, sizeof file->blob_id);
    }
done:
    return status;
}

pml_status pml_hub_listing_read_commit(const void *bytes, size_t size_bytes, const char *shown,
                                       char commit[PML_HUB_COMMIT_TEXT_BYTES], pml_error *error) {
    pml_status status = PML_OK;
    pml_json_reader reader;
    bool is_found = false;
    pml_json_reader_init(&reader, bytes, size_bytes, 0, shown, MAX_STRING_BYTES);
    PML_TRY(pml_json_expect(&reader, PML_JSON_OBJECT_BEGIN, "an object", error));
    PML_TRY(pml_json_next(&reader, error));
    while (reader.token == PML_JSON_KEY) {
        if (strcmp(reader.text, "sha") != 0) {
            PML_TRY(pml_json_skip(&reader, error));
        } else {
            PML_TRY(pml_json_next(&reader, error));
            if (reader.token != PML_JSON_STRING || !pml_hub_is_commit(reader.text) || is_found) {
                PML_TRY(pml_json_fail(&reader, error, "\"sha\" is not the hash of a commit"));
            }
            memcpy(commit, reader.text, PML_HUB_COMMIT_TEXT_BYTES);
            is_found = true;
        }
        PML_TRY(pml_json_next(&reader, error));
    }
    PML_TRY(pml_json_expect(&reader, PML_JSON_END, "the end", error));
    if (!is_found) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: the answer names no commit", shown));
    }
done:
    pml_json_reader_deinit(&reader);
    return status;
}

pml_status pml_hub_listing_read_page(const void *bytes, size_t size_bytes, const char *shown, pml_hub_listing *listing,
                                     pml_error *error) {
    pml_status status = PML_OK;
    pml_json_reader reader;
    pml_json_reader_init(&reader, bytes, size_bytes, 0, shown, MAX_STRING_BYTES);
    PML_TRY(pml_json_expect(&reader, PML_JSON_ARRAY_BEGIN, "an array", error));
    PML_TRY(pml_json_next(&reader, error));
    while (reader.token != PML_JSON_ARRAY_END) {
        entry e = {0};
        if (reader.token != PML_JSON_OBJECT_BEGIN) {
            PML_TRY(pml_json_fail(&reader, error, "an entry of the list is not an object"));
        }
        PML_TRY(read_entry(&reader, page_keys, &e, 0, error));
        if (e.is_file) {
            PML_TRY(add(listing, &reader, &e, error));
        }
        PML_TRY(pml_json_next(&reader, error));
    }
    PML_TRY(pml_json_expect(&reader, PML_JSON_END, "the end", error));
done:
    pml_json_reader_deinit(&reader);
    return status;
}

/* The members of "files": a path and what is known of it. The current token is '{'. */
static pml_status read_files(pml_json_reader *reader, pml_hub_listing *listing, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_json_next(reader, error));
    while (reader->token == PML_JSON_KEY) {
        entry e = {.is_file = true};
        if (reader->text_bytes >= sizeof e.path) {
            PML_TRY(pml_json_fail(reader, error, "the path of a file is too long"));
        }
        memcpy(e.path, reader->text, reader->text_bytes + 1);
        PML_TRY(pml_json_expect(reader, PML_JSON_OBJECT_BEGIN, "an object", error));
        PML_TRY(read_entry(reader, kept_keys, &e, 0, error));
        PML_TRY(add(listing, reader, &e, error));
        PML_TRY(pml_json_next(reader, error));
    }
done:
    return status;
}

pml_status pml_hub_listing_read(const void *bytes, size_t size_bytes, const char *shown, pml_hub_listing *listing,
                                pml_error *error) {
    pml_status status = PML_OK;
    pml_json_reader reader;
    bool is_known = false;
    pml_json_reader_init(&reader, bytes, size_bytes, 0, shown, MAX_STRING_BYTES);
    PML_TRY(pml_json_expect(&reader, PML_JSON_OBJECT_BEGIN, "an object", error));
    PML_TRY(pml_json_next(&reader, error));
    while (reader.token == PML_JSON_KEY) {
        if (strcmp(reader.text, "format_version") == 0) {
            PML_TRY(pml_json_expect(&reader, PML_JSON_NUMBER, "a number", error));
            is_known = reader.is_u64 && reader.u64 == LISTING_VERSION;
        } else if (strcmp(reader.text, "files") == 0) {
            PML_TRY(pml_json_expect(&reader, PML_JSON_OBJECT_BEGIN, "an object", error));
            PML_TRY(read_files(&reader, listing, error));
        } else {
            PML_TRY(pml_json_skip(&reader, error));
        }
        PML_TRY(pml_json_next(&reader, error));
    }
    PML_TRY(pml_json_expect(&reader, PML_JSON_END, "the end", error));
    if (!is_known) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: not version %d of the list of files", shown, LISTING_VERSION));
    }
done:
    pml_json_reader_deinit(&reader);
    return status;
}

/* ---- writing ---- */

static int compare_paths(const void *a, const void *b) {
    const pml_hub_file *const *one = a, *const *other = b;
    return strcmp((*one)->path, (*other)->path);
}

pml_status pml_hub_listing_write(const pml_hub_listing *listing, FILE *stream, pml_error *error) {
    pml_status status = PML_OK;
    const pml_hub_file **sorted = NULL;
    pml_json_writer w;
    PML_TRY(pml_alloc(listing->count, sizeof *sorted, &sorted, error));
    for (size_t i = 0; i < listing->count; i++) {
        sorted[i] = &listing->files[i];
    }
    if (listing->count > 0) {
        qsort(sorted, listing->count, sizeof *sorted, compare_paths);
    }
    pml_json_writer_init(&w, stream, false);
    pml_json_begin_object(&w, NULL);
    pml_json_u64(&w, "format_version", LISTING_VERSION);
    pml_json_begin_object(&w, "files");
    for (size_t i = 0; i < listing->count; i++) {
        const pml_hub_file *file = sorted[i];
        pml_json_begin_object(&w, file->path);
        pml_json_u64(&w, "size", file->size_bytes);
        pml_json_string(&w, "blob_id", file->blob_id);
        if (strlen(file->hash) == PML_HUB_HASH_TEXT_BYTES - 1) {
            pml_json_string(&w, "lfs_sha256", file->hash);
            pml_json_u64(&w, "lfs_size", file->size_bytes);
        }
        if (file->xet_hash[0] != '\0') {
            pml_json_string(&w, "xet_hash", file->xet_hash);
        }
        pml_json_end_object(&w);
    }
    pml_json_end_object(&w);
    pml_json_end_object(&w);
    PML_TRY(pml_json_finish(&w, error));
done:
    pml_free(sorted);
    return status;
}
