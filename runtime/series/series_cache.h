/* Parsed CSV files, kept: a series is read once and then mapped. A cache is found by what a file holds and what is
 * asked of it, not by the file's name or date, so it cannot be of an older or of another file. The format and its
 * limits: specs/training.md. */
#ifndef PML_RUNTIME_SERIES_SERIES_CACHE_H
#define PML_RUNTIME_SERIES_SERIES_CACHE_H

#include "runtime/base/input.h"
#include "runtime/series/series.h"

typedef struct pml_series_key { /* XXH3-128 over a file's bytes, its size and the request */
    uint8_t bytes[16];
    uint64_t csv_bytes;
} pml_series_key;

typedef struct pml_series_cache { /* zero = safe to close */
    const pml_series *series;     /* valid until close, and not to be written to */
    bool was_kept;                /* it comes out of a cache */
    pml_series view;              /* private, as all below */
    pml_series *parsed;
    pml_file_map map;
} pml_series_cache;

/* Reads a CSV file as pml_series_read does, through a cache in `folder`, which is made where it is missing; NULL: no
 * cache. A cache that is damaged, cut short or of another key is made anew; one that cannot be written is no error (the
 * log says why). Errors: those of pml_series_read. */
pml_status pml_series_cache_open(const char *path, const pml_series_request *request, const char *folder,
                                 pml_series_cache *cache, pml_error *error) PML_WARN_UNUSED;
void pml_series_cache_close(pml_series_cache *cache);

/* The parts, for tests. */
/* Errors: those of reading the file. */
pml_status pml_series_key_of(const char *path, const pml_series_request *request, pml_series_key *key,
                             pml_error *error) PML_WARN_UNUSED;
/* "<folder>/<key in hexadecimal>.series"; the caller frees (pml_free). Errors: MEMORY. */
pml_status pml_series_cache_path(const char *folder, const pml_series_key *key, char **path,
                                 pml_error *error) PML_WARN_UNUSED;
/* Publishes a series. Errors: those of pml_publish_begin and _commit. */
pml_status pml_series_cache_write(const char *path, const pml_series_key *key, const pml_series *series,
                                  pml_error *error) PML_WARN_UNUSED;
/* Reads the bytes of a cache, 8-aligned, which `series` then points into; its `columns` alone are allocated, and the
 * caller's to free (pml_free). `key` NULL: any. Errors: FORMAT, naming the fault; MEMORY. */
pml_status pml_series_cache_view(const uint8_t *bytes, size_t size_bytes, const pml_series_key *key, pml_series *series,
                                 pml_error *error) PML_WARN_UNUSED;

#endif
