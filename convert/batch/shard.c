#include "convert/batch/shard.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/quote.h"

static const struct {
    const char *index;
    const char *count; /* NULL: the scheduler tells none that can be relied on */
} sources[] = {
    {"SLURM_ARRAY_TASK_ID", NULL}, {"JOB_COMPLETION_INDEX", NULL},   {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
    {"PMI_RANK", "PMI_SIZE"},      {"SLURM_PROCID", "SLURM_NTASKS"}, {"RANK", "WORLD_SIZE"},
};
enum { N_SOURCES = sizeof sources / sizeof sources[0] };

/* Digits and nothing else. */
static bool read_number(const char *text, size_t length, uint64_t *number) {
    uint64_t value = 0;
    if (length == 0 || length > 18) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    *number = value;
    return true;
}

static pml_status read_variable(const char *name, uint64_t *number, pml_error *error) {
    const char *text = getenv(name);
    pml_quoted quoted;
    if (text == NULL || !read_number(text, strlen(text), number)) {
        return PML_FAIL(error, PML_E_ARGUMENT, "--shard auto: %s is %s, not a number", name,
                        text != NULL ? pml_quote(&quoted, text) : "not set");
    }
    return PML_OK;
}

static pml_status choose_auto(uint64_t count, uint64_t base, pml_shard *shard, pml_error *error) {
    pml_status status = PML_OK;
    size_t i = 0;
    while (i < N_SOURCES && getenv(sources[i].index) == NULL) {
        i++;
    }
    if (i == N_SOURCES) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT,
                         "--shard auto: none of SLURM_ARRAY_TASK_ID, JOB_COMPLETION_INDEX, OMPI_COMM_WORLD_RANK, "
                         "PMI_RANK, SLURM_PROCID and RANK is set"));
    }
    PML_TRY(read_variable(sources[i].index, &shard->index, error));
    if (shard->index < base) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "--shard-base %llu: %s is only %llu", (unsigned long long)base,
                         sources[i].index, (unsigned long long)shard->index));
    }
    shard->index -= base;
    shard->count = count;
    if (count == 0 && (sources[i].count == NULL || getenv(sources[i].count) == NULL)) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT,
                         "--shard auto: %s does not tell how many shards there are; give "
                         "--shard-count N",
                         sources[i].index));
    }
    if (count == 0) {
        PML_TRY(read_variable(sources[i].count, &shard->count, error));
    }
done:
    return status;
}

pml_status pml_shard_choose(const char *text, uint64_t count, uint64_t base, pml_shard *shard, pml_error *error) {
    pml_status status = PML_OK;
    pml_quoted quoted;
    *shard = (pml_shard){0, 1};
    const bool is_auto = text != NULL && strcmp(text, "auto") == 0;
    if (!is_auto && (count != 0 || base != 0)) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "--shard-count and --shard-base go with --shard auto"));
    }
    if (is_auto) {
        PML_TRY(choose_auto(count, base, shard, error));
    } else if (text != NULL) {
        const char *slash = strchr(text, '/');
        if (slash == NULL || !read_number(text, (size_t)(slash - text), &shard->index) ||
            !read_number(slash + 1, strlen(slash + 1), &shard->count)) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "--shard %s: expected i/N or auto", pml_quote(&quoted, text)));
        }
    }
    if (shard->index >= shard->count) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "there is no shard %llu of %llu: they are counted from 0",
                         (unsigned long long)shard->index, (unsigned long long)shard->count));
    }
done:
    return status;
}
