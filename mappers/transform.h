/* Transforms: what the converter does to a source tensor on its way to a canonical weight. Permutations, reshapes,
 * slices and stacks only, so that `verify --source` can repeat them bit for bit.
 *
 * Text form, steps joined by ";" and recorded in the file:
 *   transpose          swaps the last two axes            permute(1,0,2)   axes in the new order
 *   squeeze            drops axes of size 1               reshape(a,b,…)   integers; one may be -1
 *   narrow(axis,first,count)  positions first .. first+count-1 of an axis
 *   slice(axis,i,n)    the i-th of n equal parts          stack(i)         the weight's leading axis has this tensor at
 *                                                                          index i
 *   stack(c)           the same, index from the capture {c}
 *
 * In a rule stack names an index; in the recorded form, which is one text for all tensors of a weight, stack(n) says
 * that n tensors were stacked in ascending index. A view has the shape of one of them either way.
 *
 * The result of the steps is a view: axes, each a list of (size, stride) factors over the source's elements. A chain
 * like reshape, permute, reshape therefore needs no copy. */
#ifndef PML_MAPPERS_TRANSFORM_H
#define PML_MAPPERS_TRANSFORM_H

#include "runtime/base/error.h"
#include "runtime/base/limits.h"

#define PML_MAX_FACTORS 16u

typedef struct pml_view { /* logical tensor over source elements, without the stack axis */
    unsigned rank;
    uint64_t shape[PML_MAX_RANK];
    unsigned n_factors; /* loops from outermost to innermost; consecutive factors make up the axes, none of size 1 */
    uint64_t factor_size[PML_MAX_FACTORS];
    uint64_t factor_stride[PML_MAX_FACTORS]; /* in elements */
    uint64_t offset;                         /* first element */
    bool is_stacked;                         /* the steps contained stack */
} pml_view;

/* Applies the steps to a contiguous row-major tensor of this shape. Errors: CONFIG (syntax, shapes that do not fit, a
 * reshape that no strides can express, an empty tensor). */
pml_status pml_transform_view(const char *steps, const uint64_t *shape, unsigned rank, pml_view *view,
                              pml_error *error) PML_WARN_UNUSED;

#endif
