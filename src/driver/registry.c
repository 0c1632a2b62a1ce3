/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * registry.c: the persistent definitions of a driver
 *
 * Theory of operation
 *
 * A definition is CONFIG/domains/NAME.xml; CONFIG/by-uuid/UUID is a symbolic link to it, so that
 * a lookup by UUID need not read them all; the marks of autostart.c are others.  The
 * definition counts: a link that is missing, or leads to no definition with that UUID, is found
 * out, and made anew from the definitions.  Changes are made under RUN/registry.lock; readers
 * need no lock, for files and links are replaced by rename, and a link that a reader makes too
 * late is found out like any other.  The same lock is held while a starting domain makes sure that
 * no other has its name or UUID, and picks a user for its QEMU that no other has (start.c).
 */

#include "config.h"

#include "driver/registry.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "driver/autostart.h"
#include "driver/status.h"
#include "util/atomic-file.h"
#include "util/fd.h"

/* Take the registry's lock, with an end to waiting: its holder may be a process that is stopped. */
StasisLock *
stasis_registry_lock (StasisDriver *driver, int timeout_ms, GError **error)
{
  if (!stasis_paths_make (driver->paths->run, error))
    return NULL;
  g_autofree char *path = g_build_filename (driver->paths->run, "registry.lock", NULL);
  g_autoptr (GError) local = NULL;
  StasisLock *lock = stasis_lock_take_within (path, timeout_ms, NULL, NULL, NULL, &local);
  if (lock != NULL)
    return lock;
  if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_BUSY))
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_BUSY,
                 _ ("the definitions are busy: for %1$d s now %2$s"), timeout_ms / 1000,
                 local->message);
  else
    g_propagate_error (error, g_steal_pointer (&local));
  return NULL;
}

static StasisLock *
take_lock (StasisDriver *driver, GError **error)
{
  return stasis_registry_lock (driver, STASIS_REGISTRY_DEADLINE_MS, error);
}

/* The names of all persistent domains. */
GPtrArray *
stasis_registry_names (StasisDriver *driver, GError **error)
{
  g_autofree char *folder = g_build_filename (driver->paths->config, "domains", NULL);
  return stasis_paths_names (folder, ".xml", error);
}

/* The names of all domains that have a run folder. */
GPtrArray *
stasis_registry_running_names (StasisDriver *driver, GError **error)
{
  g_autofree char *folder = g_build_filename (driver->paths->run, "domains", NULL);
  return stasis_paths_names (folder, "", error);
}

gboolean
stasis_registry_has (StasisDriver *driver, const char *name)
{
  g_autofree char *path = stasis_paths_definition (driver->paths, name);
  return g_file_test (path, G_FILE_TEST_EXISTS);
}

/* The persistent definition. */
StasisDomainDef *
stasis_registry_load (StasisDriver *driver, const char *name, GError **error)
{
  g_autofree char *path = stasis_paths_definition (driver->paths, name);
  g_autofree char *xml = NULL;
  g_autoptr (GError) local = NULL;
  if (g_file_get_contents (path, &xml, NULL, &local))
    return stasis_driver_parse (driver, xml, path, STASIS_DOMAIN_PARSE_DEFAULT, error);

  if (g_error_matches (local, G_FILE_ERROR, G_FILE_ERROR_NOENT))
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_NO_DOMAIN, _ ("no persistent domain '%s'"),
                 name);
  else
    g_propagate_error (error, g_steal_pointer (&local));
  return NULL;
}

/* Point a symbolic link at @target, in place of what is there. */
static gboolean
replace_link (const char *path, const char *target, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (path);
  if (!stasis_paths_make (folder, error))
    return FALSE;
  g_autofree char *file = g_path_get_basename (path);
  g_autofree char *temp
      = g_strdup_printf ("%s/.%s.%d-%08x", folder, file, (int) getpid (), (guint) g_random_int ());
  if (symlink (target, temp) < 0)
    return stasis_throw_errno (error, _ ("cannot link '%s'"), path);
  if (rename (temp, path) == 0)
    return TRUE;
  stasis_throw_errno (error, _ ("cannot link '%s'"), path);
  unlink (temp);
  return FALSE;
}

