/* Options that every command has which may ask the hub, and what it shows meanwhile. */
#ifndef PML_CONVERT_HUB_OPTIONS_H
#define PML_CONVERT_HUB_OPTIONS_H

#include "convert/hub/hub_fetch.h"
#include "runtime/cli/command.h"

typedef struct pml_hub_command { /* part of a command's options struct */
    const char *revision;
    const char *token, *token_file;
    const char *endpoint, *cache_dir;
    pml_option_list include, exclude;
    pml_option_u64 retries, max_workers, lock_timeout;
    bool offline;
} pml_hub_command;

#define PML_HUB_ROW(type, field, name, kind, argument, help)                                                           \
    { name, 0, PML_OPTION_##kind, argument, NULL, help, offsetof(type, field) }
/* The rows of an option table over such a part, the member `hub` of `type`. */
#define PML_HUB_COMMAND_ROWS(type)                                                                                     \
    PML_HUB_ROW(type, hub.revision, "revision", TEXT, "REV",                                                           \
                "of a repository: branch, tag or commit (default: main)"),                                             \
        PML_HUB_ROW(type, hub.include, "include", LIST, "GLOB",                                                        \
                    "of a repository: exactly the files that fit, not what is needed; repeatable"),                    \
        PML_HUB_ROW(type, hub.exclude, "exclude", LIST, "GLOB", "of a repository: no files that fit; repeatable"),     \
        PML_HUB_ROW(type, hub.token_file, "token-file", TEXT, "FILE",                                                  \
                    "the hub's token is in this file (default: HF_TOKEN, a login)"),                                   \
        PML_HUB_ROW(type, hub.token, "token", TEXT, "TOKEN",                                                           \
                    "the token itself, which other users of the machine can then see"),                                \
        PML_HUB_ROW(type, hub.cache_dir, "cache-dir", TEXT, "DIR",                                                     \
                    "the hub's cache (default: HF_HUB_CACHE, ~/.cache/huggingface/hub)"),                              \
        PML_HUB_ROW(type, hub.endpoint, "endpoint", TEXT, "URL",                                                       \
                    "the hub (default: HF_ENDPOINT, https://huggingface.co)"),                                         \
        PML_HUB_ROW(type, hub.offline, "offline", FLAG, NULL, "take what is in the cache, and ask nobody"),            \
        PML_HUB_ROW(type, hub.retries, "retries", U64, "N", "tries of each request (default: 8)"),                     \
        PML_HUB_ROW(type, hub.max_workers, "max-workers", U64, "N", "connections at a time (default: 8)"),             \
        PML_HUB_ROW(type, hub.lock_timeout, "lock-timeout", U64, "SECONDS",                                            \
                    "how long to wait for a process that fetches the same file (default: 1800)"),                      \
        PML_HUB_ROW(type, hub.offline, "local-files-only", FLAG, NULL, NULL)

/* Fetches `repo` (of a text such as "org/name@rev") with progress on stderr. `revision` is what the text says, NULL if
 * nothing; --revision as well is an error. Errors: ARGUMENT, those of pml_hub_fetch. */
pml_status pml_hub_command_fetch(const pml_hub_command *given, const pml_common_options *common,
                                 const pml_hub_source *source, const char *const *names, size_t n_names, bool only_plan,
                                 pml_hub_fetched *fetched, pml_error *error) PML_WARN_UNUSED;

/* SOURCE of a command as a path on disk: itself when it exists or can only be a path; the folder of a repository,
 * fetched, when it is "hf://org/name[@rev]", or "org/name[@rev]" and nothing on disk. *path is the caller's. Errors:
 * likewise. */
pml_status pml_hub_command_resolve(const pml_hub_command *given, const pml_common_options *common, const char *text,
                                   char **path, pml_error *error) PML_WARN_UNUSED;

#endif
