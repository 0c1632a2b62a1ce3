/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * paths.h: where a driver keeps its state
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define STASIS_FLAT_SUFFIX ".flat"

/* The folders of one driver.  All absolute; made 0700 when first needed. */
typedef struct
{
  gboolean is_system; /* the system's driver (root), not a session's */
  char *config;       /* (owned) definitions and stasis.conf: lives on */
  char *lib;          /* (owned) managed saves, NVRAM, marks: lives on */
  char *run;          /* (owned) running domains: gone at boot */
  char *old_runs;     /* (owned) (nullable) what begins so beside run is of earlier boots */
  char *log;          /* (owned) QEMU's and the supervisors' logs */
  char *cache;        /* (owned) what can be found out again */
} StasisPaths;

/* When a domain that is marked starts by itself: autostart.h. */
typedef enum
{
  STASIS_AUTOSTART_ALWAYS,
  STASIS_AUTOSTART_ONCE,
  STASIS_AUTOSTART_N_KINDS,
} StasisAutostart;

/* STASIS_STATE_DIR, the system's folders, or the XDG ones of a session. */
StasisPaths *stasis_paths_new (gboolean is_system);
void stasis_paths_free (StasisPaths *paths);

/* Remove the run folders of earlier boots where nothing else does: a session's. */
void stasis_paths_sweep (const StasisPaths *paths);

/* mkdir -p, mode 0700. */
gboolean stasis_paths_make (const char *folder, GError **error);

/* (transfer full) (element-type utf8): the names of a folder's entries without @suffix, of those
 * that have it and are not hidden.  No folder: none. */
GPtrArray *stasis_paths_names (const char *folder, const char *suffix, GError **error);

/* A name that can be a file name: not empty, no '/', no control characters, not '.' or '..',
 * at most 200 octets. */
gboolean stasis_paths_check_name (const char *name, GError **error);

/* (transfer full), all of them */
char *stasis_paths_definition (const StasisPaths *paths, const char *name);
char *stasis_paths_by_uuid (const StasisPaths *paths, const char *uuid);
char *stasis_paths_autostart (const StasisPaths *paths, StasisAutostart which, const char *name);
char *stasis_paths_managed_save (const StasisPaths *paths, const char *name);
char *stasis_paths_nvram (const StasisPaths *paths, const char *name);
char *stasis_paths_last (const StasisPaths *paths, const char *name);
char *stasis_paths_last_job (const StasisPaths *paths, const char *name);
char *stasis_paths_migrate_speed (const StasisPaths *paths, const char *name);
char *stasis_paths_guest (const StasisPaths *paths, const char *name);
/* What clones write instead of their disks, of this host, and the folder of one of them. */
char *stasis_paths_clones (const StasisPaths *paths);
char *stasis_paths_clone (const StasisPaths *paths, const char *uuid);
/* The flat files of this host, and the one of an image: flat-store.h. */
char *stasis_paths_flats (const StasisPaths *paths);
char *stasis_paths_flat (const StasisPaths *paths, const char *key);
/* Marks about a file or an image: LIB/marks/KIND/KEY. */
char *stasis_paths_mark (const StasisPaths *paths, const char *kind, const char *key);
char *stasis_paths_log (const StasisPaths *paths, const char *name);
char *stasis_paths_lock (const StasisPaths *paths, const char *name);
/* The folder of a running domain, and a file in it. */
char *stasis_paths_domain (const StasisPaths *paths, const char *name, const char *file);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisPaths, stasis_paths_free)

G_END_DECLS
