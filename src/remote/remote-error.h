/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * remote-error.h: errors on libvirt's wire
 */

#pragma once

#include "remote/xdr.h"

G_BEGIN_DECLS

/**
 * StasisRemoteError:
 * @STASIS_REMOTE_ERROR_PROTOCOL: a packet that the protocol does not allow
 * @STASIS_REMOTE_ERROR_UNKNOWN: the other end does not know that procedure, or has no such program
 * @STASIS_REMOTE_ERROR_DENIED: a connection that may only read asked for a change
 * @STASIS_REMOTE_ERROR_CLOSED: the connection has ended
 * @STASIS_REMOTE_ERROR_NO_METADATA: the domain has no metadata of that kind
 * @STASIS_REMOTE_ERROR_NO_SUPPORT: libvirt has a function for that, and its driver for QEMU has not
 * @STASIS_REMOTE_ERROR_ARGUMENT: a parameter of an unknown name
 * @STASIS_REMOTE_ERROR_FINISHED: a migration that was cancelled is over, and there is no more to
 *   say of it
 *
 * What goes wrong between a client and a server, besides what goes wrong in the library.
 */
typedef enum
{
  STASIS_REMOTE_ERROR_PROTOCOL,
  STASIS_REMOTE_ERROR_UNKNOWN,
  STASIS_REMOTE_ERROR_DENIED,
  STASIS_REMOTE_ERROR_CLOSED,
  STASIS_REMOTE_ERROR_NO_METADATA,
  STASIS_REMOTE_ERROR_NO_SUPPORT,
  STASIS_REMOTE_ERROR_ARGUMENT,
  STASIS_REMOTE_ERROR_FINISHED,
} StasisRemoteError;

#define STASIS_REMOTE_ERROR (stasis_remote_error_quark ())
GQuark stasis_remote_error_quark (void);

/* libvirt's codes (enum virErrorNumber) that clients react to. */
#define STASIS_VIR_ERR_NO_SUPPORT 3
#define STASIS_VIR_ERR_RPC        39

/* The payload of an error reply. */
void stasis_remote_error_put (GByteArray *out, const GError *error);
/* (transfer full): the error that such a payload tells; one of our own where it is none. */
GError *stasis_remote_error_get (StasisXdrReader *in);

G_END_DECLS
