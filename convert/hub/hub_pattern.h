/* Patterns of --include and --exclude: those of Python's fnmatch.fnmatchcase, which users of the hub's own client
 * write.
 *
 * `*` is any text, '/' included; `?` one character; `[seq]`, `[!seq]` one of a set, with ranges. There is no escape.
 * Text is UTF-8; what is not is compared byte by byte. */
#ifndef PML_CONVERT_HUB_PATTERN_H
#define PML_CONVERT_HUB_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

bool pml_hub_pattern_fits(const char *pattern, const char *text);

/* As the hub's client filters: a pattern that ends in '/' means all below that folder, a backslash is a slash. */
typedef struct pml_hub_filter { /* texts are the caller's */
    const char *const *include; /* with n_include 0: everything is included */
    size_t n_include;
    const char *const *exclude; /* wins over include */
    size_t n_exclude;
} pml_hub_filter;

bool pml_hub_filter_excludes(const pml_hub_filter *filter, const char *path);
/* Included by some pattern, or nothing is asked for; and not excluded. */
bool pml_hub_filter_fits(const pml_hub_filter *filter, const char *path);

#endif
