/*-------------------------------------------------------------------------
 *
 * opclass.c
 *		Operator classes: what metric and what type of element; and whether a
 *		relation is an index of ours.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_class.h"
#include "fmgr.h"
#include "types/halfvec.h"
#include "types/vector.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "omen.h"

/*
 * The support function of an operator class: takes and gives "internal", so
 * that it cannot be called from SQL.
 */
#define OMEN_SUPPORT_FUNCTION(name, metric, element, max_dims) \
PG_FUNCTION_INFO_V1(name); \
Datum \
name(PG_FUNCTION_ARGS) \
{ \
	static const OmenOpclass opclass = {metric, element, max_dims}; \
	PG_RETURN_POINTER(&opclass); \
} \
extern int	no_such_variable

OMEN_SUPPORT_FUNCTION(omen_vector_l2_support, OMEN_METRIC_L2,
					  OMEN_ELEMENT_FLOAT, OMEN_MAX_DIMS);
OMEN_SUPPORT_FUNCTION(omen_vector_ip_support, OMEN_METRIC_IP,
					  OMEN_ELEMENT_FLOAT, OMEN_MAX_DIMS);
OMEN_SUPPORT_FUNCTION(omen_vector_cosine_support, OMEN_METRIC_COSINE,
					  OMEN_ELEMENT_FLOAT, OMEN_MAX_DIMS);
OMEN_SUPPORT_FUNCTION(omen_halfvec_l2_support, OMEN_METRIC_L2,
					  OMEN_ELEMENT_HALF, OMEN_MAX_DIMS);
OMEN_SUPPORT_FUNCTION(omen_halfvec_ip_support, OMEN_METRIC_IP,
					  OMEN_ELEMENT_HALF, OMEN_MAX_DIMS);
OMEN_SUPPORT_FUNCTION(omen_halfvec_cosine_support, OMEN_METRIC_COSINE,
					  OMEN_ELEMENT_HALF, OMEN_MAX_DIMS);

OMEN_SUPPORT_FUNCTION(omen_vector_l1_support, OMEN_METRIC_L1,
					  OMEN_ELEMENT_FLOAT, OMEN_MAX_DIMS);
OMEN_SUPPORT_FUNCTION(omen_halfvec_l1_support, OMEN_METRIC_L1,
					  OMEN_ELEMENT_HALF, OMEN_MAX_DIMS);

const OmenOpclass *
OmenGetOpclass(Relation index)
{
	FmgrInfo   *support = index_getprocinfo(index, 1, OMEN_SUPPORT_PROC);

	return (const OmenOpclass *) DatumGetPointer(FunctionCall0Coll(support,
																   InvalidOid));
}

const void *
OmenGetElements(const OmenOpclass *opclass, Datum value, int *dims)
{
	if (opclass->element == OMEN_ELEMENT_FLOAT)
	{
		Vector	   *vector = OmenVectorFromDatum(value);

		*dims = vector->dim;
		return vector->x;
	}
	else
	{
		HalfVector *vector = OmenHalfVectorFromDatum(value);

		*dims = vector->dim;
		return vector->x;
	}
}

/* Elements that are zero are zero bits but for the sign. */
bool
OmenIsZero(const OmenOpclass *opclass, const void *elements, int dims)
{
	int			i;

	if (opclass->metric != OMEN_METRIC_COSINE)
		return false;
	for (i = 0; i < dims; i++)
	{
		if (opclass->element == OMEN_ELEMENT_FLOAT ?
			((const float *) elements)[i] != 0 :
			(((const uint16 *) elements)[i] & 0x7FFF) != 0)
			return false;
	}
	return true;
}

bool
OmenIsIndex(Relation relation)
{
	return relation->rd_rel->relkind == RELKIND_INDEX &&
		relation->rd_indam->aminsert == omeninsert;
}

void
OmenCheckMaintainable(Oid index, Oid heap)
{
	char	   *name = get_rel_name(index);

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", index)));
	if (!OidIsValid(heap))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not an omen index", name)));
	if (!OmenMayMaintain(heap))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_INDEX, name);
}

void
OmenCheckReadable(Relation index, bool need_valid)
{
	if (!OmenIsIndex(index))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not an omen index",
						RelationGetRelationName(index))));
	if (RELATION_IS_OTHER_TEMP(index))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot access temporary tables of other sessions")));
	if (need_valid && !index->rd_index->indisvalid)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("index \"%s\" is not valid",
						RelationGetRelationName(index)),
				 errhint("REINDEX it, or drop it.")));
	if (index->rd_rel->relpersistence == RELPERSISTENCE_UNLOGGED &&
		RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot access unlogged index \"%s\" during recovery",
						RelationGetRelationName(index))));
}
