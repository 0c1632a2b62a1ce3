/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * error.h: what can go wrong between QEMU, or a guest agent, and us
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * StasisMonitorError:
 * @STASIS_MONITOR_ERROR_COMMAND: QEMU refused or failed a command; its own words are in the message
 * @STASIS_MONITOR_ERROR_UNSUPPORTED: this QEMU has no such command, or lacks a part of it
 * @STASIS_MONITOR_ERROR_TIMEOUT: no answer in time; the command may still be carried out
 * @STASIS_MONITOR_ERROR_CLOSED: QEMU has ended, or the connection has
 * @STASIS_MONITOR_ERROR_PROTOCOL: QEMU said what QMP does not allow, or a reply lacks what it must
 *   hold; in the first case the connection is closed
 *
 * Why a monitor could not do what it was asked; the same of a guest agent.
 */
typedef enum
{
  STASIS_MONITOR_ERROR_COMMAND,
  STASIS_MONITOR_ERROR_UNSUPPORTED,
  STASIS_MONITOR_ERROR_TIMEOUT,
  STASIS_MONITOR_ERROR_CLOSED,
  STASIS_MONITOR_ERROR_PROTOCOL,
} StasisMonitorError;

#define STASIS_MONITOR_ERROR (stasis_monitor_error_quark ())
GQuark stasis_monitor_error_quark (void);

G_END_DECLS
