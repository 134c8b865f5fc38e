/* Every cap on what a foreign file may ask of us, in one place. */
#ifndef PML_RUNTIME_BASE_LIMITS_H
#define PML_RUNTIME_BASE_LIMITS_H

#define PML_MAX_RANK 8u
#define PML_MAX_NAME_BYTES 1024u        /* a tensor name or metadata key */
#define PML_MAX_TENSORS 4000000u        /* per file */
#define PML_MAX_HEADER_BYTES 100000000u /* a safetensors header */
#define PML_MAX_JSON_BYTES 100000000u   /* an index file; config and scaler files use the next one */
#define PML_MAX_CONFIG_BYTES 16777216u
#define PML_MAX_JSON_DEPTH 64u
#define PML_MAX_METADATA_BYTES 67108864u /* the typed metadata of a .pml */
#define PML_MAX_METADATA_KEYS 65536u
#define PML_MAX_BLOBS 1024u
#define PML_MAX_SHARDS 4096u
#define PML_MAX_GRAPH_BYTES 67108864u /* an ONNX graph without the data of its tensors */
#define PML_MAX_GRAPH_PARTS 2000000u  /* messages and texts in it */
#define PML_MAX_ZIP_ENTRIES 4000000u
#define PML_MAX_INFLATE_RATIO 1000u             /* of a deflated entry that is larger than the next one */
#define PML_MAX_INFLATE_UNRATED_BYTES 16777216u /* honest zeros reach the most that the method can do, 1032 */
#define PML_MAX_PICKLE_BYTES 100000000u
#define PML_MAX_PICKLE_VALUES 16000000u
#define PML_MAX_EXPANDED_BYTES 16777216u /* of a view that is larger than what it is a view of */
#define PML_MAX_THREADS 1024u            /* of one model */
#define PML_MAX_TABLE_BYTES 268435456u   /* that a model computes when it is loaded */
#define PML_MAX_CSV_COLUMNS 65536u
#define PML_MAX_CSV_FIELD_BYTES 4096u
#define PML_MAX_HDF5_DEPTH 32u      /* groups in groups */
#define PML_MAX_HDF5_LINKS 1000000u /* names in all groups */
#define PML_MAX_HDF5_GROWTH 64u     /* unpacked bytes per byte of the file, beyond the next one */
#define PML_MAX_HDF5_FREE_GROWTH_BYTES 67108864u
#define PML_MAX_HDF5_LIBRARY_BYTES 536870912u /* memory for the library itself */
#define PML_MAX_HDF5_SECONDS 10u              /* of computing, and one more for each of the next */
#define PML_HDF5_BYTES_PER_SECOND 33554432u
#define PML_MAX_SERVE_INPUTS 2048u /* texts of one request */
#define PML_MAX_SERVE_CHOICES 128u /* texts that one request asks for */
#define PML_MAX_SERVE_STOPS 4u     /* texts that end one */
#define PML_MAX_SERVE_NAME_BYTES 256u
#define PML_MAX_SERVE_UNREAD_BYTES 4194304u /* of a stream that its reader does not take */
#define PML_MAX_LOG_RECORDS 16777216u       /* of one training run */
#define PML_MAX_LOG_VALUES 256u             /* of one record */
#define PML_MAX_LOG_NAMES 4096u             /* in all of them */

#endif
