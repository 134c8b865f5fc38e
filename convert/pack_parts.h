/* What the parts of packing share. Private to pack.c and pack_i8.c. */
#ifndef PML_CONVERT_PACK_PARTS_H
#define PML_CONVERT_PACK_PARTS_H

#include "convert/gather.h"
#include "convert/i8_loops.h"
#include "convert/pack.h"

/* Floats of one chunk. Where the source runs along the rows, a panel needs no more than fits the second-level cache
 * together with what it is read from; elsewhere a larger chunk makes the runs longer that are read at a time. */
#define PML_CHUNK_FLOATS ((size_t)1 << 20)
#define PML_PANEL_CHUNK_FLOATS ((size_t)1 << 16)
#define PML_I8_CHUNK_PANELS 1024u /* of I8 at a time, which bounds their scales */
#define PML_I8_CHUNK_ENTRIES ((PML_CHUNK_FLOATS / PML_PANEL_COLUMNS / 32 + PML_I8_CHUNK_PANELS) * PML_PANEL_COLUMNS)

struct pml_packer {
    const pml_i8_loops *loops;
    pml_gather gather;
    float *values;     /* PML_CHUNK_FLOATS: a chunk in stored order */
    uint16_t *rounded; /* the same as BF16, or as I8 */
    uint32_t *scales;  /* PML_I8_CHUNK_ENTRIES of 2 or 4 bytes: what belongs to a chunk of I8 */
    uint32_t *sums;
};

/* Tells the job which source bytes a rectangle is about to need. */
pml_status pml_pack_announce(pml_packer *packer, const pml_pack_job *job, const pml_gather_block *block,
                             pml_error *error) PML_WARN_UNUSED;
/* Reads a rectangle into packer->values as panels [n_panels][block->n_rows][16], columns past the end 0. */
pml_status pml_pack_read_panels(pml_packer *packer, const pml_gather_block *block, pml_error *error) PML_WARN_UNUSED;
/* Counts numbers of the rectangle that cannot be stored as finite ones, or fails at the first. */
pml_status pml_pack_examine(pml_packer *packer, const pml_pack_job *job, const pml_gather_block *block,
                            pml_pack_result *result, pml_error *error) PML_WARN_UNUSED;
/* What rounding took away from the whole weight. */
void pml_pack_set_losses(pml_pack_result *result, const pml_rounding *rounding);
/* The whole weight as I8 panels. */
pml_status pml_pack_i8(pml_packer *packer, const pml_pack_job *job, pml_pack_result *result,
                       pml_error *error) PML_WARN_UNUSED;

#endif
