/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rest.c: what is left of octets made of words and of strings with their lengths, as ssh's are
 */

#include "config.h"

#include "transport/rest.h"

#include <string.h>

/* Of four octets. */
gboolean
stasis_ssh_take_word (StasisSshRest *rest, guint32 *out_word)
{
  if (rest->left < 4)
    return FALSE;
  memcpy (out_word, rest->at, 4);
  *out_word = GUINT32_FROM_BE (*out_word);
  rest->at += 4;
  rest->left -= 4;
  return TRUE;
}

/* A word, and so many octets. */
gboolean
stasis_ssh_take_string (StasisSshRest *rest, StasisSshRest *out_string)
{
  guint32 length;
  if (!stasis_ssh_take_word (rest, &length) || length > rest->left)
    return FALSE;
  *out_string = (StasisSshRest){ rest->at, length };
  rest->at += length;
  rest->left -= length;
  return TRUE;
}
