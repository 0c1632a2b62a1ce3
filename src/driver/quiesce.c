/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * quiesce.c: freeze the guest's file systems before it is paused
 *
 * Theory of operation
 *
 * A frozen file system has everything on the disk that it calls written, so an image, or a copy of
 * the disk of that moment, needs no journal replayed.  It also hangs its guest: that the status
 * file names the agent's socket, from before the freeze is sent until the thaw was answered, has
 * whoever lets the guest run again thaw it (thaw.c), in whatever process.  An image of a frozen
 * guest says so, and its restore writes the same note before that guest runs.
 */

#include "config.h"

#include "driver/quiesce.h"

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/agent-channel.h"
#include "driver/thaw.h"
#include "image/facts.h"
#include "monitor/commands-run.h"
#include "util/fault.h"

/* Whether an image of that kind can say that its guest is frozen. */
gboolean
stasis_quiesce_check_kind (StasisImageKind kind, GError **error)
{
  if (kind == STASIS_IMAGE_KIND_STASIS || kind == STASIS_IMAGE_KIND_STASIS_STREAM)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
               _ ("an image of the kind '%1$s' cannot say that the file systems of its guest are "
                  "frozen, and nobody would thaw them; 'stasis' and 'stasis-stream' can"),
               stasis_image_kind_to_string (kind));
  return FALSE;
}

static gboolean
check_runs (const StasisDomainDef *def, StasisMonitor *monitor, GCancellable *cancellable,
            GError **error)
{
  StasisRunState state;
  if (!stasis_monitor_query_status (monitor, &state, cancellable, error))
    return FALSE;
  if (state == STASIS_RUN_STATE_RUNNING)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
               _ ("domain '%1$s' does not run (it is in the state '%2$s'), so its guest agent "
                  "cannot freeze its file systems"),
               def->name, stasis_run_state_to_string (state));
  return FALSE;
}

static gboolean
check_offer (const StasisDomainDef *def, StasisAgent *agent, GCancellable *cancellable,
             GError **error)
{
  static const char *const commands[]
      = { "guest-fsfreeze-status", "guest-fsfreeze-freeze", "guest-fsfreeze-thaw" };
  g_autoptr (StasisJson) info = stasis_agent_info (agent, cancellable, error);
  if (info == NULL)
    return FALSE;
  for (gsize i = 0; i < G_N_ELEMENTS (commands); i++)
    if (!stasis_agent_info_has (info, commands[i]))
      {
        g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                     _ ("the guest agent of domain '%1$s' does not offer '%2$s'"), def->name,
                     commands[i]);
        return FALSE;
      }
  return TRUE;
}

static gboolean
check_thawed (const StasisDomainDef *def, StasisAgent *agent, GCancellable *cancellable,
              GError **error)
{
  gboolean is_frozen = FALSE;
  if (!stasis_agent_fs_status (agent, &is_frozen, cancellable, error))
    return FALSE;
  if (!is_frozen)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
               _ ("the file systems of domain '%1$s' are frozen already; 'domfsthaw %1$s' thaws "
                  "them"),
               def->name);
  return FALSE;
}

/* Whether it can be done. */
gboolean
stasis_quiesce_check (const StasisDomainDef *def, StasisMonitor *monitor, GCancellable *cancellable,
                      GError **error)
{
  /* What is wrong with the definition is said first. */
  if (stasis_agent_channel_socket (def, error) == NULL
      || !check_runs (def, monitor, cancellable, error))
    return FALSE;
  g_autoptr (StasisAgent) agent
      = stasis_agent_channel_open (def, monitor, /* wait_ms= */ 0, cancellable, error);
  return agent != NULL && check_thawed (def, agent, cancellable, error)
         && check_offer (def, agent, cancellable, error);
}

/* Freeze. */
gboolean
stasis_quiesce_begin (StasisHold *hold, const StasisDomainDef *def, StasisMonitor *monitor,
                      GCancellable *cancellable, GError **error)
{
  g_autoptr (StasisAgent) agent
      = stasis_agent_channel_open (def, monitor, /* wait_ms= */ 0, cancellable, error);
  if (agent == NULL)
    return FALSE;
  g_free (hold->status->frozen);
  hold->status->frozen = g_strdup (stasis_agent_channel_socket (def, NULL));
  guint n_frozen = 0;
  if (!stasis_hold_write (hold, error) || !stasis_fault ("quiesce-noted", error)
      || !stasis_agent_fs_freeze (agent, &n_frozen, cancellable, error))
    return FALSE;
  g_debug ("%u file systems are frozen", n_frozen);
  return stasis_fault ("quiesce-frozen", error);
}

/* Thaw. */
void
stasis_quiesce_end (StasisHold *hold)
{
  stasis_thaw_if_frozen (hold->folder, hold->status);
}

/* Of a guest that comes from an image. */
void
stasis_quiesce_note (StasisStatus *status, const StasisDomainDef *def, const StasisImage *image)
{
  const StasisJson *facts = image != NULL ? stasis_image_qemu_facts (image) : NULL;
  if (!stasis_json_boolean (stasis_json_get (facts, STASIS_IMAGE_FACTS_FROZEN), FALSE))
    return;
  g_autoptr (GError) error = NULL;
  const char *socket = stasis_agent_channel_socket (def, &error);
  if (socket == NULL)
    g_warning (
        _ ("the file systems of domain '%1$s' are frozen in its image, and it cannot be told "
           "to thaw them: %2$s"),
        def->name, error->message);
  g_free (status->frozen);
  status->frozen = g_strdup (socket);
}
