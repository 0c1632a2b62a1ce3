/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-in-door.c: the doors of a process, where sources connect
 *
 * Theory of operation
 *
 * A door serves all migrations that come in at its address: it hands their connections for data to
 * those that wait, and says what was decided of any, for that stands in files.  So a second
 * migration to the same port finds a door that is open, and one port of the range is enough.  It
 * stays open as long as one of its migrations waits here, or its source may still ask
 * (migrate-prepared.c): a source whose link broke at the very end asks later.
 *
 * Doors belong to the process.  The drivers of it share them, so a daemon that reads its
 * configuration anew, and gets another driver by that, keeps them; the last driver closes them.  A
 * daemon opens those again that one before it has left (stasis_migrate_doors_reopen), whether that
 * ended or died.
 *
 * A thread of each door takes connections; what is said on them is heard by those of two pools, so
 * that nobody who dawdles holds up another: askers, who may be anybody, no data.  Who asks about a
 * migration that did not come by this door can be told nothing, and is heard only where others have
 * room beside him: so nobody who does not know a token keeps a source from its answer.
 */

#include "config.h"

#include "driver/migrate-in-postcopy.h"
#include "driver/migrate-in-private.h"

#include <glib/gi18n-lib.h>

#include "driver/migrate-door.h"
#include "driver/migrate-prepared.h"
#include "driver/migrate-token.h"
#include "util/fd.h"

#define DOORS_MAX   16u
#define ASKERS      16
#define ASKERS_WAIT 64u
#define SENDERS     16
#define TICK_MS     60000
#define ASK_MS      5000 /* for a question, and for its answer */

struct _StasisMigrateDoors
{
  guint n_users; /* (guarded by process_lock) */
  GMutex ins_lock;
  GPtrArray *ins; /* (owned) (guarded by ins_lock) of StasisMigrateIns (borrowed), of each driver */
  GMutex lock;
  GPtrArray *open;           /* (guarded by lock) of Door (borrowed), each of which frees itself */
  GCond left;                /* one of them has gone */
  GCancellable *cancellable; /* (owned) the last driver ends */
  GThreadPool *askers;       /* (owned) (nullable) */
  GThreadPool *senders;      /* (owned) (nullable) */
};

typedef struct
{
  StasisMigrateDoors *doors;       /* (borrowed) */
  gboolean is_any;                 /* for who asks for no port */
  char *verdicts;                  /* (owned) */
  StasisMigrateListener *listener; /* (owned) */
  GCancellable *cancellable;       /* (owned) */
  GHashTable *tokens;              /* (owned) (guarded by doors->lock) whose migrations come here */
  gint64 used_us;                  /* (guarded by doors->lock) when the last one was added */
} Door;

static GMutex process_lock;
static StasisMigrateDoors *process_doors; /* (guarded by process_lock) (nullable) */

/* Somebody who has come. */
typedef struct
{
  int fd; /* (owned) */
  char token[STASIS_MIGRATE_TOKEN_DIGITS + 1];
  char *verdicts;                  /* (owned) */
  StasisMigrateIn *in;             /* (owned) (nullable) */
  StasisMigratePrepared *prepared; /* (owned) (nullable) */
  gboolean is_settled;
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
  g_hash_table_unref (door->tokens);
  g_free (door->verdicts);
  g_free (door);
}

/* Finish looks at the same file before it lets the guest run; QEMU is ended by who watches. */
static gboolean
judge (const char *token, StasisDoorQuestion question, gpointer data, StasisDoorAnswer *out_answer,
       GError **error)
{
  Visit *visit = data;
  StasisMigrateIn *in = visit->in;
  if (!stasis_migrate_door_judge (visit->verdicts, token, question, visit->prepared->name,
                                  visit->prepared->uuid, out_answer, error))
    return FALSE;
  if (question == STASIS_DOOR_WHOLE && *out_answer == STASIS_DOOR_BEGUN
      && stasis_migrate_in_lacks_memory (visit->prepared->run))
    *out_answer = STASIS_DOOR_WAITING;
  visit->is_settled = question == STASIS_DOOR_SETTLED;
  if (visit->is_settled)
    stasis_migrate_prepared_forget (visit->verdicts, token);
  if (in == NULL || *out_answer != STASIS_DOOR_REVOKED)
    return TRUE;
  g_atomic_int_set (&in->is_revoked, TRUE);
  g_cond_signal (&in->stirred);
  return TRUE;
}

static void
hear_asker (gpointer data, gpointer user_data)
{
  StasisMigrateDoors *doors = user_data;
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
  if (visit->is_settled)
    stasis_migrate_doors_look (doors);
}

static void
hear_sender (gpointer data, gpointer user_data)
{
  g_autoptr (Visit) visit = data;
  stasis_migrate_in_take_data (visit->in, visit->fd);
}

/* (transfer full) (nullable): of whichever driver. */
static StasisMigrateIn *
find_in (StasisMigrateDoors *doors, const char *token)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&doors->ins_lock);
  StasisMigrateIn *in = NULL;
  for (guint i = 0; i < doors->ins->len && in == NULL; i++)
    in = stasis_migrate_ins_find (g_ptr_array_index (doors->ins, i), token);
  return in;
}

