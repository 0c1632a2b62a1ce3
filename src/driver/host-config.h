/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host-config.h: stasis.conf, what the administrator says about this host
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* What is done with all guests when the host shuts down, and when it has booted. */
typedef struct
{
  gboolean shuts_down;     /* at shutdown ask them to shut down, do not save them */
  gboolean quiesces;       /* freeze the file systems of those with an agent while they are saved */
  gboolean leaves_unsaved; /* where one cannot be saved, do not ask it to shut down */
  gboolean ignores_at_boot; /* do not bring back those that ran */
  guint32 parallel;         /* how many at once */
  guint32 shutdown_timeout; /* seconds for a guest to shut down; 0: no limit */
  guint32 start_delay;      /* seconds between the starts of two */
} StasisGuestsConfig;

/* Programs that are called when something is done to a domain. */
typedef struct
{
  gboolean is_off;
  char *folder;    /* (owned) absolute */
  guint32 timeout; /* seconds for each */
} StasisHooksConfig;

typedef struct
{
  char *path;            /* (owned) of the file, there or not */
  char *emulator;        /* (owned) where a definition names none */
  GStrv emulators;       /* (owned) glob patterns: what a definition may name */
  GHashTable *networks;  /* (owned) libvirt network (char *) -> bridge (char *) */
  guint32 uid_base;      /* system: QEMU's users are uid_base ... uid_base + uid_count - 1 */
  guint32 uid_count;     /* 0: QEMU runs as the driver's own user */
  gboolean allows_tcp;   /* stasis may talk to servers by plain TCP */
  char *migrate_host;    /* (owned) (nullable) by which name or number sources reach this host */
  guint32 migrate_stall; /* seconds that a guest stands still for a migration, and nothing moves */
  char *tls_folder;      /* (owned) (nullable) absolute; NULL: libvirt's */
  gboolean tls_trusts_all; /* a source needs no certificate */
  gboolean tls_is_needed;  /* no migration comes in that is not encrypted */
  StasisGuestsConfig guests;
  StasisHooksConfig hooks;
} StasisHostConfig;

/* Read @folder/stasis.conf; a missing file means the defaults.  A key that is not known is an
 * error that names it. */
StasisHostConfig *stasis_host_config_load (const char *folder, GError **error);
void stasis_host_config_free (StasisHostConfig *config);

/* TRUE where a definition may have this emulator started. */
gboolean stasis_host_config_allows (const StasisHostConfig *config, const char *emulator);

/* How many of the users are for guests; the last one, unless it is the only one, is for asking an
 * emulator what it can do. */
guint32 stasis_host_config_n_guests (const StasisHostConfig *config);
guint32 stasis_host_config_probe_uid (const StasisHostConfig *config);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisHostConfig, stasis_host_config_free)

G_END_DECLS
