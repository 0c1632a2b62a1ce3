/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * suggest.c: the word that somebody may have meant
 *
 * Theory of operation
 *
 * Optimal string alignment distance: letters left out, added, replaced, or two neighbours
 * swapped, each for the price of one.  A third of the length is still taken for a slip.  A word
 * that begins like exactly one other ("dumpx") is taken for that one.
 */

#include "config.h"

#include "cli/suggest.h"

#include <string.h>

#define WORD_MAX 32u /* octets; longer words are not compared */

static guint
distance (const char *a, const char *b)
{
  const gsize na = strlen (a);
  const gsize nb = strlen (b);
  guint cost[WORD_MAX + 1][WORD_MAX + 1];

  for (gsize i = 0; i <= na; i++)
    cost[i][0] = i;
  for (gsize j = 0; j <= nb; j++)
    cost[0][j] = j;
  for (gsize i = 1; i <= na; i++)
    for (gsize j = 1; j <= nb; j++)
      {
        const guint change = a[i - 1] == b[j - 1] ? 0 : 1;
        guint best = MIN (cost[i - 1][j] + 1, cost[i][j - 1] + 1);
        best = MIN (best, cost[i - 1][j - 1] + change);
        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
          best = MIN (best, cost[i - 2][j - 2] + 1);
        cost[i][j] = best;
      }
  return cost[na][nb];
}

static const char *
only_with_prefix (const char *word, const char *const *words)
{
  const char *found = NULL;
  for (guint i = 0; words[i] != NULL; i++)
    if (g_str_has_prefix (words[i], word))
      {
        if (found != NULL)
          return NULL;
        found = words[i];
      }
  return found;
}

/* The nearest of @words. */
const char *
stasis_cli_suggest (const char *word, const char *const *words)
{
  const gsize length = strlen (word);
  if (length < 2 || length > WORD_MAX)
    return NULL;

  const char *best = NULL;
  guint best_distance = MAX (length / 3, 1) + 1;
  for (guint i = 0; words[i] != NULL; i++)
    {
      if (strlen (words[i]) > WORD_MAX)
        continue;
      const guint d = distance (word, words[i]);
      if (d < best_distance)
        {
          best = words[i];
          best_distance = d;
        }
    }
  return best != NULL ? best : only_with_prefix (word, words);
}
