/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk-writers.c: running domains that write to the disks of a definition, or rest on them
 *
 * QEMU's own locks keep a second writer away, and writers from what others rest on, whoever they
 * are; but they do not say who has it.
 */

#include "config.h"

#include "driver/disk-writers.h"

#include <string.h>
#include <sys/stat.h>

#include <glib/gi18n-lib.h>

#include "driver/disk-chain.h"
#include "driver/domain-private.h"
#include "driver/error.h"
#include "driver/overlays.h"
#include "driver/registry.h"
#include "util/error.h"

#define NAMED_MAX 8u /* of those that rest on a disk */

static gboolean
is_same_file (const char *a, const char *b)
{
  struct stat x, y;
  return stat (a, &x) == 0 && stat (b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* By whatever names. */
gboolean
stasis_disk_writers_is_same_file (const StasisDiskDef *a, const StasisDiskDef *b)
{
  return a->source != NULL && b->source != NULL && is_same_file (a->source, b->source);
}

static gboolean
check_pair (const StasisDiskDef *disk, const StasisDomainDef *other, GError **error)
{
  for (guint i = 0; i < other->disks->len; i++)
    {
      const StasisDiskDef *theirs = g_ptr_array_index (other->disks, i);
      if (stasis_overlays_wanted (theirs) && stasis_disk_writers_is_same_file (disk, theirs))
        return stasis_throw_refused (
            error, _ ("disk '%1$s' ('%2$s') is written to by the running domain '%3$s'"),
            disk->target, disk->source, other->name);
    }
  return TRUE;
}

/* (transfer full) The definition of a running domain; NULL where it has ended since. */
static StasisDomainDef *
load_live (StasisDriver *driver, const char *name)
{
  g_autoptr (StasisDomain) domain = stasis_domain_new (driver, name, NULL);
  return stasis_domain_load_live (domain, NULL);
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
      g_autoptr (StasisDomainDef) other = load_live (driver, g_ptr_array_index (names, n));
      for (guint i = 0; other != NULL && i < def->disks->len; i++)
        {
          const StasisDiskDef *disk = g_ptr_array_index (def->disks, i);
          if (stasis_overlays_wanted (disk) && !check_pair (disk, other, error))
            return FALSE;
        }
    }
  return TRUE;
}

static gboolean
rests_on (const StasisDiskDef *disk, const char *path)
{
  const char *format = stasis_disk_format_names[disk->format];
  g_autoptr (GPtrArray) chain = stasis_disk_chain_read (disk->source, format, NULL);
  for (guint i = 0; chain != NULL && i < chain->len; i++)
    if (is_same_file (((const StasisDiskLink *) g_ptr_array_index (chain, i))->path, path))
      return TRUE;
  return FALSE;
}

static gboolean
uses (const StasisDomainDef *def, const char *path)
{
  for (guint i = 0; i < def->disks->len; i++)
    {
      const StasisDiskDef *disk = g_ptr_array_index (def->disks, i);
      if (disk->source != NULL && (is_same_file (disk->source, path) || rests_on (disk, path)))
        return TRUE;
    }
  return FALSE;
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* Who they are, for people. */
char *
stasis_disk_writers_name_users (StasisDriver *driver, const char *path)
{
  g_autoptr (GPtrArray) names = stasis_registry_running_names (driver, NULL);
  g_autoptr (GString) text = g_string_new (NULL);
  guint n = 0;
  if (names != NULL)
    g_ptr_array_sort (names, compare_names);
  for (guint i = 0; names != NULL && i < names->len; i++)
    {
      g_autoptr (StasisDomainDef) def = load_live (driver, g_ptr_array_index (names, i));
      if (def != NULL && uses (def, path) && n++ < NAMED_MAX)
        g_string_append_printf (text, "%s'%s'", n > 1 ? ", " : "", def->name);
    }
  if (n <= 1)
    return n == 0 ? NULL : g_strdup_printf (_ ("used by the running domain %s"), text->str);
  if (n > NAMED_MAX)
    g_string_append_printf (text, _ (" and %u more"), n - NAMED_MAX);
  return g_strdup_printf (_ ("used by the running domains %s"), text->str);
}

/* Where QEMU has not opened it it may be for that. */
void
stasis_disk_writers_explain_disk (StasisDriver *driver, const StasisDiskDef *disk, GError *error)
{
  g_autofree char *users = stasis_overlays_wanted (disk) && !disk->shareable
                               ? stasis_disk_writers_name_users (driver, disk->source)
                               : NULL;
  if (users != NULL)
    stasis_error_set_message (error,
                              g_strdup_printf (_ ("%1$s (disk '%2$s', '%3$s', is %4$s)"),
                                               error->message, disk->target, disk->source, users));
}

/* The same of all disks of a QEMU that has not started. */
void
stasis_disk_writers_explain (StasisDriver *driver, const StasisDomainDef *def, GError *error)
{
  for (guint i = 0; i < def->disks->len; i++)
    stasis_disk_writers_explain_disk (driver, g_ptr_array_index (def->disks, i), error);
}
