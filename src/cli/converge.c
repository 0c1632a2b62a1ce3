/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * converge.c: does a migration come to an end?
 *
 * It does not where the guest writes to more of its memory than is sent in the same time, pass
 * after pass.  The first passes tell little: all of the memory is sent in one, and rates settle
 * down.
 */

#include "config.h"

#include "cli/converge.h"

#include <glib/gi18n.h>

#include "cli/units.h"

#define PASSES_FIRST 2u /* these are not judged */
#define PASSES_ROW   3u

static char *
say (const StasisJobStats *stats, StasisMigrateFlags flags)
{
  g_autofree char *dirty = stasis_cli_format_octets (stats->dirty_per_second);
  g_autofree char *sent = stasis_cli_format_octets (stats->bytes_per_second);
  g_autoptr (GString) text = g_string_new (NULL);
  g_string_printf (text,
                   _ ("The migration does not come to an end: the guest writes to %1$s of its "
                      "memory in a second, and %2$s are sent."),
                   dirty, sent);
  if (stats->expected_pause_us > 0)
    g_string_append_printf (text, _ (" Paused now, it would stand still for %u ms."),
                            (guint) MIN (stats->expected_pause_us / 1000, G_MAXINT));
  g_string_append (text, _ (" What helps: more bandwidth (migrate-setspeed), a longer downtime "
                            "(migrate-setmaxdowntime), a pause (suspend, or --timeout)"));
  if ((flags & STASIS_MIGRATE_AUTO_CONVERGE) == 0)
    g_string_append (text, _ (", --auto-converge"));
  if ((flags & STASIS_MIGRATE_POSTCOPY) == 0)
    g_string_append (text, _ (", --postcopy"));
  g_string_append_c (text, '.');
  return g_string_free (g_steal_pointer (&text), FALSE);
}

/* Once for each pass. */
char *
stasis_cli_converge_look (StasisCliConverge *self, const StasisJobStats *stats,
                          StasisMigrateFlags flags)
{
  if (self->is_said || stats->state != STASIS_JOB_ACTIVE || stats->passes <= self->passes)
    return NULL;
  self->passes = stats->passes;
  const gboolean is_behind
      = stats->bytes_per_second > 0 && stats->dirty_per_second >= stats->bytes_per_second;
  self->behind = is_behind && stats->passes > PASSES_FIRST ? self->behind + 1 : 0;
  if (self->behind < PASSES_ROW)
    return NULL;
  self->is_said = TRUE;
  return say (stats, flags);
}
