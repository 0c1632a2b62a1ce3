/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-prepared.c: what the destination keeps of a migration that it has prepared
 *
 * Theory of operation
 *
 * Who has this file can answer for the migration, and nobody else: it holds the secret that went to
 * the source.  So it is synced before the secret leaves, and it is kept as long as the verdict
 * beside it (migrate-verdict.c).  It tells as well where the source will ask, so that a process
 * which begins later can listen there again.
 */

#include "config.h"

#include "driver/migrate-prepared.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/migrate-secret.h"
#include "driver/migrate-token.h"
#include "driver/paths.h"
#include "util/atomic-file.h"
#include "util/fd.h"
#include "util/json-path.h"

#define FORMAT        1
#define FILE_SIZE_MAX 32768u
#define DAY_S         (G_GINT64_CONSTANT (24) * 3600)
#define OPEN_S        (31 * DAY_S)

StasisMigratePrepared *
stasis_migrate_prepared_new (const char *token, const char *secret, const char *name,
                             const char *uuid, StasisMigrateAddress *door)
{
  StasisMigratePrepared *prepared = g_new0 (StasisMigratePrepared, 1);
  prepared->token = g_strdup (token);
  prepared->secret = g_strdup (secret);
  prepared->name = g_strdup (name);
  prepared->uuid = g_strdup (uuid);
  prepared->door = door;
  return prepared;
}

/* NULL is fine. */
void
stasis_migrate_prepared_free (StasisMigratePrepared *prepared)
{
  if (prepared == NULL)
    return;
  g_free (prepared->token);
  g_free (prepared->secret);
  g_free (prepared->name);
  g_free (prepared->uuid);
  stasis_migrate_address_free (prepared->door);
  g_free (prepared->run);
  g_free (prepared);
}

static char *
path_of (const char *folder, const char *token)
{
  g_autofree char *name = g_strconcat (token, STASIS_MIGRATE_PREPARED_SUFFIX, NULL);
  return g_build_filename (folder, name, NULL);
}

static char *
to_text (const StasisMigratePrepared *prepared)
{
  g_autoptr (StasisJson) json = stasis_json_new_object ();
  stasis_json_set_int (json, "format", FORMAT);
  stasis_json_set_string (json, "token", prepared->token);
  stasis_json_set_string (json, "secret", prepared->secret);
  stasis_json_set_string (json, "name", prepared->name);
  stasis_json_set_string (json, "uuid", prepared->uuid);
  if (prepared->door->path != NULL)
    stasis_json_set_path (json, "path", prepared->door->path);
  if (prepared->door->host != NULL)
    stasis_json_set_string (json, "host", prepared->door->host);
  if (prepared->door->path == NULL)
    stasis_json_set_uint (json, "port", prepared->door->port);
  if (prepared->run != NULL)
    stasis_json_set_path (json, "run", prepared->run);
  return stasis_json_to_string (json);
}

gboolean
stasis_migrate_prepared_check_new (const char *folder, const char *token, GError **error)
{
  g_autofree char *path = path_of (folder, token);
  if (!g_file_test (path, G_FILE_TEST_EXISTS))
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
               _ ("this migration was prepared here already: '%s'"), path);
  return FALSE;
}

gboolean
stasis_migrate_prepared_keep (const char *folder, const StasisMigratePrepared *prepared,
                              GError **error)
{
  g_autofree char *path = path_of (folder, prepared->token);
  g_autofree char *text = to_text (prepared);
  return stasis_migrate_prepared_check_new (folder, prepared->token, error)
         && stasis_paths_make (folder, error)
         && stasis_atomic_file_write (path, text, strlen (text), 0600, error);
}

static gboolean
throw_damaged (const char *what, GError **error)
{
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_FAILED, _ ("'%s' is missing or makes no sense"),
               what);
  return FALSE;
}

