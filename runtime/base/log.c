#include "runtime/base/log.h"

#include <stdarg.h>
#include <stdio.h>

static pml_log_fn *log_callback;
static void *log_user;
static pml_log_level log_least = PML_LOG_WARNING;

void pml_log_set(pml_log_fn *callback, void *user, pml_log_level least) {
    log_callback = callback;
    log_user = user;
    log_least = least;
}

void pml_log(pml_log_level level, const char *format, ...) {
    if (log_callback == NULL || level < log_least) {
        return;
    }
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    log_callback(log_user, level, line);
}
