/* The small files of an export: what a .pml file holds beside weights, as the files that conversion reads it from. */
#ifndef PML_CONVERT_EXPORT_EXPORT_FILES_H
#define PML_CONVERT_EXPORT_EXPORT_FILES_H

#include <stdio.h>

#include "convert/export/export_folder.h"
#include "mappers/dialect.h"
#include "runtime/base/json_writer.h"
#include "runtime/file/reader.h"

typedef struct pml_export_subject { /* what is exported; borrowed */
    const pml_file *file;
    const pml_schema *schema;
    const pml_map_dialect *dialect;
} pml_export_subject;

typedef struct pml_export_file {
    const char *name; /* as conversion knows it: "config.json"; NULL: the dialect's config_file */
    bool (*exists)(const pml_export_subject *subject);
    pml_status (*write)(const pml_export_subject *subject, FILE *stream, pml_error *error);
} pml_export_file;

/* All kinds of them; ends with a NULL `write`. */
extern const pml_export_file pml_export_files[];

/* Writes those that the subject has. `written`, if not NULL, is told each name. */
pml_status pml_export_files_write(const pml_export_subject *subject, const pml_export_folder *folder,
                                  pml_status (*written)(void *user, const char *name, pml_error *error), void *user,
                                  pml_error *error) PML_WARN_UNUSED;

/* export_tokenizer.c: the blob "tokenizer" as files that transformers reads, and that give the same blob. */
bool pml_export_has_tokenizer(const pml_export_subject *subject);
bool pml_export_has_vocabulary(const pml_export_subject *subject); /* as lines: a token may hold a line's end */
bool pml_export_has_merges(const pml_export_subject *subject);
pml_status pml_export_tokenizer_json(const pml_export_subject *subject, FILE *stream, pml_error *error);
pml_status pml_export_vocabulary(const pml_export_subject *subject, FILE *stream, pml_error *error);
pml_status pml_export_vocabulary_json(const pml_export_subject *subject, FILE *stream, pml_error *error);
pml_status pml_export_merges(const pml_export_subject *subject, FILE *stream, pml_error *error);
pml_status pml_export_tokenizer_config(const pml_export_subject *subject, FILE *stream, pml_error *error);
pml_status pml_export_special_tokens(const pml_export_subject *subject, FILE *stream, pml_error *error);

#endif
