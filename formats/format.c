/* The registry of source formats, and how a path becomes an open source. */
#include "formats/format.h"

#include <stdio.h>
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

enum { PROBE_BYTES = 4096, LISTED_CANDIDATES = 6, MOST_FORMATS = 32 };

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

static unsigned most_bits(const pml_probe *probe) {
    unsigned most = 0;
    for (size_t i = 0; pml_formats[i] != NULL; i++) {
        const unsigned bits = pml_formats[i]->probe(probe);
        most = bits > most ? bits : most;
    }
    return most;
}

static pml_probe probe_of(const char *path, const pml_file_map *map) {
    const char *slash = strrchr(path, '/');
    return (pml_probe){
        .path = path,
        .base_name = slash == NULL ? path : slash + 1,
        .file_size_bytes = map->size_bytes,
        .head = map->data,
        .head_bytes = map->size_bytes < PROBE_BYTES ? (size_t)map->size_bytes : PROBE_BYTES,
    };
}

/* Opens a file of a folder, which it takes over; NULL: the folder that the path tells. */
static pml_status open_file(pml_folder *folder, const char *path, const pml_format *format, pml_source **source,
                            pml_error *error) {
    pml_status status = PML_OK;
    pml_source *opened = NULL;
    PML_TRY(folder != NULL ? pml_source_create_in(folder, path, format, &opened, error)
                           : pml_source_create(path, format, &opened, error));
    PML_TRY(format->open(path, opened, error));
    PML_TRY(pml_source_sort(opened, error));
    *source = opened;
    opened = NULL;
done:
    pml_source_close(opened);
    return status;
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
static const char *choose_known(const pml_folder *folder) {
    for (size_t i = 0; pml_formats[i] != NULL; i++) {
        const char *const *known = pml_formats[i]->file_names;
        for (; known != NULL && *known != NULL; known++) {
            if (pml_folder_has(folder, *known)) {
                return *known;
            }
        }
    }
    return NULL;
}

/* Whether `name` has one of the endings that formats took files by. */
static bool is_taken(const char *name, const char *const *taken, size_t n_taken) {
    for (size_t i = 0; i < n_taken; i++) {
        if (pml_name_ends_with(name, taken[i])) {
            return true;
        }
    }
    return false;
}

/* Whether it holds the arrays of a JSON file beside it, as neuralforecast saves them with its models. */
static bool is_companion(const pml_folder *folder, const char *name) {
    static const char *const companions[][2] = {{"dataset.safetensors", "dataset.json"},
                                                {"configuration.safetensors", "configuration.json"}};
    for (size_t i = 0; i < sizeof companions / sizeof companions[0]; i++) {
        if (strcmp(name, companions[i][0]) == 0 && pml_folder_has(folder, companions[i][1])) {
            return true;
        }
    }
    return false;
}

/* The one file of a known ending; of a better ending of the same format if both are there. Two formats may know one
 * ending: which of them a file is in shows later. */
static pml_status choose_by_ending(const pml_folder *folder, const pml_folder_names *list, const char **name,
                                   pml_error *error) {
    const char *path = pml_folder_path(folder);
    message candidates = {0};
    const char *taken[MOST_FORMATS];
    size_t n_candidates = 0, n_taken = 0;
    for (size_t i = 0; pml_formats[i] != NULL && i < MOST_FORMATS; i++) {
        const char *const *ending = pml_formats[i]->file_endings;
        bool has_any = false;
        for (; ending != NULL && *ending != NULL && !has_any; ending++) {
            for (size_t j = 0; j < list->count; j++) {
                const char *item = list->items[j];
                pml_quoted quoted;
                if (strchr(item, '/') != NULL || !pml_name_ends_with(item, *ending) || is_companion(folder, item)) {
                    continue;
                }
                has_any = true;
                if (is_taken(item, taken, n_taken)) {
                    continue;
                }
                *name = item;
                if (n_candidates++ < LISTED_CANDIDATES) {
                    add_text(&candidates, ", ", pml_quote(&quoted, item));
                }
            }
            if (has_any) {
                taken[n_taken++] = *ending;
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

/* The best checkpoint in a folder, which it takes over. */
static pml_status open_folder(pml_folder *folder, pml_source **source, pml_error *error) {
    pml_status status = PML_OK;
    pml_folder_names names = {0};
    pml_file_map map = {0};
    const pml_format *format;
    char *joined = NULL;
    const char *path = pml_folder_path(folder);
    PML_TRY(pml_folder_list(folder, &names, error));
    const char *name = choose_known(folder);
    if (name == NULL) {
        PML_TRY(choose_by_ending(folder, &names, &name, error));
    }
    size_t path_bytes = strlen(path);
    while (path_bytes > 1 && path[path_bytes - 1] == '/') {
        path_bytes--;
    }
    size_t joined_bytes = path_bytes + strlen(name) + 2;
    PML_TRY(pml_alloc(joined_bytes, 1, &joined, error));
    (void)snprintf(joined, joined_bytes, "%.*s%s%s", (int)path_bytes, path, path[path_bytes - 1] == '/' ? "" : "/",
                   name);
    PML_TRY(pml_folder_map_path(folder, joined, &map, error));
    const pml_probe probe = probe_of(joined, &map);
    PML_TRY(pml_format_choose(pml_formats, &probe, &format, error));
    pml_file_map_close(&map);
    /* In an archive names are relative to it; in a directory the path tells where a file lies. */
    pml_folder *kept = pml_folder_is_archive(folder) ? folder : NULL;
    folder = kept != NULL ? NULL : folder;
    PML_TRY(open_file(kept, joined, format, source, error));
done:
    pml_file_map_close(&map);
    pml_free(joined);
    pml_folder_names_deinit(&names);
    pml_folder_close(folder);
    return status;
}

/* A file that the user names: a checkpoint, an index, or an archive of a folder. */
static pml_status open_named(const char *path, pml_source **source, pml_error *error) {
    pml_status status = PML_OK;
    pml_file_map map = {0};
    pml_folder *archive = NULL;
    const pml_format *format;
    PML_TRY(pml_foreign_map(path, &map, error));
    const pml_probe probe = probe_of(path, &map);
    if (most_bits(&probe) == 0 && pml_archive_probe(probe.head, probe.head_bytes)) {
        pml_file_map_close(&map);
        PML_TRY(pml_folder_open_archive(path, &archive, error));
        PML_TRY(open_folder(archive, source, error));
        goto done;
    }
    PML_TRY(pml_format_choose(pml_formats, &probe, &format, error));
    pml_file_map_close(&map);
    PML_TRY(open_file(NULL, path, format, source, error));
done:
    pml_file_map_close(&map);
    return status;
}

static pml_status open_directory(const char *path, pml_source **source, pml_error *error) {
    pml_status status = PML_OK;
    pml_folder *folder = NULL;
    PML_TRY(pml_folder_create(path, &folder, error));
    PML_TRY(open_folder(folder, source, error));
done:
    return status;
}

pml_status pml_source_open(const char *path, pml_source **source, pml_error *error) {
    *source = NULL;
    struct stat info;
    if (path[0] == '\0') {
        return PML_FAIL(error, PML_E_ARGUMENT, "the path of the checkpoint is empty");
    }
    if (stat(path, &info) == 0) {
        return S_ISDIR(info.st_mode) ? open_directory(path, source, error) : open_named(path, source, error);
    }
    if (strstr(path, "://") != NULL) {
        return PML_FAIL(error, PML_E_ARGUMENT, "%s: is an address; checkpoints are read from local files only", path);
    }
    return open_named(path, source, error);
}
