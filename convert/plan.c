#include "convert/plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "convert/pack.h"
#include "convert/quality.h"
#include "convert/readme.h"
#include "convert/series_state.h"
#include "convert/stored_type.h"
#include "runtime/base/alloc.h"
#include "runtime/base/checked.h"
#include "runtime/base/publish.h"
#include "runtime/base/quote.h"
#include "runtime/text/tokenizer.h"

#define CONVERTER "pml-convert "
#define PATH_BYTES 4096u
#define MAX_SIDE_FILES (3u + PML_TOKENIZER_FILES)

/* ---- the output's name ----------------------------------------------------------------------------------------- */

static const char *dtype_text(const pml_convert_options *options) {
    return pml_stored_type_name((pml_stored_type){options->dtype, options->group_rows});
}

/* Replaces {name} and {dtype}. */
static pml_status expand_output(pml_plan *plan, pml_error *error) {
    const char *template = plan->options->output != NULL ? plan->options->output : "{name}.pml";
    char path[PATH_BYTES];
    size_t used = 0;
    for (const char *at = template; *at != '\0' && used < sizeof path;) {
        const char *value = NULL;
        if (strncmp(at, "{name}", 6) == 0) {
            value = plan->bundle->name;
            at += 6;
        } else if (strncmp(at, "{dtype}", 7) == 0) {
            value = dtype_text(plan->options);
            at += 7;
        }
        if (value == NULL) {
            path[used++] = *at++;
        } else {
            const int n = snprintf(path + used, sizeof path - used, "%s", value);
            used += n > 0 ? (size_t)n : 0;
        }
    }
    if (used == 0 || used >= sizeof path) {
        return PML_FAIL(error, PML_E_ARGUMENT, "the name of the output is %s", used == 0 ? "empty" : "too long");
    }
    return pml_string_copy(path, used, &plan->output, error);
}

/* The checks that need nothing but names: before anything is written, and of a dry run too. */
static pml_status check_output(const char *output, bool replace, pml_error *error) {
    struct stat info;
    pml_quoted quoted;
    const bool exists = lstat(output, &info) == 0;
    if (strcmp(output, "-") == 0) {
        return PML_FAIL(error, PML_E_ARGUMENT, "the output cannot go to standard output; name a file");
    }
    if (exists && S_ISDIR(info.st_mode)) {
        return PML_FAIL(error, PML_E_ARGUMENT, "output %s is a directory; name a file in it",
                        pml_quote(&quoted, output));
    }
    if (exists && !replace && (S_ISREG(info.st_mode) || S_ISLNK(info.st_mode))) {
        return PML_FAIL(error, PML_E_ARGUMENT, "output %s exists; --force replaces it", pml_quote(&quoted, output));
    }
    return pml_publish_check(output, true, error);
}

static pml_status check_not(const char *output, const char *input, pml_error *error) {
    struct stat out, in;
    pml_quoted quoted;
    if (stat(output, &out) == 0 && stat(input, &in) == 0 && out.st_dev == in.st_dev && out.st_ino == in.st_ino) {
        return PML_FAIL(error, PML_E_ARGUMENT, "output %s is one of the sources", pml_quote(&quoted, output));
    }
    return PML_OK;
}

static pml_status check_sources(const pml_plan *plan, pml_error *error) {
    static const char *const neighbours[] = {"config.json", "scaler.json"};
    pml_status status = PML_OK;
    char path[PATH_BYTES];
    const pml_source *tensors = plan->bundle->tensors;
    const pml_convert_options *options = plan->options;
    PML_TRY(check_not(plan->output, pml_source_path(tensors), error)); /* an index is none of its files */
    for (size_t i = 0; i < pml_source_n_files(tensors); i++) {
        PML_TRY(check_not(plan->output, pml_source_file_path(tensors, i), error));
    }
    for (size_t i = 0; i < sizeof neighbours / sizeof neighbours[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", pml_source_directory(tensors), neighbours[i]);
        PML_TRY(check_not(plan->output, path, error));
    }
    for (size_t i = 0; i < plan->bundle->mapper_files.count; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", pml_source_directory(tensors),
                       plan->bundle->mapper_files.items[i].name);
        PML_TRY(check_not(plan->output, path, error));
    }
    const char *const named[] = {
        options->source,          plan->bundle->config_file.path,   options->bundle.config_path,
        options->bundle.map_path, options->bundle.modes_index_path, options->selftest_path};
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
        if (named[i] != NULL) {
            PML_TRY(check_not(plan->output, named[i], error));
        }
    }
