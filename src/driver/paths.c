/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * paths.c: where a driver keeps its state
 *
 * docs/architecture.md, "State on disk", lists the folders and who writes what.
 *
 * Theory of operation
 *
 * A session's running domains live on after logout, so their folder is not XDG_RUNTIME_DIR, which
 * logind removes then, and which not every environment of the user names.  It is one in his state
 * folder, and since a home may be shared by hosts and stays at boot, one for each host and boot:
 * RUN/HOST-BOOT.  So nobody ever takes another host's domains for dead ones of his own, and what
 * is there is always of this boot.  Those of this host's earlier boots are swept.
 */

#include "config.h"

#include "driver/paths.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
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

/* Eight digits that stand for the text of a file, or for @fallback. */
static char *
digest (const char *path, const char *fallback)
{
  g_autofree char *text = NULL;
  const gboolean is_there = g_file_get_contents (path, &text, NULL, NULL) && *text != '\0';
  g_autofree char *sum
      = g_compute_checksum_for_string (G_CHECKSUM_SHA256, is_there ? text : fallback, -1);
  return g_strndup (sum, 8);
}

/* Hashed, for machine-id(5) asks to keep it from others. */
static char *
host_digest (void)
{
  return digest ("/etc/machine-id", g_get_host_name ());
}

/* HOST-BOOT below the session's folder of them. */
static void
set_session_run (StasisPaths *paths)
{
  g_autofree char *host = host_digest ();
  g_autofree char *boot = digest ("/proc/sys/kernel/random/boot_id", "");
  g_autofree char *prefix = g_strconcat (host, "-", NULL);
  paths->old_runs = g_build_filename (g_get_user_state_dir (), "stasis", "run", prefix, NULL);
  paths->run = g_strconcat (paths->old_runs, boot, NULL);
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
      set_session_run (paths);
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
  g_free (paths->old_runs);
  g_free (paths->log);
  g_free (paths->cache);
  g_free (paths);
}

static int
remove_one (const char *path, const struct stat *st, int type, struct FTW *ftw)
{
  /* Another process may be at it too. */
  if (remove (path) < 0 && errno != ENOENT)
    g_debug ("cannot remove '%s': %s", path, g_strerror (errno));
  return 0;
}

/* Remove the run folders of earlier boots. */
void
stasis_paths_sweep (const StasisPaths *paths)
{
  /* Once a boot: where ours is there already, this was done. */
  if (paths->old_runs == NULL || g_file_test (paths->run, G_FILE_TEST_EXISTS))
    return;

  g_autofree char *parent = g_path_get_dirname (paths->run);
  g_autoptr (GDir) dir = g_dir_open (parent, 0, NULL);
  const char *entry;
  while (dir != NULL && (entry = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (parent, entry, NULL);
      if (g_str_has_prefix (path, paths->old_runs) && !g_str_equal (path, paths->run))
        nftw (path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    }
}

/* mkdir -p, mode 0700. */
gboolean
stasis_paths_make (const char *folder, GError **error)
{
  if (g_mkdir_with_parents (folder, 0700) == 0)
    return TRUE;
  return stasis_throw_errno (error, _ ("cannot make the folder '%s'"), folder);
}

/* The names of a folder's entries without @suffix, those that have it.  No folder: none. */
GPtrArray *
stasis_paths_names (const char *folder, const char *suffix, GError **error)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) local = NULL;
  g_autoptr (GDir) dir = g_dir_open (folder, 0, &local);
  if (dir == NULL)
    {
      if (g_error_matches (local, G_FILE_ERROR, G_FILE_ERROR_NOENT))
        return g_steal_pointer (&names);
      g_propagate_error (error, g_steal_pointer (&local));
      return NULL;
    }

  const char *entry;
  while ((entry = g_dir_read_name (dir)) != NULL)
    if (entry[0] != '.' && g_str_has_suffix (entry, suffix))
      g_ptr_array_add (names, g_strndup (entry, strlen (entry) - strlen (suffix)));
  return g_steal_pointer (&names);
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
stasis_paths_autostart (const StasisPaths *paths, StasisAutostart which, const char *name)
{
  const char *folder = which == STASIS_AUTOSTART_ONCE ? "autostart-once" : "autostart";
  return file_in (paths->config, folder, name, ".xml");
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

/* How fast its migrations may be, of one that does not run: a number. */
char *
stasis_paths_migrate_speed (const StasisPaths *paths, const char *name)
{
  return file_in (paths->lib, "migrate-speed", name, "");
}

/* That it ran when the guests were stopped: the entry of a list. */
char *
stasis_paths_guest (const StasisPaths *paths, const char *name)
{
  return file_in (paths->lib, "guests", name, ".json");
}

/* A home may be shared by hosts, whose running domains are not ours to know. */
char *
stasis_paths_clones (const StasisPaths *paths)
{
  g_autofree char *host = host_digest ();
  return g_build_filename (paths->lib, "clones", host, NULL);
}

char *
stasis_paths_clone (const StasisPaths *paths, const char *uuid)
{
  g_autofree char *clones = stasis_paths_clones (paths);
  return g_build_filename (clones, uuid, NULL);
}

/* Of images that another host may have under the same names. */
char *
stasis_paths_flats (const StasisPaths *paths)
{
  g_autofree char *host = host_digest ();
  return g_build_filename (paths->lib, "flat", host, NULL);
}

char *
stasis_paths_flat (const StasisPaths *paths, const char *key)
{
  g_autofree char *flats = stasis_paths_flats (paths);
  return g_strdup_printf ("%s/%s%s", flats, key, STASIS_FLAT_SUFFIX);
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
