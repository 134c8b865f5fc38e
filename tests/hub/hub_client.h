/* Running the official client of the hub, where scripts/setup_hub_client has put one. */
#ifndef PML_TESTS_HUB_HUB_CLIENT_H
#define PML_TESTS_HUB_HUB_CLIENT_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/hub/hub_fixture.h"

/* false after marking the test as skipped. */
static inline bool hub_client_is_here(void) {
    bool is_here = access(pml_test_path("%s/hub-client/bin/python", pml_test_binary_dir()), X_OK) == 0;
    if (!is_here) {
        pml_test_skip("no official client: scripts/setup_hub_client BUILD/hub-client");
    }
    return is_here;
}

/* What official_client.py prints for these arguments; lives until the program ends. `variables`: as of hub_convert. */
static inline __attribute__((format(printf, 4, 5))) const char *
hub_client(const hub *h, const char *cache, const char *variables, const char *format, ...) {
    char arguments[2048], *output = NULL;
    va_list list;
    va_start(list, format);
    (void)vsnprintf(arguments, sizeof arguments, format, list);
    va_end(list);
    (void)pml_test_command(&output,
                           "( env -i PATH=/usr/bin:/bin HOME='%s.home' HF_ENDPOINT=%s HF_HUB_CACHE='%s' "
                           "HF_HUB_DISABLE_PROGRESS_BARS=1 HF_HUB_DISABLE_TELEMETRY=1 HF_HUB_DISABLE_XET=1 %s "
                           "'%s/hub-client/bin/python' '%s/tests/hub/official_client.py' %s 2>'%s.client.err' )",
                           cache, h->url, cache, variables != NULL ? variables : "", pml_test_binary_dir(),
                           pml_test_source_dir(), arguments, cache);
    size_t length = strlen(output);
    if (length > 0 && output[length - 1] == '\n') {
        output[length - 1] = '\0';
    }
    const char *kept = pml_test_path("%s", output);
    free(output);
    return kept;
}

#endif
