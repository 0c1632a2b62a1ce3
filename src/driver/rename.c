/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rename.c: giving a domain another name
 *
 * Theory of operation
 *
 * Both names are held, always in the same order, so nothing is started under either.  The files
 * that go by the name get the new one as well; then the new definition is written, and the old one
 * removed (registry.c), and last the old names of the files.  Who dies in between leaves the
 * guest's NVRAM under the name that its definition says, whichever that is, and perhaps both names
 * with one UUID: undefine takes the one away that is not wanted.
 */

#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "driver/domain-private.h"
#include "driver/hold.h"
#include "driver/registry.h"
#include "util/fault.h"
#include "util/fd.h"

#define MOVED 4

typedef struct
{
  char *from; /* (owned) */
  char *to;   /* (owned) */
} Move;

static gboolean
is_same_file (const char *path, const char *other)
{
  struct stat one, two;
  return lstat (path, &one) == 0 && lstat (other, &two) == 0 && one.st_dev == two.st_dev
         && one.st_ino == two.st_ino;
}

/* NVRAM counts: it is the guest's.  How it ended, and its last job, are told of it. */
static void
list_moves (const StasisPaths *paths, const char *name, const char *new_name, Move *moves)
{
  moves[0] = (Move){ stasis_paths_nvram (paths, name), stasis_paths_nvram (paths, new_name) };
  moves[1] = (Move){ stasis_paths_last (paths, name), stasis_paths_last (paths, new_name) };
  moves[2] = (Move){ stasis_paths_last_job (paths, name), stasis_paths_last_job (paths, new_name) };
  moves[3] = (Move){ stasis_paths_migrate_speed (paths, name),
                     stasis_paths_migrate_speed (paths, new_name) };
}

static void
clear_moves (Move *moves)
{
  for (gsize i = 0; i < MOVED; i++)
    {
      g_free (moves[i].from);
      g_free (moves[i].to);
    }
}

/* Under both names, for as long as it may be either that counts.  One of an earlier try, which was
 * killed, is the same file. */
static gboolean
link_one (const Move *move, GError **error)
{
  if (link (move->from, move->to) == 0 || errno == ENOENT
      || (errno == EEXIST && is_same_file (move->from, move->to)))
    return TRUE;
  /* Only what is remembered of a domain of that name that there was. */
  if (errno == EEXIST && unlink (move->to) == 0)
    return link_one (move, error);
  return stasis_throw_errno (error, _ ("cannot give '%1$s' the name '%2$s'"), move->from, move->to);
}

static gboolean
link_all (const Move *moves, GError **error)
{
  for (gsize i = 0; i < MOVED; i++)
    if (!link_one (&moves[i], error))
      return FALSE;
  return TRUE;
}

/* The names before, or those after. */
static void
unlink_all (const Move *moves, gboolean is_done)
{
  for (gsize i = 0; i < MOVED; i++)
    if (is_same_file (moves[i].from, moves[i].to))
      unlink (is_done ? moves[i].from : moves[i].to);
}

/* (transfer full) (nullable): why it is not renamed; its image has the old name in it. */
static char *
find_obstacle (StasisDriver *driver, const char *name, const StasisHold *hold)
{
  g_autofree char *managed = stasis_paths_managed_save (driver->paths, name);
  g_autofree char *guest = stasis_paths_guest (driver->paths, name);
  if (hold->status != NULL)
    return g_strdup_printf (_ ("domain '%s' is active: only one that does not run is renamed"),
                            name);
  if (!stasis_registry_has (driver, name))
    return g_strdup_printf (_ ("domain '%s' is not persistent"), name);
  if (g_file_test (managed, G_FILE_TEST_EXISTS))
    return g_strdup_printf (_ ("domain '%s' has a managed save image, which is of that name; start "
                               "it, or remove the image (managedsave-remove)"),
                            name);
  if (g_file_test (guest, G_FILE_TEST_EXISTS))
    return g_strdup_printf (_ ("domain '%s' is to be brought back by 'guests start'"), name);
  return NULL;
}

static gboolean
check_old (StasisDriver *driver, const char *name, const StasisHold *hold, GError **error)
{
  g_autofree char *obstacle = find_obstacle (driver, name, hold);
  if (obstacle != NULL)
    g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE, obstacle);
  return obstacle == NULL;
}

/* Nothing of an earlier domain becomes this one's. */
static gboolean
check_new (StasisDriver *driver, const char *old_name, const char *name, const StasisHold *hold,
           GError **error)
{
  g_autofree char *managed = stasis_paths_managed_save (driver->paths, name);
  g_autofree char *nvram = stasis_paths_nvram (driver->paths, name);
  g_autofree char *own = stasis_paths_nvram (driver->paths, old_name);
  const gboolean is_taken = g_file_test (nvram, G_FILE_TEST_EXISTS) && !is_same_file (own, nvram);
  const char *there = g_file_test (managed, G_FILE_TEST_EXISTS) ? managed : is_taken ? nvram : NULL;
  if (hold->status != NULL || stasis_registry_has (driver, name))
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_EXISTS, _ ("domain '%s' exists already"), name);
  else if (there != NULL)
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_EXISTS,
                 _ ("'%s' is there already, of an earlier domain"), there);
  else
    return TRUE;
  return FALSE;
}

static void
replace_string (char **text, const char *value)
{
  g_free (*text);
  *text = g_strdup (value);
}

static gboolean
carry_out (StasisDriver *driver, const char *name, const char *new_name, GError **error)
{
  g_autoptr (StasisDomainDef) def = stasis_registry_load (driver, name, error);
  if (def == NULL)
    return FALSE;
  Move moves[MOVED];
  list_moves (driver->paths, name, new_name, moves);
  replace_string (&def->name, new_name);
  if (g_strcmp0 (def->os.nvram, moves[0].from) == 0)
    replace_string (&def->os.nvram, moves[0].to);
  const gboolean ok = link_all (moves, error) && stasis_fault ("rename-moved", error)
                      && stasis_registry_rename (driver, name, def, error);
  unlink_all (moves, ok);
  clear_moves (moves);
  return ok;
}

/**
 * stasis_domain_rename:
 * @self: a persistent domain that does not run; goes by its old name
 * @new_name: the new one
 * @error: return location
 *
 * Gives a domain another name, with its marks for autostart, its NVRAM, and what is remembered of
 * its last run.  Fails with %STASIS_ERROR_INVALID_STATE while it runs or has a managed save image,
 * with %STASIS_ERROR_EXISTS where the name is taken.
 *
 * Returns: %TRUE if it goes by that name; look it up anew
 */
gboolean
stasis_domain_rename (StasisDomain *self, const char *new_name, GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->rename (self, new_name, error);

  StasisDriver *driver = stasis_domain_get_driver (self);
  const char *name = stasis_domain_get_name (self);
  if (!stasis_paths_check_name (new_name, error))
    return FALSE;
  if (g_str_equal (name, new_name))
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                   _ ("domain '%s' has that name already"), name);
      return FALSE;
    }
  const gboolean is_first = strcmp (name, new_name) < 0;
  g_autoptr (StasisHold) first = stasis_hold_take (driver, is_first ? name : new_name, error);
  g_autoptr (StasisHold) second
      = first != NULL ? stasis_hold_take (driver, is_first ? new_name : name, error) : NULL;
  return second != NULL && check_old (driver, name, is_first ? first : second, error)
         && check_new (driver, name, new_name, is_first ? second : first, error)
         && carry_out (driver, name, new_name, error);
}
