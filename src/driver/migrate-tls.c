/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-tls.c: a migration that QEMU encrypts by itself
 *
 * Theory of operation
 *
 * QEMU reads certificates from files as it is given them, and never again.  They are the host's, in
 * libvirt's layout, and the keys are for root alone; but each QEMU has a user of its own, who can
 * read neither them nor walk down to the run folder.  So they are copied into a folder there that
 * belongs to that user; QEMU gets a descriptor of it, and knows it by /proc/self/fd/N.  Once it has
 * read them the copies are removed.
 *
 * What stays in QEMU is an object with a name of ours: whoever sets the parameters of migration
 * back (migration-end.c) finds it by them.
 */

#include "config.h"

#include "driver/migrate-tls.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/migrate-address.h"
#include "monitor/commands-fd.h"
#include "monitor/commands-tls.h"
#include "util/fault.h"
#include "util/fd.h"

#define LIBVIRT_OWN "/etc/pki/libvirt-migrate" /* where there is one, as in libvirt */
#define LIBVIRT_ALL "/etc/pki/qemu"
#define FILE_MAX    (1024u * 1024) /* octets */
#define COPIES      "tls"

typedef enum
{
  NEEDED,
  NEEDED_TO_BE_KNOWN, /* unless nobody is asked who he is */
  OF_USE,
} Need;

typedef struct
{
  const char *name;
  Need need;
} File;

static const File server_files[] = {
  { "ca-cert.pem", NEEDED }, { "server-cert.pem", NEEDED }, { "server-key.pem", NEEDED },
  { "ca-crl.pem", OF_USE },  { "dh-params.pem", OF_USE },
};
static const File client_files[] = {
  { "ca-cert.pem", NEEDED },
  { "client-cert.pem", NEEDED_TO_BE_KNOWN },
  { "client-key.pem", NEEDED_TO_BE_KNOWN },
  { "ca-crl.pem", OF_USE },
};

char *
stasis_migrate_tls_folder (const StasisHostConfig *config)
{
  if (config->tls_folder != NULL)
    return g_strdup (config->tls_folder);
  return g_strdup (g_file_test (LIBVIRT_OWN, G_FILE_TEST_IS_DIR) ? LIBVIRT_OWN : LIBVIRT_ALL);
}

static gboolean
throw_file (const char *path, const char *why, GError **error)
{
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
               _ ("--tls: '%1$s': %2$s (option 'tls-dir' in [migration] of stasis.conf says where "
                  "certificates are)"),
               path, why);
  return FALSE;
}

/* (transfer full) (nullable): NULL without an error where it is not there and need not be. */
static GBytes *
read_file (const char *path, gboolean is_needed, GError **error)
{
  stasis_autofd int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (fd < 0)
    {
      if (is_needed || errno != ENOENT)
        throw_file (path, g_strerror (errno), error);
      return NULL;
    }
  struct stat st;
  if (fstat (fd, &st) < 0 || !S_ISREG (st.st_mode) || st.st_size <= 0
      || st.st_size > (off_t) FILE_MAX)
    {
      throw_file (path, _ ("it is empty, too large, or no file"), error);
      return NULL;
    }
  g_autoptr (GError) local = NULL;
  g_autofree guint8 *octets = g_malloc ((gsize) st.st_size);
  if (!stasis_fd_read_exact (fd, octets, (gsize) st.st_size, &local))
    {
      throw_file (path, local->message, error);
      return NULL;
    }
  return g_bytes_new_take (g_steal_pointer (&octets), (gsize) st.st_size);
}

static gboolean
write_copy (int folder, const char *name, GBytes *bytes, guint32 uid, GError **error)
{
  gsize size;
  const void *octets = g_bytes_get_data (bytes, &size);
  stasis_autofd int fd
      = openat (folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400);
  if (fd < 0 || (uid != geteuid () && fchown (fd, uid, uid) < 0))
    return stasis_throw_errno (error, _ ("cannot copy '%s' for QEMU"), name);
  return stasis_fd_write_exact (fd, octets, size, error);
}

static void
remove_copies (const char *copies)
{
  for (guint i = 0; i < G_N_ELEMENTS (server_files) + G_N_ELEMENTS (client_files); i++)
    {
      const File *file = i < G_N_ELEMENTS (server_files)
                             ? &server_files[i]
                             : &client_files[i - G_N_ELEMENTS (server_files)];
      g_autofree char *path = g_build_filename (copies, file->name, NULL);
      unlink (path);
    }
  rmdir (copies);
}

/* As read_file(). */
static GBytes *
read_one (const char *from, const File *file, const StasisHostConfig *config, GError **error)
{
  const gboolean is_needed
      = file->need == NEEDED || (file->need == NEEDED_TO_BE_KNOWN && !config->tls_trusts_all);
  g_autofree char *path = g_build_filename (from, file->name, NULL);
  return read_file (path, is_needed, error);
}

