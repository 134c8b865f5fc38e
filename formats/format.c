/* The registry of source formats, and how a path becomes an open source. */
#include "formats/format.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "formats/file_map.h"
#include "formats/source.h"
#include "runtime/base/alloc.h"
#include "runtime/base/quote.h"

#define PML_FORMAT(name) extern const pml_format pml_format_##name;
#include "formats/registry.def"
#undef PML_FORMAT

const pml_format *const pml_formats[] = {
#define PML_FORMAT(name) &pml_format_##name,
#include "formats/registry.def"
#undef PML_FORMAT
    NULL,
};

enum { PROBE_BYTES = 4096, MAX_DIRECTORY_ENTRIES = 1000000, LISTED_CANDIDATES = 6 };

pml_status pml_format_choose(const pml_format *const *formats, const pml_probe *probe, const pml_format **format,
                             pml_error *error) {
    const pml_format *best = NULL, *rival = NULL;
    unsigned best_bits = 0;
    for (size_t i = 0; formats[i] != NULL; i++) {
        unsigned bits = formats[i]->probe(probe);
        if (bits > best_bits) {
            best_bits = bits;
            best = formats[i];
            rival = NULL;
        } else if (bits == best_bits && bits > 0) {
            rival = formats[i];
        }
    }
    static const char own[] = "\x89PML"; /* specs/pml-format.md, header */
    if (best == NULL && probe->head_bytes >= sizeof own && memcmp(probe->head, own, sizeof own - 1) == 0) {
        return PML_FAIL(error, PML_E_UNSUPPORTED, "%s: is a .pml file, not a checkpoint to make one from", probe->path);
    }
    if (best == NULL) {
        return PML_FAIL(error, PML_E_UNSUPPORTED, "%s: is in no format that pml reads", probe->path);
    }
    if (rival != NULL) {
        return PML_FAIL(error, PML_E_UNSUPPORTED, "%s: may be %s or %s: both have %u bits of evidence", probe->path,
                        best->name, rival->name, best_bits);
    }
    *format = best;
    return PML_OK;
}

static pml_status open_file(const char *path, pml_source **source, pml_error *error) {
    pml_status status = PML_OK;
    pml_file_map map = {0};
    pml_source *opened = NULL;
    const pml_format *format;
    const char *slash = strrchr(path, '/');
    PML_TRY(pml_foreign_map(path, &map, error));
    pml_probe probe = {
        .path = path,
        .base_name = slash == NULL ? path : slash + 1,
        .file_size_bytes = map.size_bytes,
        .head = map.data,
        .head_bytes = map.size_bytes < PROBE_BYTES ? (size_t)map.size_bytes : PROBE_BYTES,
    };
    PML_TRY(pml_format_choose(pml_formats, &probe, &format, error));
    pml_file_map_close(&map);
    PML_TRY(pml_source_create(path, format, &opened, error));
    PML_TRY(format->open(path, opened, error));
    PML_TRY(pml_source_sort(opened, error));
    *source = opened;
    opened = NULL;
done:
    pml_source_close(opened);
    pml_file_map_close(&map);
    return status;
}

/* ---- directories -------------------------------------------------------------------------------------------- */
typedef struct name_list {
    char **names;
    size_t n_names, capacity;
} name_list;

static void free_names(name_list *list) {
    for (size_t i = 0; i < list->n_names; i++) {
        pml_free(list->names[i]);
    }
    pml_free(list->names);
    *list = (name_list){0};
}

static int compare_names(const void *left, const void *right) {
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* The names in a directory, hidden ones left out, in byte order. */
static pml_status list_directory(const char *path, name_list *list, pml_error *error) {
    pml_status status = PML_OK;
    DIR *folder = opendir(path);
    if (folder == NULL) {
        PML_TRY(PML_FAIL(error, errno == ENOMEM ? PML_E_MEMORY : PML_E_IO, "%s: %s", path, strerror(errno)));
    }
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(folder);
        if (entry == NULL && errno != 0) {
            PML_TRY(PML_FAIL(error, PML_E_IO, "%s: %s", path, strerror(errno)));
        }
        if (entry == NULL) {
            break;
        }
        if (entry->d_name[0] != '.') {
            PML_TRY(pml_grow(&list->names, &list->capacity, list->n_names + 1, sizeof *list->names,
                             MAX_DIRECTORY_ENTRIES, "files in one directory", error));
            PML_TRY(pml_string_copy(entry->d_name, strlen(entry->d_name), &list->names[list->n_names], error));
            list->n_names++;
        }
    }
    if (list->n_names > 0) {
        qsort(list->names, list->n_names, sizeof *list->names, compare_names);
    }
done:
    if (folder != NULL) {
        (void)closedir(folder);
    }
    return status;
}

