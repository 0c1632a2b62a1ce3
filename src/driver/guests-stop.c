/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guests-stop.c: all guests, before the host shuts down
 *
 * Theory of operation
 *
 * First every persistent domain that runs is put on the list (guests-list.c), on disk.  From then
 * on it does not matter where this process dies: who stops the guests again finds what still runs,
 * and who starts them finds for each domain of the list that it runs, has an image, or ran until
 * the host went down.  An image that was written after the list, but not noted there, is found all
 * the same.
 *
 * Where the configuration wants it, a guest with an agent is frozen for its save.  One that is not
 * to be had for that is better saved as it is than not at all.
 *
 * Saves that go on at once may lack room of which each alone has enough: such a guest is tried
 * again when the others are done.
 *
 * A guest that cannot be saved goes on, as with any other save; it is asked to shut down then,
 * unless the configuration says to leave it.  None is ever ended without its own doing.
 */

#include "config.h"

#include <glib/gi18n-lib.h>

#include "driver/agent-channel.h"
#include "driver/domain-private.h"
#include "driver/guests-list.h"
#include "driver/guests.h"
#include "util/fault.h"
#include "util/fd.h"
#include "util/process.h"

#define BUSY_US  (30 * G_USEC_PER_SEC) /* for somebody else's job to end */
#define RETRY_US (G_USEC_PER_SEC / 2)

typedef gboolean (*DomainFunc) (StasisGuestsRun *run, StasisDomain *domain, GError **error);

/* Whatever holds the domain, it may be short. */
static gboolean
do_when_free (StasisGuestsRun *run, StasisDomain *domain, DomainFunc func, GError **error)
{
  const gint64 deadline = g_get_monotonic_time () + BUSY_US;
  for (;;)
    {
      g_autoptr (GError) local = NULL;
      if (func (run, domain, &local))
        return TRUE;
      const gint64 now = g_get_monotonic_time ();
      if (!g_error_matches (local, STASIS_ERROR, STASIS_ERROR_BUSY) || now >= deadline
          || g_cancellable_is_cancelled (run->cancellable))
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
      stasis_guests_wait (run, -1, now + RETRY_US);
    }
}

static gboolean
save (StasisGuestsRun *run, StasisDomain *domain, GError **error)
{
  return stasis_domain_managed_save (domain, STASIS_SAVE_STILL, NULL, NULL, run->cancellable,
                                     error);
}

static gboolean
save_quiesced (StasisGuestsRun *run, StasisDomain *domain, GError **error)
{
  return stasis_domain_managed_save (domain, STASIS_SAVE_STILL | STASIS_SAVE_QUIESCE, NULL, NULL,
                                     run->cancellable, error);
}

/* It runs and has a channel for an agent; whether there is one turns out. */
static gboolean
may_quiesce (StasisDomain *domain)
{
  StasisDomainState state = STASIS_DOMAIN_NOSTATE;
  if (!stasis_domain_get_state (domain, &state, NULL, NULL) || state != STASIS_DOMAIN_RUNNING)
    return FALSE;
  g_autoptr (StasisDomainDef) def = stasis_domain_load_live (domain, NULL);
  return def != NULL && stasis_agent_channel_find (def) != NULL;
}

static gboolean
ask (StasisGuestsRun *run, StasisDomain *domain, GError **error)
{
  return stasis_domain_shutdown (domain, error);
}

/* FALSE also where that cannot be told. */
static gboolean
is_off (StasisDomain *domain)
{
  g_autoptr (StasisStatus) status = NULL;
  return stasis_domain_look (domain, &status, NULL) && status == NULL;
}

/* Its guest has shut down or crashed, and is kept to be looked at. */
static gboolean
has_ended (StasisDomain *domain)
{
  StasisDomainState state = STASIS_DOMAIN_NOSTATE;
  return stasis_domain_get_state (domain, &state, NULL, NULL)
         && (state == STASIS_DOMAIN_SHUTDOWN || state == STASIS_DOMAIN_CRASHED
             || state == STASIS_DOMAIN_SHUTOFF);
}

