/* pml-convert batch MANIFEST -o DIR: many conversions, restartable at any point. */
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>

#include "convert/batch/batch.h"
#include "convert/batch/batch_report.h"
#include "convert/batch/child_process.h"
#include "convert/batch/hub_query.h"
#include "convert/commands.h"
#include "runtime/base/alloc.h"
#include "runtime/base/json_writer.h"
#include "runtime/base/quote.h"
#include "runtime/cli/printable.h"

enum { STEP_SECONDS = 21600, LOCK_SECONDS = 3600, SHARD_WAIT_MS = 5000, MOST_PROCESSES = 256, DOWNLOADS = 2 };

typedef struct batch_options {
    pml_common_options common;
    const char *folder;
    pml_option_u64 n_conversions;
    const char *memory;
    const char *shard;
    pml_option_u64 shard_count, shard_base;
    bool keep_going, retry_failed, force;
    const char *dtype;
    const char *layout;
    pml_option_u64 timeout, lock_timeout;
    const char *author, *search;
    pml_option_list filters;
    pml_option_u64 limit;
    bool refresh;
    const char *endpoint, *cache_dir, *token_file;
    bool offline;
} batch_options;

/* ---- options ----------------------------------------------------------------------------------------------------- */

/* Processors that this process may use. */
static unsigned count_cpus(void) {
    cpu_set_t set;
    const int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return n < 1 ? 1 : n > MOST_PROCESSES ? MOST_PROCESSES : (unsigned)n;
}

/* "6G": a number of bytes, or of KiB, MiB, GiB, TiB. */
static pml_status read_size(const char *text, uint64_t *size_bytes, pml_error *error) {
    static const char units[] = "KMGT";
    pml_quoted quoted;
    char *end = NULL;
    uint64_t value = text[0] >= '0' && text[0] <= '9' ? strtoull(text, &end, 10) : 0;
    const char *unit = end != NULL && *end != '\0' ? strchr(units, *end >= 'a' ? *end - 'a' + 'A' : *end) : NULL;
    bool fits = end != NULL && value > 0;
    if (fits && *end != '\0') {
        const unsigned shift = unit != NULL ? 10 * (unsigned)(unit - units + 1) : 0;
        const char *rest = end + 1;
        fits = unit != NULL && (*rest == '\0' || strcmp(rest, "iB") == 0 || strcmp(rest, "B") == 0) &&
               value <= UINT64_MAX >> shift;
        value <<= fits ? shift : 0;
    }
    if (!fits) {
        return PML_FAIL(error, PML_E_ARGUMENT, "--mem %s: expected bytes, or a number with K, M, G or T",
                        pml_quote(&quoted, text));
    }
    *size_bytes = value;
    return PML_OK;
}

/* Half of what the machine has, or of what the control group allows. */
static uint64_t usual_memory(void) {
    struct sysinfo info;
    uint64_t bytes = sysinfo(&info) == 0 ? (uint64_t)info.totalram * info.mem_unit : 2ull << 30;
    FILE *limit = fopen("/sys/fs/cgroup/memory.max", "re");
    unsigned long long allowed = 0;
    if (limit != NULL && fscanf(limit, "%llu", &allowed) == 1 && allowed < bytes) {
        bytes = allowed;
    }
    if (limit != NULL) {
        (void)fclose(limit);
    }
    return bytes / 2;
}

static void on_end(void *user, const pml_batch_job *job);

static pml_status read_settings(const batch_options *given, const pml_manifest *manifest, pml_batch_settings *settings,
                                pml_error *error) {
    pml_status status = PML_OK;
    const uint64_t n = given->n_conversions.is_set ? given->n_conversions.value : count_cpus();
    bool is_remote = false;
    if (n < 1 || n > MOST_PROCESSES) {
        PML_TRY(
            PML_FAIL(error, PML_E_ARGUMENT, "--jobs %llu: expected 1 to %d", (unsigned long long)n, MOST_PROCESSES));
    }
    for (size_t i = 0; i < manifest->n_jobs; i++) {
        is_remote = is_remote || !manifest->jobs[i].is_local;
    }
    *settings = (pml_batch_settings){
        .program = "/proc/self/exe",
        .folder = given->folder,
        .n_conversions = (unsigned)n,
        .n_downloads = is_remote ? DOWNLOADS : 0,
        .step_seconds = given->timeout.is_set ? given->timeout.value : STEP_SECONDS,
        .lock_seconds = given->lock_timeout.is_set ? given->lock_timeout.value : LOCK_SECONDS,
        .keep_going = given->keep_going,
        .retry_failed = given->retry_failed,
        .replace = given->force,
        .on_end = given->common.quiet ? NULL : on_end,
    };
    PML_TRY(pml_shard_choose(given->shard, given->shard_count.value, given->shard_base.value, &settings->shard, error));
    const uint64_t least_bytes = pml_batch_least_memory(settings->n_conversions, settings->n_downloads);
    if (given->memory == NULL) {
        const uint64_t usual = usual_memory();
        settings->memory_bytes = usual > least_bytes ? usual : least_bytes;
    } else {
        PML_TRY(read_size(given->memory, &settings->memory_bytes, error));
        if (settings->memory_bytes < least_bytes) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "--mem %s: --jobs %u needs at least %lluM", given->memory,
                             settings->n_conversions, (unsigned long long)(least_bytes >> 20)));
        }
    }
