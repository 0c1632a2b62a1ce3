/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host-config.c: stasis.conf, what the administrator says about this host;
 * data/examples/stasis.conf explains every option
 *
 *   [emulators]
 *   default=/usr/bin/qemu-system-x86_64
 *   allowed=/usr/bin/qemu-system-*;/opt/qemu/bin/qemu-system-x86_64
 *   [networks]
 *   default=br0                  a definition's network 'default' is this bridge
 *   [security]
 *   uid-base=2013265920          as root: one user for each running domain, from here,
 *                                and one for asking emulators what they can do
 *   uid-count=65536              0: QEMU runs as root
 *   [client]
 *   tcp=no                       or yes: URIs with '+tcp', which nothing protects
 *   [guests]                     what `stasis guests stop` and `start` do
 *   on-shutdown=save             or shutdown
 *   quiesce=no                   or yes
 *   if-not-saved=shutdown        or leave
 *   on-boot=start                or ignore
 *   parallel=2                   guests at once
 *   shutdown-timeout=300         seconds; 0: no limit
 *   start-delay=0                seconds
 *   [migration]
 *   host=HOST                    by which name or number sources reach this host
 *   stall-timeout=60             seconds that a guest stands still, and nothing moves
 *   tls-dir=/etc/pki/qemu        certificates
 *   tls-verify=yes               or no: sources need no certificate
 *   tls-required=no              or yes: what comes in is encrypted
 *   [hooks]                      programs that are called: docs/hooks.md
 *   enabled=yes                  or no
 *   folder=/etc/stasis/hooks
 *   timeout=30                   seconds for each
 */

#include "config.h"

#include "driver/host-config.h"

#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#define DEFAULT_EMULATOR "/usr/bin/qemu-system-x86_64"
/* Above what useradd hands out to users' containers (100000 to 600100000) and systemd to its own
 * (524288 to 1879048191), below 2^31, which some programs take for the end. */
#define DEFAULT_UID_BASE  2013265920u
#define DEFAULT_UID_COUNT 65536u

#define DEFAULT_PARALLEL         2u
#define PARALLEL_MAX             64u
#define DEFAULT_SHUTDOWN_TIMEOUT 300u /* seconds, as libvirt-guests waits */
/* A connection to a dead host breaks before that (migrate-wait.c). */
#define DEFAULT_STALL_TIMEOUT 60u
#define STALL_TIMEOUT_MAX     3600u
#define SECONDS_MAX           86400u
#define DEFAULT_HOOK_TIMEOUT  30u
#define HOOK_TIMEOUT_MAX      3600u

static const char *const default_allowed[]
    = { "/usr/bin/qemu-system-*", "/usr/local/bin/qemu-system-*", "/usr/bin/kvm",
        "/usr/bin/qemu-kvm",      "/usr/libexec/qemu-kvm",        NULL };

/* NULL is fine. */
void
stasis_host_config_free (StasisHostConfig *config)
{
  if (config == NULL)
    return;

  g_free (config->path);
  g_free (config->emulator);
  g_strfreev (config->emulators);
  g_hash_table_unref (config->networks);
  g_free (config->migrate_host);
  g_free (config->tls_folder);
  g_free (config->hooks.folder);
  g_free (config);
}

static gboolean
read_uint (GKeyFile *file, const char *group, const char *key, guint32 *out_value, GError **error)
{
  g_autoptr (GError) local = NULL;
  const guint64 value = g_key_file_get_uint64 (file, group, key, &local);
  if (local == NULL && value < G_MAXUINT32)
    {
      *out_value = (guint32) value;
      return TRUE;
    }
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
               _ ("[%1$s] %2$s: not a number that fits"), group, key);
  return FALSE;
}

/* (transfer full); GLib returns a text with a wrong escape along with the error. */
static char *
read_text (GKeyFile *file, const char *group, const char *key, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autofree char *text = g_key_file_get_string (file, group, key, &local);
  if (local == NULL && *text != '\0')
    return g_steal_pointer (&text);
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT, _ ("[%1$s] %2$s: %3$s"), group,
               key, local != NULL ? local->message : _ ("is empty"));
  return NULL;
}

/* In place of *@path (owned). */
static gboolean
read_path (GKeyFile *file, const char *group, const char *key, char **path, GError **error)
{
  g_autofree char *text = read_text (file, group, key, error);
  if (text == NULL)
    return FALSE;
  if (!g_path_is_absolute (text))
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                   _ ("[%1$s] %2$s: '%3$s' is not an absolute path"), group, key, text);
      return FALSE;
    }
  g_free (*path);
  *path = g_steal_pointer (&text);
  return TRUE;
}

/* In place of *@host (owned). */
static gboolean
read_host (GKeyFile *file, const char *group, const char *key, char **host, GError **error)
{
  char *text = read_text (file, group, key, error);
  if (text == NULL)
    return FALSE;
  g_free (*host);
  *host = text;
  return TRUE;
}