done:
    return status;
}

static pml_status place_output(pml_plan *plan, pml_error *error) {
    pml_status status = PML_OK;
    const pml_convert_options *options = plan->options;
    if (options->selftest_path != NULL && access(options->selftest_path, F_OK) != 0) {
        PML_TRY(PML_FAIL(error, PML_E_NOT_FOUND, "%s: %s", options->selftest_path, strerror(errno)));
    }
    PML_TRY(expand_output(plan, error));
    PML_TRY(check_sources(plan, error));
    PML_TRY(check_output(plan->output, options->replace, error));
done:
    return status;
}

/* ---- tensors --------------------------------------------------------------------------------------------------- */

static int compare_positions(const void *a, const void *b) {
    const pml_mapped_weight *x = ((const pml_plan_tensor *)a)->mapped, *y = ((const pml_plan_tensor *)b)->mapped;
    const pml_source_tensor *s = x->parts[0].source, *t = y->parts[0].source;
    if (s->i_file != t->i_file) {
        return s->i_file < t->i_file ? -1 : 1;
    }
    if (s->offset_bytes != t->offset_bytes) {
        return s->offset_bytes < t->offset_bytes ? -1 : 1;
    }
    return x < y ? -1 : x > y; /* of one mapping: the schema's order */
}

static pml_status plan_tensors(pml_plan *plan, pml_error *error) {
    pml_status status = PML_OK;
    const pml_mapping *mapping = plan->mapping;
    PML_TRY(pml_alloc(mapping->weights.count, sizeof *plan->tensors, &plan->tensors, error));
    for (size_t i = 0; i < mapping->weights.count; i++) {
        const pml_mapped_weight *mapped = &mapping->mapped[i];
        const pml_weight_instance *weight = mapped->weight;
        pml_plan_tensor *tensor = &plan->tensors[plan->n_tensors];
        tensor->mapped = mapped;
        if (mapped->n_parts == 0) {
            PML_TRY(PML_FAIL(error, PML_E_FORMAT, "weight '%s' has no source", weight->name));
        }
        for (size_t k = 0; k < mapped->n_parts; k++) {
            PML_TRY(pml_pack_check_dtype(plan->bundle->tensors, mapped->parts[k].source, error));
        }
        plan->n_tensors++;
    }
    PML_TRY(pml_plan_choose_types(plan, error));
    if (plan->n_tensors > 1) {
        qsort(plan->tensors, plan->n_tensors, sizeof *plan->tensors, compare_positions);
    }
done:
    return status;
}

pml_status pml_plan_declare(const pml_plan *plan, pml_writer *writer, size_t *i_tensors, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_writer_set_metadata(writer, plan->metadata, error));
    for (size_t i = 0; i < plan->n_tensors; i++) {
        const pml_plan_tensor *tensor = &plan->tensors[i];
        const pml_weight_instance *weight = tensor->mapped->weight;
        PML_TRY(pml_writer_add_grouped(writer, weight->name, tensor->dtype, tensor->layout, tensor->group_rows,
                                       weight->shape, weight->rank, tensor->mapped->transform, &i_tensors[i], error));
    }
    if (plan->tokenizer.bytes != NULL) {
        PML_TRY(
            pml_writer_add_blob(writer, PML_TOKENIZER_BLOB, plan->tokenizer.bytes, plan->tokenizer.size_bytes, error));
    }
done:
    return status;
}

/* Declares the file as it will be, only to learn its size. */
static pml_status plan_size(pml_plan *plan, pml_error *error) {
    pml_status status = PML_OK;
    pml_writer *writer = NULL;
    size_t *i_tensors = NULL;
    PML_TRY(pml_alloc(plan->n_tensors, sizeof *i_tensors, &i_tensors, error));
    PML_TRY(pml_writer_create(PML_KIND_MODEL, &writer, error));
    PML_TRY(pml_plan_declare(plan, writer, i_tensors, error));
    PML_TRY(pml_writer_planned_size(writer, &plan->size_bytes, error));
done:
    pml_free(i_tensors);
    pml_writer_destroy(writer);
    return status;
}

/* ---- metadata -------------------------------------------------------------------------------------------------- */

