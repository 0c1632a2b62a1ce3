/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * agent-channel.c: the way to the guest agent of a running domain
 *
 * Theory of operation
 *
 * QEMU listens on the socket and serves one client; others are queued by the kernel, and would wait
 * without knowing it.  So QEMU is asked first (`query-chardev`): "frontend-open" tells whether an
 * agent in the guest has the port open, and a file name that begins with "disconnected:" that
 * nobody has the socket.  Our own commands follow each other under the domain's lock, but QEMU
 * takes a moment to notice that the last client has gone.  One that comes in between our question
 * and our connection makes us wait for the agent's first answer in vain.
 */

#include "config.h"

#include "driver/agent-channel.h"

#include <poll.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "monitor/commands-query.h"
#include "util/fd.h"

#define TURN_MS 3000 /* for another client to go */
#define NAP_MS  20

typedef enum
{
  FREE,
  NO_AGENT,
  TAKEN,
} Place;

/* The agent's channel. */
const StasisChardevDef *
stasis_agent_channel_find (const StasisDomainDef *def)
{
  for (guint i = 0; i < def->channels->len; i++)
    {
      const StasisChardevDef *channel = g_ptr_array_index (def->channels, i);
      if (g_strcmp0 (channel->target_name, STASIS_AGENT_CHANNEL) == 0)
        return channel;
    }
  return NULL;
}

/* Its socket. */
const char *
stasis_agent_channel_socket (const StasisDomainDef *def, GError **error)
{
  const StasisChardevDef *channel = stasis_agent_channel_find (def);
  if (channel == NULL)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                   _ ("domain '%1$s' has no channel '%2$s' for a guest agent: its definition needs "
                      "<channel type='unix'><target type='virtio' name='%2$s'/></channel>"),
                   def->name, STASIS_AGENT_CHANNEL);
      return NULL;
    }
  if (channel->type == STASIS_CHARDEV_UNIX && channel->mode == STASIS_CHARDEV_MODE_BIND
      && channel->source_path != NULL)
    return channel->source_path;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
               _ ("the channel '%2$s' of domain '%1$s' is no unix socket that QEMU listens on"),
               def->name, STASIS_AGENT_CHANNEL);
  return NULL;
}

static gboolean
look (const StasisDomainDef *def, StasisMonitor *monitor, Place *out_place,
      GCancellable *cancellable, GError **error)
{
  const StasisChardevDef *channel = stasis_agent_channel_find (def);
  g_autofree char *label = g_strconcat ("char", channel->info.alias, NULL);
  g_autoptr (GPtrArray) chardevs = stasis_monitor_query_chardev (monitor, cancellable, error);
  if (chardevs == NULL)
    return FALSE;
  *out_place = NO_AGENT;
  for (guint i = 0; i < chardevs->len; i++)
    {
      const StasisMonitorChardev *chardev = g_ptr_array_index (chardevs, i);
      if (!g_str_equal (chardev->label, label))
        continue;
      if (!g_str_has_prefix (chardev->filename, "disconnected:"))
        *out_place = TAKEN;
      else if (chardev->is_open)
        *out_place = FREE;
    }
  return TRUE;
}

static gboolean
nap (GCancellable *cancellable, GError **error)
{
  struct pollfd cancelled = { .fd = g_cancellable_get_fd (cancellable), .events = POLLIN };
  poll (&cancelled, 1, NAP_MS);
  if (cancelled.fd >= 0)
    g_cancellable_release_fd (cancellable);
  return !g_cancellable_set_error_if_cancelled (cancellable, error);
}

static gboolean
throw_place (const StasisDomainDef *def, Place place, const char *socket, GError **error)
{
  if (place == TAKEN)
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_BUSY,
                 _ ("another program is connected to the guest agent of domain '%1$s' ('%2$s')"),
                 def->name, socket);
  else
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
                 _ ("no guest agent is connected in domain '%1$s': none has the channel '%2$s' "
                    "open in the guest (qemu-guest-agent has to run there)"),
                 def->name, STASIS_AGENT_CHANNEL);
  return FALSE;
}

/* Wait until it is our turn. */
static gboolean
await_turn (const StasisDomainDef *def, StasisMonitor *monitor, const char *socket, gint64 wait_ms,
            GCancellable *cancellable, GError **error)
{
  const gint64 begin_us = g_get_monotonic_time ();
  Place place = NO_AGENT;
  for (;;)
    {
      if (!look (def, monitor, &place, cancellable, error))
        return FALSE;
      if (place == FREE)
        return TRUE;
      const gint64 patience_ms = place == TAKEN ? MAX (TURN_MS, wait_ms) : wait_ms;
      if (g_get_monotonic_time () - begin_us >= patience_ms * 1000)
        return throw_place (def, place, socket, error);
      if (!nap (cancellable, error))
        return FALSE;
    }
}

/* Begin a conversation. */
StasisAgent *
stasis_agent_channel_open (const StasisDomainDef *def, StasisMonitor *monitor, gint64 wait_ms,
                           GCancellable *cancellable, GError **error)
{
  const char *socket = stasis_agent_channel_socket (def, error);
  if (socket == NULL || !await_turn (def, monitor, socket, wait_ms, cancellable, error))
    return NULL;
  const int fd = stasis_unix_connect (socket, error);
  StasisAgent *agent
      = fd >= 0 ? stasis_agent_open (fd, MAX (STASIS_AGENT_SYNC_MS, wait_ms), cancellable, error)
                : NULL;
  if (agent == NULL)
    g_prefix_error (error, _ ("domain '%1$s', channel '%2$s': "), def->name, STASIS_AGENT_CHANNEL);
  return agent;
}
