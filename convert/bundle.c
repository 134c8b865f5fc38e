#include "convert/bundle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "formats/json_document.h"
#include "runtime/base/alloc.h"
#include "runtime/base/limits.h"

#define PATH_BYTES 4096u
#define HUB_PREFIX "models--"

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static pml_status parse_side_file(const pml_side_file *file, cJSON **root, pml_error *error) {
    return file->name != NULL ? pml_json_document_parse(file->text, file->size_bytes, file->path, root, error) : PML_OK;
}

/* config.json; where there is none, the first that some family's code bases call it. */
static pml_status find_configuration(pml_bundle *bundle, pml_error *error) {
    pml_status status = PML_OK;
    const pml_folder *folder = pml_source_folder(bundle->tensors);
    PML_TRY(pml_side_file_find(folder, "config.json", PML_MAX_CONFIG_BYTES, &bundle->config_file, error));
    for (size_t i = 0; pml_mappers[i] != NULL; i++) {
        const char *const *names = pml_mappers[i]->config_files;
        for (; names != NULL && *names != NULL && bundle->config_file.name == NULL; names++) {
            PML_TRY(pml_side_file_find(folder, *names, PML_MAX_CONFIG_BYTES, &bundle->config_file, error));
        }
    }
done:
    return status;
}

/* The configuration, or what the user names instead, and scaler.json. */
static pml_status load_configuration(pml_bundle *bundle, const char *config_path, pml_error *error) {
    pml_status status = PML_OK;
    const pml_folder *folder = pml_source_folder(bundle->tensors);
    if (config_path != NULL) {
        PML_TRY(pml_side_file_read(config_path, PML_MAX_CONFIG_BYTES, &bundle->config_file, error));
    } else {
        PML_TRY(find_configuration(bundle, error));
    }
    PML_TRY(pml_side_file_find(folder, "scaler.json", PML_MAX_CONFIG_BYTES, &bundle->scaler_file, error));
    PML_TRY(parse_side_file(&bundle->config_file, &bundle->config, error));
    PML_TRY(parse_side_file(&bundle->scaler_file, &bundle->scaler, error));
done:
    return status;
}

static pml_status load_rules(pml_bundle *bundle, const char *path, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_side_file_read(path, PML_MAX_CONFIG_BYTES, &bundle->map_file, error));
    PML_TRY(pml_map_rules_parse(bundle->map_file.text, bundle->map_file.size_bytes, path, &bundle->rules,
                                &bundle->n_rules, error));
    pml_side_file_forget_text(&bundle->map_file);
    bundle->map_options.extra_rules = bundle->rules;
    bundle->map_options.n_extra_rules = bundle->n_rules;
done:
    return status;
}

/* The configuration that the container itself holds, if some family looks for one there. Its text stays the source's.
 */
static pml_status load_attribute(pml_bundle *bundle, pml_error *error) {
    pml_status status = PML_OK;
    char name[PATH_BYTES];
    for (size_t i = 0; pml_mappers[i] != NULL && bundle->config == NULL; i++) {
        const char *key = pml_mappers[i]->config_attribute;
        const char *text = key != NULL ? pml_source_attribute(bundle->tensors, key) : NULL;
        if (text != NULL) {
            (void)snprintf(name, sizeof name, "%s: %s of its metadata", pml_source_path(bundle->tensors), key);
            PML_TRY(pml_json_document_parse(text, strlen(text), name, &bundle->config, error));
            bundle->map.config_name = key;
            bundle->map.config_text = text;
            bundle->map.config_bytes = strlen(text);
        }
    }
done:
    return status;
}

/* Divides the settings between the series and the mapper. */
static pml_status divide_settings(pml_bundle *bundle, const pml_bundle_options *options, pml_error *error) {
    pml_status status = PML_OK;
    size_t n_mapper = 0;
    PML_TRY(pml_alloc(options->n_settings + 1, sizeof *bundle->mapper_settings, &bundle->mapper_settings, error));
    for (size_t i = 0; i < options->n_settings; i++) {
        const char *setting = options->settings[i];
        const char *equals = strchr(setting, '=');
        if (equals == NULL || equals == setting) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "setting '%s': expected KEY=VALUE", setting));
        }
        const size_t n_key = (size_t)(equals - setting);
#define IS_KEY(text) (n_key == strlen(text) && strncmp(setting, (text), n_key) == 0)
        if (IS_KEY("frequency") || IS_KEY("freq")) { /* of the series, and of networks that are told dates */
            bundle->frequency = equals + 1;
            bundle->mapper_settings[n_mapper++] = setting;
        } else if (IS_KEY("series.frequency")) {
            bundle->frequency = equals + 1;
        } else if (IS_KEY("series.columns")) {
            bundle->columns = equals + 1;
        } else {
            bundle->mapper_settings[n_mapper++] = setting;
        }
#undef IS_KEY
    }
    bundle->map_options.settings = bundle->mapper_settings;
    bundle->map_options.n_settings = n_mapper;
done:
    return status;
}

static bool is_commit(const char *text) {
    return strlen(text) == 40 && strspn(text, "0123456789abcdef") == 40;
}

/* Sets name and origin from a directory ".../models--org--name/snapshots/<commit>" of a hub cache; false when
 * `directory` is not one. `directory` is cut up. */
