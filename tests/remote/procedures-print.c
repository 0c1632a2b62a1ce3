/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * procedures-print.c: the table of procedures, a line for each: PROGRAM NUMBER NAME ACCESS ARGS
 * RETS, where a layout without members is "-"
 */

#include "config.h"

#include <stdio.h>

#include "remote/procedures.h"

static const char *
show (const char *layout)
{
  return *layout != '\0' ? layout : "-";
}

int
main (void)
{
  static const char *const access[] = {
    [STASIS_ACCESS_ANY] = "any",
    [STASIS_ACCESS_READ] = "read",
    [STASIS_ACCESS_WRITE] = "write",
  };
  guint count;
  const StasisProcedure *procedures = stasis_procedures (&count);
  for (guint i = 0; i < count; i++)
    printf ("%u %d %s %s %s %s\n", procedures[i].program, procedures[i].number, procedures[i].name,
            access[procedures[i].access], show (procedures[i].args), show (procedures[i].rets));
  return 0;
}
