/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guests-start.c: the guests that ran before the host shut down, and those marked autostart
 *
 * An entry of the list (guests-list.c) goes once its domain runs; one that fails stays, with the
 * reason, and is tried again the next time.  A managed image is never dropped here.
 */

#include "config.h"

#include <glib/gi18n-lib.h>

#include "driver/autostart.h"
#include "driver/domain-private.h"
#include "driver/guests-list.h"
#include "driver/guests.h"
#include "driver/look.h"
#include "util/fault.h"

static void
drop (StasisGuestsRun *run, const char *name, const char *why)
{
  g_autoptr (GError) reason = g_error_new_literal (STASIS_ERROR, STASIS_ERROR_INVALID_STATE, why);
  stasis_guests_list_remove (run->driver, name);
  stasis_guests_tell (run, name, STASIS_GUEST_DROPPED, reason);
}

/* From its image, or by booting it; TRUE where it runs. */
static gboolean
start (StasisGuestsRun *run, StasisDomain *domain, GError **error)
{
  const char *name = stasis_domain_get_name (domain);
  g_autofree char *image = stasis_domain_get_managed_save_path (domain);
  stasis_guests_tell (run, name, STASIS_GUEST_STARTING, NULL);
  if (!stasis_fault ("guest-start", error)
      || !stasis_domain_start (domain, STASIS_START_NONE, NULL, NULL, run->cancellable, error))
    return FALSE;
  stasis_guests_tell (run, name, image != NULL ? STASIS_GUEST_RESTORED : STASIS_GUEST_BOOTED, NULL);
  return TRUE;
}

/* The domain of an entry, if it is to be brought back. */
static StasisDomain *
wanted_domain (StasisGuestsRun *run, const StasisGuest *guest)
{
  g_autoptr (StasisDomain) domain = stasis_driver_lookup_by_name (run->driver, guest->name, NULL);
  if (domain == NULL)
    {
      drop (run, guest->name, _ ("there is no such domain any more"));
      return NULL;
    }
  if (guest->uuid != NULL && !g_str_equal (guest->uuid, stasis_domain_get_uuid (domain)))
    {
      drop (run, guest->name, _ ("another domain has its name now"));
      return NULL;
    }
  g_autofree char *image = stasis_domain_get_managed_save_path (domain);
  g_autoptr (StasisStatus) status = NULL;
  const gboolean is_known = stasis_domain_look (domain, &status, NULL);
  if (is_known && status != NULL && status->journal.step != STASIS_STEP_START)
    {
      stasis_guests_list_remove (run->driver, guest->name);
      return NULL;
    }
  if (is_known && image == NULL && guest->state == STASIS_GUEST_STATE_SAVED)
    {
      drop (run, guest->name, _ ("its managed save image is gone"));
      return NULL;
    }
  return g_steal_pointer (&domain);
}

static void
bring_back (StasisGuestsRun *run, gpointer item)
{
  const StasisGuest *guest = item;
  g_autoptr (StasisDomain) domain = wanted_domain (run, guest);
  if (domain == NULL)
    return;

  /* It starts with the host all the same. */
  g_autoptr (GError) unused = NULL;
  if (!stasis_autostart_use_up (domain, &unused))
    g_debug ("%s", unused->message);
  g_autoptr (GError) error = NULL;
  if (start (run, domain, &error))
    {
      stasis_guests_list_remove (run->driver, guest->name);
      return;
    }
  g_autoptr (GError) local = NULL;
  if (!g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED)
      && !stasis_guests_list_set (run->driver, guest->name, stasis_domain_get_uuid (domain),
                                  guest->state, error->message, &local))
    g_debug ("%s", local->message);
  stasis_guests_tell (run, guest->name, STASIS_GUEST_NOT_STARTED, error);
}