static gboolean
read_allowed (StasisHostConfig *config, GKeyFile *file, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_auto (GStrv) allowed = g_key_file_get_string_list (file, "emulators", "allowed", NULL, &local);
  if (local != NULL)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                   _ ("[emulators] allowed: %s"), local->message);
      return FALSE;
    }
  g_strfreev (config->emulators);
  config->emulators = g_steal_pointer (&allowed);
  return TRUE;
}

/* One of two words: *@out_second says whether it is the second. */
static gboolean
read_choice (GKeyFile *file, const char *group, const char *key, const char *first,
             const char *second, gboolean *out_second, GError **error)
{
  g_autofree char *text = read_text (file, group, key, error);
  if (text == NULL)
    return FALSE;
  *out_second = g_str_equal (text, second);
  if (*out_second || g_str_equal (text, first))
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
               _ ("[%1$s] %2$s: '%3$s' is neither '%4$s' nor '%5$s'"), group, key, text, first,
               second);
  return FALSE;
}

static gboolean
read_within (GKeyFile *file, const char *group, const char *key, guint32 min, guint32 max,
             guint32 *out_value, GError **error)
{
  if (!read_uint (file, group, key, out_value, error))
    return FALSE;
  if (*out_value >= min && *out_value <= max)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
               _ ("[%1$s] %2$s: %3$u is not within %4$u to %5$u"), group, key, *out_value, min,
               max);
  return FALSE;
}

static gboolean
throw_unknown (GError **error, const char *group, const char *key)
{
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT, _ ("[%1$s] %2$s is not known"),
               group, key);
  return FALSE;
}

static gboolean
read_guests (StasisGuestsConfig *guests, GKeyFile *file, const char *group, const char *key,
             GError **error)
{
  if (g_str_equal (key, "on-shutdown"))
    return read_choice (file, group, key, "save", "shutdown", &guests->shuts_down, error);
  if (g_str_equal (key, "quiesce"))
    return read_choice (file, group, key, "no", "yes", &guests->quiesces, error);
  if (g_str_equal (key, "if-not-saved"))
    return read_choice (file, group, key, "shutdown", "leave", &guests->leaves_unsaved, error);
  if (g_str_equal (key, "on-boot"))
    return read_choice (file, group, key, "start", "ignore", &guests->ignores_at_boot, error);
  if (g_str_equal (key, "parallel"))
    return read_within (file, group, key, 1, PARALLEL_MAX, &guests->parallel, error);
  if (g_str_equal (key, "shutdown-timeout"))
    return read_within (file, group, key, 0, SECONDS_MAX, &guests->shutdown_timeout, error);
  if (g_str_equal (key, "start-delay"))
    return read_within (file, group, key, 0, SECONDS_MAX, &guests->start_delay, error);
  return throw_unknown (error, group, key);
}

static gboolean
read_hooks (StasisHooksConfig *hooks, GKeyFile *file, const char *group, const char *key,
            GError **error)
{
  if (g_str_equal (key, "enabled"))
    return read_choice (file, group, key, "yes", "no", &hooks->is_off, error);
  if (g_str_equal (key, "folder"))
    return read_path (file, group, key, &hooks->folder, error);
  if (g_str_equal (key, "timeout"))
    return read_within (file, group, key, 1, HOOK_TIMEOUT_MAX, &hooks->timeout, error);
  return throw_unknown (error, group, key);
}

static gboolean
read_migration (StasisHostConfig *config, GKeyFile *file, const char *group, const char *key,
                GError **error)
{
  if (g_str_equal (key, "host"))
    return read_host (file, group, key, &config->migrate_host, error);
  if (g_str_equal (key, "stall-timeout"))
    return read_within (file, group, key, 1, STALL_TIMEOUT_MAX, &config->migrate_stall, error);
  if (g_str_equal (key, "tls-dir"))
    return read_path (file, group, key, &config->tls_folder, error);
  if (g_str_equal (key, "tls-verify"))
    return read_choice (file, group, key, "yes", "no", &config->tls_trusts_all, error);
  if (g_str_equal (key, "tls-required"))
    return read_choice (file, group, key, "no", "yes", &config->tls_is_needed, error);
  return throw_unknown (error, group, key);
}

