/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk-writers.c: running domains that write to the disks of a definition
 *
 * QEMU's own locks keep a second writer away, and writers from what others rest on, whoever they
 * are; but they do not say who has it.
 */

#include "config.h"

#include "driver/disk-writers.h"

#include <sys/stat.h>

#include <glib/gi18n-lib.h>

#include "driver/domain-private.h"
#include "driver/overlays.h"
#include "driver/registry.h"

/* By whatever names. */
gboolean
stasis_disk_writers_is_same_file (const StasisDiskDef *a, const StasisDiskDef *b)
{
  struct stat x, y;
  return a->source != NULL && b->source != NULL && stat (a->source, &x) == 0
         && stat (b->source, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static gboolean
check_pair (const StasisDiskDef *disk, const StasisDomainDef *other, GError **error)
{
  for (guint i = 0; i < other->disks->len; i++)
    {
      const StasisDiskDef *theirs = g_ptr_array_index (other->disks, i);
      if (!stasis_overlays_wanted (theirs) || !stasis_disk_writers_is_same_file (disk, theirs))
        continue;
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED,
                   _ ("disk '%1$s' ('%2$s') is written to by the running domain '%3$s'"),
                   disk->target, disk->source, other->name);
      return FALSE;
    }
  return TRUE;
}

/* Look at all of them.  One that ends meanwhile does not write any more. */
gboolean
stasis_disk_writers_check (StasisDriver *driver, const StasisDomainDef *def, GError **error)
{
  g_autoptr (GPtrArray) names = stasis_registry_running_names (driver, error);
  if (names == NULL)
    return FALSE;
  for (guint n = 0; n < names->len; n++)
    {
      g_autoptr (StasisDomain) domain
          = stasis_domain_new (driver, g_ptr_array_index (names, n), NULL);
      g_autoptr (StasisDomainDef) other = stasis_domain_load_live (domain, NULL);
      for (guint i = 0; other != NULL && i < def->disks->len; i++)
        {
          const StasisDiskDef *disk = g_ptr_array_index (def->disks, i);
          if (stasis_overlays_wanted (disk) && !check_pair (disk, other, error))
            return FALSE;
        }
    }
  return TRUE;
}
