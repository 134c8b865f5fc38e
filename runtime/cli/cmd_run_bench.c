/* pml-run bench: times models on made-up input. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/cli/bench.h"

enum { MOST_FILES = 16, MOST_SIZES = 32, MOST_CASES = 4096, MOST_REPEATS = 100000, MOST_BATCH = 1000000 };
/* Cases take this many turns, so that a slow moment of the machine does not hit one of them alone. */
enum { MOST_TURNS = 5 };

typedef struct bench_options {
    pml_common_options common;
    pml_model_options model;
    pml_option_list models;
    const char *batches, *tokens, *generate, *depths, *threads;
    const char *output;
    pml_option_u64 repeats, warmup;
} bench_options;

static const pml_option option_table[] = {
    {"model", 'm', PML_OPTION_LIST, "FILE", NULL, NULL, offsetof(bench_options, models)},
    {"batch-size", 'b', PML_OPTION_TEXT, "LIST", NULL, "samples or texts at once, such as 1,32 (default: 1)",
     offsetof(bench_options, batches)},
    {"tokens", 'p', PML_OPTION_TEXT, "LIST", NULL, "tokens of a text or prompt (default: 128)",
     offsetof(bench_options, tokens)},
    {"generate", 'n', PML_OPTION_TEXT, "LIST", NULL, "tokens to generate (default: 64)",
     offsetof(bench_options, generate)},
    {"depth", 'd', PML_OPTION_TEXT, "LIST", NULL, "tokens before those (default: 0)", offsetof(bench_options, depths)},
    {"threads", 't', PML_OPTION_TEXT, "LIST", NULL, "such as 1,2 (default: 1)", offsetof(bench_options, threads)},
    {"repetitions", 'r', PML_OPTION_U64, "N", NULL, "timed runs of each size (default: 10)",
     offsetof(bench_options, repeats)},
    {"warmup", 0, PML_OPTION_U64, "N", NULL, "runs before the timed ones (default: 2)",
     offsetof(bench_options, warmup)},
    {"output", 'o', PML_OPTION_TEXT, "FORM", "table|csv|md|json", "how to print (default: table)",
     offsetof(bench_options, output)},
    PML_LOADING_OPTION_ROWS(bench_options),
    PML_OPTION_ROWS_END};

typedef struct sizes {
    size_t count, values[MOST_SIZES];
} sizes;

typedef struct bench {
    pml_bench_file files[MOST_FILES];
    size_t n_files;
    pml_bench_case *cases;
    size_t n_cases;
} bench;

static pml_status read_sizes(const char *option, const char *text, unsigned long least, sizes *s, pml_error *error) {
    const char *at = text;
    for (s->count = 0; s->count < MOST_SIZES; s->count++) {
        char *end = NULL;
        unsigned long value = *at >= '0' && *at <= '9' ? strtoul(at, &end, 10) : 0;
        if (end == NULL || value < least || value > MOST_BATCH || (*end != ',' && *end != '\0')) {
            break;
        }
        s->values[s->count] = value;
        if (*end == '\0') {
            s->count++;
            return PML_OK;
        }
        at = end + 1;
    }
    return PML_FAIL(error, PML_E_ARGUMENT, "--%s takes up to %d numbers from %lu to %d such as 1,32,128, not '%s'",
                    option, MOST_SIZES, least, MOST_BATCH, text);
}

static pml_status add_case(bench *b, const pml_bench_case *c, pml_error *error) {
    if (b->n_cases == MOST_CASES) {
        return PML_FAIL(error, PML_E_ARGUMENT, "more than %d sizes to time", MOST_CASES);
    }
    b->cases[b->n_cases++] = *c;
    return PML_OK;
}

static pml_status add_generation(bench *b, const pml_bench_case *c, const bench_options *o, pml_error *error) {
    pml_status status = PML_OK;
    sizes generate, depths;
    PML_TRY(read_sizes("generate", o->generate != NULL ? o->generate : "64", 0, &generate, error));
    PML_TRY(read_sizes("depth", o->depths != NULL ? o->depths : "0", 0, &depths, error));
    for (size_t i = 0; i < generate.count * depths.count; i++) {
        pml_bench_case made = *c;
        made.test = PML_BENCH_GENERATE;
        made.n_tokens = generate.values[i / depths.count];
        made.depth = depths.values[i % depths.count];
        if (made.n_tokens > 0) {
            PML_TRY(add_case(b, &made, error));
        }
    }
done:
    return status;
}

/* Every size of one file with one number of threads. */
static pml_status add_cases(bench *b, pml_bench_file *file, size_t n_threads, const bench_options *o,
                            pml_error *error) {
    pml_status status = PML_OK;
    const bool is_language_model = pml_bench_is_language_model(file), takes_tokens = pml_bench_takes_tokens(file);
    sizes batches, tokens = {.count = 1};
    PML_TRY(read_sizes("batch-size", o->batches != NULL ? o->batches : "1", 1, &batches, error));
    if (takes_tokens) {
        PML_TRY(read_sizes("tokens", o->tokens != NULL ? o->tokens : "128", is_language_model ? 0 : 1, &tokens, error));
    }
    for (size_t i = 0; i < batches.count; i++) {
        pml_bench_case c = {.file = file, .n_threads = n_threads, .batch = batches.values[i]};
        for (size_t k = 0; k < tokens.count; k++) {
            c.test = is_language_model ? PML_BENCH_PROMPT : PML_BENCH_RUN;
            c.n_tokens = tokens.values[k];
            if (c.n_tokens > 0 || !takes_tokens) {
                PML_TRY(add_case(b, &c, error));
            }
        }
        if (is_language_model) {
            PML_TRY(add_generation(b, &c, o, error));
        }
    }
done:
    return status;
}