done:
    return status;
}

/* `path` NULL: what the hub answers to a query. */
static pml_status read_manifest(const batch_options *given, const char *path, pml_manifest *manifest,
                                pml_error *error) {
    pml_status status = PML_OK;
    const char *texts[2];
    size_t n = 0;
    pml_arena arena = {0};
    char *list = NULL;
    const bool has_query = given->author != NULL || given->search != NULL || given->filters.count > 0;
    if (has_query == (path != NULL)) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT,
                         has_query ? "a manifest and a query: give one of them"
                                   : "missing operand: expected MANIFEST, or a query "
                                     "(--author, --search, --filter)"));
    }
    if (has_query) {
        const pml_hub_query query = {.author = given->author,
                                     .search = given->search,
                                     .filters = given->filters.items,
                                     .n_filters = given->filters.count,
                                     .limit = given->limit.value};
        const pml_hub_given hub = {.endpoint = given->endpoint,
                                   .cache_dir = given->cache_dir,
                                   .token_file = given->token_file,
                                   .offline = given->offline};
        PML_TRY(pml_hub_query_list(&query, &hub, given->folder, given->refresh, &list, error));
        path = list;
    }
    if (given->dtype != NULL) {
        PML_TRY(pml_arena_format(&arena, &texts[n], error, "--dtype=%s", given->dtype));
        n++;
    }
    if (given->layout != NULL) {
        PML_TRY(pml_arena_format(&arena, &texts[n], error, "--layout=%s", given->layout));
        n++;
    }
    PML_TRY(pml_manifest_read(path, texts, n, manifest, error));
done:
    pml_free(list);
    pml_arena_deinit(&arena);
    return status;
}

/* What every download is told; at most 4 texts, in the arena. */
static pml_status read_download_options(const batch_options *given, pml_arena *texts, const char **options, size_t *n,
                                        pml_error *error) {
    pml_status status = PML_OK;
    const struct {
        const char *name, *value;
    } rows[] = {{"endpoint", given->endpoint}, {"cache-dir", given->cache_dir}, {"token-file", given->token_file}};
    *n = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].value != NULL) {
            PML_TRY(pml_arena_format(texts, &options[*n], error, "--%s=%s", rows[i].name, rows[i].value));
            (*n)++;
        }
    }
    if (given->offline) {
        options[(*n)++] = "--offline";
    }
done:
    return status;
}

/* ---- telling ----------------------------------------------------------------------------------------------------- */

typedef struct teller {
    const pml_shard *shard;
    uint64_t n_ended, n_jobs;
} teller;

/* A line on stderr as a job ends. */
static void on_end(void *user, const pml_batch_job *job) {
    teller *t = user;
    char prefix[64] = "", size[32] = "";
    if (t->shard->count > 1) {
        (void)snprintf(prefix, sizeof prefix, "[%llu/%llu] ", (unsigned long long)t->shard->index,
                       (unsigned long long)t->shard->count);
    }
    t->n_ended++;
    (void)fprintf(stderr, "%s%llu of %llu: ", prefix, (unsigned long long)t->n_ended, (unsigned long long)t->n_jobs);
    pml_printable_write(stderr, job->id);
    (void)fprintf(stderr, " %s", pml_job_outcome_name(job->outcome));
    if (job->outcome == PML_JOB_FAILED) {
        (void)fprintf(stderr, "%s (%s, exit code %d): ", job->is_recorded ? " before" : "",
                      pml_job_cause_name(job->cause), job->exit_code);
        pml_printable_write(stderr, job->error != NULL ? job->error : "");
        (void)fputc('\n', stderr);
    } else {
        (void)fprintf(stderr, " (%s, %s, %.2f s)\n", job->family != NULL ? job->family : "?",
                      pml_cli_size_text(job->size_bytes, size), job->seconds);
    }
}

