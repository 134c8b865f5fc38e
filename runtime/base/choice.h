/* Choices as one text, "batchnorm|layernorm": what options and configuration keys may say. */
#ifndef PML_RUNTIME_BASE_CHOICE_H
#define PML_RUNTIME_BASE_CHOICE_H

#include <stdbool.h>
#include <string.h>

/* True when `text` is one of the choices. */
static inline bool pml_choice_has(const char *choices, const char *text) {
    size_t length = strlen(text);
    for (const char *at = choices;; at++) {
        size_t width = strcspn(at, "|");
        if (width == length && strncmp(at, text, width) == 0) {
            return true;
        }
        at += width;
        if (*at == '\0') {
            return false;
        }
    }
}

#endif