static size_t list_side_files(const pml_plan *plan, const pml_side_file *files[MAX_SIDE_FILES]) {
    const pml_bundle *bundle = plan->bundle;
    const pml_side_file *const all[] = {&bundle->config_file, &bundle->scaler_file, &bundle->map_file};
    size_t n = 0;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (all[i]->name != NULL) {
            files[n++] = all[i];
        }
    }
    for (size_t i = 0; i < plan->tokenizer.n_files; i++) {
        files[n++] = &plan->tokenizer.files[i];
    }
    return n;
}

pml_status pml_plan_set_hashes(pml_plan *plan, char (*hashes)[PML_SHA256_TEXT_BYTES], pml_error *error) {
    static const char unknown[] = "0000000000000000000000000000000000000000000000000000000000000000";
    pml_status status = PML_OK;
    const pml_side_file *side_files[MAX_SIDE_FILES];
    const size_t n_side = list_side_files(plan, side_files);
    const size_t n_files = pml_source_n_files(plan->bundle->tensors);
    const char **texts = NULL;
    const pml_mapper_files *mapper_files = &plan->bundle->mapper_files;
    const size_t n_all = n_files + n_side + mapper_files->count;
    PML_TRY(pml_alloc(n_all, sizeof *texts, &texts, error));
    for (size_t i = 0; i < n_files; i++) {
        texts[i] = hashes != NULL ? hashes[i] : unknown;
    }
    for (size_t i = 0; i < n_side; i++) {
        texts[n_files + i] = side_files[i]->sha256;
    }
    for (size_t i = 0; i < mapper_files->count; i++) {
        texts[n_files + n_side + i] = mapper_files->items[i].sha256;
    }
    PML_TRY(pml_metadata_set_strings(plan->metadata, "provenance.sha256", texts, n_all, error));
    for (size_t i = 0; i < n_files; i++) {
        texts[i] = pml_source_file_name(plan->bundle->tensors, i);
    }
    for (size_t i = 0; i < n_side; i++) {
        texts[n_files + i] = side_files[i]->name;
    }
    for (size_t i = 0; i < mapper_files->count; i++) {
        texts[n_files + n_side + i] = mapper_files->items[i].name;
    }
    PML_TRY(pml_metadata_set_strings(plan->metadata, "provenance.files", texts, n_all, error));
done:
    pml_free(texts);
    return status;
}

/* The options that decide about bytes, one text each, "key=value". */
static pml_status record_options(pml_plan *plan, pml_error *error) {
    pml_status status = PML_OK;
    const pml_convert_options *options = plan->options;
    const size_t n_settings = options->bundle.n_settings;
    const size_t n_owned = n_settings + options->n_type_rules;
    char **owned = NULL;
    const char **texts = NULL;
    char dtype[32], layout[32], max_error[48], arch[PML_MAX_NAME_BYTES];
    size_t n = 0;
    PML_TRY(pml_alloc(n_owned + 1, sizeof *owned, &owned, error));
    PML_TRY(pml_alloc(n_owned + 6, sizeof *texts, &texts, error));
    (void)snprintf(dtype, sizeof dtype, "dtype=%s", dtype_text(options));
    (void)snprintf(layout, sizeof layout, "layout=%s", pml_layout_name(options->layout));
    texts[n++] = dtype;
    texts[n++] = layout;
    if (options->bundle.arch != NULL) {
        (void)snprintf(arch, sizeof arch, "arch=%s", options->bundle.arch);
        texts[n++] = arch;
    }
    if (options->allow_nonfinite) {
        texts[n++] = "allow-nonfinite";
    }
    if (options->selftest_path != NULL) {
        texts[n++] = "embed-selftest";
    }
    if (options->max_error > 0) {
        (void)snprintf(max_error, sizeof max_error, "max-error=%.17g", options->max_error);
        texts[n++] = max_error;
    }
    for (size_t i = 0; i < n_owned; i++) {
        const bool is_rule = i >= n_settings;
        const char *key = is_rule ? "tensor-type=" : "set=";
        const char *value = is_rule ? options->type_rules[i - n_settings] : options->bundle.settings[i];
        const size_t key_bytes = strlen(key), value_bytes = strlen(value);
        PML_TRY(pml_alloc(key_bytes + value_bytes + 1, 1, &owned[i], error));
        memcpy(owned[i], key, key_bytes);
        memcpy(owned[i] + key_bytes, value, value_bytes);
        texts[n++] = owned[i];
    }
    PML_TRY(pml_metadata_set_strings(plan->metadata, "provenance.options", texts, n, error));
done:
    for (size_t i = 0; owned != NULL && i < n_owned; i++) {
        pml_free(owned[i]);
    }
    pml_free(owned);
    pml_free(texts);
    return status;
}