static pml_status print_json(const pml_batch_counts *counts, const pml_shard *shard, const char *report, double seconds,
                             pml_error *error) {
    pml_json_writer w;
    pml_json_writer_init(&w, stdout, true);
    pml_json_begin_object(&w, NULL);
    pml_json_string(&w, "report", report);
    pml_json_u64(&w, "shard", shard->index);
    pml_json_u64(&w, "n_shards", shard->count);
    pml_json_u64(&w, "n_jobs", counts->n_jobs);
    pml_json_u64(&w, "n_published", counts->n_published);
    pml_json_u64(&w, "n_up_to_date", counts->n_up_to_date);
    pml_json_u64(&w, "n_failed", counts->n_failed);
    pml_json_u64(&w, "n_transient", counts->n_transient);
    pml_json_u64(&w, "n_not_started", counts->n_not_started);
    pml_json_u64(&w, "source_bytes", counts->source_bytes);
    pml_json_u64(&w, "size_bytes", counts->size_bytes);
    pml_json_u64(&w, "download_bytes", counts->download_bytes);
    pml_json_f64(&w, "seconds", seconds);
    pml_json_end_object(&w);
    return pml_json_finish(&w, error);
}

static pml_status print_result(const batch_options *given, const pml_manifest *manifest, const pml_shard *shard,
                               const char *report, double seconds, pml_error *error) {
    pml_status status = PML_OK;
    const pml_batch_counts counts = pml_batch_count(manifest, shard);
    char source[32], size[32];
    if (given->common.json) {
        PML_TRY(print_json(&counts, shard, report, seconds, error));
        goto done;
    }
    if (!given->common.quiet) {
        PML_TRY(pml_batch_report_print(manifest, shard, stdout, error));
        (void)printf("\n%llu published, %llu up to date, %llu failed, %llu not started; %s became %s in %.1f s\n",
                     (unsigned long long)counts.n_published, (unsigned long long)counts.n_up_to_date,
                     (unsigned long long)counts.n_failed, (unsigned long long)counts.n_not_started,
                     pml_cli_size_text(counts.source_bytes, source), pml_cli_size_text(counts.size_bytes, size),
                     seconds);
    }
    (void)printf("%s\n", report);
done:
    return status;
}

/* The status that stands for all jobs together. */
static pml_status judge(const pml_manifest *manifest, const pml_shard *shard, pml_error *error) {
    const pml_batch_counts counts = pml_batch_count(manifest, shard);
    if (counts.n_failed == 0) {
        return PML_OK;
    }
    return PML_FAIL(
        error, counts.n_failed == counts.n_transient ? PML_E_BUSY : PML_E_MISMATCH, "%llu of %llu jobs failed%s",
        (unsigned long long)counts.n_failed, (unsigned long long)counts.n_jobs,
        counts.n_failed == counts.n_transient ? ", all for now only; the same command tries them again" : "");
}

static pml_status run(const void *given_options, char **operands, unsigned n_operands, pml_error *error) {
    const batch_options *given = given_options;
    pml_status status = PML_OK;
    pml_manifest manifest = {0};
    pml_journal *journal = NULL;
    pml_batch_settings settings;
    char *report = NULL;
    pml_error failure = {0};
    const char *download_options[4];
    const uint64_t start_ns = pml_now_ns();
    if (given->folder == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "-o DIR is missing: the folder that the models go to"));
    }
    PML_TRY(read_manifest(given, n_operands > 0 ? operands[0] : NULL, &manifest, error));
    PML_TRY(read_settings(given, &manifest, &settings, error));
    teller t = {&settings.shard, 0, pml_batch_count(&manifest, &settings.shard).n_jobs};
    settings.user = &t;
    settings.download_options = download_options;
    PML_TRY(read_download_options(given, &manifest.texts, download_options, &settings.n_download_options, error));
    PML_TRY(pml_journal_open(given->folder, &settings.shard, manifest.sha256,
                             settings.lock_seconds > 0 ? SHARD_WAIT_MS : 0, &journal, error));
    const pml_status ran = pml_batch_run(&settings, &manifest, journal, &failure);
    if (ran == PML_E_INTERRUPTED) {
        PML_TRY(PML_FAIL(error, PML_E_BUSY, "interrupted; the same command goes on from here"));
    }
    if (ran == PML_E_ARGUMENT || ran == PML_E_MEMORY) {
        PML_TRY(PML_FAIL(error, ran, "%s", failure.message));
    }
    PML_TRY(pml_batch_report_write(given->folder, &manifest, &settings.shard, journal, &report, error));
    PML_TRY(print_result(given, &manifest, &settings.shard, report, (double)(pml_now_ns() - start_ns) * 1e-9, error));
    if (ran != PML_OK) {
        PML_TRY(PML_FAIL(error, ran, "%s", failure.message));
    }
    PML_TRY(judge(&manifest, &settings.shard, error));
done:
    pml_free(report);
    pml_journal_close(journal);
    pml_manifest_deinit(&manifest);
    return status;
}

