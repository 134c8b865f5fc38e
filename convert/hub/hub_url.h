/* Addresses of the hub: building them, and deciding whether a redirect may be followed and with the token. */
#ifndef PML_CONVERT_HUB_URL_H
#define PML_CONVERT_HUB_URL_H

#include "runtime/base/error.h"

#define PML_HUB_MAX_URL_BYTES 16384u

/* Percent-encodes everything but letters, digits and "-._~" (and '/', if `keeps_slash`); *encoded is the caller's.
 * Errors: MEMORY. */
pml_status pml_hub_url_encode(const char *text, bool keeps_slash, char **encoded, pml_error *error) PML_WARN_UNUSED;

/* Checks the base address of a hub (http or https, a host, no user, query or fragment); *endpoint has no '/' at its end
 * and is the caller's. Errors: CONFIG, MEMORY. */
pml_status pml_hub_url_endpoint(const char *text, char **endpoint, pml_error *error) PML_WARN_UNUSED;

/* Whether two addresses have the same scheme, host and port: the only case in which a token goes along. */
bool pml_hub_url_same_origin(const char *a, const char *b);
bool pml_hub_url_is_https(const char *url);

/* Where a reply to `from` with this Location leads; *to is the caller's. Refused: another scheme than http and https,
 * and http where `from` was https or `allow_http` is false. Errors: NETWORK (refused or no address at all), MEMORY. */
pml_status pml_hub_url_redirect(const char *from, const char *location, bool allow_http, char **to,
                                pml_error *error) PML_WARN_UNUSED;

/* "https://host:port/..." without the query, where signatures are: for messages. At most n_bytes with the zero. */
void pml_hub_url_show(const char *url, char *shown, size_t n_bytes);

#endif