static void
autostart (StasisGuestsRun *run, gpointer item)
{
  StasisDomain *domain = item;
  g_autoptr (GError) error = NULL;
  if (!stasis_autostart_use_up (domain, &error) || !start (run, domain, &error))
    stasis_guests_tell (run, stasis_domain_get_name (domain), STASIS_GUEST_NOT_STARTED, error);
}

/* Those marked and off, of which none has failed as a @guest just now. */
static GPtrArray *
marked_domains (StasisDriver *driver, GPtrArray *guests, GError **error)
{
  g_autoptr (GPtrArray) domains = stasis_autostart_list (driver, error);
  for (guint g = 0; domains != NULL && g < guests->len; g++)
    for (guint d = domains->len; d-- > 0;)
      if (g_str_equal (stasis_domain_get_name (g_ptr_array_index (domains, d)),
                       ((const StasisGuest *) g_ptr_array_index (guests, g))->name))
        g_ptr_array_remove_index (domains, d);
  return g_steal_pointer (&domains);
}

/* What ran is not wanted back: the list is void, images stay. */
static void
ignore_guests (StasisGuestsRun *run, GPtrArray *guests)
{
  for (guint i = 0; i < guests->len; i++)
    drop (run, ((const StasisGuest *) g_ptr_array_index (guests, i))->name,
          _ ("guests are not brought back ([guests] on-boot=ignore)"));
  g_ptr_array_set_size (guests, 0);
}

/**
 * stasis_driver_start_guests:
 * @self: a driver
 * @report: (nullable) (scope call): told of each guest
 * @user_data: for @report
 * @cancellable: (nullable): calls it off; what has not been started stays on the list
 * @error: return location
 *
 * Brings back what stasis_driver_stop_guests() has stopped, then starts what is marked autostart
 * and does not run.  Blocks; another process that does so, or stops guests, is waited for.
 *
 * Returns: %TRUE if all of them run
 */
gboolean
stasis_driver_start_guests (StasisDriver *self, StasisGuestFunc report, gpointer user_data,
                            GCancellable *cancellable, GError **error)
{
  const StasisDriverOps *ops = stasis_driver_get_ops (self);
  if (ops != NULL)
    return ops->start_guests (self, report, user_data, cancellable, error);

  g_auto (StasisGuestsRun) run = { 0 };
  if (!stasis_guests_begin (&run, self, report, user_data, cancellable, error))
    return FALSE;
  g_autoptr (GPtrArray) guests = stasis_guests_list_load (self, error);
  if (guests == NULL)
    return FALSE;
  const StasisGuestsConfig *config = &self->host->guests;
  if (config->ignores_at_boot)
    ignore_guests (&run, guests);
  stasis_guests_each (&run, guests, config->start_delay, bring_back);

  g_autoptr (GPtrArray) marked = marked_domains (self, guests, error);
  if (marked == NULL)
    return FALSE;
  stasis_guests_each (&run, marked, config->start_delay, autostart);
  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return FALSE;
  if (run.n_failed == 0)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_FAILED, _ ("%1$u of %2$u guests did not start"),
               run.n_failed, guests->len + marked->len);
  return FALSE;
}

/**
 * stasis_driver_list_guests:
 * @self: a driver
 * @error: return location
 *
 * Returns: (element-type StasisGuest) (transfer full): what stasis_driver_start_guests() would
 * bring back, by name
 */
GPtrArray *
stasis_driver_list_guests (StasisDriver *self, GError **error)
{
  const StasisDriverOps *ops = stasis_driver_get_ops (self);
  if (ops != NULL)
    return ops->list_guests (self, error);

  GPtrArray *guests = stasis_guests_list_load (self, error);
  for (guint i = guests != NULL ? guests->len : 0; i-- > 0;)
    {
      const StasisGuest *guest = g_ptr_array_index (guests, i);
      g_autoptr (StasisStatus) status = NULL;
      if (stasis_look (self, guest->name, &status, NULL) == STASIS_LOOK_ACTIVE)
        g_ptr_array_remove_index (guests, i);
    }
  return guests;
}
