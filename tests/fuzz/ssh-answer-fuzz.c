/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ssh-answer-fuzz.c: any octets as what an ssh agent answers, and as what a host says
 */

#include "config.h"

#include <string.h>

#include "transport/agent-answer.h"
#include "transport/text.h"

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) keys = stasis_ssh_agent_parse_keys (data, size, &error);
  g_assert_true ((keys == NULL) == (error != NULL));
  gsize total = 0;
  for (guint i = 0; keys != NULL && i < keys->len; i++)
    total += g_bytes_get_size (g_ptr_array_index (keys, i));
  g_assert_cmpuint (total, <=, size);

  const guint8 *signature;
  gsize signature_size;
  if (stasis_ssh_agent_parse_signature (data, size, &signature, &signature_size))
    g_assert_true (signature > data && signature + signature_size <= data + size);

  g_autofree char *line = stasis_ssh_one_line ((const char *) data, (gssize) size);
  g_assert_true (g_utf8_validate (line, -1, NULL));
  for (const char *at = line; *at != '\0'; at++)
    g_assert_false (g_ascii_iscntrl (*at));
  return 0;
}
