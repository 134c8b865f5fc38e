/* What one job may ask of the conversion: the options of pml-convert that decide about bytes, and no others. */
#ifndef PML_CONVERT_BATCH_JOB_OPTIONS_H
#define PML_CONVERT_BATCH_JOB_OPTIONS_H

#include "runtime/base/arena.h"

typedef struct pml_job_options {
    const char **arguments; /* "--name=value", as the conversion's command line takes them */
    size_t n_arguments;
    const char *dtype; /* for names of files: "f32" when none is given */
    /* What "provenance.options" of the output will say, joined by newlines, then a line "name=sha256:..." for every
     * file that an option names. Equal keys mean equal options. */
    const char *key;
    bool names_files; /* so the output alone does not record all of them */
} pml_job_options;

/* Reads `n` texts "--name=value" or "--name"; of one that is not repeatable the last wins. Files that they name are
 * read and hashed. Everything is copied into `texts`. Errors: CONFIG (an option that does not belong here, a missing
 * value), those of pml_side_file_read, MEMORY. */
pml_status pml_job_options_read(const char *const *given, size_t n_given, pml_arena *texts, pml_job_options *options,
                                pml_error *error) PML_WARN_UNUSED;

/* A copy of `length` bytes and a zero, in the arena. Errors: MEMORY. */
pml_status pml_arena_text(pml_arena *texts, const char *text, size_t length, const char **copy,
                          pml_error *error) PML_WARN_UNUSED;
/* The same of a format. Errors: MEMORY. */
pml_status pml_arena_format(pml_arena *texts, const char **copy, pml_error *error, const char *format,
                            ...) PML_WARN_UNUSED __attribute__((format(printf, 4, 5)));

#endif
