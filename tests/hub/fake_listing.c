#include "tests/hub/fake_listing.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/json_writer.h"
#include "tests/hub/fake_text.h"

typedef struct reply_writer {
    pml_json_writer w;
    char *text;
    size_t size_bytes;
} reply_writer;

static void begin(reply_writer *out) {
    FILE *stream = open_memstream(&out->text, &out->size_bytes);
    if (stream == NULL) {
        abort();
    }
    pml_json_writer_init(&out->w, stream, false);
}

static void finish(reply_writer *out, fake_exchange *x) {
    pml_error error;
    if (pml_json_finish(&out->w, &error) != PML_OK || fclose(out->w.stream) != 0) {
        abort();
    }
    fake_reply_header(x, "Content-Type", "%s", "application/json; charset=utf-8");
    fake_reply_bytes(x, out->text, out->size_bytes);
}

static void write_lfs(pml_json_writer *w, const fake_file *file, const char *hash_key) {
    pml_json_begin_object(w, "lfs");
    pml_json_string(w, hash_key, file->sha256);
    pml_json_u64(w, "size", file->size_bytes);
    pml_json_u64(w, "pointerSize", file->pointer_bytes);
    pml_json_end_object(w);
}

/* What tells one repository from another in a list: name, owner and what .hub.json says of it. */
static void write_summary(pml_json_writer *w, const fake_repo *repo) {
    pml_json_string(w, "_id", "000000000000000000000000");
    pml_json_string(w, "id", repo->id);
    pml_json_string(w, "modelId", repo->id);
    const char *slash = strchr(repo->id, '/');
    char *author = slash != NULL ? fake_text("%.*s", (int)(slash - repo->id), repo->id) : NULL;
    if (author != NULL) {
        pml_json_string(w, "author", author);
    }
    free(author);
    pml_json_bool(w, "private", fake_repo_flag(repo, "private"));
    pml_json_bool(w, "disabled", fake_repo_flag(repo, "disabled"));
    if (fake_repo_flag(repo, "gated") || fake_repo_text(repo, "gated") != NULL) {
        pml_json_string(w, "gated", "manual");
    } else {
        pml_json_bool(w, "gated", false);
    }
    pml_json_string(w, "lastModified", "2024-01-01T00:00:00.000Z");
    pml_json_string(w, "createdAt", "2024-01-01T00:00:00.000Z");
    pml_json_u64(w, "downloads", 1);
    pml_json_u64(w, "likes", 0);
    static const char *const texts[] = {"pipeline_tag", "library_name"};
    for (size_t i = 0; i < 2; i++) {
        if (fake_repo_text(repo, texts[i]) != NULL) {
            pml_json_string(w, texts[i], fake_repo_text(repo, texts[i]));
        }
    }
    pml_json_begin_array(w, "tags");
    const cJSON *tag = NULL;
    cJSON_ArrayForEach(tag, cJSON_GetObjectItemCaseSensitive(repo->settings, "tags")) {
        pml_json_string(w, NULL, cJSON_GetStringValue(tag));
    }
    pml_json_end_array(w);
}

void fake_listing_revision(fake_exchange *x, const fake_repo *repo) {
    bool with_blobs = fake_query_flag(x->query, "blobs");
    reply_writer out = {0};
    fake_reply_begin(x, 200);
    begin(&out);
    pml_json_writer *w = &out.w;
    pml_json_begin_object(w, NULL);
    write_summary(w, repo);
    pml_json_string(w, "sha", x->revision->commit);
    pml_json_begin_array(w, "siblings");
    for (size_t i = 0; i < x->revision->n_files; i++) {
        const fake_file *file = &x->revision->files[i];
        pml_json_begin_object(w, NULL);
        pml_json_string(w, "rfilename", file->path);
        if (with_blobs) {
            pml_json_string(w, "blobId", file->oid);
            pml_json_u64(w, "size", file->size_bytes);
            if (file->is_lfs) {
                write_lfs(w, file, "sha256");
            }
        }
        pml_json_end_object(w);
    }
    pml_json_end_array(w);
    pml_json_end_object(w);
    finish(&out, x);
    fake_reply_header(x, "X-Repo-Commit", "%s", x->revision->commit);
}

