/* Private to series_cache*.c: how the file of a parsed series is laid out. All numbers little-endian. */
#ifndef PML_RUNTIME_SERIES_SERIES_CACHE_FORMAT_H
#define PML_RUNTIME_SERIES_SERIES_CACHE_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#define PML_SERIES_CACHE_MAGIC "PMLSERIE"
#define PML_SERIES_CACHE_VERSION 1u /* also of what the reader of CSV makes of a text: a part of every key */
#define PML_SERIES_CACHE_ALIGNMENT 64u
#define PML_SERIES_CACHE_MOST_VALUES ((uint64_t)1 << 30)

enum { /* flags */
       PML_SERIES_HAS_DATES = 1u,
       PML_SERIES_HAS_LINES = 2u,
       PML_SERIES_STAMP_TIME = 4u,
       PML_SERIES_STAMP_SECONDS = 8u,
       PML_SERIES_STAMP_T = 16u,
       PML_SERIES_STAMP_Z = 32u,
       PML_SERIES_ALL_FLAGS = 63u
};

typedef struct pml_series_cache_header {
    uint8_t magic[8];
    uint32_t version, flags;
    uint8_t key[16];
    uint64_t csv_bytes;
    uint64_t n_rows, n_columns;
    uint64_t names_bytes; /* column names, then the date column's, each with its zero */
    uint64_t file_bytes;
    uint32_t fraction_digits, reserved;
    uint64_t body_checksum;   /* XXH3 of all behind the header */
    uint64_t header_checksum; /* XXH3 of what stands before it */
} pml_series_cache_header;
_Static_assert(sizeof(pml_series_cache_header) == 96, "no padding");

/* Where the parts lie, each aligned to 64; 0: absent. */
typedef struct pml_series_cache_places {
    uint64_t names, stamps, lines, values, end;
} pml_series_cache_places;

/* False when the sizes of the header cannot be. */
bool pml_series_cache_place(const pml_series_cache_header *header, pml_series_cache_places *places);

#endif
