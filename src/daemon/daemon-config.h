/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon-config.h: stasisd.conf
 */

#pragma once

#include <sys/types.h>

#include "remote/server.h"

G_BEGIN_DECLS

#define STASIS_DAEMON_CONFIG_FILE "stasisd.conf" /* in the folder of the configuration */

typedef struct
{
  char *path;   /* (owned) of the file, there or not */
  char *folder; /* (owned) (nullable) of the sockets */
  gid_t group;  /* of the sockets; (gid_t) -1: as it comes */
  mode_t mode;
  mode_t read_only_mode;
  StasisServerConfig server; /* save_format is ours */
  char *save_format;         /* (owned) (nullable) */
  guint shutdown_timeout;    /* seconds until calls that are under way are left to be recovered */
  char *log_level;           /* (owned) "error", "warning", "info" or "debug" */
  char *log_filters;         /* (owned) (nullable) "stasis-monitor:debug ...": a part's own level */
  char *log_output;          /* (owned) "auto", "stderr", "journal" or "syslog" */
} StasisDaemonConfig;

/* A missing file means the defaults, unless @must_be_there.  A key that is not known is an error
 * that names it, and so is a section. */
StasisDaemonConfig *stasis_daemon_config_load (const char *path, gboolean must_be_there,
                                               GError **error);
void stasis_daemon_config_free (StasisDaemonConfig *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisDaemonConfig, stasis_daemon_config_free)

G_END_DECLS