/* ---- trees ------------------------------------------------------------------------------------------------------ */
typedef struct tree_entry {
    char *path;            /* owned */
    const fake_file *file; /* NULL: a directory */
} tree_entry;

typedef struct tree_entries {
    tree_entry *items;
    size_t n_items;
} tree_entries;

static void add_entry(tree_entries *entries, const char *path, size_t length, const fake_file *file) {
    for (size_t i = 0; file == NULL && i < entries->n_items; i++) {
        if (strlen(entries->items[i].path) == length && strncmp(entries->items[i].path, path, length) == 0) {
            return; /* that directory is there */
        }
    }
    entries->items = fake_grow(entries->items, entries->n_items, sizeof *entries->items);
    entries->items[entries->n_items++] = (tree_entry){fake_text("%.*s", (int)length, path), file};
}

static tree_entries list_entries(const fake_revision *revision, const char *folder, bool recursive) {
    tree_entries entries = {0};
    size_t skip = *folder != '\0' ? strlen(folder) + 1 : 0;
    for (size_t i = 0; i < revision->n_files; i++) {
        const fake_file *file = &revision->files[i];
        if (skip > 0 && (strncmp(file->path, folder, skip - 1) != 0 || file->path[skip - 1] != '/')) {
            continue;
        }
        for (const char *slash = strchr(file->path + skip, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
            add_entry(&entries, file->path, (size_t)(slash - file->path), NULL);
            if (!recursive) {
                break;
            }
        }
        if (recursive || strchr(file->path + skip, '/') == NULL) {
            add_entry(&entries, file->path, strlen(file->path), file);
        }
    }
    return entries;
}

static void write_entry(pml_json_writer *w, const tree_entry *entry, const fake_revision *revision, bool expand) {
    const fake_file *file = entry->file;
    pml_json_begin_object(w, NULL);
    pml_json_string(w, "type", file != NULL ? "file" : "directory");
    pml_json_string(w, "oid", file != NULL ? file->oid : revision->commit);
    pml_json_u64(w, "size", file != NULL ? file->size_bytes : 0);
    if (file != NULL && file->is_lfs) {
        write_lfs(w, file, "oid");
    }
    pml_json_string(w, "path", entry->path);
    if (expand) {
        pml_json_begin_object(w, "lastCommit");
        pml_json_string(w, "id", revision->commit);
        pml_json_string(w, "title", "Upload");
        pml_json_string(w, "date", "2024-01-01T00:00:00.000Z");
        pml_json_end_object(w);
    }
    pml_json_end_object(w);
}

enum { EXPANDED_PAGE_ENTRIES = 50 };

void fake_listing_tree(fake_exchange *x, uint64_t page_entries, const fake_repo *repo, const char *revision,
                       const char *folder) {
    bool recursive = fake_query_flag(x->query, "recursive"), expand = fake_query_flag(x->query, "expand");
    uint64_t page = expand && page_entries > EXPANDED_PAGE_ENTRIES ? EXPANDED_PAGE_ENTRIES : page_entries;
    uint64_t limit = fake_query_number(x->query, "limit", page), first = fake_query_number(x->query, "cursor", 0);
    page = limit > 0 && limit < page ? limit : page;
    tree_entries entries = list_entries(x->revision, folder, recursive);
    fake_reply_begin(x, *folder != '\0' && entries.n_items == 0 ? 404 : 200);
    if (x->status == 404) {
        fake_reply_header(x, "X-Error-Code", "%s", "EntryNotFound");
        fake_reply_text(x, "application/json", "{\"error\":\"%s does not exist\"}", folder);
    } else {
        reply_writer out = {0};
        begin(&out);
        pml_json_begin_array(&out.w, NULL);
        for (uint64_t i = first; i < entries.n_items && i < first + page; i++) {
            write_entry(&out.w, &entries.items[i], x->revision, expand);
        }
        pml_json_end_array(&out.w);
        finish(&out, x);
        fake_reply_header(x, "X-Repo-Commit", "%s", x->revision->commit);
    }
    if (x->status == 200 && first + page < entries.n_items) {
        char *name = fake_text_encode(revision, false), *below = fake_text_encode(folder, true);
        fake_reply_header(x, "Link",
                          "<%s/api/models/%s/tree/%s%s%s?recursive=%s&expand=%s&limit=%llu&cursor=%llu>; "
                          "rel=\"next\"",
                          x->origins[FAKE_HUB], repo->id, name, *folder != '\0' ? "/" : "", below,
                          recursive ? "true" : "false", expand ? "true" : "false", (unsigned long long)page,
                          (unsigned long long)(first + page));
        free(name);
        free(below);
    }
    for (size_t i = 0; i < entries.n_items; i++) {
        free(entries.items[i].path);
    }
    free(entries.items);
}

/* ---- models ----------------------------------------------------------------------------------------------------- */
static bool has_tag(const fake_repo *repo, const char *tag) {
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(repo->settings, "tags")) {
        if (cJSON_IsString(item) && strcmp(item->valuestring, tag) == 0) {
            return true;
        }
    }
    static const char *const texts[] = {"pipeline_tag", "library_name"};
    for (size_t i = 0; i < 2; i++) {
        const char *value = fake_repo_text(repo, texts[i]);
        if (value != NULL && strcmp(value, tag) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_wanted(const fake_exchange *x, const fake_repo *repo) {
    char *author = fake_query_value(x->query, "author", 0), *search = fake_query_value(x->query, "search", 0);
    char *pipeline = fake_query_value(x->query, "pipeline_tag", 0);
    bool wanted = fake_repo_text(repo, "renamed_to") == NULL && (!fake_repo_flag(repo, "private") || x->is_known);
    if (author != NULL) {
        size_t length = strlen(author);
        wanted = wanted && strncmp(repo->id, author, length) == 0 && repo->id[length] == '/';
    }
    wanted = wanted && (search == NULL || strcasestr(repo->id, search) != NULL);
    wanted = wanted && (pipeline == NULL || has_tag(repo, pipeline));
    for (unsigned i = 0; wanted; i++) {
        char *filter = fake_query_value(x->query, "filter", i);
        if (filter == NULL) {
            break;
        }
        for (char *at = filter; at != NULL;) { /* several may stand in one, with commas */
            char *tag = strsep(&at, ",");
            wanted = wanted && (*tag == '\0' || has_tag(repo, tag));
        }
        free(filter);
    }
    free(author);
    free(search);
    free(pipeline);
    return wanted;
}

/* The query of this request with another cursor. */
static char *next_query(const char *query, uint64_t cursor) {
    char *out = fake_text("%s", "");
    for (const char *at = query; *at != '\0';) {
        size_t length = strcspn(at, "&");
        if (strncmp(at, "cursor=", 7) != 0 && length > 0) {
            char *longer = fake_text("%s%.*s&", out, (int)length, at);
            free(out);
            out = longer;
        }
        at += length + (at[length] == '&');
    }
    char *whole = fake_text("%scursor=%llu", out, (unsigned long long)cursor);
    free(out);
    return whole;
}

enum { MODELS_PAGE = 1000 };

void fake_listing_models(fake_exchange *x, fake_repos *repos) {
    uint64_t limit = fake_query_number(x->query, "limit", MODELS_PAGE),
             first = fake_query_number(x->query, "cursor", 0);
    limit = limit == 0 || limit > MODELS_PAGE ? MODELS_PAGE : limit;
    size_t n_ids = 0;
    uint64_t n_wanted = 0;
    char **ids = fake_repos_list(repos, &n_ids);
    reply_writer out = {0};
    fake_reply_begin(x, 200);
    begin(&out);
    pml_json_begin_array(&out.w, NULL);
    for (size_t i = 0; i < n_ids; i++) {
        const fake_repo *repo = fake_repos_find(repos, ids[i]);
        if (repo != NULL && is_wanted(x, repo)) {
            if (n_wanted >= first && n_wanted < first + limit) {
                pml_json_begin_object(&out.w, NULL);
                write_summary(&out.w, repo);
                pml_json_end_object(&out.w);
            }
            n_wanted++;
        }
        free(ids[i]);
    }
    free(ids);
    pml_json_end_array(&out.w);
    finish(&out, x);
    if (first + limit < n_wanted) {
        char *query = next_query(x->query, first + limit);
        fake_reply_header(x, "Link", "<%s/api/models?%s>; rel=\"next\"", x->origins[FAKE_HUB], query);
        free(query);
    }
}
