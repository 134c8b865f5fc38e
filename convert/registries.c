/* A dialect is whatever the rules of a mapper name: there is no second list to keep in step. */
#include "convert/registries.h"

#include <string.h>

#include "convert/text_table.h"
#include "formats/format.h"
#include "mappers/mapper.h"
#include "runtime/base/json_writer.h"

#define MAX_DIALECTS 16u

static const pml_mapper *mapper_of(const char *family) {
    for (size_t i = 0; pml_mappers[i] != NULL; i++) {
        if (strcmp(pml_mappers[i]->name, family) == 0) {
            return pml_mappers[i];
        }
    }
    return NULL;
}

/* The dialects that a family's rules name, each once, in order of appearance; returns how many. */
static size_t dialects_of(const char *family, const char *dialects[MAX_DIALECTS]) {
    const pml_mapper *mapper = mapper_of(family);
    size_t count = 0;
    for (const pml_map_rule *rule = mapper == NULL ? NULL : mapper->rules; rule != NULL && rule->pattern != NULL;
         rule++) {
        bool is_known = rule->dialect == NULL;
        for (size_t i = 0; i < count && !is_known; i++) {
            is_known = strcmp(dialects[i], rule->dialect) == 0;
        }
        if (!is_known && count < MAX_DIALECTS) {
            dialects[count++] = rule->dialect;
        }
    }
    return count;
}

static void write_list(pml_json_writer *w, const char *key, const char *const *items) {
    pml_json_begin_array(w, key);
    for (; items != NULL && *items != NULL; items++) {
        pml_json_string(w, NULL, *items);
    }
    pml_json_end_array(w);
}

static void print_list(FILE *stream, const char *label, const char *const *items) {
    fprintf(stream, "  %-13s", label);
    for (size_t i = 0; items != NULL && items[i] != NULL; i++) {
        fprintf(stream, "%s%s", i == 0 ? "" : ", ", items[i]);
    }
    fputc('\n', stream);
}

static pml_status check_stream(FILE *stream, pml_error *error) {
    return fflush(stream) == 0 && !ferror(stream) ? PML_OK : PML_FAIL(error, PML_E_IO, "the output cannot be written");
}

pml_status pml_registry_print_models(bool json, FILE *stream, pml_error *error) {
    pml_json_writer w;
    pml_json_writer_init(&w, stream, true);
    if (json) {
        pml_json_begin_object(&w, NULL);
        pml_json_begin_array(&w, "models");
    }
    const pml_family *family = NULL;
    for (size_t i = 0; (family = pml_family_at(i)) != NULL; i++) {
        const char *dialects[MAX_DIALECTS + 1] = {NULL};
        dialects[dialects_of(pml_family_name(family), dialects)] = NULL;
        if (json) {
            pml_json_begin_object(&w, NULL);
            pml_json_string(&w, "name", pml_family_name(family));
            pml_json_string(&w, "architecture", pml_family_architecture(family));
            write_list(&w, "variants", pml_family_variants(family));
            write_list(&w, "dialects", dialects);
            write_list(&w, "known_repos", pml_family_known_repos(family));
            pml_json_end_object(&w);
        } else {
            fprintf(stream, "%s%s\n", i == 0 ? "" : "\n", pml_family_name(family));
            fprintf(stream, "  %-13s%s\n", "architecture", pml_family_architecture(family));
            print_list(stream, "variants", pml_family_variants(family));
            print_list(stream, "dialects", dialects);
            print_list(stream, "known repos", pml_family_known_repos(family));
        }
    }
    if (json) {
        pml_json_end_array(&w);
        pml_json_end_object(&w);
        return pml_json_finish(&w, error);
    }
    return check_stream(stream, error);
}

/* Appends a list to `text`, each item behind ", " and `before`; cut when it does not fit. */
static void join(const char *const *list, const char *before, char *text, size_t capacity) {
    size_t used = strlen(text);
    for (size_t i = 0; list != NULL && list[i] != NULL && used < capacity; i++) {
        int size = snprintf(text + used, capacity - used, "%s%s%s", used == 0 ? "" : ", ", before, list[i]);
        used += size > 0 ? (size_t)size : 0;
    }
}

pml_status pml_registry_print_formats(bool json, FILE *stream, pml_error *error) {
    pml_status status = PML_OK;
    pml_text_table table;
    pml_text_table_init(&table, 3, 0);
    if (json) {
        pml_json_writer w;
        pml_json_writer_init(&w, stream, true);
        pml_json_begin_object(&w, NULL);
        pml_json_begin_array(&w, "formats");
        for (size_t i = 0; pml_formats[i] != NULL; i++) {
            pml_json_begin_object(&w, NULL);
            pml_json_string(&w, "name", pml_formats[i]->name);
            pml_json_string(&w, "description", pml_formats[i]->description);
            write_list(&w, "file_names", pml_formats[i]->file_names);
            write_list(&w, "file_endings", pml_formats[i]->file_endings);
            pml_json_end_object(&w);
        }
        pml_json_end_array(&w);
        pml_json_end_object(&w);
        PML_TRY(pml_json_finish(&w, error));
        goto done;
    }
    static const char *const title[] = {"name", "description", "file names"};
    PML_TRY(pml_text_table_row(&table, title, error));
    for (size_t i = 0; pml_formats[i] != NULL; i++) {
        char names[512] = "";
        join(pml_formats[i]->file_names, "", names, sizeof names);
        join(pml_formats[i]->file_endings, "*", names, sizeof names);
        const char *cells[] = {pml_formats[i]->name, pml_formats[i]->description, names};
        PML_TRY(pml_text_table_row(&table, cells, error));
    }
    pml_text_table_print(&table, stream, 0);
    PML_TRY(check_stream(stream, error));
done:
    pml_text_table_deinit(&table);
    return status;
}