/* What was noted at the beginning does as well, should this fail. */
static void
note (StasisGuestsRun *run, StasisDomain *domain, StasisGuestState state)
{
  g_autoptr (GError) error = NULL;
  if (stasis_domain_is_persistent (domain)
      && !stasis_guests_list_set (run->driver, stasis_domain_get_name (domain),
                                  stasis_domain_get_uuid (domain), state, NULL, &error))
    g_debug ("%s", error->message);
}

/* Whoever has ended it: an image that is there is brought back. */
static void
tell_ended (StasisGuestsRun *run, StasisDomain *domain)
{
  const char *name = stasis_domain_get_name (domain);
  g_autofree char *image = stasis_domain_get_managed_save_path (domain);
  if (image == NULL)
    stasis_guests_list_remove (run->driver, name);
  stasis_guests_tell (run, name, image != NULL ? STASIS_GUEST_SAVED : STASIS_GUEST_ENDED, NULL);
}

/* Until QEMU has ended. */
static gboolean
wait_for_end (StasisGuestsRun *run, StasisDomain *domain, GError **error)
{
  const guint timeout_s = run->driver->host->guests.shutdown_timeout;
  const gint64 deadline = timeout_s != 0 ? g_get_monotonic_time () + timeout_s * G_USEC_PER_SEC : 0;
  g_autoptr (StasisStatus) status = NULL;
  if (!stasis_domain_look (domain, &status, error))
    return FALSE;
  if (status == NULL)
    return TRUE;
  g_autoptr (GError) local = NULL;
  stasis_autofd int pidfd = stasis_process_open (&status->qemu, &local);
  if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND)
      || (pidfd >= 0 && stasis_guests_wait (run, pidfd, deadline)))
    return TRUE;
  if (pidfd < 0)
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  if (!g_cancellable_set_error_if_cancelled (run->cancellable, error))
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_FAILED,
                 _ ("it has not shut down within %u s ([guests] shutdown-timeout)"), timeout_s);
  return FALSE;
}

static void
shut_down (StasisGuestsRun *run, StasisDomain *domain)
{
  if (has_ended (domain))
    {
      tell_ended (run, domain);
      return;
    }
  const char *name = stasis_domain_get_name (domain);
  g_autoptr (GError) error = NULL;
  stasis_guests_tell (run, name, STASIS_GUEST_SHUTTING_DOWN, NULL);
  note (run, domain, STASIS_GUEST_STATE_SHUT_DOWN);
  if (do_when_free (run, domain, ask, &error) && wait_for_end (run, domain, &error))
    stasis_guests_tell (run, name, STASIS_GUEST_SHUT_DOWN, NULL);
  else if (is_off (domain))
    tell_ended (run, domain);
  else
    {
      note (run, domain, STASIS_GUEST_STATE_RAN);
      stasis_guests_tell (run, name, STASIS_GUEST_LEFT, error);
    }
}

/* What a second try would not make better. */
static gboolean
is_final (const StasisGuestsRun *run, StasisDomain *domain, const GError *error)
{
  return g_cancellable_is_cancelled (run->cancellable) || has_ended (domain)
         || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE);
}

/* Frozen, where that is wanted and can be. */
static gboolean
save_somehow (StasisGuestsRun *run, StasisDomain *domain, GError **error)
{
  if (!run->driver->host->guests.quiesces || !may_quiesce (domain))
    return do_when_free (run, domain, save, error);
  g_autoptr (GError) local = NULL;
  if (do_when_free (run, domain, save_quiesced, &local))
    return TRUE;
  if (is_final (run, domain, local))
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  stasis_guests_tell (run, stasis_domain_get_name (domain), STASIS_GUEST_NOT_QUIESCED, local);
  return do_when_free (run, domain, save, error);
}

