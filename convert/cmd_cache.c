/* pml-convert cache ls|verify|rm: what the hub's cache holds, whether it is right, and room in it. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "convert/commands.h"
#include "convert/hub/hub_inventory.h"
#include "convert/text_table.h"
#include "runtime/base/json_writer.h"
#include "runtime/cli/printable.h"

typedef struct cache_options {
    pml_common_options common;
    const char *cache_dir;
    bool yes;
} cache_options;

typedef struct job { /* what the parts share */
    const cache_options *given;
    pml_hub_environment environment;
    char **names;
    unsigned n_names;
    pml_json_writer w;
} job;

/* ---- ls ---- */

static void write_stored(pml_json_writer *w, const pml_hub_stored *stored) {
    pml_json_begin_object(w, NULL);
    pml_json_string(w, "repo", stored->repo);
    pml_json_u64(w, "bytes", stored->size_bytes);
    pml_json_u64(w, "partial_bytes", stored->partial_bytes);
    pml_json_u64(w, "n_blobs", stored->n_blobs);
    pml_json_begin_array(w, "snapshots");
    for (size_t i = 0; i < stored->n_snapshots; i++) {
        pml_json_begin_object(w, NULL);
        pml_json_string(w, "commit", stored->snapshots[i].commit);
        pml_json_string(w, "revisions", stored->snapshots[i].revisions);
        pml_json_u64(w, "n_files", stored->snapshots[i].n_files);
        pml_json_end_object(w);
    }
    pml_json_end_array(w);
    pml_json_end_object(w);
}

static pml_status add_rows(pml_text_table *table, const pml_hub_stored *stored, pml_error *error) {
    pml_status status = PML_OK;
    char size[32], files[32];
    const char *partial = stored->partial_bytes > 0 ? "not complete" : "";
    (void)pml_cli_size_text(stored->size_bytes + stored->partial_bytes, size);
    if (stored->n_snapshots == 0) {
        const char *cells[] = {stored->repo, size, "0", "-", "", partial};
        PML_TRY(pml_text_table_row(table, cells, error));
    }
    for (size_t i = 0; i < stored->n_snapshots; i++) {
        const pml_hub_snapshot *snapshot = &stored->snapshots[i];
        const char *cells[] = {i == 0 ? stored->repo : "", i == 0 ? size : "",  files,
                               snapshot->commit,           snapshot->revisions, i == 0 ? partial : ""};
        (void)snprintf(files, sizeof files, "%zu", snapshot->n_files);
        PML_TRY(pml_text_table_row(table, cells, error));
    }
done:
    return status;
}

static pml_status list(job *j, pml_error *error) {
    pml_status status = PML_OK;
    static const char *const head[] = {"repository", "size", "files", "commit", "revisions", ""};
    pml_hub_inventory inventory = {0};
    pml_text_table table;
    pml_text_table_init(&table, 6, 1u << 1 | 1u << 2);
    PML_TRY(pml_text_table_row(&table, head, error));
    if (j->n_names > 0) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "unexpected operand '%s': ls lists everything", j->names[0]));
    }
    PML_TRY(pml_hub_inventory_read(&j->environment, NULL, &inventory, error));
    if (j->given->common.json) {
        pml_json_string(&j->w, "path", j->environment.cache_dir);
        pml_json_begin_array(&j->w, "repos");
    }
    for (size_t i = 0; i < inventory.count; i++) {
        if (j->given->common.json) {
            write_stored(&j->w, &inventory.repos[i]);
        } else {
            PML_TRY(add_rows(&table, &inventory.repos[i], error));
        }
    }
    if (j->given->common.json) {
        pml_json_end_array(&j->w);
    } else {
        pml_text_table_print(&table, stdout, 0);
    }
done:
    pml_text_table_deinit(&table);
    pml_hub_inventory_deinit(&inventory);
    return status;
}

/* ---- verify ---- */

typedef struct findings {
    job *j;
    const char *repo;
    size_t count;
} findings;

static void on_finding(void *user, const char *path, const char *cause) {
    findings *f = user;
    f->count++;
    if (f->j->given->common.json) {
        pml_json_begin_object(&f->j->w, NULL);
        pml_json_string(&f->j->w, "repo", f->repo);
        pml_json_string(&f->j->w, "path", path);
        pml_json_string(&f->j->w, "cause", cause);
        pml_json_end_object(&f->j->w);
        return;
    }
    (void)printf("%s: ", f->repo);
    pml_printable_write(stdout, path);
    (void)printf(": %s\n", cause);
}

static pml_status verify_repos(job *j, findings *f, size_t *n_blobs, pml_error *error) {
    pml_status status = PML_OK;
    pml_hub_inventory inventory = {0};
    if (j->n_names == 0) {
        PML_TRY(pml_hub_inventory_read(&j->environment, NULL, &inventory, error));
    }
    const size_t count = j->n_names > 0 ? j->n_names : inventory.count;
    for (size_t i = 0; i < count; i++) {
        size_t n_checked = 0;
        f->repo = j->n_names > 0 ? j->names[i] : inventory.repos[i].repo;
        PML_TRY(pml_hub_inventory_verify(&j->environment, f->repo, on_finding, f, &n_checked, error));
        *n_blobs += n_checked;
    }
done:
    pml_hub_inventory_deinit(&inventory);
    return status;
}