static gboolean
read_key (StasisHostConfig *config, GKeyFile *file, const char *group, const char *key,
          GError **error)
{
  if (g_str_equal (group, "networks"))
    {
      char *bridge = read_text (file, group, key, error);
      if (bridge != NULL)
        g_hash_table_insert (config->networks, g_strdup (key), bridge);
      return bridge != NULL;
    }
  if (g_str_equal (group, "emulators") && g_str_equal (key, "default"))
    return read_path (file, group, key, &config->emulator, error);
  if (g_str_equal (group, "emulators") && g_str_equal (key, "allowed"))
    return read_allowed (config, file, error);
  if (g_str_equal (group, "security") && g_str_equal (key, "uid-base"))
    return read_uint (file, group, key, &config->uid_base, error);
  if (g_str_equal (group, "security") && g_str_equal (key, "uid-count"))
    return read_uint (file, group, key, &config->uid_count, error);
  if (g_str_equal (group, "client") && g_str_equal (key, "tcp"))
    return read_choice (file, group, key, "no", "yes", &config->allows_tcp, error);
  if (g_str_equal (group, "guests"))
    return read_guests (&config->guests, file, group, key, error);
  if (g_str_equal (group, "migration"))
    return read_migration (config, file, group, key, error);
  if (g_str_equal (group, "hooks"))
    return read_hooks (&config->hooks, file, group, key, error);
  return throw_unknown (error, group, key);
}

static gboolean
read_all (StasisHostConfig *config, GKeyFile *file, GError **error)
{
  g_auto (GStrv) groups = g_key_file_get_groups (file, NULL);
  for (gsize i = 0; groups[i] != NULL; i++)
    {
      g_auto (GStrv) keys = g_key_file_get_keys (file, groups[i], NULL, error);
      if (keys == NULL)
        return FALSE;
      for (gsize k = 0; keys[k] != NULL; k++)
        if (!read_key (config, file, groups[i], keys[k], error))
          return FALSE;
    }
  return TRUE;
}

/* Neither root nor a number that wraps around to it. */
static gboolean
check_uids (const StasisHostConfig *config, GError **error)
{
  if (config->uid_count == 0
      || (config->uid_base > 0 && config->uid_count <= G_MAXUINT32 - config->uid_base))
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
               _ ("[security]: uid-base %1$u and uid-count %2$u leave the range 1 to 4294967294"),
               config->uid_base, config->uid_count);
  return FALSE;
}

/* Read @folder/stasis.conf. */
StasisHostConfig *
stasis_host_config_load (const char *folder, GError **error)
{
  g_autoptr (StasisHostConfig) config = g_new0 (StasisHostConfig, 1);
  config->emulator = g_strdup (DEFAULT_EMULATOR);
  config->emulators = g_strdupv ((char **) default_allowed);
  config->networks = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  config->uid_base = DEFAULT_UID_BASE;
  config->uid_count = DEFAULT_UID_COUNT;
  config->guests.parallel = DEFAULT_PARALLEL;
  config->guests.shutdown_timeout = DEFAULT_SHUTDOWN_TIMEOUT;

  config->migrate_stall = DEFAULT_STALL_TIMEOUT;
  config->hooks.folder = g_build_filename (folder, "hooks", NULL);
  config->hooks.timeout = DEFAULT_HOOK_TIMEOUT;

  config->path = g_build_filename (folder, "stasis.conf", NULL);
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_autoptr (GError) local = NULL;
  gboolean ok
      = g_key_file_load_from_file (file, config->path, G_KEY_FILE_KEEP_TRANSLATIONS, &local);
  if (!ok && g_error_matches (local, G_FILE_ERROR, G_FILE_ERROR_NOENT))
    return g_steal_pointer (&config);
  ok = ok && read_all (config, file, &local) && check_uids (config, &local);
  if (ok)
    return g_steal_pointer (&config);

  g_propagate_prefixed_error (error, g_steal_pointer (&local), "'%s': ", config->path);
  return NULL;
}

guint32
stasis_host_config_n_guests (const StasisHostConfig *config)
{
  return config->uid_count > 1 ? config->uid_count - 1 : config->uid_count;
}

/* The driver's own where it has no others to give. */
guint32
stasis_host_config_probe_uid (const StasisHostConfig *config)
{
  if (geteuid () != 0 || config->uid_count == 0)
    return geteuid ();
  return config->uid_base + config->uid_count - 1;
}

/* TRUE where a definition may have this emulator started.  A pattern's '*' does not reach over a
 * '/', so that no pattern lets a deeper folder in.  Nor does "..": what looks like one path to us
 * may be another one to the kernel, which follows links on the way. */
gboolean
stasis_host_config_allows (const StasisHostConfig *config, const char *emulator)
{
  g_auto (GStrv) parts = g_strsplit (emulator, "/", -1);
  if (!g_path_is_absolute (emulator) || g_strv_contains ((const char *const *) parts, ".."))
    return FALSE;

  g_autofree char *canonical = g_canonicalize_filename (emulator, "/");
  g_autofree char *folder = g_path_get_dirname (canonical);
  if (g_str_equal (canonical, config->emulator))
    return TRUE;

  for (gsize i = 0; config->emulators[i] != NULL; i++)
    {
      g_autofree char *allowed_folder = g_path_get_dirname (config->emulators[i]);
      if (g_str_equal (folder, allowed_folder)
          && g_pattern_match_simple (config->emulators[i], canonical))
        return TRUE;
    }
  return FALSE;
}
