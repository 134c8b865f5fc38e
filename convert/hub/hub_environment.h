/* What the user's environment says about the hub: where it is, who asks, where the cache lies, which proxies and
 * certificates count. The variables are those of the hub's own client. */
#ifndef PML_CONVERT_HUB_ENVIRONMENT_H
#define PML_CONVERT_HUB_ENVIRONMENT_H

#include "runtime/base/error.h"

/* What a command line says; it wins over the environment. NULL or zero: not given. */
typedef struct pml_hub_given {
    const char *endpoint;
    const char *cache_dir;
    const char *token;
    const char *token_file;
    bool offline;
} pml_hub_given;

typedef struct pml_hub_environment { /* zero = safe to deinit */
    char *endpoint;                  /* without '/' at its end */
    char *cache_dir;                 /* of all repositories */
    char *token;                     /* NULL: none; wiped by deinit */
    bool is_offline;
    bool no_symlinks;  /* snapshots hold files instead of links */
    uint64_t reply_ms; /* how long a server may be silent before a reply... */
    uint64_t read_ms;  /* ...and inside the bytes of a file */
    double time_scale; /* of all waits that are ours: 1, less in tests */
    /* Borrowed from the environment; NULL: none. */
    const char *http_proxy, *https_proxy, *no_proxy;
    const char *ca_file, *ca_directory;
} pml_hub_environment;

/* `given` may be NULL. Errors: CONFIG (a variable or file that cannot be meant), NOT_FOUND, IO (the token's file),
 * MEMORY. No message tells a token. */
pml_status pml_hub_environment_read(const pml_hub_given *given, pml_hub_environment *environment,
                                    pml_error *error) PML_WARN_UNUSED;
void pml_hub_environment_deinit(pml_hub_environment *environment);

#endif