gboolean
stasis_migrate_tls_check (const StasisHostConfig *config, gboolean is_server, GError **error)
{
  g_autofree char *from = stasis_migrate_tls_folder (config);
  const File *files = is_server ? server_files : client_files;
  const guint n = is_server ? G_N_ELEMENTS (server_files) : G_N_ELEMENTS (client_files);
  for (guint i = 0; i < n; i++)
    {
      g_autoptr (GError) local = NULL;
      g_autoptr (GBytes) bytes = read_one (from, &files[i], config, &local);
      if (local == NULL)
        continue;
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  return TRUE;
}

static gboolean
copy_one (const char *from, const File *file, const StasisHostConfig *config, int folder,
          guint32 uid, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autoptr (GBytes) bytes = read_one (from, file, config, &local);
  if (local == NULL && (bytes == NULL || write_copy (folder, file->name, bytes, uid, &local)))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

static gboolean
copy_all (const StasisHostConfig *config, gboolean is_server, int folder, guint32 uid,
          GError **error)
{
  g_autofree char *from = stasis_migrate_tls_folder (config);
  const File *files = is_server ? server_files : client_files;
  const guint n = is_server ? G_N_ELEMENTS (server_files) : G_N_ELEMENTS (client_files);
  for (guint i = 0; i < n; i++)
    if (!copy_one (from, &files[i], config, folder, uid, error))
      return FALSE;
  /* Last: in a folder of somebody else's nothing is written. */
  return uid == geteuid () || fchown (folder, uid, uid) == 0
         || stasis_throw_errno (error, _ ("cannot give certificates to QEMU's user"));
}

static gboolean
give (StasisMonitor *monitor, int folder, const StasisHostConfig *config, gboolean is_server,
      GCancellable *cancellable, GError **error)
{
  gint64 set = 0;
  gint64 number = 0;
  g_autoptr (GError) local = NULL;
  if (!stasis_monitor_add_fd (monitor, STASIS_FDSET_NEW, folder, NULL, &set, &number, cancellable,
                              error))
    return FALSE;
  g_autofree char *dir = g_strdup_printf ("/proc/self/fd/%" G_GINT64_FORMAT, number);
  const StasisTlsCreds creds = {
    .id = STASIS_TLS_MIGRATION,
    .folder = dir,
    .is_server = is_server,
    .verify_peer = !is_server || !config->tls_trusts_all,
  };
  /* One may be left of a driver that died. */
  if (!stasis_monitor_object_del (monitor, creds.id, NULL, &local))
    g_debug ("%s", local->message);
  g_clear_error (&local);
  const gboolean ok = stasis_monitor_tls_creds_add (monitor, &creds, cancellable, error);
  if (!ok)
    {
      g_autofree char *from = stasis_migrate_tls_folder (config);
      g_prefix_error (error, _ ("--tls: the certificates in '%s': "), from);
    }
  if (!stasis_monitor_remove_fd (monitor, set, number, NULL, &local))
    g_debug ("%s", local->message);
  return ok;
}

gboolean
stasis_migrate_tls_begin (StasisMonitor *monitor, const StasisHold *hold,
                          const StasisHostConfig *config, gboolean is_server,
                          StasisJson *parameters, GCancellable *cancellable, GError **error)
{
  g_autofree char *copies = g_build_filename (hold->folder, COPIES, NULL);
  remove_copies (copies); /* of a driver that died */
  if (mkdir (copies, 0700) < 0)
    return stasis_throw_errno (error, _ ("cannot make folder '%s'"), copies);
  stasis_autofd int folder = stasis_fd_open (copies, O_RDONLY | O_DIRECTORY, 0, error);
  const gboolean ok = folder >= 0 && copy_all (config, is_server, folder, hold->status->uid, error)
                      && stasis_fault ("migrate-tls-copied", error)
                      && give (monitor, folder, config, is_server, cancellable, error);
  remove_copies (copies);
  if (ok)
    stasis_json_set_string (parameters, "tls-creds", STASIS_TLS_MIGRATION);
  return ok;
}

gboolean
stasis_migrate_tls_name (StasisJson *parameters, const char *place, GError **error)
{
  if (stasis_json_get (parameters, "tls-hostname") != NULL)
    return TRUE;
  g_autoptr (StasisMigrateAddress) address = stasis_migrate_address_parse (place, error);
  if (address == NULL)
    return FALSE;
  if (address->host == NULL)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                   _ ("--tls: '%s' names no host: --tls-destination says whom the destination's "
                      "certificate has to name"),
                   place);
      return FALSE;
    }
  stasis_json_set_string (parameters, "tls-hostname", address->host);
  return TRUE;
}