static gboolean
link_uuid (StasisDriver *driver, const char *uuid, const char *name, GError **error)
{
  g_autofree char *link = stasis_paths_by_uuid (driver->paths, uuid);
  g_autofree char *target = g_strdup_printf ("../domains/%s.xml", name);
  return replace_link (link, target, error);
}

/* TRUE where @name's definition has this UUID, in whatever spelling.  A text that names the UUID
 * and makes no sense otherwise keeps it, so that nobody else gets it. */
static gboolean
has_uuid (StasisDriver *driver, const char *name, const char *uuid)
{
  g_autofree char *known = stasis_registry_get_uuid (driver, name);
  if (known != NULL)
    return g_str_equal (known, uuid);
  g_autofree char *path = stasis_paths_definition (driver->paths, name);
  g_autofree char *xml = NULL;
  if (!g_file_get_contents (path, &xml, NULL, NULL))
    return FALSE;
  g_autofree char *lower = g_ascii_strdown (xml, -1);
  return strstr (lower, uuid) != NULL;
}

/* What the link says, if that is so. */
static char *
follow_link (StasisDriver *driver, const char *uuid)
{
  g_autofree char *link = stasis_paths_by_uuid (driver->paths, uuid);
  g_autofree char *target = g_file_read_link (link, NULL);
  g_autofree char *file = target != NULL ? g_path_get_basename (target) : NULL;
  if (file == NULL || !g_str_has_suffix (file, ".xml"))
    return NULL;

  g_autofree char *name = g_strndup (file, strlen (file) - strlen (".xml"));
  return has_uuid (driver, name, uuid) ? g_steal_pointer (&name) : NULL;
}

/* The name of the persistent domain with this UUID, or NULL. */
char *
stasis_registry_name_of_uuid (StasisDriver *driver, const char *uuid)
{
  char *linked = follow_link (driver, uuid);
  if (linked != NULL)
    return linked;

  g_autoptr (GPtrArray) names = stasis_registry_names (driver, NULL);
  for (guint i = 0; names != NULL && i < names->len; i++)
    {
      const char *name = g_ptr_array_index (names, i);
      if (!has_uuid (driver, name, uuid))
        continue;
      /* For the next time; who may only read finds it by this way again. */
      g_autoptr (GError) error = NULL;
      if (!link_uuid (driver, uuid, name, &error))
        g_debug ("no link to '%s': %s", name, error->message);
      return g_strdup (name);
    }
  return NULL;
}

static gboolean
throw_exists (GError **error, const char *name, const char *uuid)
{
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_EXISTS,
               _ ("domain '%1$s' already exists with uuid %2$s"), name, uuid);
  return FALSE;
}

/* A running domain of the same name has the same UUID, and the reverse. */
static gboolean
check_running (StasisDriver *driver, const char *name, const char *uuid, GError **error)
{
  g_autoptr (GPtrArray) names = stasis_registry_running_names (driver, error);
  if (names == NULL)
    return FALSE;
  for (guint i = 0; i < names->len; i++)
    {
      const char *other = g_ptr_array_index (names, i);
      g_autofree char *folder = stasis_paths_domain (driver->paths, other, NULL);
      g_autoptr (StasisStatus) status = stasis_status_read (folder, NULL);
      if (status != NULL && g_str_equal (other, name) != g_str_equal (status->uuid, uuid))
        return throw_exists (error, other, status->uuid);
    }
  return TRUE;
}

/* Refuse a name or UUID that is another domain's. */
gboolean
stasis_registry_check_unique (StasisDriver *driver, const char *name, const char *uuid,
                              GError **error)
{
  g_autofree char *other = stasis_registry_name_of_uuid (driver, uuid);
  if (other != NULL && !g_str_equal (other, name))
    return throw_exists (error, other, uuid);

  if (stasis_registry_has (driver, name) && other == NULL)
    {
      g_autoptr (StasisDomainDef) def = stasis_registry_load (driver, name, error);
      if (def == NULL)
        return FALSE;
      if (!g_str_equal (def->uuid, uuid))
        return throw_exists (error, name, def->uuid);
    }
  return check_running (driver, name, uuid, error);
}