/* An option that no file has a use for is a mistake. */
static pml_status check_uses(const bench *b, const bench_options *o, pml_error *error) {
    bool has_tokens = false, has_language_model = false;
    for (size_t i = 0; i < b->n_files; i++) {
        has_tokens = has_tokens || pml_bench_takes_tokens(&b->files[i]);
        has_language_model = has_language_model || pml_bench_is_language_model(&b->files[i]);
    }
    if (o->tokens != NULL && !has_tokens) {
        return PML_FAIL(error, PML_E_ARGUMENT, "--tokens: %s takes no tokens", b->files[0].path);
    }
    if ((o->generate != NULL || o->depths != NULL) && !has_language_model) {
        return PML_FAIL(error, PML_E_ARGUMENT, "--%s: %s is no language model",
                        o->generate != NULL ? "generate" : "depth", b->files[0].path);
    }
    return b->n_cases > 0 ? PML_OK : PML_FAIL(error, PML_E_ARGUMENT, "nothing to time: every size is 0");
}

static pml_status open_files(bench *b, const bench_options *o, char **operands, unsigned n_operands, pml_error *error) {
    pml_status status = PML_OK;
    const size_t count = n_operands + o->models.count;
    if (count == 0 || count > MOST_FILES) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "bench takes 1 to %d files, not %zu", MOST_FILES, count));
    }
    for (size_t i = 0; i < count; i++) {
        b->n_files = i + 1;
        PML_TRY(pml_bench_file_open(i < n_operands ? operands[i] : o->models.items[i - n_operands], &o->model,
                                    &b->files[i], error));
    }
done:
    return status;
}

static pml_status time_cases(bench *b, size_t n_repeats, size_t n_warmup, pml_error *error) {
    pml_status status = PML_OK;
    const size_t n_turns = b->n_cases == 1 ? 1 : n_repeats < MOST_TURNS ? n_repeats : MOST_TURNS;
    for (size_t i = 0; i < b->n_cases; i++) {
        PML_TRY(pml_bench_prepare(&b->cases[i], n_repeats, error));
    }
    for (size_t i_turn = 0; i_turn < n_turns; i_turn++) {
        const size_t n_runs = n_repeats * (i_turn + 1) / n_turns - n_repeats * i_turn / n_turns;
        for (size_t i = 0; i < b->n_cases; i++) {
            PML_TRY(pml_bench_turn(&b->cases[i], n_warmup, n_runs, error));
        }
    }
done:
    return status;
}

static pml_status run(const void *options, char **operands, unsigned n_operands, pml_error *error) {
    const bench_options *o = options;
    pml_status status = PML_OK;
    bench b = {.n_files = 0};
    size_t repeats = o->repeats.is_set ? o->repeats.value : 10, warmup = o->warmup.is_set ? o->warmup.value : 2;
    sizes checked, threads;
    PML_TRY(read_sizes("threads", o->threads != NULL ? o->threads : "1", 1, &threads, error));
    PML_TRY(read_sizes("batch-size", o->batches != NULL ? o->batches : "1", 1, &checked, error));
    PML_TRY(read_sizes("tokens", o->tokens != NULL ? o->tokens : "0", 0, &checked, error));
    if (repeats < 1 || repeats > MOST_REPEATS || warmup > MOST_REPEATS) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "--repetitions must lie between 1 and %d, --warmup below that",
                         MOST_REPEATS));
    }
    PML_TRY(open_files(&b, o, operands, n_operands, error));
    PML_TRY(pml_alloc(MOST_CASES, sizeof *b.cases, &b.cases, error));
    for (size_t i = 0; i < b.n_files * threads.count; i++) {
        PML_TRY(add_cases(&b, &b.files[i / threads.count], threads.values[i % threads.count], o, error));
    }
    PML_TRY(check_uses(&b, o, error));
    PML_TRY(time_cases(&b, repeats, warmup, error));
    PML_TRY(pml_bench_print(b.files, b.n_files, b.cases, b.n_cases, o->common.json ? "json" : o->output, error));
done:
    for (size_t i = 0; i < b.n_cases; i++) {
        pml_bench_case_deinit(&b.cases[i]);
    }
    pml_free(b.cases);
    for (size_t i = 0; i < b.n_files; i++) {
        pml_loaded_close(&b.files[i].loaded);
    }
    return status;
}

const pml_command pml_cmd_run_bench = {
    .name = "bench",
    .operands = "FILE...",
    .summary = "Time models on made-up inputs",
    .examples = "pml-run bench model.pml -b 1,32,128\n"
                "pml-run bench f32.pml int8.pml -p 128 -n 64 -d 128 -r 20 -o md",
    .options = option_table,
    .options_bytes = sizeof(bench_options),
    .least_operands = 0,
    .most_operands = MOST_FILES,
    .run = run,
};