static gboolean
has_come_by (const Door *door, const char *token)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&door->doors->lock);
  return g_hash_table_contains (door->tokens, token);
}

/* Half of those who listen are kept free of strangers. */
static gboolean
has_room (const Door *door, const char *token)
{
  const StasisMigrateDoors *doors = door->doors;
  const guint waiting = g_thread_pool_unprocessed (doors->askers);
  return has_come_by (door, token)
             ? waiting < ASKERS_WAIT
             : waiting == 0 && g_thread_pool_get_num_threads (doors->askers) < ASKERS / 2;
}

static void
welcome (const Door *door, int fd_take, StasisChannelPurpose purpose, const char *token)
{
  StasisMigrateDoors *doors = door->doors;
  g_autoptr (Visit) visit = g_new0 (Visit, 1);
  visit->fd = fd_take;
  g_strlcpy (visit->token, token, sizeof visit->token);
  visit->verdicts = g_strdup (door->verdicts);
  visit->in = find_in (doors, token);
  /* Who has to wait for QEMU keeps a descriptor meanwhile: so there is one for each migration. */
  if (purpose == STASIS_CHANNEL_DATA && visit->in != NULL
      && stasis_migrate_in_claim_data (visit->in))
    g_thread_pool_push (doors->senders, g_steal_pointer (&visit), NULL);
  else if (purpose == STASIS_CHANNEL_ASK && has_room (door, token))
    g_thread_pool_push (doors->askers, g_steal_pointer (&visit), NULL);
}

static gboolean
is_awaited (StasisMigrateDoors *doors, const char *token)
{
  g_autoptr (StasisMigrateIn) in = find_in (doors, token);
  return in != NULL;
}

/* With the lock held.  Of migrations that nobody can ask about any more nothing is remembered. */
static gboolean
is_needed (Door *door)
{
  GHashTableIter iter;
  gpointer token;
  g_hash_table_iter_init (&iter, door->tokens);
  while (g_hash_table_iter_next (&iter, &token, NULL))
    if (!is_awaited (door->doors, token)
        && !stasis_migrate_prepared_may_be_asked (door->verdicts, token))
      g_hash_table_iter_remove (&iter);
  return g_hash_table_size (door->tokens) > 0;
}

/* Nobody gets in any more, if it is to go. */
static gboolean
leave (Door *door, gboolean has_failed)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&door->doors->lock);
  if (!has_failed && is_needed (door))
    return FALSE;
  g_cancellable_cancel (door->cancellable);
  return TRUE;
}

void
stasis_migrate_doors_look (StasisMigrateDoors *doors)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&doors->lock);
  for (guint i = 0; i < doors->open->len; i++)
    {
      Door *door = g_ptr_array_index (doors->open, i);
      if (!is_needed (door))
        g_cancellable_cancel (door->cancellable);
    }
}

/* What it is told last: after this the doors may be gone. */
static void
close_door (Door *door)
{
  StasisMigrateDoors *doors = door->doors;
  g_mutex_lock (&doors->lock);
  g_ptr_array_remove (doors->open, door);
  door_free (door);
  g_cond_broadcast (&doors->left);
  g_mutex_unlock (&doors->lock);
}

static gpointer
serve (gpointer data)
{
  Door *door = data;
  /* A descriptor for all of its life: GLib ends the process where there is none for a new one. */
  g_cancellable_get_fd (door->cancellable);
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
  g_cancellable_release_fd (door->cancellable);
  close_door (door);
  return NULL;
}

static StasisMigrateDoors *
doors_new (void)
{
  StasisMigrateDoors *doors = g_new0 (StasisMigrateDoors, 1);
  g_mutex_init (&doors->ins_lock);
  doors->ins = g_ptr_array_new ();
  g_mutex_init (&doors->lock);
  g_cond_init (&doors->left);
  doors->open = g_ptr_array_new ();
  doors->cancellable = g_cancellable_new ();
  return doors;
}

/* Nobody is in a door any more when this returns. */
static void
doors_free (StasisMigrateDoors *doors)
{
  g_cancellable_cancel (doors->cancellable);
  g_mutex_lock (&doors->lock);
  for (guint i = 0; i < doors->open->len; i++)
    g_cancellable_cancel (((Door *) g_ptr_array_index (doors->open, i))->cancellable);
  while (doors->open->len > 0)
    g_cond_wait (&doors->left, &doors->lock);
  g_mutex_unlock (&doors->lock);
  if (doors->askers != NULL)
    {
      g_thread_pool_free (doors->askers, FALSE, TRUE);
      g_cancellable_release_fd (doors->cancellable);
    }
  if (doors->senders != NULL)
    g_thread_pool_free (doors->senders, FALSE, TRUE);
  g_ptr_array_unref (doors->open);
  g_ptr_array_unref (doors->ins);
  g_object_unref (doors->cancellable);
  g_mutex_clear (&doors->ins_lock);
  g_mutex_clear (&doors->lock);
  g_cond_clear (&doors->left);
  g_free (doors);
}