static pml_status verify(job *j, pml_error *error) {
    pml_status status = PML_OK;
    findings f = {.j = j};
    size_t n_blobs = 0;
    if (j->given->common.json) {
        pml_json_begin_array(&j->w, "faults");
    }
    PML_TRY(verify_repos(j, &f, &n_blobs, error));
    if (j->given->common.json) {
        pml_json_end_array(&j->w);
        pml_json_u64(&j->w, "n_blobs", n_blobs);
        pml_json_bool(&j->w, "passed", f.count == 0);
    } else {
        (void)printf("%zu blobs verified, %zu faults\n", n_blobs, f.count);
    }
    if (f.count > 0) {
        status =
            PML_FAIL(error, PML_E_MISMATCH, "the hub's cache %s has %zu faults", j->environment.cache_dir, f.count);
    }
done:
    return status;
}

/* ---- rm ---- */

static pml_status confirm(const job *j, pml_error *error) {
    if (j->given->yes) {
        return PML_OK;
    }
    if (isatty(STDIN_FILENO) != 1 || isatty(STDERR_FILENO) != 1) {
        return PML_FAIL(error, PML_E_ARGUMENT, "rm removes without asking only with -y");
    }
    (void)fprintf(stderr, "remove %s%s from %s? [y/N] ", j->names[0], j->n_names > 1 ? " and others" : "",
                  j->environment.cache_dir);
    char answer[16] = "";
    const bool agreed = fgets(answer, sizeof answer, stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y');
    return agreed ? PML_OK : PML_FAIL(error, PML_E_INTERRUPTED, "nothing was removed");
}

static pml_status remove_named(job *j, pml_error *error) {
    pml_status status = PML_OK;
    pml_hub_source source = {0};
    uint64_t sum_bytes = 0;
    char size[32];
    if (j->n_names == 0) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "rm: name the repositories, as org/name or org/name@revision"));
    }
    PML_TRY(confirm(j, error));
    for (unsigned i = 0; i < j->n_names; i++) {
        uint64_t freed_bytes = 0;
        pml_hub_source_deinit(&source);
        PML_TRY(pml_hub_source_parse(j->names[i], &source, error));
        PML_TRY(pml_hub_inventory_remove(&j->environment, source.repo, source.revision, &freed_bytes, error));
        sum_bytes += freed_bytes;
    }
    if (j->given->common.json) {
        pml_json_u64(&j->w, "freed_bytes", sum_bytes);
    } else {
        (void)printf("%s freed\n", pml_cli_size_text(sum_bytes, size));
    }
done:
    pml_hub_source_deinit(&source);
    return status;
}

/* ---- */

static const struct part {
    const char *name;
    pml_status (*run)(job *j, pml_error *error);
} parts[] = {{"ls", list}, {"verify", verify}, {"rm", remove_named}};

static pml_status run(const void *given_options, char **operands, unsigned n_operands, pml_error *error) {
    pml_status status = PML_OK;
    job j = {.given = given_options, .names = operands + 1, .n_names = n_operands - 1};
    const pml_hub_given given = {.cache_dir = j.given->cache_dir, .offline = true};
    const struct part *part = NULL;
    char *text = NULL;
    size_t length = 0;
    FILE *stream = NULL;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        part = strcmp(parts[i].name, operands[0]) == 0 ? &parts[i] : part;
    }
    if (part == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "cache %s: expected ls, verify or rm", operands[0]));
    }
    PML_TRY(pml_hub_environment_read(&given, &j.environment, error));
    if (j.given->common.json) { /* an error leaves no half of an answer */
        stream = open_memstream(&text, &length);
        if (stream == NULL) {
            PML_TRY(PML_FAIL(error, PML_E_MEMORY, "out of memory for the answer"));
        }
        pml_json_writer_init(&j.w, stream, true);
        pml_json_begin_object(&j.w, NULL);
    }
    status = part->run(&j, error);
    if (stream != NULL && (status == PML_OK || status == PML_E_MISMATCH)) {
        pml_error unused = {0};
        pml_json_end_object(&j.w);
        const pml_status finished = pml_json_finish(&j.w, status == PML_OK ? error : &unused);
        status = status == PML_OK ? finished : status;
        (void)fwrite(text, 1, length, stdout);
    }
    PML_TRY(status);
done:
    if (stream != NULL) {
        (void)fclose(stream);
    }
    free(text);
    pml_hub_environment_deinit(&j.environment);
    return status;
}

static const pml_option options[] = {
    {"cache-dir", 0, PML_OPTION_TEXT, "DIR", NULL, "the cache (default: HF_HUB_CACHE, ~/.cache/huggingface/hub)",
     offsetof(cache_options, cache_dir)},
    {"yes", 'y', PML_OPTION_FLAG, NULL, NULL, "rm: do not ask", offsetof(cache_options, yes)},
    {0},
};

const pml_command pml_cmd_cache = {
    .name = "cache",
    .operands = "ls|verify|rm [REPO[@REV]...]",
    .summary = "List, verify or remove what was downloaded from the hub, by this or any other client",
    .examples = "pml-convert cache ls\n"
                "pml-convert cache verify org/name\n"
                "pml-convert cache rm -y org/name@main",
    .options = options,
    .options_bytes = sizeof(cache_options),
    .least_operands = 1,
    .most_operands = 1000,
    .run = run,
};