/* A guest that cannot be saved. */
typedef struct
{
  StasisDomain *domain; /* (borrowed) */
  GError *error;        /* (owned) */
} Unsaved;

static void
unsaved_free (gpointer data)
{
  Unsaved *unsaved = data;
  g_error_free (unsaved->error);
  g_free (unsaved);
}

static void
give_up (StasisGuestsRun *run, gpointer item)
{
  const Unsaved *unsaved = item;
  if (has_ended (unsaved->domain))
    tell_ended (run, unsaved->domain);
  else if (run->driver->host->guests.leaves_unsaved
           || g_cancellable_is_cancelled (run->cancellable))
    stasis_guests_tell (run, stasis_domain_get_name (unsaved->domain), STASIS_GUEST_LEFT,
                        unsaved->error);
  else
    {
      stasis_guests_tell (run, stasis_domain_get_name (unsaved->domain), STASIS_GUEST_NOT_SAVED,
                          unsaved->error);
      shut_down (run, unsaved->domain);
    }
}

static gboolean
try_to_save (StasisGuestsRun *run, StasisDomain *domain, GError **error)
{
  const char *name = stasis_domain_get_name (domain);
  stasis_guests_tell (run, name, STASIS_GUEST_SAVING, NULL);
  if (!save_somehow (run, domain, error))
    return FALSE;
  note (run, domain, STASIS_GUEST_STATE_SAVED);
  stasis_guests_tell (run, name, STASIS_GUEST_SAVED, NULL);
  return TRUE;
}

/* Of all that goes wrong when something is written it may be for want of room: of a disk that is
 * full QEMU has more than one thing to say. */
static gboolean
may_want_room (const StasisGuestsRun *run, const GError *error)
{
  return !g_cancellable_is_cancelled (run->cancellable)
         && (error->domain == G_IO_ERROR
             || g_error_matches (error, STASIS_ERROR, STASIS_ERROR_QEMU));
}

static void
save_or_shut_down (StasisGuestsRun *run, StasisDomain *domain)
{
  Unsaved unsaved = { .domain = domain };
  if (try_to_save (run, domain, &unsaved.error))
    return;
  if (may_want_room (run, unsaved.error))
    {
      g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&run->telling);
      g_ptr_array_add (run->cramped, g_memdup2 (&unsaved, sizeof unsaved));
      return;
    }
  give_up (run, &unsaved);
  g_error_free (unsaved.error);
}

static void
stop_one (StasisGuestsRun *run, gpointer item)
{
  StasisDomain *domain = item;
  if (run->driver->host->guests.shuts_down || !stasis_domain_is_persistent (domain))
    shut_down (run, domain);
  else
    save_or_shut_down (run, domain);
}

/* A save that fails for want of room has taken some that another one could have used: one after the
 * other only those fail for which there is none. */
static void
save_alone (StasisGuestsRun *run, GPtrArray *cramped)
{
  for (guint i = 0; i < cramped->len && !g_cancellable_is_cancelled (run->cancellable);)
    {
      Unsaved *unsaved = g_ptr_array_index (cramped, i);
      GError *error = NULL;
      if (has_ended (unsaved->domain))
        i++;
      else if (try_to_save (run, unsaved->domain, &error))
        g_ptr_array_remove_index (cramped, i);
      else
        {
          g_error_free (unsaved->error);
          unsaved->error = error;
          i++;
        }
    }
}

static void
stop_all (StasisGuestsRun *run, GPtrArray *domains)
{
  run->cramped = g_ptr_array_new_with_free_func (unsaved_free);
  stasis_guests_each (run, domains, /* delay_s= */ 0, stop_one);
  if (domains->len > 1)
    save_alone (run, run->cramped);
  if (run->cramped->len > 0)
    stasis_guests_each (run, run->cramped, /* delay_s= */ 0, give_up);
}

