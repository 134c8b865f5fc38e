/* Names that a user or a server gives: repositories, revisions, commits, hashes, paths of files. All of them become
 * parts of paths and addresses, so nothing is used before it passed here. */
#ifndef PML_CONVERT_HUB_NAME_H
#define PML_CONVERT_HUB_NAME_H

#include "runtime/base/error.h"

#define PML_HUB_COMMIT_TEXT_BYTES 41u /* 40 lower-case hexadecimal digits and a zero */
#define PML_HUB_HASH_TEXT_BYTES 65u   /* a git SHA-1 (40 digits) or a SHA-256 (64 digits), and a zero */
#define PML_HUB_MAX_PATH_BYTES 1024u
#define PML_HUB_MAX_REVISION_BYTES 255u

/* "name" or "org/name" as the hub allows them. Errors: ARGUMENT. */
pml_status pml_hub_repo_check(const char *repo, pml_error *error) PML_WARN_UNUSED;
/* A branch, tag, commit or "refs/pr/N": what git allows as the name of a reference, and safe as a path below refs/.
 * Errors: ARGUMENT. */
pml_status pml_hub_revision_check(const char *revision, pml_error *error) PML_WARN_UNUSED;
/* A file's path inside a repository: relative, no empty, "." or ".." part, no backslash, drive or control character.
 * Errors: FORMAT. */
pml_status pml_hub_path_check(const char *path, pml_error *error) PML_WARN_UNUSED;

bool pml_hub_is_commit(const char *text); /* 40 lower-case hexadecimal digits */
bool pml_hub_is_hash(const char *text);   /* 40 or 64 of them */

/* The parts of "org/name", "org/name@revision" and "hf://..."; owned, or NULL. Zero = safe to deinit. */
typedef struct pml_hub_source {
    char *repo;
    char *revision; /* NULL: none was given */
} pml_hub_source;

/* Whether `text` can only mean the hub: it begins with "hf://". */
bool pml_hub_source_is_address(const char *text);
/* Errors: ARGUMENT (no valid repository or revision), MEMORY. */
pml_status pml_hub_source_parse(const char *text, pml_hub_source *source, pml_error *error) PML_WARN_UNUSED;
void pml_hub_source_deinit(pml_hub_source *source);

#endif
