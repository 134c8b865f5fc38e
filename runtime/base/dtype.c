#include "runtime/base/dtype.h"

#include <assert.h>
#include <string.h>

typedef enum dtype_kind { KIND_NONE, KIND_INTEGER, KIND_FLOAT, KIND_COMPLEX, KIND_NARROW } dtype_kind;

static const struct {
    const char *name;
    unsigned bits;
    dtype_kind kind;
} dtypes[PML_DTYPE_COUNT] = {
    [PML_DTYPE_NONE] = {"?", 0, KIND_NONE},
    [PML_DTYPE_F32] = {"F32", 32, KIND_FLOAT},
    [PML_DTYPE_BF16] = {"BF16", 16, KIND_FLOAT},
    [PML_DTYPE_I8] = {"I8", 8, KIND_INTEGER},
    [PML_DTYPE_F16] = {"F16", 16, KIND_FLOAT},
    [PML_DTYPE_F64] = {"F64", 64, KIND_FLOAT},
    [PML_DTYPE_I16] = {"I16", 16, KIND_INTEGER},
    [PML_DTYPE_I32] = {"I32", 32, KIND_INTEGER},
    [PML_DTYPE_I64] = {"I64", 64, KIND_INTEGER},
    [PML_DTYPE_U8] = {"U8", 8, KIND_INTEGER},
    [PML_DTYPE_U16] = {"U16", 16, KIND_INTEGER},
    [PML_DTYPE_U32] = {"U32", 32, KIND_INTEGER},
    [PML_DTYPE_U64] = {"U64", 64, KIND_INTEGER},
    [PML_DTYPE_BOOL] = {"BOOL", 8, KIND_INTEGER},
    [PML_DTYPE_C64] = {"C64", 64, KIND_COMPLEX},
    [PML_DTYPE_F8_E4M3] = {"F8_E4M3", 8, KIND_NARROW},
    [PML_DTYPE_F8_E5M2] = {"F8_E5M2", 8, KIND_NARROW},
    [PML_DTYPE_F8_E8M0] = {"F8_E8M0", 8, KIND_NARROW},
    [PML_DTYPE_F6_E2M3] = {"F6_E2M3", 6, KIND_NARROW},
    [PML_DTYPE_F6_E3M2] = {"F6_E3M2", 6, KIND_NARROW},
    [PML_DTYPE_F4] = {"F4", 4, KIND_NARROW},
};

static bool known(pml_dtype dtype) {
    return (unsigned)dtype < PML_DTYPE_COUNT;
}

const char *pml_dtype_name(pml_dtype dtype) {
    return known(dtype) ? dtypes[dtype].name : "?";
}

pml_dtype pml_dtype_from_name(const char *name, size_t name_bytes) {
    for (unsigned i = 1; i < PML_DTYPE_COUNT; i++) {
        if (strlen(dtypes[i].name) == name_bytes && memcmp(dtypes[i].name, name, name_bytes) == 0) {
            return (pml_dtype)i;
        }
    }
    return PML_DTYPE_NONE;
}

unsigned pml_dtype_bits(pml_dtype dtype) {
    return known(dtype) ? dtypes[dtype].bits : 0;
}

static dtype_kind kind_of(pml_dtype dtype) {
    return known(dtype) ? dtypes[dtype].kind : KIND_NONE;
}

bool pml_dtype_is_float(pml_dtype dtype) {
    return kind_of(dtype) == KIND_FLOAT;
}

bool pml_dtype_is_number(pml_dtype dtype) {
    return kind_of(dtype) == KIND_FLOAT || kind_of(dtype) == KIND_INTEGER;
}

bool pml_dtype_is_narrow(pml_dtype dtype) {
    return kind_of(dtype) == KIND_NARROW;
}

double pml_dtype_value(pml_dtype dtype, const void *bytes) {
    union {
        float f32;
        double f64;
        int8_t i8;
        int16_t i16;
        int32_t i32;
        int64_t i64;
        uint8_t u8;
        uint16_t u16;
        uint32_t u32;
        uint64_t u64;
    } value = {0};
    assert(pml_dtype_is_number(dtype));
    memcpy(&value, bytes, pml_dtype_bits(dtype) / 8);
    switch (dtype) {
    case PML_DTYPE_F32:
        return (double)value.f32;
    case PML_DTYPE_F64:
        return value.f64;
    case PML_DTYPE_BF16:
        return (double)pml_f32_from_bf16(value.u16);
    case PML_DTYPE_F16:
        return (double)pml_f32_from_f16(value.u16);
    case PML_DTYPE_I8:
        return value.i8;
    case PML_DTYPE_I16:
        return value.i16;
    case PML_DTYPE_I32:
        return value.i32;
    case PML_DTYPE_I64:
        return (double)value.i64;
    case PML_DTYPE_U16:
        return value.u16;
    case PML_DTYPE_U32:
        return value.u32;
    case PML_DTYPE_U64:
        return (double)value.u64;
    default: /* U8, BOOL */
        return value.u8;
    }
}

uint16_t pml_bf16_from_f32(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u) {
        return (uint16_t)((bits >> 16) | 0x0040u);
    }
    return (uint16_t)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

float pml_f32_from_bf16(uint16_t bf16_bits) {
    uint32_t bits = (uint32_t)bf16_bits << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

float pml_f32_from_f16(uint16_t f16_bits) {
    uint32_t sign = (uint32_t)(f16_bits & 0x8000u) << 16;
    uint32_t exponent = (f16_bits >> 10) & 0x1fu;
    uint32_t mantissa = f16_bits & 0x3ffu;
    uint32_t bits;
    if (exponent == 0x1fu) {
        bits = sign | 0x7f800000u | (mantissa << 13);
    } else if (exponent != 0) {
        bits = sign | ((exponent + 112u) << 23) | (mantissa << 13);
    } else {
        /* A subnormal: mantissa * 2^-24 is exact in F32. */
        float magnitude = (float)mantissa * 0x1p-24f;
        memcpy(&bits, &magnitude, sizeof bits);
        bits |= sign;
    }
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

uint16_t pml_f16_from_f32(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint16_t sign = (uint16_t)((bits >> 16) & 0x8000u);
    const uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) {
        return (uint16_t)(sign | 0x7e00u);
    }
    if (magnitude >= 0x477ff000u) { /* 65520, half way between the greatest F16 and what would follow it */
        return (uint16_t)(sign | 0x7c00u);
    }
    if (magnitude < 0x38800000u) { /* below 2^-14: a multiple of 2^-24, to which adding 1/2 rounds */
        float small;
        memcpy(&small, &magnitude, sizeof small);
        small += 0.5f;
        memcpy(&bits, &small, sizeof bits);
        return (uint16_t)(sign | (bits - 0x3f000000u));
    }
    return (uint16_t)(sign | ((magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13) & 1u)) >> 13));
}
