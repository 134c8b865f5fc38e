#include "convert/batch/batch_manifest.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "convert/batch/manifest_line.h"
#include "runtime/base/alloc.h"
#include "runtime/base/input.h"
#include "runtime/base/limits.h"
#include "runtime/base/names.h"
#include "runtime/base/quote.h"

#define HUB_PREFIX "hf://"
#define SUFFIX ".pml"

/* ---- sources ----------------------------------------------------------------------------------------------------- */

/* One or two parts of letters, digits, '-', '_' and '.', which are no way out of a folder. */
static bool is_repository(const char *text) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./";
    const char *slash = strchr(text, '/');
    const size_t length = strlen(text);
    return length > 0 && length <= 193 && strspn(text, allowed) == length && strstr(text, "..") == NULL &&
           strstr(text, "--") == NULL && text[0] != '.' && text[0] != '/' && text[0] != '-' &&
           (slash == NULL ||
            (slash[1] != '\0' && slash[1] != '.' && slash[1] != '-' && strchr(slash + 1, '/') == NULL));
}

/* What is written like a path is one, whether or not something is there. */
static bool is_written_as_path(const char *text) {
    const char *slash = strchr(text, '/');
    return text[0] == '/' || text[0] == '.' || text[0] == '~' || (slash != NULL && strchr(slash + 1, '/') != NULL);
}

/* Tells a path from a repository, and takes "@revision" off the latter. */
static pml_status read_source(const pml_manifest_line *line, pml_arena *texts, pml_batch_job *job, pml_error *error) {
    pml_status status = PML_OK;
    pml_quoted quoted;
    struct stat info;
    const char *source = line->fields[PML_LINE_SOURCE];
    const bool names_hub = strncmp(source, HUB_PREFIX, strlen(HUB_PREFIX)) == 0;
    job->revision = line->fields[PML_LINE_REVISION];
    job->is_local = !names_hub && (stat(source, &info) == 0 || is_written_as_path(source));
    if (job->is_local) {
        if (job->revision != NULL) {
            PML_TRY(
                PML_FAIL(error, PML_E_CONFIG, "%s is a local source: it has no revision", pml_quote(&quoted, source)));
        }
        job->source = source;
        goto done;
    }
    source += names_hub ? strlen(HUB_PREFIX) : 0;
    const char *at = strchr(source, '@');
    if (at != NULL) {
        if (job->revision != NULL && strcmp(job->revision, at + 1) != 0) {
            PML_TRY(PML_FAIL(error, PML_E_CONFIG, "%s: two revisions", pml_quote(&quoted, source)));
        }
        job->revision = at + 1;
        PML_TRY(pml_arena_text(texts, source, (size_t)(at - source), &source, error));
    }
    if (!is_repository(source)) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "%s is neither a path nor a repository (ORG/NAME)",
                         pml_quote(&quoted, source)));
    }
    if (job->revision != NULL && (job->revision[0] == '\0' || job->revision[0] == '-')) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "%s is no revision", pml_quote(&quoted, job->revision)));
    }
    job->source = source;
done:
    return status;
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

/* "org--name" of a repository; of a path its last part, without the ending of a file. */
static pml_status name_job(pml_arena *texts, pml_batch_job *job, pml_error *error) {
    pml_status status = PML_OK;
    struct stat info;
    char *whole = NULL;
    const char *slash = strchr(job->source, '/');
    if (!job->is_local) {
        PML_TRY(slash != NULL ? pml_arena_format(texts, &job->id, error, "%.*s--%s", (int)(slash - job->source),
                                                 job->source, slash + 1)
                              : pml_arena_text(texts, job->source, strlen(job->source), &job->id, error));
        goto done;
    }
    whole = realpath(job->source, NULL);
    const char *path = whole != NULL ? whole : job->source;
    slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    const char *dot = stat(path, &info) == 0 && S_ISREG(info.st_mode) ? strrchr(name, '.') : NULL;
    const size_t length = dot != NULL && dot != name ? (size_t)(dot - name) : strlen(name);
    PML_TRY(length > 0 ? pml_arena_text(texts, name, length, &job->id, error)
                       : pml_arena_text(texts, "model", 5, &job->id, error));
done:
    free(whole);
    return status;
}

/* Relative, one part after the other below the folder, none of them hidden, nothing in them that steers a terminal. */
static bool stays_inside(const char *path) {
    for (const char *at = path; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' || *at == 0x7f) {
            return false;
        }
    }
    for (const char *part = path;;) {
        const size_t length = strcspn(part, "/");
        if (length == 0 || part[0] == '.') {
            return false;
        }
        if (part[length] == '\0') {
            return true;
        }
        part += length + 1;
    }
}

static pml_status place_output(const pml_manifest_line *line, pml_arena *texts, pml_batch_job *job, pml_error *error) {
    pml_status status = PML_OK;
    pml_quoted quoted;
    const char *given = line->fields[PML_LINE_OUTPUT];
    const bool is_plain = strcmp(job->options.dtype, "f32") == 0;
    if (given == NULL) {
        PML_TRY(pml_arena_format(texts, &job->output, error, "%s%s%s" SUFFIX, job->id, is_plain ? "" : "-",
                                 is_plain ? "" : job->options.dtype));
    } else {
        job->output = given;
    }
    const size_t length = strlen(job->output), n_suffix = strlen(SUFFIX);
    if (!stays_inside(job->output) || length > 1024) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG,
                         "output %s: expected a path below the output folder, no part of it hidden",
                         pml_quote(&quoted, job->output)));
    }
    if (length <= n_suffix || strcmp(job->output + length - n_suffix, SUFFIX) != 0) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "output %s: expected a name that ends with " SUFFIX,
                         pml_quote(&quoted, job->output)));
    }
