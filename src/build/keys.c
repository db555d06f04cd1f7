/*-------------------------------------------------------------------------
 *
 * keys.c
 *		Sorting and selection of 64-bit keys.
 *
 *-------------------------------------------------------------------------
 */
#include "build/builder.h"

#define ST_SORT om_sort
#define ST_ELEMENT_TYPE uint64
#define ST_COMPARE(a, b) (*(a) < *(b) ? -1 : *(a) > *(b))
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

void
OmenSortKeys(uint64 *keys, size_t n)
{
	om_sort(keys, n);
}

/* Hoare's quickselect, the middle key as pivot. */
void
OmenPartitionKeys(uint64 *keys, uint32 n, uint32 k)
{
	int64		low = 0;
	int64		high = (int64) n - 1;

	if (k == 0 || k >= n)
		return;
	while (low < high)
	{
		uint64		pivot = keys[low + (high - low) / 2];
		int64		i = low;
		int64		j = high;

		while (i <= j)
		{
			while (keys[i] < pivot)
				i++;
			while (keys[j] > pivot)
				j--;
			if (i <= j)
			{
				uint64		swap = keys[i];

				keys[i++] = keys[j];
				keys[j--] = swap;
			}
		}
		if ((int64) k - 1 <= j)
			high = j;
		else if ((int64) k - 1 >= i)
			low = i;
		else
			return;
	}
}
