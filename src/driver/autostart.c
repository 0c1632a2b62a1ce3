/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * autostart.c: the marks of domains that are to start with the host
 *
 * Theory of operation
 *
 * A mark is a symbolic link to the definition: CONFIG/autostart/NAME.xml of a domain that is to
 * start each time, CONFIG/autostart-once/NAME.xml of one that is to start the next time only.  A
 * domain may have both.  They go with the definition (registry.c).
 *
 * The mark for one time is removed, and the folder synced, before anything of the start is done.
 * So a guest that brings down its host does that once; who dies in between has not started a
 * domain that was to be started, which its user sees.  An ordinary start lets the mark be: it is
 * for the next start of the host.
 */

#include "config.h"

#include "driver/autostart.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "driver/domain-private.h"
#include "driver/picture.h"
#include "driver/registry.h"
#include "util/fd.h"

/* Whether the mark is there. */
gboolean
stasis_autostart_has (const StasisPaths *paths, StasisAutostart which, const char *name)
{
  g_autofree char *link = stasis_paths_autostart (paths, which, name);
  return g_file_test (link, G_FILE_TEST_IS_SYMLINK);
}

static gboolean
is_marked (StasisDomain *self, StasisAutostart which)
{
  StasisDriver *driver = stasis_domain_get_driver (self);
  const char *name = stasis_domain_get_name (self);
  StasisFacts facts;
  if (stasis_picture_get (driver, name, &facts))
    return facts.is_autostart[which];
  return stasis_autostart_has (driver->paths, which, name);
}

/* Remove @link; nothing there is fine. */
static gboolean
unmark (const char *link, gboolean *out_was_there, GError **error)
{
  *out_was_there = unlink (link) == 0;
  return *out_was_there || errno == ENOENT
         || stasis_throw_errno (error, _ ("cannot remove '%s'"), link);
}

static gboolean
mark (StasisDomain *self, StasisAutostart which, gboolean is_wanted, GError **error)
{
  StasisDriver *driver = stasis_domain_get_driver (self);
  const char *name = stasis_domain_get_name (self);
  if (!stasis_registry_has (driver, name))
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
                   _ ("cannot set autostart of the transient domain '%s'"), name);
      return FALSE;
    }

  g_autofree char *link = stasis_paths_autostart (driver->paths, which, name);
  gboolean was_there;
  if (!is_wanted)
    return unmark (link, &was_there, error);

  g_autofree char *folder = g_path_get_dirname (link);
  g_autofree char *target = g_strdup_printf ("../domains/%s.xml", name);
  if (!stasis_paths_make (folder, error))
    return FALSE;
  if (symlink (target, link) < 0 && errno != EEXIST)
    return stasis_throw_errno (error, _ ("cannot link '%s'"), link);
  return TRUE;
}

/**
 * stasis_domain_get_autostart:
 * @self: a domain
 * @out_autostart: (out): whether it is marked
 * @error: return location
 *
 * Returns: %TRUE if it could be told
 */
gboolean
stasis_domain_get_autostart (StasisDomain *self, gboolean *out_autostart, GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->get_autostart (self, out_autostart, error);

  *out_autostart = is_marked (self, STASIS_AUTOSTART_ALWAYS);
  return TRUE;
}

/**
 * stasis_domain_set_autostart:
 * @self: a persistent domain
 * @autostart: whether stasis_driver_autostart() is to start it
 * @error: return location
 *
 * Returns: %TRUE if the mark is as asked
 */
gboolean
stasis_domain_set_autostart (StasisDomain *self, gboolean autostart, GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->set_autostart (self, autostart, error);

  return mark (self, STASIS_AUTOSTART_ALWAYS, autostart, error);
}

/**
 * stasis_domain_get_autostart_once:
 * @self: a domain
 * @out_autostart: (out): whether it is marked for the next time
 * @error: return location
 *
 * Says nothing of the mark of stasis_domain_get_autostart(), which stays.  A server that knows of
 * no such marks has not marked the domain.
 *
 * Returns: %TRUE if it could be told
 */