/* Under the lock. */
static gboolean
store (StasisDriver *driver, const StasisDomainDef *def, GError **error)
{
  g_autofree char *path = stasis_paths_definition (driver->paths, def->name);
  g_autofree char *folder = g_path_get_dirname (path);
  g_autofree char *xml
      = stasis_domain_def_format (def, STASIS_DOMAIN_FORMAT_INACTIVE | STASIS_DOMAIN_FORMAT_SECURE);
  /* The link first: without its definition it says nothing, the other way round it is missed. */
  return stasis_paths_make (folder, error) && link_uuid (driver, def->uuid, def->name, error)
         && stasis_atomic_file_write (path, xml, strlen (xml), 0600, error);
}

/* Store a definition, in place of an older one of the same name. */
gboolean
stasis_registry_store (StasisDriver *driver, const StasisDomainDef *def, GError **error)
{
  g_autoptr (StasisLock) lock = take_lock (driver, error);
  if (lock == NULL || !stasis_registry_check_unique (driver, def->name, def->uuid, error))
    return FALSE;

  return store (driver, def, error);
}

/* Under the lock. */
static gboolean
move_mark (StasisDriver *driver, StasisAutostart which, const char *name, const char *new_name,
           GError **error)
{
  g_autofree char *before = stasis_paths_autostart (driver->paths, which, name);
  g_autofree char *after = stasis_paths_autostart (driver->paths, which, new_name);
  g_autofree char *target = g_strdup_printf ("../domains/%s.xml", new_name);
  if (!stasis_autostart_has (driver->paths, which, name))
    return TRUE;
  if (!replace_link (after, target, error))
    return FALSE;
  unlink (before);
  return TRUE;
}

/* Under the lock. */
static gboolean
move_marks (StasisDriver *driver, const char *name, const char *new_name, GError **error)
{
  for (guint i = 0; i < STASIS_AUTOSTART_N_KINDS; i++)
    if (!move_mark (driver, i, name, new_name, error))
      return FALSE;
  return TRUE;
}

static void
remove_marks (StasisDriver *driver, const char *name)
{
  for (guint i = 0; i < STASIS_AUTOSTART_N_KINDS; i++)
    {
      g_autofree char *link = stasis_paths_autostart (driver->paths, i, name);
      unlink (link);
    }
}

/* The new one is there before the old one goes. */
gboolean
stasis_registry_rename (StasisDriver *driver, const char *name, const StasisDomainDef *def,
                        GError **error)
{
  g_autoptr (StasisLock) lock = take_lock (driver, error);
  if (lock == NULL)
    return FALSE;
  if (stasis_registry_has (driver, def->name))
    return throw_exists (error, def->name, def->uuid);
  g_autofree char *before = stasis_paths_definition (driver->paths, name);
  g_autofree char *after = stasis_paths_definition (driver->paths, def->name);
  if (store (driver, def, error) && move_marks (driver, name, def->name, error)
      && (unlink (before) == 0 || stasis_throw_errno (error, _ ("cannot remove '%s'"), before)))
    return TRUE;
  unlink (after); /* the link to it is found out */
  return FALSE;
}

/* Forget a definition and what points at it. */
gboolean
stasis_registry_remove (StasisDriver *driver, const char *name, const char *uuid, GError **error)
{
  g_autoptr (StasisLock) lock = take_lock (driver, error);
  if (lock == NULL)
    return FALSE;

  g_autofree char *link = stasis_paths_by_uuid (driver->paths, uuid);
  g_autofree char *path = stasis_paths_definition (driver->paths, name);
  remove_marks (driver, name);
  if (unlink (path) < 0)
    return stasis_throw_errno (error, _ ("cannot remove '%s'"), path);
  unlink (link);
  return TRUE;
}

/* A number that no domain of this driver had since boot. */
int
stasis_registry_next_id (StasisDriver *driver, GError **error)
{
  g_autoptr (StasisLock) lock = take_lock (driver, error);
  if (lock == NULL)
    return -1;

  g_autofree char *path = g_build_filename (driver->paths->run, "last-id", NULL);
  g_autofree char *text = NULL;
  gint64 id = 0;
  if (g_file_get_contents (path, &text, NULL, NULL))
    id = CLAMP (g_ascii_strtoll (text, NULL, 10), 0, G_MAXINT32 - 1);
  id++;

  g_autofree char *next = g_strdup_printf ("%" G_GINT64_FORMAT "\n", id);
  if (!stasis_atomic_file_write (path, next, strlen (next), 0600, error))
    return -1;
  return (int) id;
}
