/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fault.h: named steps where a test may kill, stop or fail this process
 *
 * STASIS_FAULT="STEP=kill", "STEP=stop" (SIGSTOP) or "STEP=fail" acts when the process
 * comes by that step; several are separated by commas.  Compiled out with -Dfaults=false.
 */

#pragma once

#include "config.h"

#include <gio/gio.h>

G_BEGIN_DECLS

#if STASIS_FAULTS
/* FALSE with G_IO_ERROR_FAILED where the environment says so; else TRUE. */
gboolean stasis_fault (const char *step, GError **error);
#else
static inline gboolean
stasis_fault (const char *step, GError **error)
{
  return TRUE;
}
#endif

G_END_DECLS
