/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon-config.c: stasisd.conf; data/examples/stasisd.conf explains every option
 */

#include "config.h"

#include "daemon/daemon-config.h"

#include <grp.h>
#include <stdlib.h>
#include <string.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/save-form.h"

#define NO_GROUP ((gid_t) -1)

typedef struct
{
  const char *group;
  const char *key;
  gboolean (*read) (StasisDaemonConfig *self, const char *value, GError **error);
} Option;

/* NULL is fine. */
void
stasis_daemon_config_free (StasisDaemonConfig *self)
{
  if (self == NULL)
    return;
  g_free (self->path);
  g_free (self->folder);
  g_free (self->save_format);
  g_free (self->log_level);
  g_free (self->log_filters);
  g_free (self->log_output);
  g_free (self);
}

static gboolean
throw_value (const char *what, const char *value, GError **error)
{
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT, _ ("'%1$s' is not %2$s"), value,
               what);
  return FALSE;
}

static gboolean
read_number (const char *value, guint base, guint64 min, guint64 max, guint *out, GError **error)
{
  guint64 number;
  if (!g_ascii_string_to_unsigned (value, base, min, max, &number, error))
    return FALSE;
  *out = (guint) number;
  return TRUE;
}

static gboolean
take_text (char **place, const char *value)
{
  g_free (*place);
  *place = g_strdup (value);
  return TRUE;
}

static gboolean
read_folder (StasisDaemonConfig *self, const char *value, GError **error)
{
  return g_path_is_absolute (value) ? take_text (&self->folder, value)
                                    : throw_value (_ ("an absolute path"), value, error);
}

static gboolean
read_group (StasisDaemonConfig *self, const char *value, GError **error)
{
  const struct group *group = getgrnam (value);
  if (group == NULL)
    return throw_value (_ ("a group of this host"), value, error);
  self->group = group->gr_gid;
  return TRUE;
}

static gboolean
parse_mode (const char *value, mode_t *out_mode, GError **error)
{
  guint mode;
  if (!read_number (value, 8, 0, 0777, &mode, NULL))
    return throw_value (_ ("an octal number from 0 to 0777"), value, error);
  *out_mode = mode;
  return TRUE;
}

static gboolean
read_mode (StasisDaemonConfig *self, const char *value, GError **error)
{
  return parse_mode (value, &self->mode, error);
}

static gboolean
read_read_only_mode (StasisDaemonConfig *self, const char *value, GError **error)
{
  return parse_mode (value, &self->read_only_mode, error);
}

static gboolean
read_max_clients (StasisDaemonConfig *self, const char *value, GError **error)
{
  return read_number (value, 10, 1, 100000, &self->server.max_clients, error);
}

static gboolean
read_max_workers (StasisDaemonConfig *self, const char *value, GError **error)
{
  return read_number (value, 10, 1, 10000, &self->server.max_workers, error);
}

static gboolean
read_max_requests (StasisDaemonConfig *self, const char *value, GError **error)
{
  return read_number (value, 10, 1, 1000, &self->server.max_requests, error);
}

static gboolean
read_shutdown_timeout (StasisDaemonConfig *self, const char *value, GError **error)
{
  return read_number (value, 10, 0, 86400, &self->shutdown_timeout, error);
}

static gboolean
read_interval (StasisDaemonConfig *self, const char *value, GError **error)
{
  return read_number (value, 10, 0, 86400, &self->server.keepalive_interval, error);
}

static gboolean
read_count (StasisDaemonConfig *self, const char *value, GError **error)
{
  return read_number (value, 10, 0, 1000, &self->server.keepalive_count, error);
}

static gboolean
read_format (StasisDaemonConfig *self, const char *value, GError **error)
{
  StasisSaveForm form;
  return stasis_save_form_choose (value, NULL, FALSE, &form, error)
         && take_text (&self->save_format, value);
}

static gboolean
is_level (const char *value)
{
  static const char *const levels[] = { "error", "warning", "info", "debug", NULL };
  return g_strv_contains (levels, value);
}

static gboolean
read_level (StasisDaemonConfig *self, const char *value, GError **error)
{
  return is_level (value)
             ? take_text (&self->log_level, value)
             : throw_value (_ ("a level: error, warning, info or debug"), value, error);
}