StasisMigrateDoors *
stasis_migrate_doors_join (StasisMigrateIns *ins)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&process_lock);
  if (process_doors == NULL)
    process_doors = doors_new ();
  process_doors->n_users++;
  g_mutex_lock (&process_doors->ins_lock);
  g_ptr_array_add (process_doors->ins, ins);
  g_mutex_unlock (&process_doors->ins_lock);
  return process_doors;
}

void
stasis_migrate_doors_leave (StasisMigrateDoors *doors, StasisMigrateIns *ins)
{
  g_mutex_lock (&doors->ins_lock);
  g_ptr_array_remove (doors->ins, ins);
  g_mutex_unlock (&doors->ins_lock);
  g_mutex_lock (&process_lock);
  const gboolean is_last = --doors->n_users == 0;
  if (is_last)
    process_doors = NULL;
  g_mutex_unlock (&process_lock);
  if (is_last)
    doors_free (doors);
}

/* @address: with a port */
static gboolean
is_at (const Door *door, const StasisMigrateAddress *address)
{
  const StasisMigrateAddress *bound = stasis_migrate_listener_get_address (door->listener);
  return g_strcmp0 (bound->path, address->path) == 0 && g_strcmp0 (bound->host, address->host) == 0
         && (bound->port == address->port || (address->port == 0 && door->is_any));
}

/* With the lock held, which it lets go of until one that is closing there has gone. */
static Door *
find (StasisMigrateDoors *doors, const StasisMigrateAddress *address, const char *verdicts)
{
  for (guint i = 0; i < doors->open->len; i++)
    {
      Door *door = g_ptr_array_index (doors->open, i);
      const gboolean is_closing = g_cancellable_is_cancelled (door->cancellable);
      if (!is_at (door, address) || (is_closing && address->port == 0 && address->path == NULL))
        continue;
      if (!is_closing && g_str_equal (door->verdicts, verdicts))
        return door;
      if (!is_closing)
        continue;
      g_cond_wait (&doors->left, &doors->lock);
      i = G_MAXUINT; /* from the beginning */
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
      if (oldest == NULL || door->used_us < oldest->used_us)
        oldest = door;
    }
  if (doors->open->len >= DOORS_MAX)
    g_cancellable_cancel (oldest->cancellable);
}

static gboolean
make_pools (StasisMigrateDoors *doors, GError **error)
{
  if (doors->askers == NULL)
    {
      doors->askers = g_thread_pool_new (hear_asker, doors, ASKERS, FALSE, error);
      if (doors->askers != NULL)
        g_cancellable_get_fd (doors->cancellable); /* as in serve() */
    }
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

/* One that is opened again serves like those of new migrations: else each end of a process would
 * leave one more. */
static gboolean
is_of_range (const StasisMigrateAddress *address)
{
  return address->path == NULL
         && (address->port == 0
             || (address->port >= STASIS_MIGRATE_PORT_FIRST
                 && address->port <= STASIS_MIGRATE_PORT_LAST));
}

/* A new one. */
static Door *
open_door (StasisMigrateDoors *doors, const StasisMigrateAddress *address, const char *verdicts,
           GError **error)
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
  door->is_any = is_of_range (address);
  door->verdicts = g_strdup (verdicts);
  door->listener = listener;
  door->cancellable = g_cancellable_new ();
  door->tokens = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_ptr_array_add (doors->open, door);
  g_thread_unref (g_thread_new ("migrate-door", serve, door));
  return door;
}

gboolean
stasis_migrate_doors_open (StasisMigrateDoors *doors, const StasisMigrateAddress *address,
                           const char *verdicts, const char *token,
                           StasisMigrateAddress **out_bound, GError **error)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&doors->lock);
  Door *door = find (doors, address, verdicts);
  if (door == NULL)
    door = open_door (doors, address, verdicts, error);
  if (door == NULL)
    return FALSE;
  door->used_us = g_get_monotonic_time ();
  g_hash_table_add (door->tokens, g_strdup (token));
  *out_bound = stasis_migrate_address_copy (stasis_migrate_listener_get_address (door->listener));
  return TRUE;
}

static void
reopen (StasisMigrateDoors *doors, const char *verdicts, const char *token)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisMigrateAddress) bound = NULL;
  g_autoptr (StasisMigratePrepared) prepared
      = stasis_migrate_prepared_read (verdicts, token, &error);
  if (prepared != NULL
      && stasis_migrate_doors_open (doors, prepared->door, verdicts, token, &bound, &error))
    return;
  g_warning (_ ("the source of a migration that came here cannot ask what became of it: %s"),
             error->message);
}

void
stasis_migrate_doors_reopen (StasisMigrateDoors *doors, const char *verdicts)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) tokens
      = stasis_paths_names (verdicts, STASIS_MIGRATE_PREPARED_SUFFIX, &error);
  if (tokens == NULL)
    g_warning ("%s", error->message);
  for (guint i = 0; tokens != NULL && i < tokens->len; i++)
    {
      const char *token = g_ptr_array_index (tokens, i);
      if (stasis_migrate_token_is_valid (token)
          && stasis_migrate_prepared_may_be_asked (verdicts, token))
        reopen (doors, verdicts, token);
    }
}
