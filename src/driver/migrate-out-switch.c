/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-out-switch.c: the switch to postcopy, and its break, from whatever process
 *
 * Who asks is seldom the one that migrates.  So the supervisor tells QEMU, by a connection of its
 * own; QEMU then waits before the switch as before the end of precopy, and whoever migrates writes
 * the journal and lets it go on (migrate-out-perform.c).  Behind the switch nothing can be taken
 * back, but QEMU can be told to break the connection off: it is as if the network had failed.
 */

#include "config.h"

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/domain-private.h"
#include "driver/migrate-out.h"
#include "driver/migrate-settle.h"

#define ASK_MS 2000

static gboolean
check (const StasisStatus *status, GError **error)
{
  const StasisStep step = status->journal.step;
  const StasisMigrateJournal *migration = status->journal.migration;
  const gboolean is_out
      = migration != NULL
        && (step == STASIS_STEP_MIGRATE_SENDING || step == STASIS_STEP_MIGRATE_HANDED);
  if (is_out && (migration->flags & STASIS_MIGRATE_POSTCOPY) != 0)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
               is_out ? _ ("the migration of domain '%s' was begun without --postcopy")
                      : _ ("no migration of domain '%s' goes on that could switch to post-copy"),
               status->name);
  return FALSE;
}

gboolean
stasis_migrate_out_start_postcopy (StasisDomain *domain, GError **error)
{
  g_autoptr (StasisStatus) status = stasis_domain_need_status (domain, error);
  g_autoptr (StasisControl) control
      = status != NULL && check (status, error) ? stasis_domain_open_control (domain, error) : NULL;
  return control != NULL && stasis_control_migrate_postcopy (control, error);
}

static gboolean
check_switched (const StasisStatus *status, GError **error)
{
  const StasisMigrateJournal *migration = status->journal.migration;
  if (migration != NULL && status->journal.step == STASIS_STEP_MIGRATE_HANDED
      && migration->is_postcopy)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
               _ ("no migration of domain '%s' goes on here that has switched to post-copy"),
               status->name);
  return FALSE;
}

/* Before it has the guest's devices QEMU there ends by it, and nobody has the guest. */
static gboolean
check_begun (const StasisStatus *status, GError **error)
{
  StasisDoorAnswer answer = STASIS_DOOR_UNKNOWN;
  if (!stasis_migrate_settle_ask_as (status->journal.migration, STASIS_DOOR_STATUS, ASK_MS, NULL,
                                     &answer, error))
    return FALSE;
  if (answer == STASIS_DOOR_BEGUN)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
               _ ("domain '%s' has not begun at its destination yet: try again"), status->name);
  return FALSE;
}

gboolean
stasis_migrate_out_pause_postcopy (StasisDomain *domain, GError **error)
{
  g_autoptr (StasisStatus) status = stasis_domain_need_status (domain, error);
  g_autoptr (StasisControl) control
      = status != NULL && check_switched (status, error) && check_begun (status, error)
            ? stasis_domain_open_control (domain, error)
            : NULL;
  return control != NULL && stasis_control_migrate_pause (control, error);
}
