/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-source.c: the definition of a domain that has left
 *
 * Who asked for --undefinesource may be gone when it is decided, and the supervisor, which has no
 * driver, be the one that ends the copy.  So it is done by what the journal says.  It comes before
 * the teardown: whoever dies between the two is followed by somebody who does both again.
 */

#include "config.h"

#include "driver/migrate-source.h"

#include <errno.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/migrate.h>

/* What points at it (registry.c). */
static void
remove_links (const StasisStatus *status)
{
  g_autofree char *domains = g_path_get_dirname (status->definition);
  g_autofree char *config = g_path_get_dirname (domains);
  g_autofree char *file = g_path_get_basename (status->definition);
  g_autofree char *always = g_build_filename (config, "autostart", file, NULL);
  g_autofree char *once = g_build_filename (config, "autostart-once", file, NULL);
  g_autofree char *by_uuid = g_build_filename (config, "by-uuid", status->uuid, NULL);
  unlink (always);
  unlink (once);
  unlink (by_uuid);
}

void
stasis_migrate_source_undefine (StasisStatus *status, const StasisMigrateJournal *migration)
{
  if ((migration->flags & STASIS_MIGRATE_UNDEFINE_SOURCE) == 0 || status->definition == NULL)
    return;
  remove_links (status);
  if (unlink (status->definition) == 0 || errno == ENOENT)
    status->is_transient = TRUE;
  else
    g_warning (_ ("domain '%1$s' has migrated, but its definition '%2$s' is left: %3$s"),
               status->name, status->definition, g_strerror (errno));
}
