/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * paths.c: where a driver keeps its state
 *
 * docs/architecture.md, "State on disk", lists the folders and who writes what.
 */

#include "config.h"

#include "driver/paths.h"

#include <errno.h>
#include <string.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "util/fd.h"

#define NAME_MAX_OCTETS 200u /* leaves room for what we add in front and behind */

static StasisPaths *
new_below (const char *root)
{
  StasisPaths *paths = g_new0 (StasisPaths, 1);
  paths->config = g_build_filename (root, "config", NULL);
  paths->lib = g_build_filename (root, "lib", NULL);
  paths->run = g_build_filename (root, "run", NULL);
  paths->log = g_build_filename (root, "log", NULL);
  paths->cache = g_build_filename (root, "cache", NULL);
  return paths;
}

/* STASIS_STATE_DIR, the system's folders, or the XDG ones of a session. */
StasisPaths *
stasis_paths_new (gboolean is_system)
{
  const char *root = g_getenv ("STASIS_STATE_DIR");
  StasisPaths *paths = NULL;
  if (root != NULL && *root != '\0')
    {
      g_autofree char *absolute = g_canonicalize_filename (root, NULL);
      paths = new_below (absolute);
    }
  else if (is_system)
    {
      paths = g_new0 (StasisPaths, 1);
      paths->config = g_strdup ("/etc/stasis");
      paths->lib = g_strdup ("/var/lib/stasis");
      paths->run = g_strdup ("/run/stasis");
      paths->log = g_strdup ("/var/log/stasis");
      paths->cache = g_strdup ("/var/cache/stasis");
    }
  else
    {
      paths = g_new0 (StasisPaths, 1);
      paths->config = g_build_filename (g_get_user_config_dir (), "stasis", NULL);
      paths->lib = g_build_filename (g_get_user_data_dir (), "stasis", NULL);
      paths->run = g_build_filename (g_get_user_runtime_dir (), "stasis", NULL);
      paths->log = g_build_filename (g_get_user_state_dir (), "stasis", "log", NULL);
      paths->cache = g_build_filename (g_get_user_cache_dir (), "stasis", NULL);
    }
  paths->is_system = is_system;
  return paths;
}

/* NULL is fine. */
void
stasis_paths_free (StasisPaths *paths)
{
  if (paths == NULL)
    return;

  g_free (paths->config);
  g_free (paths->lib);
  g_free (paths->run);
  g_free (paths->log);
  g_free (paths->cache);
  g_free (paths);
}

/* mkdir -p, mode 0700. */
gboolean
stasis_paths_make (const char *folder, GError **error)
{
  if (g_mkdir_with_parents (folder, 0700) == 0)
    return TRUE;
  return stasis_throw_errno (error, _ ("cannot make the folder '%s'"), folder);
}

/* A name that can be a file name. */
gboolean
stasis_paths_check_name (const char *name, GError **error)
{
  const char *fault = NULL;
  if (*name == '\0')
    fault = _ ("it is empty");
  else if (strlen (name) > NAME_MAX_OCTETS)
    fault = _ ("it is longer than 200 octets");
  else if (*name == '.') /* hidden from lists, where the temporary names of files begin so too */
    fault = _ ("it must not begin with '.'");
  else if (strchr (name, '/') != NULL)
    fault = _ ("it must not hold '/'");
  else if (!g_utf8_validate (name, -1, NULL))
    fault = _ ("it is not UTF-8");
  for (const char *p = name; fault == NULL && *p != '\0'; p++)
    if (g_ascii_iscntrl (*p))
      fault = _ ("it holds a control character");

  if (fault == NULL)
    return TRUE;
  g_autofree char *shown = g_strescape (name, NULL);
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
               _ ("'%1$.80s' cannot be the name of a domain: %2$s"), shown, fault);
  return FALSE;
}

static char *
file_in (const char *root, const char *folder, const char *name, const char *suffix)
{
  g_autofree char *file = g_strconcat (name, suffix, NULL);
  return g_build_filename (root, folder, file, NULL);
}

char *
stasis_paths_definition (const StasisPaths *paths, const char *name)
{
  return file_in (paths->config, "domains", name, ".xml");
}

char *
stasis_paths_by_uuid (const StasisPaths *paths, const char *uuid)
{
  return file_in (paths->config, "by-uuid", uuid, "");
}

char *
stasis_paths_autostart (const StasisPaths *paths, const char *name)
{
  return file_in (paths->config, "autostart", name, ".xml");
}

char *
stasis_paths_managed_save (const StasisPaths *paths, const char *name)
{
  return file_in (paths->lib, "save", name, ".stasis");
}

char *
stasis_paths_nvram (const StasisPaths *paths, const char *name)
{
  return file_in (paths->lib, "nvram", name, "_VARS.fd");
}

/* How the domain's last run ended, for `domstate --reason`. */
char *
stasis_paths_last (const StasisPaths *paths, const char *name)
{
  return file_in (paths->lib, "last", name, ".json");
}

/* Its last job's statistics, for `domjobinfo --completed`. */
char *
stasis_paths_last_job (const StasisPaths *paths, const char *name)
{
  return file_in (paths->lib, "last-job", name, ".json");
}

char *
stasis_paths_mark (const StasisPaths *paths, const char *kind, const char *key)
{
  return g_build_filename (paths->lib, "marks", kind, key, NULL);
}

char *
stasis_paths_log (const StasisPaths *paths, const char *name)
{
  return file_in (paths->log, "qemu", name, ".log");
}

char *
stasis_paths_lock (const StasisPaths *paths, const char *name)
{
  return file_in (paths->run, "locks", name, ".lock");
}

/* The folder of a running domain, or (@file not NULL) a file in it. */
char *
stasis_paths_domain (const StasisPaths *paths, const char *name, const char *file)
{
  return g_build_filename (paths->run, "domains", name, file, NULL);
}
