/* Times pml_file_open on one file and reports the private memory that an open file costs; used by scripts/bench. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "runtime/pml.h"

static double now_ms(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

/* Private memory of this process: pages that nobody else shares, dirty or clean but not of the mapped file. */
static long private_bytes(void) {
    FILE *stream = fopen("/proc/self/smaps_rollup", "r");
    char line[256];
    long total_kib = 0, value_kib;
    while (stream != NULL && fgets(line, sizeof line, stream) != NULL) {
        if (sscanf(line, "Private_Dirty: %ld", &value_kib) == 1 ||
            sscanf(line, "Private_Hugetlb: %ld", &value_kib) == 1) {
            total_kib += value_kib;
        }
    }
    if (stream != NULL) {
        (void)fclose(stream);
    }
    return total_kib * 1024;
}

int main(int argc, char **argv) {
    pml_error error = {.message = "usage: bench_open FILE.pml"};
    double best_ms = 1e30;
    long private_open_bytes = 0;
    for (int i = 0; argc == 2 && i < 50; i++) {
        pml_file *file = NULL;
        long before_bytes = private_bytes();
        double start_ms = now_ms();
        pml_status status = pml_file_open(argv[1], &file, &error);
        double elapsed_ms = now_ms() - start_ms;
        if (status != PML_OK) {
            break;
        }
        best_ms = elapsed_ms < best_ms ? elapsed_ms : best_ms;
        if (i == 0) {
            private_open_bytes = private_bytes() - before_bytes;
        }
        pml_file_close(file);
    }
    if (best_ms > 1e29) {
        (void)fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    (void)printf("{\"open_ms\": %.6f, \"private_bytes\": %ld}\n", best_ms, private_open_bytes);
    return 0;
}