gboolean
stasis_domain_get_autostart_once (StasisDomain *self, gboolean *out_autostart, GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->get_autostart_once (self, out_autostart, error);

  *out_autostart = is_marked (self, STASIS_AUTOSTART_ONCE);
  return TRUE;
}

/**
 * stasis_domain_set_autostart_once:
 * @self: a persistent domain
 * @autostart: whether stasis_driver_autostart() is to start it the next time
 * @error: return location
 *
 * The mark is taken away before the domain is started for it, and stays where the domain is
 * started otherwise.
 *
 * Returns: %TRUE if the mark is as asked
 */
gboolean
stasis_domain_set_autostart_once (StasisDomain *self, gboolean autostart, GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->set_autostart_once (self, autostart, error);

  return mark (self, STASIS_AUTOSTART_ONCE, autostart, error);
}

/* Those that have a mark of any kind and do not run. */
GPtrArray *
stasis_autostart_list (StasisDriver *driver, GError **error)
{
  GPtrArray *domains = stasis_driver_list (driver, STASIS_LIST_INACTIVE, error);
  for (guint i = domains != NULL ? domains->len : 0; i-- > 0;)
    {
      StasisDomain *domain = g_ptr_array_index (domains, i);
      if (!is_marked (domain, STASIS_AUTOSTART_ALWAYS)
          && !is_marked (domain, STASIS_AUTOSTART_ONCE))
        g_ptr_array_remove_index (domains, i);
    }
  return domains;
}

/* Gone for good, before the start. */
gboolean
stasis_autostart_use_up (StasisDomain *domain, GError **error)
{
  const StasisPaths *paths = stasis_domain_get_driver (domain)->paths;
  g_autofree char *link
      = stasis_paths_autostart (paths, STASIS_AUTOSTART_ONCE, stasis_domain_get_name (domain));
  gboolean was_there;
  if (!unmark (link, &was_there, error))
    return FALSE;
  if (!was_there)
    return TRUE;
  g_autofree char *folder = g_path_get_dirname (link);
  stasis_autofd int fd = stasis_fd_open (folder, O_RDONLY | O_DIRECTORY, 0, error);
  if (fd < 0)
    return FALSE;
  /* EINVAL: a file system that has no such thing, not a failure. */
  return fsync (fd) == 0 || errno == EINVAL
         || stasis_throw_errno (error, _ ("cannot sync the folder '%s'"), folder);
}

/**
 * stasis_driver_autostart:
 * @self: a driver
 * @report: (nullable) (scope call): told of each domain (error %NULL: started)
 * @user_data: for @report
 * @error: return location
 *
 * Starts every domain that is marked autostart, each time or for once, and does not run.
 *
 * Returns: %TRUE if all of them run
 */
gboolean
stasis_driver_autostart (StasisDriver *self, StasisReportFunc report, gpointer user_data,
                         GError **error)
{
  const StasisDriverOps *ops = stasis_driver_get_ops (self);
  if (ops != NULL)
    return ops->autostart (self, report, user_data, error);

  g_autoptr (GPtrArray) domains = stasis_autostart_list (self, error);
  if (domains == NULL)
    return FALSE;

  guint n_failed = 0;
  for (guint i = 0; i < domains->len; i++)
    {
      StasisDomain *domain = g_ptr_array_index (domains, i);
      g_autoptr (GError) local = NULL;
      if (!stasis_autostart_use_up (domain, &local)
          || !stasis_domain_start (domain, STASIS_START_NONE, NULL, NULL, NULL, &local))
        n_failed++;
      if (report != NULL)
        report (stasis_domain_get_name (domain), local, user_data);
    }
  if (n_failed == 0)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_FAILED, _ ("%1$u of %2$u domains did not start"),
               n_failed, domains->len);
  return FALSE;
}
