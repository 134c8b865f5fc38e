/* The replies of a hub that list things: a revision, a tree, models. */
#ifndef PML_TESTS_HUB_FAKE_LISTING_H
#define PML_TESTS_HUB_FAKE_LISTING_H

#include "tests/hub/fake_exchange.h"

/* What a hub says of a repository at x->revision; with ?blobs=true sizes and hashes of the files, too. */
void fake_listing_revision(fake_exchange *x, const fake_repo *repo);
/* One page of the files below `folder` ("" for all), at most `page_entries` of them (fewer with expand). `revision`:
 * the name that was asked for, for the link to the next page. */
void fake_listing_tree(fake_exchange *x, uint64_t page_entries, const fake_repo *repo, const char *revision,
                       const char *folder);
/* Repositories by author, search and filter, `limit` to a page. */
void fake_listing_models(fake_exchange *x, fake_repos *repos);

#endif
