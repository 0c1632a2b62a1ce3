/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fault.c: named steps where a test may kill, stop or fail this process
 */

#include "config.h"

#include "util/fault.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#if STASIS_FAULTS

/* Come by a step. */
gboolean
stasis_fault (const char *step, GError **error)
{
  const char *asked = g_getenv ("STASIS_FAULT");
  if (asked == NULL)
    return TRUE;

  g_auto (GStrv) faults = g_strsplit (asked, ",", -1);
  for (gsize i = 0; faults[i] != NULL; i++)
    {
      char *action = strchr (faults[i], '=');
      if (action == NULL)
        continue;
      *action++ = '\0';
      if (!g_str_equal (faults[i], step))
        continue;
      if (g_str_equal (action, "kill"))
        kill (getpid (), SIGKILL);
      else if (g_str_equal (action, "stop"))
        raise (SIGSTOP); /* one for the process may be another thread's, and we go on until it is */
      else
        {
          g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "fault asked for at '%s'", step);
          return FALSE;
        }
    }
  return TRUE;
}

#endif
