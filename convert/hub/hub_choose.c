#include "convert/hub/hub_choose.h"

#include <stdio.h>
#include <string.h>

#include "formats/format.h"
#include "formats/shard_index.h"
#include "mappers/mapper.h"
#include "runtime/base/alloc.h"
#include "runtime/base/quote.h"

#define SHARD_INDEX_ENDING ".index.json"
enum { SHOWN_BYTES = 400 };

/* Files beside the weights that are read, or that go on with them: patterns. Mappers add theirs
 * (pml_mapper.side_files). */
static const char *const side_patterns[] = {"config.json",
                                            "generation_config.json",
                                            "scaler.json",
                                            "tokenizer.json",
                                            "tokenizer_config.json",
                                            "special_tokens_map.json",
                                            "added_tokens.json",
                                            "vocab.txt",
                                            "vocab.json",
                                            "merges.txt",
                                            "README.md",
                                            NULL};

/* What stands beside weights under the same endings and is none: the state of a training. */
static const char *const training_patterns[] = {
    "training_args.*", "optimizer*.*", "scheduler*.*", "rng_state*.*", "scaler.pt", "adapter_*.*", NULL};

/* Files that belong to a file of weights, by its name: with STEM for the name without `ending`. */
static const struct companion {
    const char *ending;
    const char *pattern; /* of names that begin with the stem, or of paths when `is_path` */
    bool is_path;
} companions[] = {
    {".onnx", ".onnx_data*", false},   {".onnx", ".onnx.data*", false},         {".onnx", ".data", false},
    {".index", ".data-*-of-*", false}, {"saved_model.pb", "variables/*", true},
};

static bool fits_any(const char *const *patterns, const char *path) {
    for (size_t i = 0; patterns[i] != NULL; i++) {
        if (pml_hub_pattern_fits(patterns[i], path)) {
            return true;
        }
    }
    return false;
}

static bool ends_with(const char *text, const char *ending) {
    const size_t n = strlen(text), n_ending = strlen(ending);
    return n >= n_ending && strcmp(text + n - n_ending, ending) == 0;
}

static pml_status add(pml_hub_choice *choice, const pml_hub_file *file, pml_error *error) {
    for (size_t i = 0; i < choice->count; i++) {
        if (choice->files[i] == file) {
            return PML_OK;
        }
    }
    const pml_status status = pml_grow(&choice->files, &choice->capacity, choice->count + 1, sizeof *choice->files,
                                       PML_HUB_MAX_FILES, "files of a download", error);
    if (status == PML_OK) {
        choice->files[choice->count++] = file;
    }
    return status;
}

