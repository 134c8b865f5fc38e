/* The two questions to a hub before any file: which commit is meant, and what is in it. */
#ifndef PML_CONVERT_HUB_API_H
#define PML_CONVERT_HUB_API_H

#include "convert/hub/hub_listing.h"
#include "convert/hub/hub_session.h"

/* The commit of a revision (NULL: the default branch). One call. Errors: those of pml_hub_session_get, FORMAT. */
pml_status pml_hub_api_resolve(pml_hub_session *session, const char *repo, const char *revision,
                               char commit[PML_HUB_COMMIT_TEXT_BYTES], pml_error *error) PML_WARN_UNUSED;
/* All files of a commit, page after page. *listing must be empty. Errors likewise. */
pml_status pml_hub_api_list(pml_hub_session *session, const char *repo, const char *commit, pml_hub_listing *listing,
                            pml_error *error) PML_WARN_UNUSED;
/* The address of a file's bytes; *url is the caller's. Errors: MEMORY. */
pml_status pml_hub_api_file_url(const pml_hub_session *session, const char *repo, const char *commit, const char *path,
                                char **url, pml_error *error) PML_WARN_UNUSED;

#endif
