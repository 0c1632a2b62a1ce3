/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-in-door.c: the doors of a host, where sources connect
 *
 * Theory of operation
 *
 * A door serves all migrations that come in at its address: it hands their connections for data to
 * those that wait, and says what was decided of any, for that stands in files.  It stays open for
 * an hour after the last of them: a source whose link broke at the very end asks later.  So a
 * second migration to the same port finds a door that is open, and one port of the range is enough
 * for a driver.
 *
 * A thread of each door takes connections; what is said on them is heard by those of two pools, so
 * that nobody who dawdles holds up another: askers, who may be anybody, no data.
 */

#include "config.h"

#include "driver/migrate-in-private.h"

#include <glib/gi18n-lib.h>

#include "driver/migrate-door.h"
#include "driver/migrate-prepared.h"
#include "util/fd.h"

#define DOORS_MAX   16u
#define ASKERS      16
#define ASKERS_WAIT 64u
#define SENDERS     16
#define TICK_MS     60000
#define STAY_US     (G_GINT64_CONSTANT (3600) * G_USEC_PER_SEC)
#define ASK_MS      5000 /* for a question, and for its answer */

struct _StasisMigrateDoors
{
  StasisMigrateIns *ins; /* (borrowed) */
  GMutex lock;
  GPtrArray *open;           /* (guarded by lock) of Door (borrowed), each of which frees itself */
  guint n_threads;           /* (guarded by lock) of doors, those included that are closing */
  GCond left;                /* one of them has gone */
  GCancellable *cancellable; /* (owned) the driver ends */
  GThreadPool *askers;       /* (owned) */
  GThreadPool *senders;      /* (owned) */
};

typedef struct
{
  StasisMigrateDoors *doors;       /* (borrowed) */
  char *key;                       /* (owned) what was wanted */
  char *verdicts;                  /* (owned) */
  StasisMigrateListener *listener; /* (owned) */
  GCancellable *cancellable;       /* (owned) */
  gint64 until_us;                 /* (guarded by doors->lock) */
} Door;

/* Somebody who has come. */
typedef struct
{
  int fd; /* (owned) */
  char token[STASIS_MIGRATE_TOKEN_DIGITS + 1];
  char *verdicts;                  /* (owned) */
  StasisMigrateIn *in;             /* (owned) (nullable) */
  StasisMigratePrepared *prepared; /* (owned) (nullable) */
} Visit;

static void
visit_free (Visit *visit)
{
  stasis_fd_clear (&visit->fd);
  stasis_migrate_in_unref (visit->in);
  stasis_migrate_prepared_free (visit->prepared);
  g_free (visit->verdicts);
  g_free (visit);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Visit, visit_free)

static void
door_free (Door *door)
{
  stasis_migrate_listener_free (door->listener);
  g_object_unref (door->cancellable);
  g_free (door->key);
  g_free (door->verdicts);
  g_free (door);
}

/* Finish looks at the same file before it lets the guest run; QEMU is ended by who watches. */
static gboolean
judge (const char *token, StasisDoorQuestion question, gpointer data, StasisDoorAnswer *out_answer,
       GError **error)
{
  const Visit *visit = data;
  StasisMigrateIn *in = visit->in;
  if (!stasis_migrate_door_judge (visit->verdicts, token, question, visit->prepared->name,
                                  visit->prepared->uuid, out_answer, error))
    return FALSE;
  if (in == NULL || *out_answer != STASIS_DOOR_REVOKED)
    return TRUE;
  g_atomic_int_set (&in->is_revoked, TRUE);
  g_cond_signal (&in->stirred);
  return TRUE;
}

static void
hear_asker (gpointer data, gpointer user_data)
{
  const StasisMigrateDoors *doors = user_data;
  g_autoptr (Visit) visit = data;
  g_autoptr (GError) error = NULL;
  visit->prepared = stasis_migrate_prepared_read (visit->verdicts, visit->token, &error);
  if (visit->prepared == NULL && !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
    {
      g_warning ("%s", error->message); /* who asks hears nothing, and asks again */
      return;
    }
  g_clear_error (&error);
  const char *secret = visit->prepared != NULL ? visit->prepared->secret : NULL;
  if (!stasis_migrate_door_serve (visit->fd, visit->token, secret, judge, visit, ASK_MS,
                                  doors->cancellable, &error))
    g_debug ("%s", error->message);
}

static void
hear_sender (gpointer data, gpointer user_data)
{
  g_autoptr (Visit) visit = data;
  stasis_migrate_in_take_data (visit->in, visit->fd);
}

static void
welcome (const Door *door, int fd_take, StasisChannelPurpose purpose, const char *token)
{
  StasisMigrateDoors *doors = door->doors;
  g_autoptr (Visit) visit = g_new0 (Visit, 1);
  visit->fd = fd_take;
  g_strlcpy (visit->token, token, sizeof visit->token);
  visit->verdicts = g_strdup (door->verdicts);
  visit->in = stasis_migrate_ins_find (doors->ins, token);
  if (purpose == STASIS_CHANNEL_DATA && visit->in != NULL)
    g_thread_pool_push (doors->senders, g_steal_pointer (&visit), NULL);
  else if (purpose == STASIS_CHANNEL_ASK && g_thread_pool_unprocessed (doors->askers) < ASKERS_WAIT)
    g_thread_pool_push (doors->askers, g_steal_pointer (&visit), NULL);
}

static gboolean
is_awaited (StasisMigrateDoors *doors)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&doors->ins->lock);
  return g_hash_table_size (doors->ins->by_name) > 0;
}