static StasisMigratePrepared *
from_json (const StasisJson *json, const char *token, GError **error)
{
  g_autoptr (StasisMigrateAddress) door = g_new0 (StasisMigrateAddress, 1);
  const char *own = stasis_json_string (stasis_json_get (json, "token"), NULL);
  const char *secret = stasis_json_string (stasis_json_get (json, "secret"), NULL);
  const char *name = stasis_json_string (stasis_json_get (json, "name"), NULL);
  const char *uuid = stasis_json_string (stasis_json_get (json, "uuid"), NULL);
  const guint64 port = stasis_json_uint (stasis_json_get (json, "port"), 0);
  door->path = stasis_json_dup_path (json, "path");
  door->host = g_strdup (stasis_json_string (stasis_json_get (json, "host"), NULL));
  door->port = (guint16) MIN (port, G_MAXUINT16);
  const char *missing = g_strcmp0 (own, token) != 0                               ? "token"
                        : !stasis_migrate_secret_is_valid (secret)                ? "secret"
                        : name == NULL                                            ? "name"
                        : uuid == NULL                                            ? "uuid"
                        : door->path == NULL && (port == 0 || port > G_MAXUINT16) ? "port"
                                                                                  : NULL;
  if (missing != NULL)
    {
      throw_damaged (missing, error);
      return NULL;
    }
  StasisMigratePrepared *prepared
      = stasis_migrate_prepared_new (token, secret, name, uuid, g_steal_pointer (&door));
  prepared->run = stasis_json_dup_path (json, "run");
  return prepared;
}

/* (transfer full), with a NUL behind it */
static char *
read_text (const char *path, gsize *out_size, GError **error)
{
  struct stat st;
  stasis_autofd int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0 || fstat (fd, &st) < 0)
    {
      stasis_throw_errno (error, _ ("cannot read '%s'"), path);
      return NULL;
    }
  if (!S_ISREG (st.st_mode) || st.st_size <= 0 || (guint64) st.st_size > FILE_SIZE_MAX)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_FAILED, _ ("'%s' is damaged"), path);
      return NULL;
    }
  g_autofree char *text = g_malloc0 ((gsize) st.st_size + 1);
  if (!stasis_fd_read_exact (fd, text, (gsize) st.st_size, error))
    return NULL;
  *out_size = (gsize) st.st_size;
  return g_steal_pointer (&text);
}

StasisMigratePrepared *
stasis_migrate_prepared_read (const char *folder, const char *token, GError **error)
{
  if (!stasis_migrate_token_check (token, error))
    return NULL;
  g_autofree char *path = path_of (folder, token);
  gsize size = 0;
  g_autofree char *text = read_text (path, &size, error);
  if (text == NULL)
    return NULL;
  g_autoptr (StasisJson) json = stasis_json_parse (text, (gssize) size, error);
  StasisMigratePrepared *prepared = json != NULL ? from_json (json, token, error) : NULL;
  if (prepared == NULL)
    g_prefix_error (error, "'%s': ", path);
  return prepared;
}

void
stasis_migrate_prepared_forget (const char *folder, const char *token)
{
  g_autofree char *path = path_of (folder, token);
  if (unlink (path) < 0 && errno != ENOENT)
    g_debug ("'%s': %s", path, g_strerror (errno));
}

gboolean
stasis_migrate_prepared_may_be_asked (const char *folder, const char *token)
{
  g_autofree char *verdict = g_build_filename (folder, token, NULL);
  g_autofree char *path = path_of (folder, token);
  const gint64 now_s = g_get_real_time () / G_USEC_PER_SEC;
  struct stat st;
  if (lstat (path, &st) < 0)
    return errno != ENOENT; /* who cannot look does not shut out anybody */
  const gint64 prepared_s = st.st_mtime;
  if (lstat (verdict, &st) == 0)
    return now_s < st.st_mtime + DAY_S;
  return errno != ENOENT || now_s < prepared_s + OPEN_S;
}