done:
    return status;
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

typedef struct parse {
    const char *name;
    const char *const *options; /* of every job */
    size_t n_options;
    pml_manifest *manifest;
    pml_manifest_columns columns;
    pml_names outputs;
} parse;

static pml_status read_job(parse *p, const pml_manifest_line *line, size_t i_line, pml_error *error) {
    pml_status status = PML_OK;
    pml_manifest *manifest = p->manifest;
    const char **options = NULL;
    size_t n_options = 0, i_first = 0;
    bool is_new = false;
    pml_quoted quoted;
    pml_batch_job job = {.i_line = i_line};
    PML_TRY(read_source(line, &manifest->texts, &job, error));
    PML_TRY(pml_alloc(p->n_options + line->n_options + 1, sizeof *options, &options, error));
    for (size_t i = 0; i < p->n_options; i++) {
        options[n_options++] = p->options[i];
    }
    for (size_t i = 0; i < line->n_options; i++) {
        options[n_options++] = line->options[i];
    }
    if (line->fields[PML_LINE_DTYPE] != NULL) {
        PML_TRY(
            pml_arena_format(&manifest->texts, &options[n_options], error, "--dtype=%s", line->fields[PML_LINE_DTYPE]));
        n_options++;
    }
    PML_TRY(pml_job_options_read(options, n_options, &manifest->texts, &job.options, error));
    job.id = line->fields[PML_LINE_ID];
    if (job.id == NULL) {
        PML_TRY(name_job(&manifest->texts, &job, error));
    }
    PML_TRY(place_output(line, &manifest->texts, &job, error));
    PML_TRY(pml_names_add(&p->outputs, job.output, strlen(job.output), PML_MAX_BATCH_JOBS, "jobs", &i_first, &is_new,
                          error));
    if (!is_new) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "output %s is that of line %zu, too; give one of them another",
                         pml_quote(&quoted, job.output), manifest->jobs[i_first].i_line));
    }
    PML_TRY(pml_grow(&manifest->jobs, &manifest->capacity, manifest->n_jobs + 1, sizeof *manifest->jobs,
                     PML_MAX_BATCH_JOBS, "jobs", error));
    manifest->jobs[manifest->n_jobs++] = job;
done:
    pml_free(options);
    return status == PML_OK ? status
                            : pml_error_prefix(error, status, "%s, line %zu", pml_quote(&quoted, p->name), i_line);
}

static bool is_blank(char c) {
    return c == ' ' || c == '\r' || c == '\t';
}

static pml_status read_lines(parse *p, const char *text, size_t size_bytes, pml_error *error) {
    pml_status status = PML_OK;
    const char *const end = text + size_bytes;
    pml_manifest_line line;
    for (size_t i_line = 1; text < end; i_line++) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        const char *next = stop != NULL ? stop + 1 : end;
        stop = stop != NULL ? stop : end;
        while (text < stop && (*text == ' ' || *text == '\r')) {
            text++;
        }
        const char *last = stop;
        while (last > text && is_blank(last[-1])) {
            last--;
        }
        if (last > text && *text != '#') {
            PML_TRY(pml_manifest_line_read(text, (size_t)(last - text), p->name, i_line, &p->columns,
                                           &p->manifest->texts, &line, error));
            if (!line.is_header) {
                PML_TRY(read_job(p, &line, i_line, error));
            }
        }
        text = next;
    }
done:
    return status;
}

pml_status pml_manifest_parse(const char *text, size_t size_bytes, const char *name, const char *const *options,
                              size_t n_options, pml_manifest *manifest, pml_error *error) {
    pml_status status = PML_OK;
    pml_quoted quoted;
    *manifest = (pml_manifest){0};
    parse p = {.name = name, .options = options, .n_options = n_options, .manifest = manifest};
    PML_TRY(pml_hash_bytes(text, size_bytes, manifest->sha256, error));
    if (size_bytes >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3;
        size_bytes -= 3;
    }
    PML_TRY(read_lines(&p, text, size_bytes, error));
    if (manifest->n_jobs == 0) {
        PML_TRY(PML_FAIL(error, PML_E_CONFIG, "%s names no source", pml_quote(&quoted, name)));
    }
done:
    pml_names_deinit(&p.outputs);
    if (status != PML_OK) {
        pml_manifest_deinit(manifest);
    }
    return status;
}

pml_status pml_manifest_read(const char *path, const char *const *options, size_t n_options, pml_manifest *manifest,
                             pml_error *error) {
    pml_status status = PML_OK;
    char *text = NULL;
    size_t size_bytes = 0;
    *manifest = (pml_manifest){0};
    PML_TRY(pml_input_read(path, PML_E_CONFIG, PML_MAX_JSON_BYTES, &text, &size_bytes, error));
    PML_TRY(pml_manifest_parse(text, size_bytes, path, options, n_options, manifest, error));
done:
    pml_free(text);
    return status;
}

void pml_manifest_deinit(pml_manifest *manifest) {
    pml_free(manifest->jobs);
    pml_arena_deinit(&manifest->texts);
    *manifest = (pml_manifest){0};
}