/* Whoever ships the file must be able to say under which terms. */
static pml_status record_license(pml_plan *plan, pml_error *error) {
    pml_status status = PML_OK;
    pml_readme readme;
    PML_TRY(pml_readme_find(pml_source_folder(plan->bundle->tensors), &readme, error));
    const char *const rows[][2] = {{"provenance.license", readme.license},
                                   {"provenance.license_name", readme.license_name},
                                   {"provenance.license_link", readme.license_link}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i][1][0] != '\0') {
            PML_TRY(pml_metadata_set_string(plan->metadata, rows[i][0], rows[i][1], error));
        }
    }
done:
    return status;
}

static pml_status plan_metadata(pml_plan *plan, pml_error *error) {
    pml_status status = PML_OK;
    const pml_bundle *bundle = plan->bundle;
    const pml_metadata *config = plan->mapping->config;
    const pml_series_source series = {bundle->scaler, bundle->scaler_file.name, bundle->frequency, bundle->columns};
    PML_TRY(pml_metadata_create(&plan->metadata, error));
    for (size_t i = 0; i < pml_metadata_count(config); i++) {
        PML_TRY(pml_metadata_set_entry(plan->metadata, pml_metadata_at(config, i), error));
    }
    PML_TRY(pml_series_state_read(&series, plan->mapping->schema, plan->metadata, error));
    PML_TRY(pml_metadata_set_string(plan->metadata, "provenance.source", bundle->origin, error));
    PML_TRY(record_license(plan, error));
    char converter[64];
    (void)snprintf(converter, sizeof converter, CONVERTER "%s", pml_version());
    PML_TRY(pml_metadata_set_string(plan->metadata, "provenance.converter", converter, error));
    PML_TRY(record_options(plan, error));
    PML_TRY(pml_quality_record(plan, NULL, error));
    PML_TRY(pml_plan_set_hashes(plan, NULL, error));
done:
    return status;
}

pml_status pml_plan_create(const pml_convert_options *options, pml_plan **plan, pml_error *error) {
    pml_status status = PML_OK;
    pml_plan *made = NULL;
    *plan = NULL;
    if (strcmp(dtype_text(options), "?") == 0) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "dtype %s: weights are stored as F32, BF16 or I8",
                         pml_dtype_name(options->dtype)));
    }
    if (!options->writes_nothing && options->output != NULL && strchr(options->output, '{') == NULL) {
        PML_TRY(check_output(options->output, options->replace, error));
    }
    PML_TRY(pml_alloc(1, sizeof *made, &made, error));
    made->options = options;
    PML_TRY(pml_bundle_open(options->source, &options->bundle, &made->bundle, error));
    if (!options->writes_nothing) {
        PML_TRY(place_output(made, error));
    }
    PML_TRY(pml_mapping_create(&made->bundle->map, &made->mapping, error));
    PML_TRY(plan_tensors(made, error));
    PML_TRY(pml_tokenizer_state_read(pml_source_folder(made->bundle->tensors), made->mapping->config, &made->tokenizer,
                                     error));
    for (size_t i = 0; !options->writes_nothing && i < made->tokenizer.n_files; i++) {
        PML_TRY(check_not(made->output, made->tokenizer.files[i].path, error));
    }
    PML_TRY(plan_metadata(made, error));
    PML_TRY(plan_size(made, error));
    for (size_t i = 0; i < pml_source_n_files(made->bundle->tensors); i++) {
        if (!pml_ck_add(made->source_bytes, pml_source_file_size(made->bundle->tensors, i), &made->source_bytes)) {
            PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: the files are too large together", options->source));
        }
    }
    *plan = made;
    made = NULL;
done:
    pml_plan_destroy(made);
    return status;
}

void pml_plan_destroy(pml_plan *plan) {
    if (plan != NULL) {
        pml_metadata_destroy(plan->metadata);
        pml_free(plan->tensors);
        pml_tokenizer_state_deinit(&plan->tokenizer);
        pml_mapping_destroy(plan->mapping);
        pml_bundle_close(plan->bundle);
        pml_free(plan->output);
        pml_free(plan);
    }
}
