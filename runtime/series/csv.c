#include "runtime/series/csv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static size_t digits(const char *text) {
    return strspn(text, "0123456789");
}

bool pml_csv_number(const char *text, locale_t locale, double *value) {
    const char *at = text + (*text == '+' || *text == '-');
    size_t whole = digits(at);
    at += whole;
    size_t fraction = 0;
    if (*at == '.') {
        fraction = digits(at + 1);
        at += 1 + fraction;
    }
    if (whole + fraction == 0) {
        return false;
    }
    if (*at == 'e' || *at == 'E') {
        at += 1 + (at[1] == '+' || at[1] == '-');
        size_t exponent = digits(at);
        if (exponent == 0) {
            return false;
        }
        at += exponent;
    }
    if (*at != '\0') {
        return false;
    }
    double result = strtod_l(text, NULL, locale);
    if (!isfinite(result)) {
        return false;
    }
    *value = result;
    return true;
}

bool pml_csv_is_missing(const char *text) {
    return text[0] == '\0' || strcasecmp(text, "na") == 0 || strcasecmp(text, "n/a") == 0 ||
           strcasecmp(text, "nan") == 0 || strcasecmp(text, "null") == 0;
}

void pml_csv_write_field(FILE *stream, const char *text) {
    size_t length = strlen(text);
    bool edge = length > 0 && (strchr(" \t", text[0]) != NULL || strchr(" \t", text[length - 1]) != NULL);
    if (!edge && strpbrk(text, ",\"\r\n") == NULL) {
        (void)fputs(text, stream);
        return;
    }
    (void)fputc('"', stream);
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '"') {
            (void)fputc('"', stream);
        }
        (void)fputc(*at, stream);
    }
    (void)fputc('"', stream);
}