/* Nobody finds it any more, if it is to go. */
static gboolean
leave (Door *door, gboolean has_failed)
{
  StasisMigrateDoors *doors = door->doors;
  const gboolean stays = !has_failed && is_awaited (doors);
  const gint64 now_us = g_get_monotonic_time ();
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&doors->lock);
  if (stays)
    door->until_us = now_us + STAY_US;
  if (!has_failed && door->until_us > now_us)
    return FALSE;
  g_ptr_array_remove (doors->open, door);
  return TRUE;
}

/* What it is told last: after this the doors may be gone. */
static void
close_door (Door *door)
{
  StasisMigrateDoors *doors = door->doors;
  door_free (door);
  g_mutex_lock (&doors->lock);
  doors->n_threads--;
  g_cond_signal (&doors->left);
  g_mutex_unlock (&doors->lock);
}

static gpointer
serve (gpointer data)
{
  Door *door = data;
  for (;;)
    {
      StasisChannelPurpose purpose = STASIS_CHANNEL_DATA;
      char token[STASIS_MIGRATE_TOKEN_DIGITS + 1];
      g_autoptr (GError) error = NULL;
      const int fd = stasis_migrate_listener_accept (door->listener, TICK_MS, &purpose, token,
                                                     door->cancellable, &error);
      if (fd >= 0)
        welcome (door, fd, purpose, token);
      else if (leave (door, !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT)))
        break;
    }
  close_door (door);
  return NULL;
}

StasisMigrateDoors *
stasis_migrate_doors_new (StasisMigrateIns *ins)
{
  StasisMigrateDoors *doors = g_new0 (StasisMigrateDoors, 1);
  doors->ins = ins;
  g_mutex_init (&doors->lock);
  g_cond_init (&doors->left);
  doors->open = g_ptr_array_new ();
  doors->cancellable = g_cancellable_new ();
  return doors;
}

void
stasis_migrate_doors_free (StasisMigrateDoors *doors)
{
  g_cancellable_cancel (doors->cancellable);
  g_mutex_lock (&doors->lock);
  for (guint i = 0; i < doors->open->len; i++)
    g_cancellable_cancel (((Door *) g_ptr_array_index (doors->open, i))->cancellable);
  while (doors->n_threads > 0)
    g_cond_wait (&doors->left, &doors->lock);
  g_mutex_unlock (&doors->lock);
  if (doors->askers != NULL)
    g_thread_pool_free (doors->askers, FALSE, TRUE);
  if (doors->senders != NULL)
    g_thread_pool_free (doors->senders, FALSE, TRUE);
  g_ptr_array_unref (doors->open);
  g_object_unref (doors->cancellable);
  g_mutex_clear (&doors->lock);
  g_cond_clear (&doors->left);
  g_free (doors);
}

static Door *
find (StasisMigrateDoors *doors, const char *key)
{
  for (guint i = 0; i < doors->open->len; i++)
    {
      Door *door = g_ptr_array_index (doors->open, i);
      if (g_str_equal (door->key, key) && !g_cancellable_is_cancelled (door->cancellable))
        return door;
    }
  return NULL;
}

/* The one that nobody has come to for the longest time. */
static void
make_room (StasisMigrateDoors *doors)
{
  Door *oldest = NULL;
  for (guint i = 0; i < doors->open->len; i++)
    {
      Door *door = g_ptr_array_index (doors->open, i);
      if (oldest == NULL || door->until_us < oldest->until_us)
        oldest = door;
    }
  if (doors->open->len >= DOORS_MAX)
    g_cancellable_cancel (oldest->cancellable);
}

static gboolean
make_pools (StasisMigrateDoors *doors, GError **error)
{
  if (doors->askers == NULL)
    doors->askers = g_thread_pool_new (hear_asker, doors, ASKERS, FALSE, error);
  if (doors->askers != NULL && doors->senders == NULL)
    doors->senders = g_thread_pool_new (hear_sender, doors, SENDERS, FALSE, error);
  return doors->senders != NULL;
}

/* Nobody else's is taken away. */
static gboolean
check_path (const char *path, GError **error)
{
  stasis_autofd int fd = stasis_unix_connect_now (path, NULL);
  if (fd < 0)
    return TRUE;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE,
               _ ("no migration can come in at '%s': somebody listens there"), path);
  return FALSE;
}

/* A new one. */
static Door *
open_door (StasisMigrateDoors *doors, const StasisMigrateAddress *address, const char *key,
           const char *verdicts, GError **error)
{
  StasisMigrateListener *listener
      = make_pools (doors, error) && (address->path == NULL || check_path (address->path, error))
            ? stasis_migrate_listen (address, NULL, error)
            : NULL;
  if (listener == NULL)
    return NULL;
  make_room (doors);
  Door *door = g_new0 (Door, 1);
  door->doors = doors;
  door->key = g_strdup (key);
  door->verdicts = g_strdup (verdicts);
  door->listener = listener;
  door->cancellable = g_cancellable_new ();
  g_ptr_array_add (doors->open, door);
  doors->n_threads++;
  g_thread_unref (g_thread_new ("migrate-door", serve, door));
  return door;
}

gboolean
stasis_migrate_doors_open (StasisMigrateDoors *doors, const StasisMigrateAddress *address,
                           const char *verdicts, StasisMigrateAddress **out_bound, GError **error)
{
  g_autofree char *key = stasis_migrate_address_to_string (address);
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&doors->lock);
  Door *door = find (doors, key);
  if (door == NULL)
    door = open_door (doors, address, key, verdicts, error);
  if (door == NULL)
    return FALSE;
  door->until_us = g_get_monotonic_time () + STAY_US;
  const StasisMigrateAddress *bound = stasis_migrate_listener_get_address (door->listener);
  *out_bound = g_new0 (StasisMigrateAddress, 1);
  **out_bound
      = (StasisMigrateAddress){ g_strdup (bound->path), g_strdup (bound->host), bound->port };
  return TRUE;
}
