/* Element types, of foreign tensors and of our own. Identity is the name string (frozen in specs/pml-format.md). */
#ifndef PML_RUNTIME_BASE_DTYPE_H
#define PML_RUNTIME_BASE_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The numbers are those of the .pml file: never reused, only added to. */
typedef enum pml_dtype {
    PML_DTYPE_NONE = 0,
    PML_DTYPE_F32 = 1,
    PML_DTYPE_BF16 = 2,
    PML_DTYPE_I8 = 3,
    PML_DTYPE_F16 = 4,
    PML_DTYPE_F64 = 5,
    PML_DTYPE_I16 = 6,
    PML_DTYPE_I32 = 7,
    PML_DTYPE_I64 = 8,
    PML_DTYPE_U8 = 9,
    PML_DTYPE_U16 = 10,
    PML_DTYPE_U32 = 11,
    PML_DTYPE_U64 = 12,
    PML_DTYPE_BOOL = 13,
    PML_DTYPE_C64 = 14, /* two F32: real, imaginary */
    PML_DTYPE_F8_E4M3 = 15,
    PML_DTYPE_F8_E5M2 = 16,
    PML_DTYPE_F8_E8M0 = 17,
    PML_DTYPE_F6_E2M3 = 18,
    PML_DTYPE_F6_E3M2 = 19,
    PML_DTYPE_F4 = 20,
    PML_DTYPE_COUNT
} pml_dtype;

/* Safetensors' spelling, such as "F32"; "?" for an unknown number. */
const char *pml_dtype_name(pml_dtype dtype);

/* The dtype of that exact spelling, or PML_DTYPE_NONE. */
pml_dtype pml_dtype_from_name(const char *name, size_t name_bytes);

/* Bits of one element; 0 for PML_DTYPE_NONE and unknown numbers. */
unsigned pml_dtype_bits(pml_dtype dtype);

/* Real floats of 16 bits and more, which can become weights: F64, F32, F16, BF16. */
bool pml_dtype_is_float(pml_dtype dtype);
/* Those, integers and BOOL: elements that are plain numbers. */
bool pml_dtype_is_number(pml_dtype dtype);
/* FP8 and smaller: listed, never converted. */
bool pml_dtype_is_narrow(pml_dtype dtype);

/* One element of a number type, exact but for 64-bit integers beyond 2^53. `bytes` may have any alignment. */
double pml_dtype_value(pml_dtype dtype, const void *bytes);

/* BF16 bits of `value`, rounded to nearest even; NaN stays a quiet NaN; overflow gives infinity. */
uint16_t pml_bf16_from_f32(float value);
float pml_f32_from_bf16(uint16_t bits);
float pml_f32_from_f16(uint16_t bits);
/* F16 bits, rounded to nearest even; NaN stays a quiet NaN; overflow gives infinity. */
uint16_t pml_f16_from_f32(float value);

#endif
