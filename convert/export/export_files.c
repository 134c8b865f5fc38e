#include "convert/export/export_files.h"

#include <stdlib.h>
#include <string.h>

#include "convert/small_file.h"
#include "mappers/reverse_config.h"
#include "runtime/base/alloc.h"

static const pml_metadata *metadata_of(const pml_export_subject *subject) {
    return pml_file_metadata(subject->file);
}

static const pml_meta_entry *find(const pml_export_subject *subject, const char *key, pml_meta_type type) {
    const pml_meta_entry *entry = pml_metadata_find(metadata_of(subject), key);
    return entry != NULL && entry->type == type ? entry : NULL;
}

/* ---- the configuration ---- */
static bool always(const pml_export_subject *subject) {
    (void)subject;
    return true;
}

static pml_status write_config(const pml_export_subject *subject, FILE *stream, pml_error *error) {
    pml_status status = PML_OK;
    pml_json_writer w;
    pml_json_writer_init(&w, stream, true);
    pml_json_begin_object(&w, NULL);
    PML_TRY(pml_reverse_config_write(subject->dialect, subject->schema, metadata_of(subject), &w, error));
    pml_json_end_object(&w);
    PML_TRY(pml_json_finish(&w, error));
done:
    return status;
}

/* ---- how series were scaled ---- */
static bool has_scaler(const pml_export_subject *subject) {
    return find(subject, "series.scaler", PML_META_STRING) != NULL ||
           find(subject, "series.columns", PML_META_STRING_ARRAY) != NULL ||
           find(subject, "series.frequency", PML_META_STRING) != NULL;
}

static void write_numbers(pml_json_writer *w, const char *name, const pml_meta_entry *entry) {
    if (entry != NULL) {
        pml_json_begin_array(w, name);
        for (uint64_t i = 0; i < entry->count; i++) {
            pml_json_f64(w, NULL, entry->value.f64s[i]);
        }
        pml_json_end_array(w);
    }
}

static pml_status write_scaler(const pml_export_subject *subject, FILE *stream, pml_error *error) {
    const pml_meta_entry *kind = find(subject, "series.scaler", PML_META_STRING);
    const pml_meta_entry *columns = find(subject, "series.columns", PML_META_STRING_ARRAY);
    const pml_meta_entry *frequency = find(subject, "series.frequency", PML_META_STRING);
    pml_json_writer w;
    pml_json_writer_init(&w, stream, true);
    pml_json_begin_object(&w, NULL);
    pml_json_string(&w, "kind", kind != NULL ? kind->value.string : "none");
    write_numbers(&w, "mean", find(subject, "series.mean", PML_META_F64_ARRAY));
    write_numbers(&w, "std", find(subject, "series.std", PML_META_F64_ARRAY));
    if (columns != NULL) {
        pml_json_begin_array(&w, "columns");
        for (uint64_t i = 0; i < columns->count; i++) {
            pml_json_string(&w, NULL, columns->value.strings[i]);
        }
        pml_json_end_array(&w);
    }
    if (frequency != NULL) {
        pml_json_string(&w, "frequency", frequency->value.string);
    }
    pml_json_end_object(&w);
    return pml_json_finish(&w, error);
}

/* ---- sentences: the modules of sentence-transformers ---- */
static bool has_pooling(const pml_export_subject *subject) {
    return find(subject, "text.pooling", PML_META_STRING) != NULL;
}

static bool is_normalized(const pml_export_subject *subject) {
    const pml_meta_entry *entry = find(subject, "text.normalize", PML_META_BOOL);
    return entry != NULL && entry->value.boolean;
}

static void write_module(pml_json_writer *w, uint64_t i_module, const char *path, const char *type) {
    char name[24];
    (void)snprintf(name, sizeof name, "%llu", (unsigned long long)i_module);
    pml_json_begin_object(w, NULL);
    pml_json_u64(w, "idx", i_module);
    pml_json_string(w, "name", name);
    pml_json_string(w, "path", path);
    pml_json_string(w, "type", type);
    pml_json_end_object(w);
}

static pml_status write_modules(const pml_export_subject *subject, FILE *stream, pml_error *error) {
    pml_json_writer w;
    pml_json_writer_init(&w, stream, true);
    pml_json_begin_array(&w, NULL);
    write_module(&w, 0, "", "sentence_transformers.models.Transformer");
    write_module(&w, 1, "1_Pooling", "sentence_transformers.models.Pooling");
    if (is_normalized(subject)) {
        write_module(&w, 2, "2_Normalize", "sentence_transformers.models.Normalize");
    }
    pml_json_end_array(&w);
    return pml_json_finish(&w, error);
}

