#include "convert/batch/output_state.h"

#include <errno.h>
#include <fts.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "convert/hash.h"
#include "runtime/base/alloc.h"
#include "runtime/base/quote.h"
#include "runtime/file/reader.h"

enum { MOST_LEVELS = 3, MOST_FILES = 100000 };

/* ---- the output -------------------------------------------------------------------------------------------------- */

static pml_status copy_text(const pml_file *file, const char *key, pml_arena *texts, const char **text,
                            pml_error *error) {
    const pml_meta_entry *entry = pml_metadata_find(pml_file_metadata(file), key);
    const char *found = entry != NULL && entry->type == PML_META_STRING ? entry->value.string : "";
    return pml_arena_text(texts, found, strlen(found), text, error);
}

static pml_status join_options(const pml_file *file, pml_arena *texts, const char **text, pml_error *error) {
    const pml_meta_entry *entry = pml_metadata_find(pml_file_metadata(file), "provenance.options");
    pml_status status = pml_arena_text(texts, "", 0, text, error);
    for (uint64_t i = 0; status == PML_OK && entry != NULL && entry->type == PML_META_STRING_ARRAY && i < entry->count;
         i++) {
        status = pml_arena_format(texts, text, error, "%s%s%s", *text, i > 0 ? "\n" : "", entry->value.strings[i]);
    }
    return status;
}

pml_status pml_output_look(const char *path, pml_arena *texts, pml_output_state *state, pml_error *error) {
    pml_status status = PML_OK;
    struct stat info;
    pml_file *file = NULL;
    pml_error cause = {0};
    char digest[33];
    *state = (pml_output_state){0};
    if (lstat(path, &info) != 0) {
        goto done;
    }
    state->exists = true;
    const pml_status opened = S_ISREG(info.st_mode) ? pml_file_open(path, &file, &cause) : PML_E_FORMAT;
    if (opened == PML_E_MEMORY) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "%s", cause.message));
    }
    if (opened != PML_OK) {
        goto done;
    }
    for (size_t i = 0; i < 16; i++) {
        (void)snprintf(digest + 2 * i, 3, "%02x", pml_file_content_digest(file)[i]);
    }
    PML_TRY(pml_arena_text(texts, digest, 32, &state->content_digest, error));
    PML_TRY(copy_text(file, "general.family", texts, &state->family, error));
    PML_TRY(copy_text(file, "general.variant", texts, &state->variant, error));
    PML_TRY(copy_text(file, "provenance.source", texts, &state->source, error));
    PML_TRY(copy_text(file, "provenance.converter", texts, &state->converter, error));
    PML_TRY(join_options(file, texts, &state->options, error));
    state->size_bytes = pml_file_size(file);
    state->is_model = true;
done:
    pml_file_close(file);
    return status;
}

/* ---- the source -------------------------------------------------------------------------------------------------- */

static int compare_names(const FTSENT **a, const FTSENT **b) {
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static pml_status hash_tree(FTS *tree, pml_hash *hash, pml_error *error) {
    pml_status status = PML_OK;
    char line[PATH_MAX + 128];
    size_t n_files = 0, n_root = 0;
    for (FTSENT *entry; (entry = fts_read(tree)) != NULL;) {
        if (entry->fts_level == FTS_ROOTLEVEL) {
            n_root = entry->fts_pathlen + (size_t)1;
        }
        if (entry->fts_info == FTS_D && entry->fts_level >= MOST_LEVELS) {
            (void)fts_set(tree, entry, FTS_SKIP);
        }
        if (entry->fts_info != FTS_F || entry->fts_pathlen < n_root) {
            continue;
        }
        if (++n_files > MOST_FILES) {
            PML_TRY(PML_FAIL(error, PML_E_IO, "more than %d files", MOST_FILES));
        }
        const struct stat *info = entry->fts_statp;
        const int n = snprintf(line, sizeof line, "%s\n%lld %lld.%09ld\n", entry->fts_path + n_root,
                               (long long)info->st_size, (long long)info->st_mtim.tv_sec, info->st_mtim.tv_nsec);
        PML_TRY(pml_hash_update(hash, line, n > 0 && (size_t)n < sizeof line ? (size_t)n : sizeof line - 1, error));
    }
done:
    return status;
}

pml_status pml_local_identity(const char *source, pml_arena *texts, const char **identity, pml_error *error) {
    pml_status status = PML_OK;
    pml_hash *hash = NULL;
    FTS *tree = NULL;
    char folder[PATH_MAX], text[PML_SHA256_TEXT_BYTES];
    struct stat info;
    pml_quoted quoted;
    if (stat(source, &info) != 0) {
        PML_TRY(PML_FAIL(error, errno == ENOENT || errno == ENOTDIR ? PML_E_NOT_FOUND : PML_E_IO, "%s: %s",
                         pml_quote(&quoted, source), strerror(errno)));
    }
    (void)snprintf(folder, sizeof folder, "%s", source);
    char *slash = strrchr(folder, '/');
    if (!S_ISDIR(info.st_mode) && slash == NULL) {
        (void)snprintf(folder, sizeof folder, ".");
    } else if (!S_ISDIR(info.st_mode)) {
        slash[slash == folder] = '\0';
    }
    PML_TRY(pml_hash_create(&hash, error));
    PML_TRY(pml_hash_update(hash, source, strlen(source), error));
    char *roots[] = {folder, NULL};
    tree = fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, compare_names);
    if (tree == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_IO, "%s: %s", pml_quote(&quoted, source), strerror(errno)));
    }
    PML_TRY(hash_tree(tree, hash, error));
    PML_TRY(pml_hash_finish(hash, text, error));
    PML_TRY(pml_arena_format(texts, identity, error, "files:%s", text));
done:
    if (tree != NULL) {
        (void)fts_close(tree);
    }
    pml_hash_destroy(hash);
    return status;
}
