/* pml-convert download REPO[@REV] [FILE...]: what a conversion needs of a repository, or named files, into the hub's
 * cache. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "convert/commands.h"
#include "convert/hub_options.h"
#include "convert/text_table.h"
#include "runtime/base/json_writer.h"

typedef struct download_options {
    pml_common_options common;
    pml_hub_command hub;
    bool dry_run;
} download_options;

static double seconds_now(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static pml_status print_json(const pml_hub_source *source, const pml_hub_fetched *fetched, bool only_plan,
                             double seconds, pml_error *error) {
    pml_json_writer w;
    pml_json_writer_init(&w, stdout, true);
    pml_json_begin_object(&w, NULL);
    pml_json_string(&w, "repo", source->repo);
    pml_json_string(&w, "commit", fetched->commit);
    pml_json_string(&w, "path", only_plan ? NULL : fetched->path);
    pml_json_u64(&w, "bytes", fetched->total_bytes);
    pml_json_u64(&w, "received_bytes", fetched->received_bytes);
    pml_json_f64(&w, "seconds", seconds);
    pml_json_begin_array(&w, "files");
    for (size_t i = 0; i < fetched->choice.count; i++) {
        const pml_hub_file *file = fetched->choice.files[i];
        pml_json_begin_object(&w, NULL);
        pml_json_string(&w, "path", file->path);
        pml_json_u64(&w, "bytes", file->size_bytes);
        pml_json_string(&w, "hash", file->hash);
        pml_json_end_object(&w);
    }
    pml_json_end_array(&w);
    pml_json_end_object(&w);
    return pml_json_finish(&w, error);
}

/* What would be fetched; the shards of an index are not known before it is read. */
static pml_status print_plan(const pml_hub_fetched *fetched, pml_error *error) {
    pml_status status = PML_OK;
    pml_text_table table;
    char size[32];
    pml_text_table_init(&table, 2, 1u);
    for (size_t i = 0; i < fetched->choice.count; i++) {
        const pml_hub_file *file = fetched->choice.files[i];
        const char *cells[] = {pml_cli_size_text(file->size_bytes, size), file->path};
        PML_TRY(pml_text_table_row(&table, cells, error));
    }
    if (fetched->choice.index != NULL) {
        const char *cells[] = {"?", "and the shards that the index names"};
        PML_TRY(pml_text_table_row(&table, cells, error));
    }
    pml_text_table_print(&table, stdout, 0);
done:
    pml_text_table_deinit(&table);
    return status;
}

static pml_status run(const void *given_options, char **operands, unsigned n_operands, pml_error *error) {
    const download_options *given = given_options;
    pml_status status = PML_OK;
    pml_hub_source source = {0};
    pml_hub_fetched fetched = {0};
    const double start = seconds_now();
    const char *const *names = (const char *const *)(operands + 1);
    if (n_operands > 1 && given->hub.include.count + given->hub.exclude.count > 0) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "named files and --include or --exclude: give one of them"));
    }
    PML_TRY(pml_hub_source_parse(operands[0], &source, error));
    PML_TRY(pml_hub_command_fetch(&given->hub, &given->common, &source, names, n_operands - 1, given->dry_run, &fetched,
                                  error));
    const double seconds = seconds_now() - start;
    if (given->common.json) {
        PML_TRY(print_json(&source, &fetched, given->dry_run, seconds, error));
    } else if (given->dry_run) {
        PML_TRY(print_plan(&fetched, error));
    } else {
        if (!given->common.quiet) {
            char size[32], received[32];
            (void)fprintf(stderr, "%s@%.12s: %zu files, %s (%s received) in %.1f s\n", source.repo, fetched.commit,
                          fetched.choice.count, pml_cli_size_text(fetched.total_bytes, size),
                          pml_cli_size_text(fetched.received_bytes, received), seconds);
        }
        (void)printf("%s\n", fetched.path);
    }
done:
    pml_hub_fetched_deinit(&fetched);
    pml_hub_source_deinit(&source);
    return status;
}

static const pml_option options[] = {
    PML_HUB_COMMAND_ROWS(download_options),
    {"dry-run", 'n', PML_OPTION_FLAG, NULL, NULL, "print what would be fetched, and write nothing",
     offsetof(download_options, dry_run)},
    {0},
};

const pml_command pml_cmd_download = {
    .name = "download",
    .operands = "REPO[@REV] [FILE...]",
    .summary =
        "Fetch from the hub what a conversion needs, verified by hash, into the cache that the hub's clients share",
    .examples = "pml-convert download sentence-transformers/all-MiniLM-L6-v2\n"
                "pml-convert download org/name@v1.0 --include '*.safetensors' --include config.json\n"
                "pml-convert download org/name config.json",
    .options = options,
    .options_bytes = sizeof(download_options),
    .least_operands = 1,
    .most_operands = 1000,
    .run = run,
};