static bool has_name(const name_list *list, const char *name) {
    return list->n_names > 0 && bsearch(&name, list->names, list->n_names, sizeof *list->names, compare_names) != NULL;
}

/* A message under construction; what does not fit is cut off. */
typedef struct message {
    char text[800];
    size_t used;
} message;

static void add_text(message *m, const char *separator, const char *text) {
    int written = snprintf(m->text + m->used, sizeof m->text - m->used, "%s%s", m->used == 0 ? "" : separator, text);
    m->used += written < 0 ? 0 : (size_t)written;
    m->used = m->used < sizeof m->text ? m->used : sizeof m->text - 1;
}

/* A known name: of the first format that has one, its best. NULL when there is none. */
static const char *choose_known(const name_list *list) {
    for (size_t i = 0; pml_formats[i] != NULL; i++) {
        const char *const *known = pml_formats[i]->file_names;
        for (; known != NULL && *known != NULL; known++) {
            if (has_name(list, *known)) {
                return *known;
            }
        }
    }
    return NULL;
}

/* The one file of a known ending; of a better ending of the same format if both are there. */
static pml_status choose_by_ending(const char *path, const name_list *list, const char **name, pml_error *error) {
    message candidates = {0};
    size_t n_candidates = 0;
    for (size_t i = 0; pml_formats[i] != NULL; i++) {
        const char *const *ending = pml_formats[i]->file_endings;
        size_t n_before = n_candidates;
        for (; ending != NULL && *ending != NULL && n_candidates == n_before; ending++) {
            for (size_t j = 0; j < list->n_names; j++) {
                if (pml_name_ends_with(list->names[j], *ending)) {
                    pml_quoted quoted;
                    *name = list->names[j];
                    if (n_candidates++ < LISTED_CANDIDATES) {
                        add_text(&candidates, ", ", pml_quote(&quoted, list->names[j]));
                    }
                }
            }
        }
    }
    if (n_candidates > 1) {
        return PML_FAIL(error, PML_E_ARGUMENT, "%s: holds %zu checkpoints (%s%s): name the file that is meant", path,
                        n_candidates, candidates.text, n_candidates > LISTED_CANDIDATES ? ", ..." : "");
    }
    if (n_candidates == 0) {
        message wanted = {0};
        for (size_t i = 0; pml_formats[i] != NULL; i++) {
            for (const char *const *known = pml_formats[i]->file_names; known != NULL && *known != NULL; known++) {
                add_text(&wanted, ", ", *known);
            }
            for (const char *const *ending = pml_formats[i]->file_endings; ending != NULL && *ending != NULL;
                 ending++) {
                add_text(&wanted, ", *", *ending);
            }
        }
        return PML_FAIL(error, PML_E_NOT_FOUND, "%s: the directory holds no checkpoint; looked for %s", path,
                        wanted.text);
    }
    return PML_OK;
}

static pml_status open_directory(const char *path, pml_source **source, pml_error *error) {
    pml_status status = PML_OK;
    name_list list = {0};
    char *joined = NULL;
    PML_TRY(list_directory(path, &list, error));
    const char *name = choose_known(&list);
    if (name == NULL) {
        PML_TRY(choose_by_ending(path, &list, &name, error));
    }
    size_t path_bytes = strlen(path);
    while (path_bytes > 1 && path[path_bytes - 1] == '/') {
        path_bytes--;
    }
    size_t joined_bytes = path_bytes + strlen(name) + 2;
    PML_TRY(pml_alloc(joined_bytes, 1, &joined, error));
    (void)snprintf(joined, joined_bytes, "%.*s%s%s", (int)path_bytes, path, path[path_bytes - 1] == '/' ? "" : "/",
                   name);
    PML_TRY(open_file(joined, source, error));
done:
    pml_free(joined);
    free_names(&list);
    return status;
}

pml_status pml_source_open(const char *path, pml_source **source, pml_error *error) {
    *source = NULL;
    struct stat info;
    if (path[0] == '\0') {
        return PML_FAIL(error, PML_E_ARGUMENT, "the path of the checkpoint is empty");
    }
    if (stat(path, &info) == 0) {
        return S_ISDIR(info.st_mode) ? open_directory(path, source, error) : open_file(path, source, error);
    }
    if (strstr(path, "://") != NULL) {
        return PML_FAIL(error, PML_E_ARGUMENT, "%s: is an address; checkpoints are read from local files only", path);
    }
    return open_file(path, source, error);
}