static bool is_side_file(const char *path) {
    if (fits_any(side_patterns, path)) {
        return true;
    }
    for (size_t i = 0; pml_mappers[i] != NULL; i++) {
        const char *const *names = pml_mappers[i]->side_files;
        for (size_t k = 0; names != NULL && names[k] != NULL; k++) {
            if (strcmp(names[k], path) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* ---- weights ---- */

static bool is_companion(const char *weights, const char *path) {
    for (size_t i = 0; i < sizeof companions / sizeof companions[0]; i++) {
        const struct companion *c = &companions[i];
        const size_t n_stem = strlen(weights) - (ends_with(weights, c->ending) ? strlen(c->ending) : 0);
        if (n_stem == strlen(weights)) {
            continue;
        }
        if (c->is_path ? pml_hub_pattern_fits(c->pattern, path)
                       : strncmp(path, weights, n_stem) == 0 && pml_hub_pattern_fits(c->pattern, path + n_stem)) {
            return true;
        }
    }
    return false;
}

/* The chosen weights, with the files that belong to them. */
static pml_status add_weights(const pml_hub_listing *listing, const pml_hub_filter *filter, const pml_hub_file *weights,
                              pml_hub_choice *choice, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(add(choice, weights, error));
    if (ends_with(weights->path, SHARD_INDEX_ENDING)) {
        choice->index = weights;
    }
    for (size_t i = 0; i < listing->count; i++) {
        const pml_hub_file *file = &listing->files[i];
        if (is_companion(weights->path, file->path) && !pml_hub_filter_excludes(filter, file->path)) {
            PML_TRY(add(choice, file, error));
        }
    }
done:
    return status;
}

/* A file in the repository's root that may be weights with this ending. */
static bool is_candidate(const pml_hub_file *file, const pml_hub_filter *filter, const char *ending) {
    return strchr(file->path, '/') == NULL && ends_with(file->path, ending) &&
           !fits_any(training_patterns, file->path) && !pml_hub_filter_excludes(filter, file->path);
}

/* The one file with that ending; several are an error. */
static pml_status find_only(const pml_hub_listing *listing, const pml_hub_filter *filter, const char *ending,
                            const pml_hub_file **found, pml_error *error) {
    char shown[SHOWN_BYTES] = "";
    size_t n_found = 0, length = 0;
    for (size_t i = 0; i < listing->count; i++) {
        const pml_hub_file *file = &listing->files[i];
        if (is_candidate(file, filter, ending)) {
            pml_quoted quoted;
            *found = file;
            n_found++;
            const int n = snprintf(shown + length, sizeof shown - length, "%s%s", length > 0 ? ", " : "",
                                   pml_quote(&quoted, file->path));
            length = n > 0 && length + (size_t)n < sizeof shown ? length + (size_t)n : sizeof shown - 1;
        }
    }
    return n_found <= 1 ? PML_OK
                        : PML_FAIL(error, PML_E_UNSUPPORTED,
                                   "the repository holds several files of weights (%s): choose with --include", shown);
}

/* The first format that has weights here: by a known name, else by an ending. */
static pml_status choose_weights(const pml_hub_listing *listing, const pml_hub_filter *filter, pml_hub_choice *choice,
                                 pml_error *error) {
    pml_status status = PML_OK;
    const pml_hub_file *weights = NULL;
    for (size_t i = 0; pml_formats[i] != NULL && weights == NULL; i++) {
        const char *const *name = pml_formats[i]->file_names;
        for (; name != NULL && *name != NULL && weights == NULL; name++) {
            weights = pml_hub_listing_find(listing, *name);
            weights = weights != NULL && pml_hub_filter_excludes(filter, weights->path) ? NULL : weights;
        }
    }
    for (size_t i = 0; pml_formats[i] != NULL && weights == NULL; i++) {
        const char *const *ending = pml_formats[i]->file_endings;
        for (; ending != NULL && *ending != NULL && weights == NULL; ending++) {
            PML_TRY(find_only(listing, filter, *ending, &weights, error));
        }
    }
    if (weights != NULL) {
        PML_TRY(add_weights(listing, filter, weights, choice, error));
    }
done:
    return status;
}

pml_status pml_hub_choice_make(const pml_hub_listing *listing, const pml_hub_filter *filter, pml_hub_choice *choice,
                               pml_error *error) {
    pml_status status = PML_OK;
    pml_hub_choice made = {0};
    for (size_t i = 0; i < listing->count; i++) {
        const pml_hub_file *file = &listing->files[i];
        if (filter->n_include > 0 ? pml_hub_filter_fits(filter, file->path)
                                  : is_side_file(file->path) && !pml_hub_filter_excludes(filter, file->path)) {
            PML_TRY(add(&made, file, error));
        }
    }
    if (filter->n_include == 0) {
        PML_TRY(choose_weights(listing, filter, &made, error));
    }
    if (made.count == 0) {
        PML_TRY(PML_FAIL(error, PML_E_NOT_FOUND, "%s",
                         filter->n_include > 0 ? "no file of the repository fits --include and --exclude"
                                               : "the repository holds no file that a conversion needs"));
    }
    *choice = made;
    made = (pml_hub_choice){0};
done:
    pml_hub_choice_deinit(&made);
    return status;
}

pml_status pml_hub_choice_add_shards(const pml_hub_listing *listing, const void *bytes, size_t size_bytes,
                                     pml_hub_choice *choice, pml_error *error) {
    pml_status status = PML_OK;
    pml_shard_index index = {0};
    PML_TRY(pml_shard_index_parse(bytes, size_bytes, choice->index->path, &index, error));
    for (size_t i = 0; i < pml_names_count(&index.shards); i++) {
        const char *name = pml_names_at(&index.shards, i);
        const pml_hub_file *file = pml_hub_listing_find(listing, name);
        if (file == NULL) {
            pml_quoted quoted;
            PML_TRY(PML_FAIL(error, PML_E_NOT_FOUND, "%s names the shard %s, which the repository does not have",
                             choice->index->path, pml_quote(&quoted, name)));
        }
        PML_TRY(add(choice, file, error));
    }
done:
    pml_shard_index_deinit(&index);
    return status;
}

void pml_hub_choice_deinit(pml_hub_choice *choice) {
    pml_free(choice->files);
    *choice = (pml_hub_choice){0};
}