/* Values of a sentence embedding, as the schema has it. */
static pml_status embedding_size(const pml_export_subject *subject, uint64_t *size, pml_error *error) {
    for (const pml_port_spec *port = subject->schema->outputs; port->name != NULL; port++) {
        if (strcmp(port->name, "sentence_embedding") == 0) {
            uint64_t shape[PML_MAX_RANK];
            unsigned rank;
            const pml_status status =
                pml_schema_port_dims(subject->schema, metadata_of(subject), port->dims, 1, 1, shape, &rank, error);
            *size = status == PML_OK ? shape[rank - 1] : 0;
            return status;
        }
    }
    return PML_FAIL(error, PML_E_CONFIG, "text.pooling is set, but family %s has no sentence_embedding",
                    subject->schema->name);
}

static pml_status write_pooling(const pml_export_subject *subject, FILE *stream, pml_error *error) {
    static const char *const flags[][2] = {{"pooling_mode_cls_token", "cls"},
                                           {"pooling_mode_mean_tokens", "mean"},
                                           {"pooling_mode_max_tokens", "max"},
                                           {"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len"}};
    pml_status status = PML_OK;
    const char *pooling = find(subject, "text.pooling", PML_META_STRING)->value.string;
    uint64_t size = 0;
    pml_json_writer w;
    PML_TRY(embedding_size(subject, &size, error));
    pml_json_writer_init(&w, stream, true);
    pml_json_begin_object(&w, NULL);
    pml_json_u64(&w, "word_embedding_dimension", size);
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        pml_json_bool(&w, flags[i][0], strcmp(flags[i][1], pooling) == 0);
    }
    pml_json_end_object(&w);
    PML_TRY(pml_json_finish(&w, error));
done:
    return status;
}

/* Also where no sentence is pooled: nothing else says that texts end before the model's last position. */
static bool has_limit(const pml_export_subject *subject) {
    const pml_meta_entry *most = find(subject, "text.max_tokens", PML_META_I64);
    const pml_meta_entry *positions = find(subject, "config.max_positions", PML_META_I64);
    return most != NULL && (has_pooling(subject) || (positions != NULL && positions->value.i64 != most->value.i64));
}

static pml_status write_limit(const pml_export_subject *subject, FILE *stream, pml_error *error) {
    pml_json_writer w;
    pml_json_writer_init(&w, stream, true);
    pml_json_begin_object(&w, NULL);
    pml_json_i64(&w, "max_seq_length", find(subject, "text.max_tokens", PML_META_I64)->value.i64);
    pml_json_bool(&w, "do_lower_case", false);
    pml_json_end_object(&w);
    return pml_json_finish(&w, error);
}

/* ---- all of them ---- */
const pml_export_file pml_export_files[] = {
    {NULL, always, write_config},
    {"tokenizer.json", pml_export_has_tokenizer, pml_export_tokenizer_json},
    {"vocab.txt", pml_export_has_vocabulary, pml_export_vocabulary},
    {"vocab.json", pml_export_has_merges, pml_export_vocabulary_json},
    {"merges.txt", pml_export_has_merges, pml_export_merges},
    {"tokenizer_config.json", pml_export_has_tokenizer, pml_export_tokenizer_config},
    {"special_tokens_map.json", pml_export_has_tokenizer, pml_export_special_tokens},
    {"modules.json", has_pooling, write_modules},
    {"1_Pooling/config.json", has_pooling, write_pooling},
    {"sentence_bert_config.json", has_limit, write_limit},
    {"scaler.json", has_scaler, write_scaler},
    {NULL, NULL, NULL}};

static pml_status write_file(const pml_export_subject *subject, const pml_export_file *kind, const char *path,
                             pml_error *error) {
    pml_status status = PML_OK;
    char *text = NULL;
    size_t size_bytes = 0;
    FILE *stream = open_memstream(&text, &size_bytes);
    if (stream == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "%s: out of memory", path));
    }
    status = kind->write(subject, stream, error);
    if (fclose(stream) != 0 && status == PML_OK) {
        status = PML_FAIL(error, PML_E_MEMORY, "%s: out of memory", path);
    }
    PML_TRY(status);
    PML_TRY(pml_small_file_write(path, text, size_bytes, false, error));
done:
    free(text); /* open_memstream's own */
    return status;
}

pml_status pml_export_files_write(const pml_export_subject *subject, const pml_export_folder *folder,
                                  pml_status (*written)(void *user, const char *name, pml_error *error), void *user,
                                  pml_error *error) {
    pml_status status = PML_OK;
    char *path = NULL;
    for (const pml_export_file *kind = pml_export_files; kind->write != NULL; kind++) {
        const char *name = kind->name != NULL ? kind->name : subject->dialect->config_file;
        if (!kind->exists(subject)) {
            continue;
        }
        pml_free(path);
        path = NULL;
        PML_TRY(pml_export_folder_path(folder, name, &path, error));
        PML_TRY(write_file(subject, kind, path, error));
        if (written != NULL) {
            PML_TRY(written(user, name, error));
        }
    }
done:
    pml_free(path);
    return status;
}
