/* Tests against the fake hub: starting it, running pml-convert against it, and reading what it saw. */
#ifndef PML_TESTS_HUB_HUB_FIXTURE_H
#define PML_TESTS_HUB_HUB_FIXTURE_H

#include <sys/types.h>

#include "tests/harness.h"

typedef struct hub {
    pid_t pid;
    int stdin_fd;
    char url[64], cdn[64], plain[64]; /* origins */
    const char *root, *log;
} hub;

/* `script`: faults as text, NULL for none. `options`: further options of fake_hub, one text, split at blanks. Ends the
 * test program when it does not start. */
hub hub_start(const char *root, const char *script, const char *options);
void hub_stop(hub *h); /* its log is complete then */

/* A file of `size_bytes` reproducible bytes, not compressible; folders are made. */
void hub_make_file(const char *root, const char *repo, const char *path, size_t size_bytes, unsigned seed);
void hub_make_text(const char *root, const char *repo, const char *path, const char *text);

/* Runs pml-convert with HF_ENDPOINT at the hub, an empty environment otherwise and `cache` as its HF_HUB_CACHE.
 * `variables`: more of them ("A=1 B=2"), which win. stdout's last line goes to `last_line` (may be NULL), stderr to
 * <cache>.err. Ended after `seconds`: then 124, as of timeout(1). */
int hub_convert(const hub *h, const char *cache, const char *variables, unsigned seconds, char last_line[4096],
                const char *format, ...) __attribute__((format(printf, 6, 7)));
/* The same, killed (SIGKILL) after that many seconds if it still runs: then 137. */
int hub_convert_killed(const hub *h, const char *cache, const char *variables, double seconds, const char *arguments);
/* What such a run printed on stderr; lives until the program ends. */
const char *hub_messages(const char *cache);

/* Whether the folder holds exactly the bytes that the repository has, for each of its files; says on stdout what is
 * wrong. */
bool hub_snapshot_is_good(const hub *h, const char *repo, const char *snapshot);
/* Whether every finished blob below a cache has the hash that is its name. */
bool hub_blobs_are_good(const char *cache);

/* ---- the log ---------------------------------------------------------------------------------------------------- */
typedef struct hub_request {
    char host[8], method[8], place[16];
    char path[512], range[64], faults[64]; /* "" where null */
    bool has_authorization, is_bytes;
    unsigned status;
    uint64_t bytes;
} hub_request;

/* The requests so far; the caller frees. */
hub_request *hub_requests(const hub *h, size_t *n_requests);
/* How many there were at a place (NULL: any) and host (NULL: either). */
size_t hub_count(const hub *h, const char *host, const char *place);
/* Bytes of files that were handed out. */
uint64_t hub_bytes(const hub *h);

#endif
