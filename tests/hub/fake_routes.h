/* The endpoints of a hub, as a hub answers them when nothing goes wrong. */
#ifndef PML_TESTS_HUB_FAKE_ROUTES_H
#define PML_TESTS_HUB_FAKE_ROUTES_H

#include <pthread.h>

#include "tests/hub/fake_exchange.h"

/* Requests of one kind that are allowed per window. */
typedef struct fake_limit {
    const char *name;
    uint64_t quota; /* 0: no limit, and no headers that tell of one */
    uint64_t window_s;
    uint64_t window, used; /* the running window's number, and what was used of it */
} fake_limit;

enum { FAKE_LIMIT_API, FAKE_LIMIT_RESOLVERS, FAKE_N_LIMITS };

typedef struct fake_world {
    fake_repos *repos;
    const char *token;     /* the one that counts, or NULL */
    uint64_t page_entries; /* of a tree */
    uint64_t url_uses;     /* requests until a signed URL has expired; 0: never */
    bool uses_resolve_cache;
    pthread_mutex_t lock; /* of what follows */
    fake_limit limits[FAKE_N_LIMITS];
    uint64_t n_signed;
    uint64_t *uses; /* of each signed URL */
} fake_world;

/* Fills place, reply and the rest of `x` from its method, path, query and headers. */
void fake_routes_answer(fake_world *world, fake_exchange *x);

#endif
