/*-------------------------------------------------------------------------
 *
 * kernel_list.h
 *		The initialiser of a kernel set.
 *
 * Every set gives the same names to its functions, which are static.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OMEN_KERNEL_LIST_H
#define OMEN_KERNEL_LIST_H

#define OM_KERNEL_LIST(level) \
{ \
	.name = (level), \
	.l2_squared = om_l2_squared, \
	.inner_product = om_inner_product, \
	.l1 = om_l1, \
	.cosine = om_cosine, \
	.half_l2_squared = om_half_l2_squared, \
	.half_inner_product = om_half_inner_product, \
	.half_l1 = om_half_l1, \
	.half_cosine = om_half_cosine, \
	.half_to_float = om_half_to_float, \
	.float_to_half = om_float_to_half, \
	.rotate = om_rotate, \
	.quantize = om_quantize, \
	.code_dot = om_code_dot, \
	.code_l1 = om_code_l1, \
	.encode_block = om_encode_block, \
	.estimate_block = om_estimate_block, \
}

#endif							/* OMEN_KERNEL_LIST_H */
