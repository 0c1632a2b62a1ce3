/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest-agent.h: talk to the QEMU guest agent inside a guest
 *
 * One conversation is one connection to the host's end of the agent's channel, where QEMU serves
 * one client at a time.  Every call blocks until the answer, its deadline, or @cancellable; after a
 * deadline or a cancellation the agent may still carry the command out, and the conversation is
 * good for nothing more.  Errors are those of a monitor (STASIS_MONITOR_ERROR): _COMMAND with the
 * agent's words, _UNSUPPORTED, _TIMEOUT, _CLOSED, _PROTOCOL; or G_IO_ERROR_CANCELLED.
 *
 * All that an agent says is said by the guest, which may lie.
 */

#pragma once

#include <gio/gio.h>

#include "util/json.h"

G_BEGIN_DECLS

#define STASIS_AGENT_CHANNEL "org.qemu.guest_agent.0" /* the name of its virtio port */

#define STASIS_AGENT_SYNC_MS   5000  /* for an agent to say that it is there, as libvirt */
#define STASIS_AGENT_THAW_MS   10000 /* the same for a thaw, which is worth waiting for */
#define STASIS_AGENT_FREEZE_MS 60000 /* hooks in the guest may have databases write first */

typedef struct _StasisAgent StasisAgent;

/* Begin a conversation on a connected unix stream socket; waits for the agent to be in step.
 * @socket_take: consumed, on failure too */
StasisAgent *stasis_agent_open (int socket_take, gint64 timeout_ms, GCancellable *cancellable,
                                GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* NULL is fine. */
void stasis_agent_close (StasisAgent *agent);

/* Any command, for which no function stands below.
 * @arguments_take: (nullable): consumed; @out_return: (nullable) (transfer full) */
gboolean stasis_agent_command (StasisAgent *agent, const char *command, StasisJson *arguments_take,
                               gint64 timeout_ms, StasisJson **out_return,
                               GCancellable *cancellable, GError **error);

gboolean stasis_agent_ping (StasisAgent *agent, GCancellable *cancellable, GError **error);

/* (transfer full): what `guest-info` says: version, commands. */
StasisJson *stasis_agent_info (StasisAgent *agent, GCancellable *cancellable,
                               GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* TRUE where that lists @command, and enabled. */
gboolean stasis_agent_info_has (const StasisJson *info, const char *command);

gboolean stasis_agent_fs_status (StasisAgent *agent, gboolean *out_is_frozen,
                                 GCancellable *cancellable, GError **error);
gboolean stasis_agent_fs_freeze (StasisAgent *agent, guint *out_count, GCancellable *cancellable,
                                 GError **error);
gboolean stasis_agent_fs_thaw (StasisAgent *agent, guint *out_count, GCancellable *cancellable,
                               GError **error);

/* A conversation of its own that only thaws.  Sync and thaw are sent at once: an agent that is busy
 * with a freeze, and answers too late for us, thaws all the same when it comes to it.  (It may have
 * to wait with its answer to the freeze, and so with the thaw, for the next client to connect.)
 * @socket_take: consumed; @sync_ms: for the first answer; @out_count: (optional) */
gboolean stasis_agent_thaw (int socket_take, gint64 sync_ms, guint *out_count, GError **error);

/* The guest's clock, in nanoseconds since 1970. */
gboolean stasis_agent_get_time (StasisAgent *agent, gint64 *out_ns, GCancellable *cancellable,
                                GError **error);
gboolean stasis_agent_set_time (StasisAgent *agent, gint64 ns, GCancellable *cancellable,
                                GError **error);
/* From the guest's hardware clock. */
gboolean stasis_agent_set_time_from_rtc (StasisAgent *agent, GCancellable *cancellable,
                                         GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisAgent, stasis_agent_close)

G_END_DECLS