static const pml_option options[] = {
    {"outdir", 'o', PML_OPTION_TEXT, "DIR", NULL, "the folder for models, journal and report.jsonl",
     offsetof(batch_options, folder)},
    {"jobs", 'j', PML_OPTION_U64, "N", NULL, "conversions at once (default: the processors that may be used)",
     offsetof(batch_options, n_conversions)},
    {"mem", 0, PML_OPTION_TEXT, "BYTES", NULL,
     "private memory of all processes together, with K, M, G or T (default: half of what there is)",
     offsetof(batch_options, memory)},
    {"dtype", 0, PML_OPTION_TEXT, "DTYPE", NULL, "of every job that does not name another",
     offsetof(batch_options, dtype)},
    {"layout", 0, PML_OPTION_TEXT, "panel|row", "panel|row", "likewise", offsetof(batch_options, layout)},
    {"shard", 0, PML_OPTION_TEXT, "i/N|auto", NULL,
     "only every N-th job from the i-th, counted from 0; auto: i as Slurm, Kubernetes or MPI set it",
     offsetof(batch_options, shard)},
    {"shard-count", 0, PML_OPTION_U64, "N", NULL, "with --shard auto: how many shards there are",
     offsetof(batch_options, shard_count)},
    {"shard-base", 0, PML_OPTION_U64, "N", NULL, "with --shard auto: the number of the first one (default: 0)",
     offsetof(batch_options, shard_base)},
    {"keep-going", 'k', PML_OPTION_FLAG, NULL, NULL,
     "go on even when disk or network fail one job after the other (a model's own failure never ends a batch)",
     offsetof(batch_options, keep_going)},
    {"retry-failed", 0, PML_OPTION_FLAG, NULL, NULL, "try again what failed for good before",
     offsetof(batch_options, retry_failed)},
    {"force", 'f', PML_OPTION_FLAG, NULL, NULL, "replace outputs that differ from what their source gives now",
     offsetof(batch_options, force)},
    {"timeout", 0, PML_OPTION_U64, "SECONDS", NULL, "end a download or conversion that takes longer (default: 21600)",
     offsetof(batch_options, timeout)},
    {"lock-timeout", 0, PML_OPTION_U64, "SECONDS", NULL,
     "how long to wait for an output that another process makes (default: 3600)",
     offsetof(batch_options, lock_timeout)},
    {"author", 0, PML_OPTION_TEXT, "NAME", NULL, "instead of MANIFEST: the hub's models of this user or organisation",
     offsetof(batch_options, author)},
    {"search", 0, PML_OPTION_TEXT, "TEXT", NULL, "likewise: those whose name holds a text",
     offsetof(batch_options, search)},
    {"filter", 0, PML_OPTION_LIST, "TAG", NULL, "likewise: those with a tag, such as bert; repeatable",
     offsetof(batch_options, filters)},
    {"limit", 0, PML_OPTION_U64, "N", NULL, "of a query: only the first N models", offsetof(batch_options, limit)},
    {"refresh", 0, PML_OPTION_FLAG, NULL, NULL, "of a query: ask the hub again instead of going by its first answer",
     offsetof(batch_options, refresh)},
    {"endpoint", 0, PML_OPTION_TEXT, "URL", NULL, "the hub (default: HF_ENDPOINT, https://huggingface.co)",
     offsetof(batch_options, endpoint)},
    {"cache-dir", 0, PML_OPTION_TEXT, "DIR", NULL, "the hub's cache (default: HF_HUB_CACHE, ~/.cache/huggingface/hub)",
     offsetof(batch_options, cache_dir)},
    {"token-file", 0, PML_OPTION_TEXT, "FILE", NULL, "the hub's token is in this file (default: HF_TOKEN, a login)",
     offsetof(batch_options, token_file)},
    {"offline", 0, PML_OPTION_FLAG, NULL, NULL, "take what is in the cache, and ask nobody",
     offsetof(batch_options, offline)},
    {"output", 0, PML_OPTION_TEXT, "DIR", NULL, NULL, offsetof(batch_options, folder)},
    {0},
};

const pml_command pml_cmd_batch = {
    .name = "batch",
    .operands = "MANIFEST",
    .summary = "Convert every model of a list; stopped at any point, the same command goes on",
    .examples = "pml-convert batch models.txt -o models --jobs 2 --mem 4G\n"
                "pml-convert batch --author google --filter bert -o models\n"
                "pml-convert batch models.jsonl -o /shared/models --shard auto --shard-count 16",
    .options = options,
    .options_bytes = sizeof(batch_options),
    .least_operands = 0, /* a query takes none */
    .most_operands = 1,
    .run = run,
};
