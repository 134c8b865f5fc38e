/* How soon the hub may be asked again, handed on from process to process: a batch runs a process for each repository,
 * and the hub counts them all as one client. Kept beside the locks of the cache, for as long as the hub's own count
 * lasts. */
#ifndef PML_CONVERT_HUB_PACE_H
#define PML_CONVERT_HUB_PACE_H

#include "convert/hub/hub_session.h"

/* Takes over what an earlier process left for this endpoint. What cannot be read does not count. */
void pml_hub_pace_load(pml_hub_session *session);
/* Leaves the session's state of a budget for `lasts_ms`; a cache that cannot be written keeps nothing. */
void pml_hub_pace_store(const pml_hub_session *session, pml_hub_budget budget, uint64_t lasts_ms);

#endif
