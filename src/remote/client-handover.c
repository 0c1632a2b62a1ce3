/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client-handover.c: a guest gets another QEMU, on a server
 */

#include "config.h"

#include <glib/gi18n-lib.h>

#include "remote/client-ops.h"

#define NAME "domain-handover"

static gboolean
handover (StasisDomain *self, const char *emulator, StasisHandoverFlags flags, gint64 *out_pause_us,
          StasisProgressFunc progress, gpointer user_data, GCancellable *cancellable,
          GError **error)
{
  StasisClient *client = stasis_client_of (self);
  StasisWireDomain domain = stasis_client_describe (self);
  const StasisClientJob job = {
    .progress = progress,
    .user_data = user_data,
    .cancellable = cancellable,
    .domain = &domain,
  };
  const StasisWireValue args[]
      = { { .domain = &domain }, { .s = (char *) emulator }, { .u = flags } };
  StasisWireValue rets[1] = { { 0 } };
  if (!stasis_client_need_own (client, _ ("a handover"), error)
      || !stasis_client_call_job (client, STASIS_PROGRAM_OWN, NAME, args, rets, &job, error))
    return FALSE;
  if (out_pause_us != NULL)
    *out_pause_us = rets[0].l;
  stasis_client_clear (STASIS_PROGRAM_OWN, NAME, rets);
  return TRUE;
}

void
stasis_client_fill_handover (StasisDriverOps *ops)
{
  ops->handover = handover;
}