static gboolean
read_filters (StasisDaemonConfig *self, const char *value, GError **error)
{
  g_auto (GStrv) filters = g_strsplit_set (value, " \t", -1);
  for (guint i = 0; filters[i] != NULL; i++)
    {
      const char *colon = strchr (filters[i], ':');
      if (*filters[i] != '\0' && (colon == NULL || !is_level (colon + 1)))
        return throw_value (_ ("a filter: a part, a colon and a level"), filters[i], error);
    }
  return take_text (&self->log_filters, value);
}

static gboolean
read_output (StasisDaemonConfig *self, const char *value, GError **error)
{
  static const char *const outputs[] = { "auto", "stderr", "journal", "syslog", NULL };
  return g_strv_contains (outputs, value)
             ? take_text (&self->log_output, value)
             : throw_value (_ ("an output: auto, stderr, journal or syslog"), value, error);
}

static const Option options[] = {
  { "sockets", "folder", read_folder },
  { "sockets", "group", read_group },
  { "sockets", "mode", read_mode },
  { "sockets", "read-only-mode", read_read_only_mode },
  { "limits", "max-clients", read_max_clients },
  { "limits", "max-workers", read_max_workers },
  { "limits", "max-requests", read_max_requests },
  { "limits", "shutdown-timeout", read_shutdown_timeout },
  { "keepalive", "interval", read_interval },
  { "keepalive", "count", read_count },
  { "save", "format", read_format },
  { "log", "level", read_level },
  { "log", "filters", read_filters },
  { "log", "output", read_output },
};

static gboolean
read_option (StasisDaemonConfig *self, GKeyFile *file, const char *group, const char *key,
             GError **error)
{
  g_autofree char *value = g_key_file_get_string (file, group, key, error);
  if (value == NULL)
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (options); i++)
    if (g_str_equal (options[i].group, group) && g_str_equal (options[i].key, key))
      {
        if (options[i].read (self, value, error))
          return TRUE;
        g_prefix_error (error, "[%s] %s: ", group, key);
        return FALSE;
      }
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
               _ ("[%1$s] has no option '%2$s'"), group, key);
  return FALSE;
}

static gboolean
check_group (const char *group, GError **error)
{
  for (guint i = 0; i < G_N_ELEMENTS (options); i++)
    if (g_str_equal (options[i].group, group))
      return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT, _ ("there is no section [%s]"),
               group);
  return FALSE;
}

static gboolean
read_file (StasisDaemonConfig *self, GKeyFile *file, GError **error)
{
  g_auto (GStrv) groups = g_key_file_get_groups (file, NULL);
  for (guint i = 0; groups[i] != NULL; i++)
    {
      g_auto (GStrv) keys = g_key_file_get_keys (file, groups[i], NULL, error);
      if (keys == NULL || !check_group (groups[i], error))
        return FALSE;
      for (guint j = 0; keys[j] != NULL; j++)
        if (!read_option (self, file, groups[i], keys[j], error))
          return FALSE;
    }
  return TRUE;
}

/* A missing file means the defaults. */
StasisDaemonConfig *
stasis_daemon_config_load (const char *path, gboolean must_be_there, GError **error)
{
  g_autoptr (StasisDaemonConfig) self = g_new0 (StasisDaemonConfig, 1);
  self->path = g_strdup (path);
  self->group = NO_GROUP;
  self->mode = 0600;
  self->read_only_mode = 0666;
  self->shutdown_timeout = 30;
  self->log_level = g_strdup ("info");
  self->log_output = g_strdup ("auto");
  stasis_server_config_init (&self->server);

  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_autoptr (GError) local = NULL;
  const gboolean is_read = g_key_file_load_from_file (file, path, G_KEY_FILE_NONE, &local);
  if (!is_read && !must_be_there && g_error_matches (local, G_FILE_ERROR, G_FILE_ERROR_NOENT))
    g_clear_error (&local);
  else if (is_read)
    read_file (self, file, &local);
  if (local != NULL)
    {
      g_propagate_prefixed_error (error, g_steal_pointer (&local), "%s: ", path);
      return NULL;
    }
  self->server.save_format = self->save_format;
  return g_steal_pointer (&self);
}
