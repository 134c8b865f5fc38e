#include "runtime/base/cpu_count.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/limits.h"
#include "runtime/base/quote.h"

enum { MOST_CPUS = 8192, PATH_BYTES = 512, TEXT_BYTES = 4096 };

/* The first whole number in `text`, which digits begin; false when none does or it is too large. */
static bool read_number(const char *text, size_t *number, const char **end) {
    size_t value = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (__builtin_mul_overflow(value, 10u, &value) || __builtin_add_overflow(value, (size_t)(*at - '0'), &value)) {
            return false;
        }
    }
    *number = value;
    *end = at;
    return at != text;
}

/* ---- cores ---- */
static bool has_cpu(const unsigned char *mask, size_t n_cpus, size_t i_cpu) {
    return i_cpu < n_cpus && (mask[i_cpu / 8] >> (i_cpu % 8) & 1) != 0;
}

static bool read_line(const char *path, char text[TEXT_BYTES]) {
    FILE *file = fopen(path, "re");
    const bool is_read = file != NULL && fgets(text, TEXT_BYTES, file) != NULL;
    if (file != NULL) {
        (void)fclose(file);
    }
    return is_read;
}

/* Whether an earlier CPU of the mask is a thread of the same core. The list is such as "0,64" or "0-1". */
static bool shares_core(const char *root, const unsigned char *mask, size_t n_cpus, size_t i_cpu) {
    char path[PATH_BYTES], list[TEXT_BYTES];
    (void)snprintf(path, sizeof path, "%s/sys/devices/system/cpu/cpu%zu/topology/thread_siblings_list", root, i_cpu);
    if (!read_line(path, list)) {
        return false;
    }
    size_t first, last;
    for (const char *at = list; read_number(at, &first, &at); at++) {
        last = first;
        if (*at == '-' && !read_number(at + 1, &last, &at)) {
            return false;
        }
        for (size_t i = first; i <= last && i < i_cpu; i++) {
            if (has_cpu(mask, n_cpus, i)) {
                return true;
            }
        }
        if (*at != ',') {
            break;
        }
    }
    return false;
}

size_t pml_cpu_cores(const char *root, const unsigned char *mask, size_t n_cpus) {
    char path[PATH_BYTES], text[TEXT_BYTES];
    (void)snprintf(path, sizeof path, "%s/sys/devices/system/cpu/smt/active", root);
    const bool has_smt = !read_line(path, text) || text[0] != '0';
    size_t n_cores = 0;
    for (size_t i = 0; i < n_cpus; i++) {
        n_cores += has_cpu(mask, n_cpus, i) && !(has_smt && shares_core(root, mask, n_cpus, i));
    }
    return n_cores;
}

static size_t cores_allowed(void) {
    cpu_set_t sets[MOST_CPUS / CPU_SETSIZE];
    unsigned char mask[MOST_CPUS / 8] = {0};
    (void)memset(sets, 0, sizeof sets);
    if (sched_getaffinity(0, sizeof sets, sets) != 0) {
        return 1;
    }
    for (size_t i = 0; i < MOST_CPUS; i++) {
        if (CPU_ISSET_S(i, sizeof sets, sets)) {
            mask[i / 8] = (unsigned char)(mask[i / 8] | 1u << (i % 8));
        }
    }
    return pml_cpu_cores("", mask, MOST_CPUS);
}

/* ---- what schedulers and launchers say ---- */
/* The first of these variables that holds a number of at least 1, or `otherwise`. Others' variables in a form that we
 * do not know say nothing. */
static size_t environment_number(const char *const *names, size_t otherwise) {
    for (; *names != NULL; names++) {
        const char *text = getenv(*names), *end;
        size_t number;
        if (text != NULL && read_number(text, &number, &end) && number > 0) {
            return number;
        }
    }
    return otherwise;
}

static size_t lesser(size_t a, size_t b) {
    return a < b ? a : b;
}

size_t pml_cpu_count(void) {
    static const char *const slurm[] = {"SLURM_CPUS_PER_TASK", NULL}, *const openmp[] = {"OMP_NUM_THREADS", NULL};
    static const char *const ranks[] = {"OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS", "LOCAL_WORLD_SIZE", NULL};
    size_t count = lesser(cores_allowed(), pml_cpu_quota("")) / environment_number(ranks, 1);
    count = lesser(count, environment_number(slurm, SIZE_MAX));
    count = lesser(count, environment_number(openmp, SIZE_MAX));
    return count < 1 ? 1 : count;
}

/* What PML_THREADS says; 0: nothing. */
static pml_status read_request(size_t *n_threads, pml_error *error) {
    const char *text = getenv("PML_THREADS"), *end;
    *n_threads = 0;
    if (text == NULL || *text == '\0') {
        return PML_OK;
    }
    pml_quoted quoted;
    size_t number;
    if (!read_number(text, &number, &end) || *end != '\0' || number < 1 || number > PML_MAX_THREADS) {
        return PML_FAIL(error, PML_E_ARGUMENT, "PML_THREADS must be a whole number from 1 to %u, not %s",
                        PML_MAX_THREADS, pml_quote(&quoted, text));
    }
    *n_threads = number;
    return PML_OK;
}

pml_status pml_cpu_threads(size_t *n_threads, pml_error *error) {
    size_t number = 0;
    pml_status status = read_request(&number, error);
    if (status == PML_OK) {
        *n_threads = number != 0 ? number : lesser(pml_cpu_count(), PML_MAX_THREADS);
    }
    return status;
}

pml_status pml_cpu_threads_check(pml_error *error) {
    size_t number;
    return read_request(&number, error);
}