static bool describe_snapshot(char *directory, char *name, char *origin, size_t n_bytes) {
    char *commit = strrchr(directory, '/');
    if (commit == NULL || !is_commit(commit + 1)) {
        return false;
    }
    *commit++ = '\0';
    char *snapshots = strrchr(directory, '/');
    if (snapshots == NULL || strcmp(snapshots, "/snapshots") != 0) {
        return false;
    }
    *snapshots = '\0';
    const char *repo = base_name(directory);
    if (strncmp(repo, HUB_PREFIX, strlen(HUB_PREFIX)) != 0) {
        return false;
    }
    repo += strlen(HUB_PREFIX);
    const char *split = strstr(repo, "--");
    if (split == NULL) {
        (void)snprintf(name, n_bytes, "%s", repo);
        (void)snprintf(origin, n_bytes, "hf://%s@%s", repo, commit);
    } else {
        (void)snprintf(name, n_bytes, "%s", split + 2);
        (void)snprintf(origin, n_bytes, "hf://%.*s/%s@%s", (int)(split - repo), repo, split + 2, commit);
    }
    return true;
}

/* Cuts an ending off; a name that is nothing but the ending stays. */
static void cut_ending(char *name, const char *ending) {
    const size_t n = strlen(name), n_ending = strlen(ending);
    if (n > n_ending && strcmp(name + n - n_ending, ending) == 0) {
        name[n - n_ending] = '\0';
    }
}

static pml_status describe_origin(pml_bundle *bundle, const char *path, pml_error *error) {
    pml_status status = PML_OK;
    char *directory = NULL, *again = NULL;
    char name[PATH_BYTES], origin[PATH_BYTES];
    struct stat info;
    static const char *const archive_endings[] = {".zip", ".zst", ".gz", ".tar", ".tgz"};
    const bool is_archive = pml_folder_is_archive(pml_source_folder(bundle->tensors));
    const bool is_directory = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
    directory = realpath(pml_source_directory(bundle->tensors), NULL);
    if (directory == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_IO, "%s: its directory cannot be found", path));
    }
    PML_TRY(pml_string_copy(directory, strlen(directory), &again, error));
    if (!describe_snapshot(again, name, origin, sizeof name)) {
        (void)snprintf(origin, sizeof origin, "%s", base_name(is_directory ? directory : path));
        (void)snprintf(name, sizeof name, "%s", origin);
        for (size_t i = 0; is_archive && i < sizeof archive_endings / sizeof archive_endings[0]; i++) {
            cut_ending(name, archive_endings[i]);
        }
        if (!is_directory && !is_archive) {
            cut_ending(name, ".json");
            cut_ending(name, ".index");
            char *dot = strrchr(name, '.');
            if (dot != NULL && dot != name) {
                *dot = '\0';
            }
        }
    }
    if (name[0] == '\0') { /* the root directory */
        (void)snprintf(name, sizeof name, "model");
        (void)snprintf(origin, sizeof origin, "model");
    }
    PML_TRY(pml_string_copy(name, strlen(name), &bundle->name, error));
    PML_TRY(pml_string_copy(origin, strlen(origin), &bundle->origin, error));
done:
    free(directory);
    pml_free(again);
    return status;
}

pml_status pml_bundle_open(const char *path, const pml_bundle_options *options, pml_bundle **bundle, pml_error *error) {
    static const pml_bundle_options no_options;
    pml_status status = PML_OK;
    pml_bundle *opened = NULL;
    *bundle = NULL;
    if (options == NULL) {
        options = &no_options;
    }
    PML_TRY(pml_alloc(1, sizeof *opened, &opened, error));
    PML_TRY(divide_settings(opened, options, error));
    opened->map_options.arch = options->arch;
    if (options->map_path != NULL) {
        PML_TRY(load_rules(opened, options->map_path, error));
    }
    PML_TRY(pml_source_open(path, &opened->tensors, error));
    pml_source_pair_complex(opened->tensors);
    PML_TRY(load_configuration(opened, options->config_path, error));
    PML_TRY(pml_mapper_files_load(pml_source_folder(opened->tensors), &opened->mapper_files, error));
    if (options->modes_index_path != NULL) {
        PML_TRY(pml_mapper_files_add(&opened->mapper_files, "modes-index", options->modes_index_path, error));
    }
    PML_TRY(describe_origin(opened, path, error));
    opened->map.tensors = opened->tensors;
    opened->map.config_name = opened->config_file.name != NULL ? opened->config_file.name : "config.json";
    opened->map.config_text = opened->config_file.text;
    opened->map.config_bytes = opened->config_file.size_bytes;
    if (opened->config_file.name == NULL) {
        PML_TRY(load_attribute(opened, error));
    }
    opened->map.config = opened->config;
    opened->map.sides = opened->mapper_files.sides;
    opened->map.n_sides = opened->mapper_files.count;
    opened->map.options = &opened->map_options;
    *bundle = opened;
    opened = NULL;
done:
    pml_bundle_close(opened);
    return status;
}

void pml_bundle_close(pml_bundle *bundle) {
    if (bundle == NULL) {
        return;
    }
    pml_source_close(bundle->tensors);
    cJSON_Delete(bundle->config);
    cJSON_Delete(bundle->scaler);
    pml_mapper_files_deinit(&bundle->mapper_files);
    pml_side_file_deinit(&bundle->config_file);
    pml_side_file_deinit(&bundle->scaler_file);
    pml_side_file_deinit(&bundle->map_file);
    pml_free(bundle->name);
    pml_free(bundle->origin);
    pml_free(bundle->mapper_settings);
    pml_map_rules_destroy(bundle->rules, bundle->n_rules);
    pml_free(bundle);
}
