/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log.c: what the daemon says, how much of it, and where
 *
 * A part of the program is a log domain of GLib's: stasis-remote, stasis-driver, stasis-monitor ...
 * Each may have a level of its own.
 */

#include "config.h"

#include "daemon/log.h"

#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "remote/call-warning.h"

typedef enum
{
  OUTPUT_STDERR,
  OUTPUT_JOURNAL,
  OUTPUT_SYSLOG,
} Output;

static struct
{
  GMutex lock;
  GLogLevelFlags level; /* the most talkative that is shown */
  GHashTable *filters;  /* (owned) part (char *) -> GINT_TO_POINTER (level) */
  Output output;
  gboolean is_set_up;
} state;

static GLogLevelFlags
parse_level (const char *name)
{
  static const struct
  {
    const char *name;
    GLogLevelFlags level;
  } levels[] = {
    { "error", G_LOG_LEVEL_CRITICAL },
    { "warning", G_LOG_LEVEL_WARNING },
    { "info", G_LOG_LEVEL_INFO },
    { "debug", G_LOG_LEVEL_DEBUG },
  };
  for (guint i = 0; i < G_N_ELEMENTS (levels); i++)
    if (g_str_equal (levels[i].name, name))
      return levels[i].level;
  return G_LOG_LEVEL_INFO;
}

static Output
choose_output (const char *name)
{
  if (g_str_equal (name, "syslog"))
    return OUTPUT_SYSLOG;
  if (g_str_equal (name, "journal")
      || (g_str_equal (name, "auto") && g_log_writer_is_journald (STDERR_FILENO)))
    return OUTPUT_JOURNAL;
  return OUTPUT_STDERR;
}

static const char *
get_field (const GLogField *fields, gsize n_fields, const char *key)
{
  for (gsize i = 0; i < n_fields; i++)
    if (g_str_equal (fields[i].key, key) && fields[i].length == -1)
      return fields[i].value;
  return NULL;
}

/* GLib's levels are the more important the smaller they are. */
static gboolean
is_wanted (GLogLevelFlags level, const char *part)
{
  gpointer own = NULL;
  if (part != NULL && state.filters != NULL
      && g_hash_table_lookup_extended (state.filters, part, NULL, &own))
    return (level & G_LOG_LEVEL_MASK) <= GPOINTER_TO_INT (own);
  return (level & G_LOG_LEVEL_MASK) <= state.level;
}

static int
syslog_priority (GLogLevelFlags level)
{
  if ((level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL)) != 0)
    return LOG_ERR;
  if ((level & G_LOG_LEVEL_WARNING) != 0)
    return LOG_WARNING;
  return (level & G_LOG_LEVEL_DEBUG) != 0 ? LOG_DEBUG : LOG_INFO;
}

static GLogWriterOutput
write_log (GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer nothing)
{
  const char *part = get_field (fields, n_fields, "GLIB_DOMAIN");
  const char *message = get_field (fields, n_fields, "MESSAGE");
  stasis_call_warning_note (part, level, message);
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&state.lock);
  if (!is_wanted (level, part))
    return G_LOG_WRITER_HANDLED;
  if (state.output == OUTPUT_JOURNAL
      && g_log_writer_journald (level, fields, n_fields, NULL) == G_LOG_WRITER_HANDLED)
    return G_LOG_WRITER_HANDLED;
  if (state.output == OUTPUT_SYSLOG)
    {
      syslog (syslog_priority (level), "%s", message != NULL ? message : "");
      return G_LOG_WRITER_HANDLED;
    }
  g_autofree char *line = g_log_writer_format_fields (level, fields, n_fields, FALSE);
  fprintf (stderr, "%s\n", line);
  return G_LOG_WRITER_HANDLED;
}

static GHashTable *
parse_filters (const char *text)
{
  GHashTable *filters = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_auto (GStrv) parts = g_strsplit_set (text != NULL ? text : "", " \t", -1);
  for (guint i = 0; parts[i] != NULL; i++)
    {
      char *colon = strchr (parts[i], ':');
      if (colon == NULL)
        continue;
      *colon = '\0';
      g_hash_table_replace (filters, g_strdup (parts[i]),
                            GINT_TO_POINTER (parse_level (colon + 1)));
    }
  return filters;
}

/* From now on. */
void
stasis_daemon_log_set_up (const StasisDaemonConfig *config)
{
  g_mutex_lock (&state.lock);
  state.level = parse_level (config->log_level);
  g_clear_pointer (&state.filters, g_hash_table_unref);
  state.filters = parse_filters (config->log_filters);
  state.output = choose_output (config->log_output);
  const gboolean is_first = !state.is_set_up;
  state.is_set_up = TRUE;
  g_mutex_unlock (&state.lock);
  if (!is_first)
    return;
  openlog ("stasisd", LOG_PID, LOG_DAEMON);
  g_log_set_writer_func (write_log, NULL, NULL);
}
