/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-mirror-ways.c: QEMU's connections to where its disks are copied
 *
 * Theory of operation
 *
 * Where QEMU stops the guest it waits for all that its disks have under way, and so for a copy at a
 * destination that answers no more: its main loop stands, and hears nobody.  Where the link is dead
 * the kernel ends that after some 15 minutes; where the destination only hangs, nobody does.
 *
 * But a connection is the kernel's.  Who may trace QEMU gets a descriptor of the same socket by
 * pidfd_getfd(2), and QEMU has no part in it.  By that the kernel is told to give up a dead way
 * soon, and what waits in QEMU fails at once where it is shut down.  (A descriptor that we had
 * passed to QEMU would not do: it connects anew to such a one by its number.)
 *
 * Which of QEMU's sockets they are: when the copies have been connected, those that are new, and
 * lead to the port that the destination has told.  Where they lead to is kept as numbers, for
 * whoever undoes the migration: he may be another process, and knows no names.
 */

#include "config.h"

#include "driver/migrate-mirror-ways.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/migrate-wait.h"
#include "util/fd.h"

#define SOCKET "socket:" /* the rest of the link is the socket's inode */

typedef void (*Visit) (int pidfd, int number, const char *link, gpointer data);

static gboolean
visit_sockets (const StasisProcess *qemu, Visit visit, gpointer data, GError **error)
{
  stasis_autofd int pidfd = stasis_process_open (qemu, error);
  g_autofree char *folder = g_strdup_printf ("/proc/%d/fd", (int) qemu->pid);
  g_autoptr (GDir) dir = pidfd >= 0 ? g_dir_open (folder, 0, error) : NULL;
  if (dir == NULL)
    return FALSE;
  const char *name;
  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);
      g_autofree char *link = g_file_read_link (path, NULL);
      if (link != NULL && g_str_has_prefix (link, SOCKET))
        visit (pidfd, atoi (name), link, data);
    }
  return TRUE;
}

static void
add_link (int pidfd, int number, const char *link, gpointer data)
{
  g_hash_table_add (data, g_strdup (link));
}

GHashTable *
stasis_mirror_ways_list (const StasisProcess *qemu, GError **error)
{
  g_autoptr (GHashTable) links = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  if (!visit_sockets (qemu, add_link, links, error))
    return NULL;
  return g_steal_pointer (&links);
}

/* (transfer full) (nullable): the other end of a connection by TCP. */
static GInetSocketAddress *
peer_of (int fd)
{
  int protocol = 0;
  socklen_t size = sizeof protocol;
  struct sockaddr_storage native = { 0 };
  socklen_t native_size = sizeof native;
  if (getsockopt (fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) < 0 || protocol != IPPROTO_TCP
      || getpeername (fd, (struct sockaddr *) &native, &native_size) < 0)
    return NULL;
  g_autoptr (GSocketAddress) peer = g_socket_address_new_from_native (&native, native_size);
  return G_IS_INET_SOCKET_ADDRESS (peer) ? G_INET_SOCKET_ADDRESS (g_steal_pointer (&peer)) : NULL;
}

static char *
peer_to_string (GInetSocketAddress *peer)
{
  return g_socket_connectable_to_string (G_SOCKET_CONNECTABLE (peer));
}

typedef struct
{
  GHashTable *before; /* (borrowed) */
  guint16 port;
  GHashTable *peers; /* (borrowed) a set */
} Tuning;

static void
tune (int pidfd, int number, const char *link, gpointer data)
{
  const Tuning *tuning = data;
  if (g_hash_table_contains (tuning->before, link))
    return;
  stasis_autofd int fd = (int) syscall (SYS_pidfd_getfd, pidfd, number, 0);
  g_autoptr (GInetSocketAddress) peer = fd >= 0 ? peer_of (fd) : NULL;
  if (peer == NULL || g_inet_socket_address_get_port (peer) != tuning->port)
    return;
  stasis_channel_tune (fd);
  g_hash_table_add (tuning->peers, peer_to_string (peer));
}

static char **
to_strings (GHashTable *set)
{
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  GHashTableIter iter;
  gpointer string;
  g_hash_table_iter_init (&iter, set);
  while (g_hash_table_iter_next (&iter, &string, NULL))
    g_strv_builder_add (builder, string);
  return g_strv_builder_end (builder);
}

char **
stasis_mirror_ways_tune (const StasisProcess *qemu, GHashTable *before, guint16 port,
                         GError **error)
{
  g_autoptr (GHashTable) peers = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  Tuning tuning = { before, port, peers };
  if (!visit_sockets (qemu, tune, &tuning, error))
    return NULL;
  if (g_hash_table_size (peers) > 0)
    return to_strings (peers);
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
               _ ("QEMU (process %1$d) has none to port %2$u, or the kernel does not let this "
                  "process at it (see kernel.yama.ptrace_scope)"),
               (int) qemu->pid, port);
  return NULL;
}

static void
cut (int pidfd, int number, const char *link, gpointer data)
{
  stasis_autofd int fd = (int) syscall (SYS_pidfd_getfd, pidfd, number, 0);
  g_autoptr (GInetSocketAddress) peer = fd >= 0 ? peer_of (fd) : NULL;
  if (peer == NULL)
    return;
  g_autofree char *text = peer_to_string (peer);
  if (g_strv_contains (data, text))
    shutdown (fd, SHUT_RDWR);
}

void
stasis_mirror_ways_cut (const StasisProcess *qemu, const char *const *peers)
{
  g_autoptr (GError) local = NULL;
  if (!visit_sockets (qemu, cut, (gpointer) peers, &local))
    g_message (_ ("the connections of copies of disks cannot be broken off: %s"), local->message);
}

void
stasis_mirror_ways_cut_of (const StasisStatus *status)
{
  const StasisMigrateJournal *migration = status->journal.migration;
  if (status->journal.step == STASIS_STEP_MIGRATE_SENDING && migration != NULL
      && migration->copies_to != NULL && stasis_process_is_alive (&status->qemu))
    stasis_mirror_ways_cut (&status->qemu, (const char *const *) migration->copies_to);
}

void
stasis_mirror_ways_cut_job (const char *folder, const char *job_id)
{
  g_autoptr (StasisStatus) status = stasis_status_read (folder, NULL);
  if (status != NULL && job_id != NULL && g_strcmp0 (status->journal.id, job_id) == 0)
    stasis_mirror_ways_cut_of (status);
}
