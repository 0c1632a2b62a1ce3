/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * closer.c: closing what others have sent, off the first thread
 */

#include "config.h"

#include "remote/closer.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/fd.h"

/* Descriptors of one owner; of all readers, where connections have a limit of places instead. */
#define WAITING_MAX     256u
#define ALL_WAITING_MAX 4096u
#define READERS_THREADS 16u

typedef struct
{
  int fd; /* (owned) */
  gboolean is_connection;
} Item;

/* Of one owner, while he has anything to close. */
typedef struct
{
  StasisCloserOwner owner;
  GQueue items;    /* (owned) of Item */
  guint n_waiting; /* with the one that is being closed */
} Lane;

/* A thread lives as long as there is a lane that nobody works on. */
typedef struct
{
  const guint threads_max;
  guint n_threads;
  GQueue lanes; /* (borrowed) of Lane: have items, and no thread */
  guint n_waiting;
  guint n_connections;
} Crew;

static GMutex lock; /* guards the rest */
static GHashTable *all_lanes;
static Crew others = { .threads_max = 1 };
static Crew readers = { .threads_max = READERS_THREADS };

static Crew *
crew_of (StasisCloserOwner owner)
{
  return owner == STASIS_CLOSER_OTHERS ? &others : &readers;
}

static void
close_one (const Crew *crew, int fd)
{
  /* Nothing of a reader's is used, so it is nobody's loss that it does not wait. */
  if (crew == &readers)
    setsockopt (fd, SOL_SOCKET, SO_LINGER, &(struct linger){ 0 }, sizeof (struct linger));
  close (fd);
}

/* With the lock held: one of a lane that nobody else works on; others have their turn then. */
static void
work_on (Crew *crew, Lane *lane)
{
  g_autofree Item *item = g_queue_pop_head (&lane->items);
  g_mutex_unlock (&lock);
  close_one (crew, item->fd);
  g_mutex_lock (&lock);
  lane->n_waiting--;
  crew->n_waiting--;
  crew->n_connections -= item->is_connection ? 1 : 0;
  if (lane->n_waiting > 0)
    g_queue_push_tail (&crew->lanes, lane);
  else
    g_hash_table_remove (all_lanes, &lane->owner);
}

static gpointer
run (gpointer data)
{
  Crew *crew = data;
  Lane *lane;
  g_mutex_lock (&lock);
  while ((lane = g_queue_pop_head (&crew->lanes)) != NULL)
    work_on (crew, lane);
  crew->n_threads--;
  g_mutex_unlock (&lock);
  return NULL;
}

/* With the lock held, where a lane waits for one.  Nobody joins it: it may never end.  If it cannot
 * be had for now that is tried again. */
static void
begin_thread (Crew *crew)
{
  if (crew->lanes.length == 0 || crew->n_threads >= crew->threads_max)
    return;
  GThread *thread = g_thread_try_new ("closer", run, crew, NULL);
  if (thread == NULL)
    return;
  crew->n_threads++;
  g_thread_unref (thread);
}

/* With the lock held. */
static Lane *
find (StasisCloserOwner owner)
{
  return all_lanes != NULL ? g_hash_table_lookup (all_lanes, &owner) : NULL;
}

/* With the lock held. */
static Lane *
get_lane (StasisCloserOwner owner)
{
  Lane *lane = find (owner);
  if (lane != NULL)
    return lane;
  if (all_lanes == NULL)
    all_lanes = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, g_free);
  lane = g_new0 (Lane, 1);
  lane->owner = owner;
  g_hash_table_insert (all_lanes, &lane->owner, lane);
  return lane;
}

static void
take (StasisCloserOwner owner, int fd_take, gboolean is_connection)
{
  Crew *crew = crew_of (owner);
  Item *item = g_new (Item, 1);
  *item = (Item){ fd_take, is_connection };
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&lock);
  Lane *lane = get_lane (owner);
  g_queue_push_tail (&lane->items, item);
  crew->n_waiting++;
  crew->n_connections += is_connection ? 1 : 0;
  if (lane->n_waiting++ == 0)
    g_queue_push_tail (&crew->lanes, lane);
  begin_thread (crew);
}

/* One more. */
void
stasis_closer_take (StasisCloserOwner owner, int fd_take)
{
  const int kept = errno;
  if (fd_take >= 0)
    take (owner, fd_take, FALSE);
  errno = kept;
}

guint
stasis_closer_waiting (StasisCloserOwner owner)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&lock);
  const Lane *lane = find (owner);
  return lane != NULL ? lane->n_waiting : 0;
}

/* One user alone does not get to the limit of all. */
gboolean
stasis_closer_is_full (StasisCloserOwner owner)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&lock);
  const Lane *lane = find (owner);
  Crew *crew = crew_of (owner);
  begin_thread (crew);
  return crew->n_waiting - crew->n_connections >= ALL_WAITING_MAX
         || (lane != NULL && lane->n_waiting >= WAITING_MAX);
}

guint
stasis_closer_n_connections (void)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&lock);
  return readers.n_connections;
}

/* Once it is shut down nothing more comes into it. */
void
stasis_closer_hang_up (StasisCloserOwner owner, int *socket)
{
  int left = 0;
  if (*socket < 0)
    return;
  shutdown (*socket, SHUT_RDWR);
  if (ioctl (*socket, FIONREAD, &left) == 0 && left == 0)
    stasis_fd_clear (socket);
  else
    take (owner, stasis_fd_steal (socket), TRUE);
}
