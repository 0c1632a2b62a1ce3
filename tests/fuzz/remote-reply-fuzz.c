/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * remote-reply-fuzz.c: any octets as what a server sends, in two portions; calls of each procedure
 * wait for replies meanwhile
 */

#include "config.h"

#include "remote/client-private.h"
#include "remote/job-params.h"

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

/* The same as long as there is that procedure, for the corpus. */
static guint32
serial_of (const StasisProcedure *procedure)
{
  return (procedure->program & 0xffff) << 16 | (guint32) procedure->number;
}

static void
look_at (const StasisPending *pending)
{
  StasisWireValue values[STASIS_WIRE_MEMBERS_MAX];
  gsize length;
  const guint8 *octets = g_bytes_get_data (pending->payload, &length);
  StasisXdrReader in;
  stasis_xdr_reader_init (&in, octets, length);
  const char *layout = pending->procedure->rets;
  if (stasis_wire_decode (&in, layout, values) && g_str_equal (layout, "ip"))
    stasis_job_stats_free (stasis_job_params_parse (values[0].i, values[1].items));
  stasis_wire_clear (layout, values);
  stasis_xdr_reader_init (&in, octets, length);
  g_autoptr (GError) error = stasis_remote_error_get (&in);
  g_assert_nonnull (error->message);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  guint count;
  const StasisProcedure *procedures = stasis_procedures (&count);
  const StasisClientStream stream = { .fd = -1 };
  g_autoptr (StasisClient) client = stasis_client_new (&stream, "stasis+unix:///system");
  g_autofree StasisPending *pending = g_new0 (StasisPending, count);
  for (guint i = 0; i < count; i++)
    {
      pending[i].serial = serial_of (&procedures[i]);
      pending[i].procedure = &procedures[i];
      g_queue_init (&pending[i].news);
      g_hash_table_insert (client->pending, GUINT_TO_POINTER (pending[i].serial), &pending[i]);
    }
  const char *why = NULL;
  if (stasis_client_feed (client, data, size / 2, &why)
      && stasis_client_feed (client, data + size / 2, size - size / 2, &why))
    g_assert_null (why);
  else
    g_assert_nonnull (why);
  for (guint i = 0; i < count; i++)
    {
      if (pending[i].is_done)
        look_at (&pending[i]);
      g_clear_pointer (&pending[i].payload, g_bytes_unref);
      g_queue_clear_full (&pending[i].news, stasis_client_news_free);
    }
  return 0;
}