/* What an earlier stop has left of a domain that is off now.  One that has no image and was not
 * asked to shut down was ended by somebody since. */
static void
settle (StasisGuestsRun *run, const StasisGuest *guest)
{
  if (guest->state == STASIS_GUEST_STATE_RAN && guest->message == NULL)
    stasis_guests_list_remove (run->driver, guest->name);
  else if (guest->state == STASIS_GUEST_STATE_SAVED && guest->uuid != NULL)
    stasis_guests_list_set (run->driver, guest->name, guest->uuid, guest->state, guest->message,
                            NULL);
}

static void
settle_list (StasisGuestsRun *run)
{
  g_autoptr (GPtrArray) guests = stasis_guests_list_load (run->driver, NULL);
  for (guint i = 0; guests != NULL && i < guests->len; i++)
    {
      const StasisGuest *guest = g_ptr_array_index (guests, i);
      g_autoptr (StasisDomain) domain = stasis_domain_new (run->driver, guest->name, NULL);
      if (is_off (domain))
        settle (run, guest);
    }
}

/* It ran; a guest that cannot be noted is better saved than not. */
static void
list_domains (StasisGuestsRun *run, GPtrArray *domains)
{
  for (guint i = 0; i < domains->len; i++)
    {
      StasisDomain *domain = g_ptr_array_index (domains, i);
      const char *name = stasis_domain_get_name (domain);
      g_autoptr (GError) error = NULL;
      if (stasis_domain_is_persistent (domain)
          && !stasis_guests_list_set (run->driver, name, stasis_domain_get_uuid (domain),
                                      STASIS_GUEST_STATE_RAN, NULL, &error))
        stasis_guests_tell (run, name, STASIS_GUEST_NOT_LISTED, error);
    }
}

/* Where it was called off the guests that run are nobody's to bring back. */
static void
unlist_running (StasisGuestsRun *run, GPtrArray *domains)
{
  for (guint i = 0; i < domains->len; i++)
    if (!is_off (g_ptr_array_index (domains, i)))
      stasis_guests_list_remove (run->driver,
                                 stasis_domain_get_name (g_ptr_array_index (domains, i)));
}

/**
 * stasis_driver_stop_guests:
 * @self: a driver
 * @report: (nullable) (scope call): told of each guest
 * @user_data: for @report
 * @cancellable: (nullable): calls it off; guests whose save is not complete go on
 * @error: return location
 *
 * Saves every running domain to its managed image, or asks it to shut down, as [guests] of
 * stasis.conf says, and notes for stasis_driver_start_guests() that it ran.  Transient domains are
 * asked to shut down.  Blocks; another process that does so, or starts guests, is waited for.
 *
 * Returns: %TRUE if none runs any more of those that ran
 */
gboolean
stasis_driver_stop_guests (StasisDriver *self, StasisGuestFunc report, gpointer user_data,
                           GCancellable *cancellable, GError **error)
{
  const StasisDriverOps *ops = stasis_driver_get_ops (self);
  if (ops != NULL)
    return ops->stop_guests (self, report, user_data, cancellable, error);

  g_auto (StasisGuestsRun) run = { 0 };
  if (!stasis_guests_begin (&run, self, report, user_data, cancellable, error))
    return FALSE;
  settle_list (&run);
  g_autoptr (GPtrArray) domains = stasis_driver_list (self, STASIS_LIST_ACTIVE, error);
  if (domains == NULL)
    return FALSE;

  list_domains (&run, domains);
  if (!stasis_fault ("guests-listed", error))
    return FALSE;
  stop_all (&run, domains);
  if (g_cancellable_is_cancelled (cancellable))
    unlist_running (&run, domains);
  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return FALSE;
  if (run.n_failed == 0)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_FAILED,
               _ ("%1$u of %2$u guests were not stopped as they should be"), run.n_failed,
               domains->len);
  return FALSE;
}
