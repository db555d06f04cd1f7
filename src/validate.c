/*-------------------------------------------------------------------------
 *
 * validate.c
 *		Check of operator classes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/amvalidate.h"
#include "access/htup_details.h"
#include "catalog/pg_amop.h"
#include "catalog/pg_amproc.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/syscache.h"

#include "omen.h"

/* INFO about what is wrong with an operator family. */
static void
om_complain(Oid opfamily, const char *what, const char *object)
{
	HeapTuple	tuple = SearchSysCache1(OPFAMILYOID,
										ObjectIdGetDatum(opfamily));

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator family %u", opfamily);
	ereport(INFO,
			(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
			 errmsg("operator family \"%s\" of access method omen contains %s %s",
					NameStr(((Form_pg_opfamily) GETSTRUCT(tuple))->opfname),
					what, object)));
	ReleaseSysCache(tuple);
}

/* Every operator orders, by float8, and is strategy 1. */
static bool
om_validate_operators(Oid opfamily)
{
	CatCList   *list = SearchSysCacheList1(AMOPSTRATEGY,
										   ObjectIdGetDatum(opfamily));
	bool		result = true;
	int			i;

	for (i = 0; i < list->n_members; i++)
	{
		Form_pg_amop form = (Form_pg_amop)
			GETSTRUCT(&list->members[i]->tuple);

		if (form->amopstrategy != 1 || form->amoppurpose != AMOP_ORDER)
		{
			om_complain(opfamily, "an operator that does not order, or with a strategy other than 1:",
						format_operator(form->amopopr));
			result = false;
		}
		else if (get_op_rettype(form->amopopr) != FLOAT8OID ||
				 !opfamily_can_sort_type(form->amopsortfamily, FLOAT8OID))
		{
			om_complain(opfamily, "an operator that does not order by double precision:",
						format_operator(form->amopopr));
			result = false;
		}
	}
	ReleaseCatCacheList(list);
	return result;
}

/* The support function is internal -> internal, and there is one. */
static bool
om_validate_procs(Oid opfamily, Oid opcintype, char *opclass)
{
	CatCList   *list = SearchSysCacheList1(AMPROCNUM,
										   ObjectIdGetDatum(opfamily));
	bool		result = true;
	bool		found = false;
	int			i;

	for (i = 0; i < list->n_members; i++)
	{
		Form_pg_amproc form = (Form_pg_amproc)
			GETSTRUCT(&list->members[i]->tuple);

		if (form->amprocnum != OMEN_SUPPORT_PROC ||
			!check_amproc_signature(form->amproc, INTERNALOID, true, 1, 1,
									INTERNALOID))
		{
			om_complain(opfamily, "a function with a wrong number or signature:",
						format_procedure(form->amproc));
			result = false;
		}
		else if (form->amproclefttype == opcintype &&
				 form->amprocrighttype == opcintype)
			found = true;
	}
	ReleaseCatCacheList(list);
	if (!found)
	{
		ereport(INFO,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("operator class \"%s\" of access method omen is missing support function %d",
						opclass, OMEN_SUPPORT_PROC)));
		result = false;
	}
	return result;
}

bool
omenvalidate(Oid opclassoid)
{
	HeapTuple	tuple = SearchSysCache1(CLAOID, ObjectIdGetDatum(opclassoid));
	Form_pg_opclass form;
	bool		result;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator class %u", opclassoid);
	form = (Form_pg_opclass) GETSTRUCT(tuple);
	result = om_validate_operators(form->opcfamily);
	result = om_validate_procs(form->opcfamily, form->opcintype,
							   NameStr(form->opcname)) && result;
	ReleaseSysCache(tuple);
	return result;
}
