/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * error.h: why an operation on a driver or a domain failed
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#pragma GCC visibility push(default)

/**
 * StasisError:
 * @STASIS_ERROR_FAILED: anything else; the message says what
 * @STASIS_ERROR_NO_DOMAIN: there is no such domain
 * @STASIS_ERROR_EXISTS: a domain of that name or UUID is there already
 * @STASIS_ERROR_BUSY: another job holds the domain
 * @STASIS_ERROR_INVALID_STATE: not in the domain's present state (running, shut off ...)
 * @STASIS_ERROR_INVALID_ARGUMENT: an argument makes no sense
 * @STASIS_ERROR_UNSUPPORTED: not possible with this definition, host or QEMU
 * @STASIS_ERROR_REFUSED: possible but unsafe; the message names what overrides it
 * @STASIS_ERROR_XML: a definition that is wrong; the message names file and line
 * @STASIS_ERROR_IMAGE: a save image that is damaged, incomplete or of another kind
 * @STASIS_ERROR_QEMU: QEMU refused or died; the message carries its words
 * @STASIS_ERROR_HOOK: a hook of the administrator refused, or could not be called; the message
 *   carries its words
 * @STASIS_ERROR_NO_DEVICE: the domain has no such device
 *
 * Errors of the library.  System errors (no space, no permission) stay #GIOErrorEnum, and a
 * cancelled operation is %G_IO_ERROR_CANCELLED.
 */
typedef enum
{
  STASIS_ERROR_FAILED,
  STASIS_ERROR_NO_DOMAIN,
  STASIS_ERROR_EXISTS,
  STASIS_ERROR_BUSY,
  STASIS_ERROR_INVALID_STATE,
  STASIS_ERROR_INVALID_ARGUMENT,
  STASIS_ERROR_UNSUPPORTED,
  STASIS_ERROR_REFUSED,
  STASIS_ERROR_XML,
  STASIS_ERROR_IMAGE,
  STASIS_ERROR_QEMU,
  STASIS_ERROR_HOOK,
  STASIS_ERROR_NO_DEVICE,
} StasisError;

#define STASIS_ERROR (stasis_error_quark ())
GQuark stasis_error_quark (void);

#pragma GCC visibility pop

G_END_DECLS
